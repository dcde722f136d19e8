import {
    BoothClient,
    CancelledError,
    checkBrowser,
    eraseDatabase,
    type GalleryState,
    type GpuTrial,
    type Photo,
    type Precision,
    type Problem,
    problemOf,
    readSetting,
    writeSetting,
} from "edgesr-web/booth";
import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useRef, useState } from "react";
import { Offline, type OfflineState } from "./offline";
import { go } from "./route";

/** What stands in the way, and what was tried when it came up. */
export interface Obstacle {
    problem: Problem;
    /** For people who report it: the error's own words. */
    detail: string;
    again: () => void;
}

export interface BoothContext {
    client: BoothClient;
    /** Null until the browser's storage has answered. */
    consented: boolean | null;
    accept(): void;
    gallery: GalleryState | null;
    setGallery(gallery: GalleryState): void;
    /** Whether it is known to be unusable; its own screen says why. */
    galleryProblem: boolean;
    loadGallery(): Promise<void>;
    precision: Precision;
    setPrecision(precision: Precision): void;
    photo: Photo | null;
    choose(photo: Blob, name: string): void;
    obstacle: Obstacle | null;
    /** Show what an error means; nothing for what was cancelled. */
    fail(error: unknown, again: () => void): void;
    clear(): void;
    /** Go on without the browser's storage. */
    forgetful(): void;
    wiped: boolean;
    /** Delete everything that this browser keeps of the booth. */
    wipe(): Promise<void>;
    /** Throw the page's own copies away and load it anew; the gallery stays. */
    refetch(): Promise<void>;
    offline: OfflineState;
    laterUpdate(): void;
    gpu: GpuTrial | null;
    /** Whether WebGPU serves here; `again` asks though the answer is known. */
    tryGpu(again: boolean): Promise<void>;
}

const Context = createContext<BoothContext | null>(null);

export function useBooth(): BoothContext {
    const booth = useContext(Context);
    if (!booth) throw new Error("useBooth outside of BoothProvider");
    return booth;
}

export const BASE = new URL(".", document.baseURI).href;

export function BoothProvider({ children }: { children: ReactNode }) {
    const [client] = useState(() => new BoothClient({ manifest: `${BASE}booth.json`, lasting: true }));
    const [offline] = useState(() => new Offline(BASE));
    const [offlineState, setOfflineState] = useState<OfflineState>(offline.state);
    const [consented, setConsented] = useState<boolean | null>(null);
    const [gallery, setGallery] = useState<GalleryState | null>(null);
    const [galleryProblem, setGalleryProblem] = useState(false);
    const [precision, keepPrecision] = useState<Precision>("int8");
    const [photo, setPhoto] = useState<Photo | null>(null);
    const [obstacle, setObstacle] = useState<Obstacle | null>(null);
    const [wiped, setWiped] = useState(false);
    const [gpu, setGpu] = useState<GpuTrial | null>(null);
    const lasting = useRef(true);

    const fail = useCallback((error: unknown, again: () => void) => {
        if (error instanceof CancelledError) return;
        setObstacle({
            problem: problemOf(error),
            detail: error instanceof Error ? error.message : String(error),
            again,
        });
    }, []);

    // Stable, all of them: an effect that asks the worker must not ask again because something else has changed.
    const clear = useCallback(() => setObstacle(null), []);
    const choose = useCallback((content: Blob, name: string) => {
        setObstacle(null);
        setPhoto({ id: crypto.randomUUID(), name, content });
        go("result");
    }, []);
    const tryGpu = useCallback(
        async (again: boolean) => setGpu(await client.ask("tryGpu", { precision, again })),
        [client, precision],
    );

    const begin = useCallback(async () => {
        setObstacle(null);
        try {
            checkBrowser();
            if (lasting.current) {
                const chosen = await readSetting("precision");
                if (chosen === "fp32" || chosen === "int8") keepPrecision(chosen);
                setConsented((await readSetting("consented")) === true);
            } else {
                setConsented((before) => before ?? false);
            }
        } catch (error) {
            fail(error, begin);
        }
    }, [fail]);

    const loadGallery = useCallback(async () => {
        try {
            setGallery(await client.ask("gallery", {}));
            setGalleryProblem(false);
        } catch (error) {
            setGalleryProblem(true);
            throw error;
        }
    }, [client]);

    useEffect(() => {
        void begin();
        const visible = () => client.shown(document.visibilityState === "visible");
        document.addEventListener("visibilitychange", visible);
        return () => document.removeEventListener("visibilitychange", visible);
    }, [begin, client]);

    useEffect(() => offline.watch(setOfflineState), [offline]);

    useEffect(() => {
        if (!consented) return;
        // The gallery's own screen says what is wrong with it, if anything is.
        loadGallery().catch(() => undefined);
        void offline.keep();
    }, [consented, loadGallery, offline]);

    const value = useMemo<BoothContext>(() => {
        const keep = (name: string, setting: unknown) => {
            if (lasting.current) writeSetting(name, setting).catch((error) => fail(error, () => setObstacle(null)));
        };
        return {
            client,
            consented,
            accept: () => {
                keep("consented", true);
                setConsented(true);
            },
            gallery,
            setGallery,
            galleryProblem,
            loadGallery,
            precision,
            setPrecision: (next) => {
                keepPrecision(next);
                keep("precision", next);
            },
            photo,
            choose,
            obstacle,
            fail,
            clear,
            forgetful: () => {
                lasting.current = false;
                client.configure({ lasting: false });
                void begin();
            },
            wiped,
            wipe: async () => {
                if (lasting.current) {
                    await client.ask("wipe", {});
                    client.close();
                    await eraseDatabase();
                }
                client.close();
                await offline.forget();
                setPhoto(null);
                setGallery(null);
                setObstacle(null);
                setWiped(true);
            },
            refetch: async () => {
                await offline.forget();
                window.location.reload();
            },
            offline: offlineState,
            laterUpdate: () => offline.later(),
            gpu,
            tryGpu,
        };
    }, [
        client,
        consented,
        gallery,
        galleryProblem,
        loadGallery,
        precision,
        photo,
        obstacle,
        fail,
        wiped,
        offlineState,
        begin,
        offline,
        gpu,
        clear,
        choose,
        tryGpu,
    ]);

    return <Context value={value}>{children}</Context>;
}
