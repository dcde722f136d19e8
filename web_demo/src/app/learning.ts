import { useCallback, useEffect, useRef, useState } from "react";
import { CancelledError } from "../engine/problems";
import type { Learned, Photo, Refusal, SeenFace } from "../engine/protocol";
import { useBooth } from "./booth";
import { words } from "./words";

/** Photos being learned from, one after the other. */
export interface Learning {
    now: { done: number; total: number } | null;
    /** Names and reasons of photos that were not used, of the last choice. */
    refused: { name: string; reason: Refusal }[];
    /** Several people are in this photo: somebody has to say whose it is. */
    asking: { name: string; faces: SeenFace[]; answer: (face: number | null) => void } | null;
    /** For screen readers. */
    said: string;
    add: (files: File[]) => void;
    stop: () => void;
}

export function useLearning(): Learning {
    const { client, setGallery, fail, clear } = useBooth();
    const [now, setNow] = useState<Learning["now"]>(null);
    const [refused, setRefused] = useState<Learning["refused"]>([]);
    const [asking, setAsking] = useState<Learning["asking"]>(null);
    const [said, setSaid] = useState("");
    const running = useRef<AbortController | null>(null);

    useEffect(() => () => running.current?.abort(), []);

    const add = useCallback(
        async (files: File[]) => {
            if (files.length === 0 || running.current) return;
            const controller = new AbortController();
            running.current = controller;
            const { signal } = controller;
            const choose = (name: string, faces: SeenFace[]) =>
                new Promise<number | null>((answer, reject) => {
                    signal.addEventListener("abort", () => reject(new CancelledError()));
                    setAsking({ name, faces, answer });
                }).finally(() => setAsking(null));
            const learn = async (photo: Photo): Promise<Exclude<Learned, { kind: "whose" }> | null> => {
                const first = await client.ask("learn", { photo }, { signal });
                if (first.kind !== "whose") return first;
                const face = await choose(photo.name, first.faces);
                if (face === null) return null;
                const second = await client.ask("learn", { photo, face }, { signal });
                return second.kind === "whose" ? null : second;
            };
            setRefused([]);
            let added = 0;
            try {
                for (const [done, file] of files.entries()) {
                    setNow({ done, total: files.length });
                    const learned = await learn({ id: crypto.randomUUID(), name: file.name, content: file });
                    if (learned?.kind === "learned") {
                        added++;
                        setGallery(learned.gallery);
                    } else if (learned) {
                        setRefused((before) => [...before, { name: file.name, reason: learned.reason }]);
                    }
                }
                if (added > 0) void navigator.storage?.persist?.(); // else a full disk may cost the gallery
            } catch (error) {
                fail(error, clear);
            } finally {
                running.current = null;
                setNow(null);
                setSaid(words.gallery.added(added));
            }
        },
        [client, setGallery, fail, clear],
    );
    const stop = useCallback(() => running.current?.abort(), []);
    return { now, refused, asking, said, add, stop };
}
