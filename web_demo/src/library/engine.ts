import { BoothClient, checkBrowser } from "../engine/client";
import { CancelledError, ProblemError } from "../engine/problems";
import type {
    Calls,
    Chosen,
    FaceOutcome,
    GalleryContent,
    GalleryState,
    GpuTrial,
    Kind,
    Looked,
    Opened,
    Photo,
    Picture,
    Precision,
    Progress,
    Refusal,
    Saved,
    SeenFace,
    Sources,
} from "../engine/protocol";

/** What every question takes: a way to call it off, and somebody to tell how far it is. */
export interface Asking {
    /** Aborted, the promise rejects with the signal's reason. */
    signal?: AbortSignal | undefined;
    progress?: ((progress: Progress) => void) | undefined;
}

export interface EngineOptions extends Asking {
    /**
     * `manifest.json` of `edgesr convert --target onnx`, or `booth.json` of `--target web`. The other files lie beside it,
     * and each is checked against the hash that it names.
     */
    manifest: string | URL;
    /** `face_detection_yunet.onnx`; without, the one of this package. */
    detector?: string | URL;
    /** onnxruntime-web's `ort.wasm.min.mjs`, for pages without a bundler; without, the bundled one. */
    runtime?: string | URL;
    /** Which network where a web bundle holds two; int8 unless told otherwise. */
    precision?: Precision;
    /** Starts the module worker `edgesr-web/worker`, where a bundler does not find it by itself. */
    worker?: () => Worker;
}

export interface LearnOptions extends Asking {
    /** What was learned of this person before; null or nothing for a new one. */
    gallery?: GalleryContent;
    /** Which face is the person, where a photo shows several; null for none. Without it such photos are refused. */
    which?: (faces: readonly SeenFace[], photo: Blob) => number | null | Promise<number | null>;
}

/** What came of photos to learn from. */
export interface Learned {
    /** The `.gallery` file's bytes; null where nothing is known of the person yet. */
    gallery: GalleryContent;
    /** Photos that are in it now, by their place in what was given. */
    learned: number[];
    /** Those that are not, and why. */
    refused: { photo: number; reason: Refusal | "several-faces" }[];
}

export interface FindOptions extends Asking {
    /** Look at all parts of the photo at full size, too, for faces down to 10 pixels. */
    thorough?: boolean;
}

export interface RestoreOptions extends Asking {
    /** Of the face's person; without one the face is restored without anybody's features. */
    gallery?: GalleryContent;
    precision?: Precision;
}

export interface EnhanceOptions extends RestoreOptions {
    /** PNG unless told otherwise. */
    type?: Saved["type"];
    /** 0 leaves the photo as it is, 1 is full restoration. */
    strength?: number;
}

/**
 * Galleries and faces, computed in a worker of its own. Several questions at once are answered one after the other.
 * Every method rejects with a `ProblemError` whose `problem` says what is wrong and whose `hint` says what to try.
 */
export class Engine {
    private readonly photos = new WeakMap<Blob, Photo & { thorough: boolean }>();
    private client: BoothClient | null;
    private opened: Opened | null = null;

    private constructor(
        client: BoothClient,
        private readonly precision: Precision,
    ) {
        this.client = client;
    }

    /** Fetch and check the networks. */
    static async open(options: EngineOptions): Promise<Engine> {
        checkBrowser();
        const engine = new Engine(
            new BoothClient({ ...sourcesOf(options), lasting: false }, options.worker),
            options.precision ?? "int8",
        );
        try {
            engine.opened = await engine.ask("open", { precision: engine.precision }, options);
        } catch (error) {
            engine.dispose();
            throw error;
        }
        return engine;
    }

    /** Which network it is: its name, the sizes of its faces in pixels, and how many photos serve one face. */
    get network(): Opened {
        return this.opened!;
    }

    /**
     * Learn a person from photos. Nothing here can tell people apart: only photos of one person may be given.
     * The gallery holds features and no photo; keep its bytes as a `.gallery` file.
     */
    async learn(photos: Iterable<Blob>, options: LearnOptions = {}): Promise<Learned> {
        const all = [...photos];
        const result: Learned = { gallery: options.gallery ?? null, learned: [], refused: [] };
        for (const [i, photo] of all.entries()) {
            const asking: Asking = {
                signal: options.signal,
                progress: ({ stage, share }) =>
                    options.progress?.({ stage, share: (i + Math.max(share, 0)) / all.length }),
            };
            const learn = (face?: number) => {
                const chosen = face === undefined ? {} : { face };
                const args = { photo: this.known(photo), sure: true, ...chosen };
                return this.askWith(result.gallery, "learn", args, asking);
            };
            let { value, gallery } = await learn();
            if (value.kind === "whose") {
                const face = (await options.which?.(value.faces, photo)) ?? null;
                if (face !== null) ({ value, gallery } = await learn(face));
            }
            if (value.kind === "learned") result.learned.push(i);
            else result.refused.push({ photo: i, reason: value.kind === "refused" ? value.reason : "several-faces" });
            result.gallery = gallery;
        }
        return result;
    }

    /** What a gallery holds. Rejects where it is damaged or another network's. */
    async describe(gallery: GalleryContent, asking: Asking = {}): Promise<GalleryState> {
        return (await this.askWith(gallery, "gallery", {}, asking)).value;
    }

    /** The gallery without the photo at that place: nothing of it is left in the bytes. */
    async forget(gallery: GalleryContent, photo: number, asking: Asking = {}): Promise<GalleryContent> {
        return (await this.askWith(gallery, "forget", { index: photo }, asking)).gallery;
    }

    /** The faces of a photo, the largest first: where they are, how large, and what they look like. */
    async find(photo: Blob, options: FindOptions = {}): Promise<Looked> {
        const known = this.known(photo);
        const looked = await this.ask("look", { photo: known, thorough: options.thorough ?? known.thorough }, options);
        known.thorough = looked.thorough;
        return looked;
    }

    /** A face of a photo, by its place in what `find` gave, before and after, and what each of the person's photos gave. */
    async restore(photo: Blob, face: number, options: RestoreOptions = {}): Promise<FaceOutcome> {
        const { id, name, content, thorough } = this.known(photo);
        const args = { photo: { id, name, content }, thorough, face, own: true, precision: this.of(options) };
        return (await this.askWith(options.gallery ?? null, "restoreFace", args, options)).value;
    }

    /** An aligned tiny face of `network.lrSize` pixels a side, sharp: as `edgesr restore` makes it. */
    async restoreAligned(lr: Picture, options: RestoreOptions = {}): Promise<Picture> {
        const { lrSize } = this.network;
        if (lr.width !== lrSize || lr.height !== lrSize) {
            const what = `an aligned face has ${lrSize} x ${lrSize} pixels, and this one ${lr.width} x ${lr.height}`;
            throw new ProblemError("no-image", what, "give the whole photo to find and restore");
        }
        const args = { lr, precision: this.of(options) };
        return (await this.askWith(options.gallery ?? null, "restoreAligned", args, options)).value.face;
    }

    /**
     * The whole photo with those faces restored in it, enlarged until they show; its metadata says what was done. Only the
     * face that is said to be the gallery's person gets the gallery's features.
     */
    async enhance(photo: Blob, faces: readonly Chosen[], options: EnhanceOptions = {}): Promise<Blob> {
        const { id, name, content, thorough } = this.known(photo);
        const { type = "png", strength = 1 } = options;
        const picture = { photo: { id, name, content }, thorough, faces: [...faces], type, strength };
        const args = { ...picture, precision: this.of(options) };
        return (await this.askWith(options.gallery ?? null, "enhance", args, options)).value;
    }

    /** Use WebGPU, if there is an adapter whose results agree with WebAssembly's and come sooner; says what came of it. */
    async tryGpu(asking: Asking = {}): Promise<GpuTrial> {
        return this.ask("tryGpu", { precision: this.precision, again: true }, asking);
    }

    /** End the worker and free its memory. Questions without an answer are rejected, and so is every later one. */
    dispose(): void {
        this.client?.close();
        this.client = null;
    }

    private of({ precision }: RestoreOptions): Precision {
        return precision ?? this.precision;
    }

    /** The same file again is decoded once. */
    private known(content: Blob): Photo & { thorough: boolean } {
        const known = this.photos.get(content) ?? { id: crypto.randomUUID(), name: "", content, thorough: false };
        this.photos.set(content, known);
        return known;
    }

    private ask<K extends Kind>(kind: K, args: Calls[K]["args"], asking: Asking): Promise<Calls[K]["answer"]> {
        return this.answered(asking, (client, options) => client.ask(kind, args, options));
    }

    private askWith<K extends Kind>(gallery: GalleryContent, kind: K, args: Calls[K]["args"], asking: Asking) {
        return this.answered(asking, (client, options) => client.askWith(gallery, kind, args, options));
    }

    /** A cancelled question rejects as `fetch` does. */
    private async answered<T>(
        { signal, progress }: Asking,
        ask: (client: BoothClient, options: Asking) => Promise<T>,
    ): Promise<T> {
        if (!this.client) throw disposed();
        try {
            return await ask(this.client, { signal, progress });
        } catch (error) {
            if (!(error instanceof CancelledError)) throw error;
            throw signal?.aborted ? signal.reason : disposed();
        }
    }
}

/** What a canvas takes. */
export function toImageData({ width, height, rgba }: Picture): ImageData {
    return new ImageData(rgba, width, height);
}

function disposed(): DOMException {
    return new DOMException("the engine was disposed", "AbortError");
}

/** Addresses are seen from the page. */
function sourcesOf({ manifest, detector, runtime }: EngineOptions): Sources {
    const absolute = (address: string | URL) => new URL(address, document.baseURI).href;
    const packaged = new URL("./face_detection_yunet.onnx", import.meta.url);
    return {
        manifest: absolute(manifest),
        detector: absolute(detector ?? packaged),
        ...(runtime !== undefined && { runtime: absolute(runtime) }),
    };
}
