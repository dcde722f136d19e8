import { GalleryError } from "./errors";
import { floatToHalf, halfToFloat } from "./half";
import { clamp, roundHalfEven } from "./rounding";

/** A part of a map: its channels lie together, and have an int8 step of their own. */
export interface FeaturePart {
    readonly name: string;
    readonly channels: number;
}

/** What a network keeps of an exemplar at each place of a square grid of `size` pixels a side. */
export interface FeatureMap {
    readonly name: string;
    readonly size: number;
    readonly parts: readonly FeaturePart[];
}

/** A vector that a network keeps of an exemplar, which is no map. */
export interface Code {
    readonly name: string;
    readonly length: number;
}

/** One network's share of a gallery: what its features mean, and how they are stored. */
export interface Section {
    readonly featureSpace: string;
    readonly scale: number;
    readonly lrSize: number;
    readonly maps: readonly FeatureMap[];
    readonly codes: readonly Code[];
    readonly dtype: "int8" | "fp16";
    /** int8 step of each part of the maps, float32 numbers; null for fp16. */
    readonly steps: readonly number[] | null;
}

export type DType = "F32" | "F16" | "I8";

/** A tensor's type and shape. */
export interface Tensor {
    readonly dtype: DType;
    readonly shape: readonly number[];
}

const ITEM_SIZES: Readonly<Record<DType, number>> = { F32: 4, F16: 2, I8: 1 };

/** Bytes of a tensor. */
export function sizeOf({ dtype, shape }: Tensor): number {
    return shape.reduce((product, length) => product * length, ITEM_SIZES[dtype]);
}

export const isDType = (value: unknown): value is DType =>
    typeof value === "string" && Object.hasOwn(ITEM_SIZES, value);

/** What is wrong with a gallery, and what helps. */
export function refuse(what: string, hint = "build the gallery again", cause?: unknown): never {
    throw new GalleryError(what.slice(0, 200), hint, cause === undefined ? undefined : { cause });
}

/** Channels of all parts. */
export function channelsOf(parts: readonly FeaturePart[]): number {
    return parts.reduce((sum, part) => sum + part.channels, 0);
}

/** Parts of all maps, in order. */
export function partsOf({ maps }: Pick<Section, "maps">): FeaturePart[] {
    return maps.flatMap(({ parts }) => parts);
}

/** What a section is found by. */
export function keyOf({ featureSpace, scale, lrSize }: Section): string {
    return JSON.stringify([featureSpace, scale, lrSize]);
}

/** What is stored of one exemplar, by name and in order: maps, then codes. */
export function tensorsOf({ maps, codes, dtype }: Section): [string, Tensor][] {
    const stored = dtype === "int8" ? "I8" : "F16";
    return [
        ...maps.map(({ name, size, parts }): [string, Tensor] => [
            name,
            { dtype: stored, shape: [size, size, channelsOf(parts)] },
        ]),
        ...codes.map(({ name, length }): [string, Tensor] => [name, { dtype: "F32", shape: [length] }]),
    ];
}

/** float32 features [h, w, C] of a network of one map as a section stores them. @throws GalleryError where they do not fit. */
export function pack(features: Float32Array, section: Section): Uint8Array[] {
    const [map] = section.maps;
    const count = map.size * map.size * channelsOf(map.parts);
    if (section.maps.length > 1 || section.codes.length > 0 || features.length !== count)
        refuse(`${features.length} features where a photo has ${count}`, "convert it again");
    return [packFeatures(features, { parts: map.parts, steps: section.steps })];
}

/** The first map of an exemplar as the network takes it, float32 [h, w, C]. */
export function unpack(features: readonly Uint8Array[], { maps, steps }: Section): Float32Array {
    const { parts } = maps[0];
    return unpackFeatures(features[0], { parts, steps: steps?.slice(0, parts.length) ?? null });
}

interface Kind {
    readonly parts: readonly FeaturePart[];
    readonly steps: readonly number[] | null;
}

/** int8 or fp16, whichever `steps` say; the division is that of float32. @throws GalleryError where one is not finite. */
export function packFeatures(features: Float32Array, kind: Kind): Uint8Array {
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
export function unpackFeatures(stored: Uint8Array, kind: Kind): Float32Array {
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
