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

/** What a network keeps of one exemplar, float32: maps [h, w, C], and behind them codes [length]. */
export type Features = readonly Float32Array[];

/** Numbers of each map and code of one exemplar, in order. */
export function countsOf(section: Section): number[] {
    return tensorsOf(section).map(([, { shape }]) => shape.reduce((product, length) => product * length, 1));
}

/** Features of one exemplar as a section stores them. @throws GalleryError where they do not fit. */
export function pack(features: Features, section: Section): Uint8Array[] {
    const [given, counts] = [features.map(({ length }) => length), countsOf(section)];
    if (given.length !== counts.length || given.some((count, i) => count !== counts[i]))
        refuse(`${given} features where a photo has ${counts}`, "convert it again");
    const kinds = kindsOf(section);
    return features.map((one, i) => (i < kinds.length ? packFeatures(one, kinds[i]) : packCode(one)));
}

/** Stored features of one exemplar as the network takes them. */
export function unpack(features: readonly Uint8Array[], section: Section): Float32Array[] {
    const kinds = kindsOf(section);
    return features.map((one, i) => (i < kinds.length ? unpackFeatures(one, kinds[i]) : unpackCode(one)));
}

/** What a section lacks to hold what `other` describes, or has otherwise; null where their features mean the same. */
export function differs(section: Section, other: Section): string | null {
    const [ours, wanted] = [described(section), described(other)];
    for (const [name, one] of wanted) {
        const own = ours.get(name);
        if (own === undefined) return `has no ${name} of ${one}`;
        if (own !== one) return `has ${name} of ${own}, not of ${one}`;
    }
    const [names, expected] = [[...ours.keys()], [...wanted.keys()]];
    if (JSON.stringify(names) !== JSON.stringify(expected)) return `has ${names}, not ${expected}`;
    if (section.steps?.some((step, i) => other.steps === null || Math.fround(other.steps[i]) !== Math.fround(step)))
        return `has int8 steps ${section.steps}, not ${other.steps ?? "none"}`;
    return null;
}

/** Maps and codes for people, by name: `32x32 pixels with f_ref 64 + g_ref 64`. */
function described({ maps, codes }: Section): Map<string, string> {
    const parts = (map: FeatureMap) => map.parts.map(({ name, channels }) => `${name} ${channels}`).join(" + ");
    return new Map([
        ...maps.map((map): [string, string] => [map.name, `${map.size}x${map.size} pixels with ${parts(map)}`]),
        ...codes.map(({ name, length }): [string, string] => [name, `${length} numbers`]),
    ]);
}

/** How each map is stored: its parts, and the steps that are theirs. */
function kindsOf({ maps, steps }: Section): Kind[] {
    let before = 0;
    return maps.map(({ parts }) => {
        const [from, to] = [before, before + parts.length];
        before = to;
        return { parts, steps: steps?.slice(from, to) ?? null };
    });
}

function packCode(code: Float32Array): Uint8Array {
    if (!code.every(Number.isFinite)) refuse("the codes hold values that are not finite", "the model is damaged");
    const view = new DataView(new ArrayBuffer(4 * code.length));
    for (const [i, value] of code.entries()) view.setFloat32(4 * i, value, true);
    return new Uint8Array(view.buffer);
}

function unpackCode(stored: Uint8Array): Float32Array {
    const view = new DataView(stored.buffer, stored.byteOffset, stored.byteLength);
    return Float32Array.from({ length: stored.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
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
