import { CancelledError, type Learned, type Photo, type Picture, type Refusal, type SeenFace } from "edgesr-web/booth";
import { useCallback, useEffect, useRef, useState } from "react";
import { useBooth } from "./booth";
import { words } from "./words";

/** Photos being learned from, one after the other. */
export interface Learning {
    now: { done: number; total: number } | null;
    /** Names and reasons of photos that were not used, of the last choice. */
    refused: { name: string; reason: Refusal }[];
    /** Several people are in this photo: somebody has to say whose it is. */
    asking: { name: string; faces: SeenFace[]; answer: (face: number | null) => void } | null;
    /** Whether these are the gallery's person, one and all: somebody has to say, by those that are. */
    unsure: { faces: { name: string; face: Picture }[]; answer: (chosen: number[]) => void } | null;
    /** For screen readers. */
    said: string;
    add: (files: File[]) => void;
    stop: () => void;
}

type Answered = Exclude<Learned, { kind: "whose" }> & { which: number | undefined };

/** A photo that could be learned from, and which of its faces. */
interface Unsure {
    photo: Photo;
    face: Picture;
    which: number | undefined;
}

export function useLearning(): Learning {
    const { client, gallery, setGallery, fail, clear } = useBooth();
    const empty = gallery?.remembered.length === 0;
    const [now, setNow] = useState<Learning["now"]>(null);
    const [refused, setRefused] = useState<Learning["refused"]>([]);
    const [asking, setAsking] = useState<Learning["asking"]>(null);
    const [unsure, setUnsure] = useState<Learning["unsure"]>(null);
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
            const ask = async (photo: Photo, sure: boolean): Promise<Answered | null> => {
                const first = await client.ask("learn", { photo, sure }, { signal });
                if (first.kind !== "whose") return { ...first, which: undefined };
                const which = await choose(photo.name, first.faces);
                if (which === null) return null;
                const second = await client.ask("learn", { photo, face: which, sure }, { signal });
                return second.kind === "whose" ? null : { ...second, which };
            };
            const choosePerson = (faces: Unsure[]) =>
                new Promise<number[]>((answer, reject) => {
                    signal.addEventListener("abort", () => reject(new CancelledError()));
                    setUnsure({ faces: faces.map(({ photo, face }) => ({ name: photo.name, face })), answer });
                }).finally(() => setUnsure(null));
            const refuse = (name: string, reason: Refusal) => setRefused((before) => [...before, { name, reason }]);
            setRefused([]);
            setSaid("");
            let added = 0;
            const took = (name: string, learned: Learned | null) => {
                if (learned?.kind === "learned") {
                    added++;
                    setGallery(learned.gallery);
                } else if (learned?.kind === "refused") refuse(name, learned.reason);
            };
            try {
                // The first photo of all can only be of whom it shows; of every other somebody says whether it is the same.
                const unsure: Unsure[] = [];
                for (const [done, file] of files.entries()) {
                    setNow({ done, total: files.length });
                    const photo = { id: crypto.randomUUID(), name: file.name, content: file };
                    const learned = await ask(photo, files.length === 1 && empty);
                    if (learned?.kind === "unsure") unsure.push({ photo, face: learned.face, which: learned.which });
                    else took(file.name, learned);
                }
                const alone = unsure.length === 1 && empty && added === 0;
                const chosen = unsure.length === 0 ? [] : alone ? [0] : await choosePerson(unsure);
                for (const [i, { photo, which }] of unsure.entries()) {
                    if (!chosen.includes(i)) {
                        refuse(photo.name, "somebody-else");
                        continue;
                    }
                    setNow({ done: i, total: unsure.length });
                    const face = which === undefined ? {} : { face: which };
                    took(photo.name, await client.ask("learn", { photo, ...face, sure: true }, { signal }));
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
        [client, setGallery, fail, clear, empty],
    );
    const stop = useCallback(() => running.current?.abort(), []);
    return { now, refused, asking, unsure, said, add, stop };
}
