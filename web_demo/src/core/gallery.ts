import { choose } from "./choice";
import { GalleryError } from "./errors";
import {
    channelsOf,
    dataSize,
    decodeHeader,
    encodeHeader,
    type FeaturePart,
    type Label,
    MOST_HEADER,
    refuse,
    type Tensor,
} from "./galleryHeader";
import { floatToHalf, halfToFloat } from "./half";
import { clamp, roundHalfEven } from "./rounding";

/** One photo of the gallery's person. */
export interface Entry {
    /** [h, w, C] as stored: int8, or fp16 in little-endian order. */
    readonly features: Uint8Array;
    readonly descriptor: Float32Array;
    readonly label: Label;
    /** Of a face embedder, where the user asked for it; all entries have one or none has. */
    readonly embedding: Float32Array | null;
}

/** What a gallery says of itself beside its entries. */
export interface GalleryKind {
    readonly featureSpace: string;
    readonly scale: number;
    readonly lrSize: number;
    readonly parts: readonly FeaturePart[];
    /** int8 step of each part, float32 numbers; null for fp16. */
    readonly steps: readonly number[] | null;
    /** What made the embeddings; null where there are none. */
    readonly embedder: string | null;
}

/**
 * What a `.gallery` file holds: features of a person's photos, never a photo. Equal galleries are equal bytes, whichever
 * language wrote them.
 */
export class Gallery implements GalleryKind {
    readonly featureSpace: string;
    readonly scale: number;
    readonly lrSize: number;
    readonly parts: readonly FeaturePart[];
    readonly steps: readonly number[] | null;
    readonly embedder: string | null;

    constructor(
        kind: GalleryKind,
        readonly entries: readonly Entry[],
    ) {
        this.featureSpace = kind.featureSpace;
        this.scale = kind.scale;
        this.lrSize = kind.lrSize;
        this.parts = kind.parts;
        this.steps = kind.steps;
        this.embedder = kind.embedder;
    }

    /** C of the features. */
    get channels(): number {
        return channelsOf(this.parts);
    }

    /** Features of entry `index` as the network takes them, float32 [h, w, C]. */
    floats(index: number): Float32Array {
        return unpackFeatures(this.entries[index].features, this);
    }

    /** float32 features [h, w, C] as this gallery stores them. @throws GalleryError where they do not fit it. */
    pack(features: Float32Array): Uint8Array {
        const count = this.lrSize * this.lrSize * this.channels;
        if (features.length !== count)
            refuse(`${features.length} features where a photo has ${count}`, "convert it again");
        return packFeatures(features, this);
    }

    /** Whether the photo of this SHA-256 is there. */
    has(photoSha256: string): boolean {
        return this.entries.some((entry) => entry.label.photoSha256 === photoSha256);
    }

    /** With `entry` appended; a photo that is there already changes nothing. */
    adding(entry: Entry): Gallery {
        return this.has(entry.label.photoSha256) ? this : new Gallery(this, [...this.entries, entry]);
    }

    /** Without the photo of this SHA-256: nothing of it is left in what is encoded. */
    removing(photoSha256: string): Gallery {
        return new Gallery(
            this,
            this.entries.filter((entry) => entry.label.photoSha256 !== photoSha256),
        );
    }

    /**
     * The best `slots` exemplars for a face described by `query`, the best first.
     *
     * @throws GalleryError where its descriptors are another version's.
     */
    choose(query: Float32Array, slots: number): number[] {
        const sharpness = this.entries.map((entry) => entry.label.quality.get("sharpness"));
        const known = sharpness.filter((value) => value !== undefined).map((value) => value / 1000);
        const descriptors = this.entries.map((entry) => entry.descriptor);
        return choose(descriptors, query, slots, known.length === sharpness.length ? known : null);
    }
}

/** int8 or fp16, whichever `steps` say; the division is that of float32. @throws GalleryError where one is not finite. */
export function packFeatures(features: Float32Array, kind: Pick<GalleryKind, "parts" | "steps">): Uint8Array {
    if (!features.every(Number.isFinite))
        refuse("the features hold values that are not finite", "the model is damaged");
    if (kind.steps === null) {
        const halves = new Uint8Array(2 * features.length);
        const view = new DataView(halves.buffer);
        for (let i = 0; i < features.length; i++) view.setUint16(2 * i, floatToHalf(features[i]), true);
        return halves;
    }
    const steps = stepOfChannel(kind.parts, kind.steps);
    const levels = new Int8Array(features.length);
    for (let i = 0; i < levels.length; i++) {
        levels[i] = clamp(roundHalfEven(Math.fround(features[i] / steps[i % steps.length])), -127, 127);
    }
    return new Uint8Array(levels.buffer);
}

/** Stored features as the network takes them, float32 in the same order. */
export function unpackFeatures(stored: Uint8Array, kind: Pick<GalleryKind, "parts" | "steps">): Float32Array {
    const view = new DataView(stored.buffer, stored.byteOffset, stored.byteLength);
    if (kind.steps === null) {
        const values = new Float32Array(stored.length / 2);
        for (let i = 0; i < values.length; i++) values[i] = halfToFloat(view.getUint16(2 * i, true));
        return values;
    }
    const steps = stepOfChannel(kind.parts, kind.steps);
    const result = new Float32Array(stored.length);
    for (let i = 0; i < result.length; i++) result[i] = view.getInt8(i) * steps[i % steps.length];
    return result;
}

function stepOfChannel(parts: readonly FeaturePart[], steps: readonly number[]): Float32Array {
    return Float32Array.from(parts.flatMap(({ channels }, i) => new Array<number>(channels).fill(steps[i])));
}

const LEAST_STEP = 2 ** -40;
const MOST_STEP = 2 ** 40;

/**
 * A gallery from the bytes of its file. Header and sizes are checked before anything is allocated.
 *
 * @throws GalleryError where the bytes are damaged, beyond a limit, or of another version.
 */
export function decodeGallery(content: Uint8Array): Gallery {
    const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
    const length = content.length < 8 ? -1 : Number(view.getBigUint64(0, true));
    if (length < 0 || length > MOST_HEADER || 8 + length > content.length) refuse("it is no gallery, or cut off");
    const head = decodeHeader(content.subarray(8, 8 + length));
    const whole = 8 + length + dataSize(head.tensors);
    if (whole !== content.length) refuse(`it has ${content.length} bytes, and its header says ${whole}`);
    let at = 8 + length;
    const floats = (name: string, rows: number): Float32Array[] => {
        const columns = head.tensors.get(name)?.shape.at(-1) ?? 0;
        return Array.from({ length: rows }, () => {
            const row = Float32Array.from({ length: columns }, (_, i) => view.getFloat32(at + 4 * i, true));
            if (!row.every(Number.isFinite)) refuse(`its ${name} hold values that are not finite`);
            at += 4 * columns;
            return row;
        });
    };
    const n = head.labels.length;
    const descriptors = floats("descriptors", n);
    const embeddings = head.tensors.has("embeddings") ? floats("embeddings", n) : null;
    const steps = head.tensors.has("scales") ? Array.from(floats("scales", 1)[0]) : null;
    if (steps && !steps.every((step) => step >= LEAST_STEP && step <= MOST_STEP)) refuse(`its scales are ${steps}`);
    const size = head.lrSize * head.lrSize * channelsOf(head.parts) * (steps ? 1 : 2);
    const entries = head.labels.map((label, i) => {
        const features = content.slice(at, at + size);
        at += size;
        checkFeatures(features, steps === null);
        return { features, descriptor: descriptors[i], label, embedding: embeddings?.[i] ?? null };
    });
    return new Gallery({ ...head, steps }, entries);
}

function checkFeatures(stored: Uint8Array, halves: boolean): void {
    if (!halves) {
        if (stored.includes(0x80)) refuse("its features hold -128");
        return;
    }
    for (let i = 1; i < stored.length; i += 2) {
        if ((stored[i] & 0x7c) === 0x7c) refuse("its features hold values that are not finite");
    }
}

/** The bytes of a gallery's file. @throws GalleryError where it breaks a limit of the format. */
export function encodeGallery(gallery: Gallery): Uint8Array<ArrayBuffer> {
    const { entries, steps, embedder, lrSize, channels } = gallery;
    const n = entries.length;
    if (!entries.every((entry) => (entry.embedding === null) === (embedder === null))) {
        throw new GalleryError("some photos have an embedding and some have none", "all have one or none has");
    }
    if (!entries.every((entry) => entry.features.length === lrSize * lrSize * channels * (steps ? 1 : 2))) {
        throw new GalleryError("its features have different shapes", "build the gallery again");
    }
    const rows: [string, Float32Array[]][] = [["descriptors", entries.map((entry) => entry.descriptor)]];
    if (embedder !== null) rows.push(["embeddings", entries.map((entry) => entry.embedding ?? new Float32Array())]);
    const tensors = new Map<string, Tensor>();
    for (const [name, vectors] of rows) tensors.set(name, { dtype: "F32", shape: [n, commonLength(name, vectors)] });
    if (steps) {
        rows.push(["scales", [Float32Array.from(steps)]]);
        tensors.set("scales", { dtype: "F32", shape: [steps.length] });
    }
    tensors.set("features", { dtype: steps ? "I8" : "F16", shape: [n, lrSize, lrSize, channels] });
    const head = encodeHeader({ ...kindOf(gallery), labels: entries.map((entry) => entry.label), tensors });
    const result = new Uint8Array(head.length + dataSize(tensors));
    const view = new DataView(result.buffer);
    result.set(head);
    let at = head.length;
    for (const value of rows.flatMap(([, vectors]) => vectors.flatMap((vector) => Array.from(vector)))) {
        view.setFloat32(at, value, true);
        at += 4;
    }
    for (const { features } of entries) {
        result.set(features, at);
        at += features.length;
    }
    decodeGallery(result); // what a reader would refuse is not written
    return result;
}

function kindOf({ featureSpace, scale, lrSize, parts, steps, embedder }: GalleryKind): GalleryKind {
    return { featureSpace, scale, lrSize, parts, steps, embedder };
}

function commonLength(what: string, vectors: readonly Float32Array[]): number {
    const lengths = new Set(vectors.map((vector) => vector.length));
    if (lengths.size > 1) refuse(`its ${what} have different shapes`);
    return vectors[0]?.length ?? 0;
}
