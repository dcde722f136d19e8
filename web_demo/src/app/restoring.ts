import type { Looked, Outcome, Photo, Precision, Progress } from "edgesr-web/booth";
import { useCallback, useEffect, useRef, useState } from "react";
import { useBooth } from "./booth";
import { words } from "./words";

/** A photo on its way from file to restored face. */
export interface Restoring {
    looked: Looked | null;
    face: number | null;
    outcome: Outcome | null;
    /** What is being done now, null where it waits for somebody. */
    busy: { stage: Progress["stage"]; share: number; closer: boolean } | null;
    /** Which face is the person of the gallery, as somebody said; null: none of them. */
    owner: number | null;
    pick: (face: number | null) => void;
    /** Say which face is the gallery's person. */
    own: (face: number | null) => void;
    lookCloser: () => void;
}

export function useRestoring(photo: Photo, precision: Precision): Restoring {
    const { client, fail, clear } = useBooth();
    const [looked, setLooked] = useState<Looked | null>(null);
    const [face, pick] = useState<number | null>(null);
    const [owner, own] = useState<number | null>(null);
    const [outcome, setOutcome] = useState<Outcome | null>(null);
    const [busy, setBusy] = useState<Restoring["busy"]>({ stage: "photo", share: -1, closer: false });
    const [attempt, setAttempt] = useState(0);
    const running = useRef<AbortController | null>(null);

    const again = useCallback(() => {
        clear();
        setAttempt((n) => n + 1);
    }, [clear]);

    const look = useCallback(
        async (thorough: boolean) => {
            running.current?.abort();
            const controller = new AbortController();
            running.current = controller;
            const progress = ({ stage, share }: Progress) => setBusy({ stage, share, closer: thorough });
            try {
                progress({ stage: "photo", share: -1 });
                const found = await client.ask("look", { photo, thorough }, { signal: controller.signal, progress });
                setLooked(found);
                setOutcome(null);
                // Who is alone in a photo is taken for the person that it was chosen for; of several somebody has to say.
                const alone = found.faces.length === 1 ? 0 : null;
                pick(alone);
                own(alone);
                setBusy(null);
            } catch (error) {
                fail(error, again);
            }
        },
        [client, photo, fail, again],
    );

    useEffect(() => {
        void look(false);
        return () => running.current?.abort();
    }, [look, attempt]);

    useEffect(() => {
        if (!looked || face === null) return;
        const controller = new AbortController();
        const progress = ({ stage, share }: Progress) => setBusy({ stage, share, closer: false });
        progress({ stage: "restore", share: -1 });
        client
            .ask(
                "restore",
                { photo, thorough: looked.thorough, face, own: face === owner, precision },
                { signal: controller.signal, progress },
            )
            .then(
                (done) => {
                    setOutcome(done);
                    setBusy(null);
                },
                (error) => fail(error, again),
            );
        return () => controller.abort();
    }, [client, photo, looked, face, owner, precision, fail, again, attempt]);

    const choose = useCallback((next: number | null) => {
        if (next === null) setOutcome(null);
        pick(next);
    }, []);
    const lookCloser = useCallback(() => void look(true), [look]);
    return { looked, face, owner, outcome, busy, pick: choose, own, lookCloser };
}

/** What is being done, in words. */
export function labelOf({ stage, closer }: NonNullable<Restoring["busy"]>): string {
    if (stage === "network") return words.result.opening;
    if (stage === "restore") return words.result.restoring;
    if (stage === "save") return words.result.saving;
    return closer ? words.result.lookingCloser : words.result.looking;
}
