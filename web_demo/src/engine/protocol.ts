import type { Refusal as PoorQuality } from "../core/quality";
import type { Problem } from "./problems";

/** Which of the two networks runs. */
export type Precision = "int8" | "fp32";
export const PRECISIONS: readonly Precision[] = ["int8", "fp32"];

/** What runs the graphs. */
export type Provider = "wasm" | "webgpu";

/** Pixels as a canvas takes them: red, green, blue and opacity, row by row. */
export interface Picture {
    width: number;
    height: number;
    rgba: Uint8ClampedArray<ArrayBuffer>;
}

/** A photo that somebody chose; `id` is new for each choice, so that the worker knows what it has decoded already. */
export interface Photo {
    id: string;
    name: string;
    content: Blob;
}

/** Why a photo was not learned from. */
export type Refusal = PoorQuality | "no-face" | "no-image" | "heic" | "huge" | "duplicate" | "somebody-else";

/** A face of a photo: its box in shares of the photo's width and height, and what it looks like. */
export interface SeenFace {
    box: { left: number; top: number; width: number; height: number };
    /** Side of the aligned square in photo pixels. */
    side: number;
    tile: Picture;
}

export interface Opened {
    /** Of the edgesr that converted the networks. */
    version: string;
    name: string;
    available: Precision[];
    precision: Precision;
    provider: Provider;
    lrSize: number;
    hrSize: number;
    slots: number;
}

/** A photo that is remembered: what its stored description amounts to, and how sharp it was, 0 to 1. */
export interface Remembered {
    picture: Picture;
    sharpness: number;
}

export interface GalleryState {
    remembered: Remembered[];
    /** Bytes of the file. */
    bytes: number;
    /** False where the browser keeps nothing: the gallery lasts until the page is closed. */
    lasting: boolean;
}

export type Learned =
    | { kind: "learned"; gallery: GalleryState }
    | { kind: "refused"; reason: Refusal }
    | { kind: "whose"; faces: SeenFace[] }
    /** Nothing here can tell whether it is the gallery's person: somebody has to. What it looks like. */
    | { kind: "unsure"; face: Picture };

export interface Looked {
    width: number;
    height: number;
    /** How many times smaller than the file's pixels, 1 for all but very large photos. */
    reduced: number;
    preview: ImageBitmap;
    /** Whether parts of it were searched at full size, too. */
    thorough: boolean;
    faces: SeenFace[];
}

export interface Heatmap {
    /** Index into the gallery. */
    exemplar: number;
    /** Its mean share of all weights, 0 to 1. */
    share: number;
    picture: Picture;
}

/** A restored face and how it came about. */
export interface FaceOutcome {
    face: number;
    own: boolean;
    precision: Precision;
    /** The networks that there are. */
    available: Precision[];
    provider: Provider;
    /** The face before, enlarged plainly, and after: what the slider compares. */
    before: Picture;
    after: Picture;
    heatmaps: Heatmap[];
    /** Side of the face's square in photo pixels, and of what the network takes. */
    side: number;
    lrSize: number;
    /** Milliseconds from pixels in to results out, of this run and the median of the last ones like it. */
    millis: number;
    medianMillis: number;
    runs: number;
}

/** A restored face in its photo. */
export interface Outcome extends FaceOutcome {
    /** The photo with and without the restored face, scaled down to what a screen shows. */
    photoBefore: ImageBitmap;
    photoAfter: ImageBitmap;
    /** Of the photo as it is saved. */
    photoWidth: number;
    photoHeight: number;
}

export interface GpuTrial {
    adapter: boolean;
    /** Whether its output agrees with WebAssembly's; dB of the face. */
    agrees: boolean;
    psnr: number;
    wasmMillis: number;
    gpuMillis: number;
    /** It agrees and is faster: it runs from now on. */
    used: boolean;
    why: string;
}

export interface Measured {
    precision: Precision;
    provider: Provider;
    graph: "encode" | "restore";
    median: number;
    p10: number;
    p90: number;
    runs: number;
}

/** A face among those that were found in a photo. */
export interface Chosen {
    face: number;
    /** Whether it is the gallery's person, as somebody said: nobody else gets the gallery's features. */
    own: boolean;
}

/** A face of a photo, by the same search, and the network that restores it. */
export interface Wanted extends Chosen {
    photo: Photo;
    thorough: boolean;
    precision: Precision;
}

/** How a picture is saved; `strength` from 0, as it was, to 1. */
export interface Saved {
    type: "png" | "jpeg";
    strength: number;
}

/** Every question that the page asks, with what it brings and what comes back. */
export interface Calls {
    open: { args: { precision: Precision }; answer: Opened };
    gallery: { args: Record<string, never>; answer: GalleryState };
    /** `face` where several are in it; `sure` once somebody said that it is the gallery's person. */
    learn: { args: { photo: Photo; face?: number; sure?: boolean }; answer: Learned };
    forget: { args: { index: number }; answer: GalleryState };
    export: { args: Record<string, never>; answer: Blob };
    import: { args: { content: Blob }; answer: GalleryState };
    wipe: { args: Record<string, never>; answer: null };
    look: { args: { photo: Photo; thorough: boolean }; answer: Looked };
    restore: { args: Wanted; answer: Outcome };
    restoreFace: { args: Wanted; answer: FaceOutcome };
    /** An aligned LR face as it is, with the gallery: as `edgesr restore` does it, and what is held against it. */
    restoreAligned: { args: { lr: Picture; precision: Precision }; answer: { face: Picture; exemplars: number[] } };
    save: { args: Wanted & Saved & { what: "face" | "photo" }; answer: Blob };
    /** The whole photo with several faces restored. */
    enhance: { args: Omit<Wanted, keyof Chosen> & Saved & { faces: Chosen[] }; answer: Blob };
    tryGpu: { args: { precision: Precision; again: boolean }; answer: GpuTrial };
    measure: { args: { precision: Precision; runs: number }; answer: Measured[] };
}

export type Kind = keyof Calls;

/** A `.gallery` file's content; null for a person of whom nothing was learned. */
export type GalleryContent = Uint8Array<ArrayBuffer> | null;

/**
 * With a gallery the question is about that one, and the answer brings it back, changed or not; the one that is kept here
 * is not touched.
 */
export type Question = {
    [K in Kind]: { id: number; kind: K; args: Calls[K]["args"]; gallery?: GalleryContent };
}[Kind];

export type ToWorker = Question | { cancel: number } | { configure: Configuration };

/** Where networks, detector and runtime lie: absolute addresses. */
export interface Sources {
    /** `booth.json` of a web bundle or `manifest.json` of an ONNX one, with its files beside it. */
    manifest: string;
    /** YuNet, which a web bundle names itself. */
    detector?: string;
    /** onnxruntime-web's module, where no bundler has put it into the worker. */
    runtime?: string;
}

/** What the page tells the worker before anything else. */
export interface Configuration extends Sources {
    /** False after "use without remembering". */
    lasting: boolean;
}

export type FromWorker =
    | { id: number; ok: true; value: unknown; gallery?: GalleryContent }
    | { id: number; ok: false; problem: Problem | "cancelled"; message: string; hint: string }
    | { id: number; progress: Progress };

export interface Progress {
    stage: "network" | "photo" | "faces" | "restore" | "gpu" | "save" | "measure";
    /** 0 to 1, or -1 where nobody knows. */
    share: number;
}
