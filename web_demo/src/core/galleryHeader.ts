import { GalleryError } from "./errors";
import { compactJson, isList, isObject, type Json, JsonError, type JsonObject, parseJson, shown } from "./json";
import type { Quality } from "./quality";
import { roundHalfEven } from "./rounding";

/** A part of the features: its channels lie together. */
export interface FeaturePart {
    readonly name: string;
    readonly channels: number;
}

/** What a gallery's header says of one entry; measures are kept in whole thousandths, as they are stored. */
export interface Label {
    /** SHA-256 of the photo's file, 64 lower-case hex digits: the entry's identity. */
    readonly photoSha256: string;
    readonly quality: ReadonlyMap<string, number>;
    readonly pose: ReadonlyMap<string, number>;
    /** The photo's file name, where the user asked for it. */
    readonly name: string | null;
}

export type DType = "F32" | "F16" | "I8";

/** A tensor's type and shape. */
export interface Tensor {
    readonly dtype: DType;
    readonly shape: readonly number[];
}

/** A gallery without its numbers; every rule of `docs/gallery-format.md` on the header is here. */
export interface GalleryHeader {
    readonly featureSpace: string;
    readonly scale: number;
    readonly lrSize: number;
    readonly parts: readonly FeaturePart[];
    readonly embedder: string | null;
    readonly labels: readonly Label[];
    /** In the file's order. */
    readonly tensors: ReadonlyMap<string, Tensor>;
}

/** Most bytes of the header, and of all tensors. */
export const MOST_HEADER = 1 << 20;
export const MOST_DATA = 2 ** 29;
const FORMAT = "edgesr-gallery";
const VERSION = "1";
export const SCALES = [2, 4, 8, 16];
export const LEAST_LR = 4;
export const MOST_LR = 256;
export const MOST_CHANNELS = 1024;
export const MOST_ENTRIES = 1000;
const MOST_PARTS = 8;
const MOST_VECTOR = 4096;
const MOST_MEASURES = 16;
const MOST_THOUSANDTHS = 1e9;
const MOST_TEXT = 200;
const TENSORS = ["descriptors", "embeddings", "scales", "features"];
const ITEM_SIZES: Readonly<Record<DType, number>> = { F32: 4, F16: 2, I8: 1 };
const REQUIRED = ["format", "format_version", "feature_space", "scale", "lr_size", "feature_parts", "entries"];
const KEY = /^[a-z][a-z0-9_]{0,31}$/;
export const SHA256 = /^[0-9a-f]{64}$/;
const WHOLE = /^(0|[1-9][0-9]{0,8})$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
const NO_LINE = /[\u0000-\u001f\u007f]|\p{Surrogate}/u;

/** What is wrong with a gallery, and what helps. */
export function refuse(what: string, hint = "build the gallery again", cause?: unknown): never {
    throw new GalleryError(what.slice(0, 200), hint, cause === undefined ? undefined : { cause });
}

/** Channels of all parts. */
export function channelsOf(parts: readonly FeaturePart[]): number {
    return parts.reduce((sum, part) => sum + part.channels, 0);
}

/** Bytes that follow the header. */
export function dataSize(tensors: ReadonlyMap<string, Tensor>): number {
    return [...tensors.values()].reduce((sum, tensor) => sum + bytesOf(tensor), 0);
}

function bytesOf({ dtype, shape }: Tensor): number {
    return shape.reduce((product, length) => product * length, ITEM_SIZES[dtype]);
}

/** A measure as it is stored: times 1000, rounded half to even. @throws GalleryError where it is none. */
export function thousandths(value: number): number {
    if (!(Math.abs(value) * 1000 <= MOST_THOUSANDTHS)) {
        refuse(`a measure is ${value}`, "measures are numbers between -1,000,000 and 1,000,000");
    }
    return roundHalfEven(value * 1000) + 0;
}

/** The label of a photo that was judged; `name` only where the user asked for it. */
export function labelOf(photoSha256: string, quality: Quality, name: string | null = null): Label {
    const measures = (fields: Record<string, number>) =>
        new Map(Object.entries(fields).map(([key, value]) => [key, thousandths(value)]));
    const { sharpness, sizePx, exposure, yawDeg, pitchDeg, rollDeg } = quality;
    return {
        photoSha256,
        quality: measures({ exposure, sharpness, size_px: sizePx }),
        pose: measures({ pitch_deg: pitchDeg, roll_deg: rollDeg, yaw_deg: yawDeg }),
        name,
    };
}

/** @throws GalleryError where a limit of the format is broken. */
export function checkHeader(header: GalleryHeader): void {
    const { scale, lrSize, parts, labels } = header;
    checkText("feature_space", header.featureSpace);
    if (header.embedder !== null) checkText("embedder", header.embedder);
    if (!SCALES.includes(scale)) refuse(`its scale is ${scale}`);
    if (!isWhole(lrSize) || lrSize < LEAST_LR || lrSize > MOST_LR) refuse(`its lr_size is ${lrSize}`);
    if (parts.length < 1 || parts.length > MOST_PARTS) refuse(`its features have ${parts.length} parts`);
    if (!parts.every(({ name }) => KEY.test(name)) || new Set(parts.map(({ name }) => name)).size < parts.length) {
        refuse("its feature parts have strange names");
    }
    if (!parts.every(({ channels }) => isWhole(channels) && channels >= 1) || channelsOf(parts) > MOST_CHANNELS) {
        refuse(`its features have ${channelsOf(parts)} channels`);
    }
    if (labels.length > MOST_ENTRIES) refuse(`it has ${labels.length} entries`, `at most ${MOST_ENTRIES} photos fit`);
    labels.forEach(checkLabel);
    if (new Set(labels.map((label) => label.photoSha256)).size < labels.length) refuse("it holds one photo twice");
    checkTensors(header);
    if (dataSize(header.tensors) > MOST_DATA) refuse(`it has ${dataSize(header.tensors)} bytes`, "use fewer photos");
}

function checkTensors({ labels, lrSize, parts, embedder, tensors }: GalleryHeader): void {
    const n = labels.length;
    const dtype = tensors.get("features")?.dtype;
    if (dtype !== "I8" && dtype !== "F16") refuse("it has no features of dtype I8 or F16");
    const expected = new Map<string, Tensor>();
    expected.set("features", { dtype, shape: [n, lrSize, lrSize, channelsOf(parts)] });
    if (dtype === "I8") expected.set("scales", { dtype: "F32", shape: [parts.length] });
    for (const name of embedder === null ? ["descriptors"] : ["descriptors", "embeddings"]) {
        const shape = tensors.get(name)?.shape ?? [];
        const length = shape.length === 2 ? shape[1] : -1;
        if (length < (n > 0 ? 1 : 0) || length > MOST_VECTOR) refuse(`its ${name} have shape [${shape}]`);
        expected.set(name, { dtype: "F32", shape: [n, length] });
    }
    for (const name of new Set([...expected.keys(), ...tensors.keys()])) {
        const [given, wanted] = [tensors.get(name), expected.get(name)].map(
            (tensor) => tensor && `${tensor.dtype} [${tensor.shape}]`,
        );
        if (given !== wanted)
            refuse(`its tensor ${name} is ${given ?? "missing"}, which should be ${wanted ?? "absent"}`);
    }
}

function checkText(what: string, value: string): void {
    const length = new TextEncoder().encode(value).length;
    if (NO_LINE.test(value) || length < 1 || length > MOST_TEXT)
        refuse(`its ${what} is no line of 1 to ${MOST_TEXT} bytes`);
}

function checkLabel({ photoSha256, quality, pose, name }: Label): void {
    if (!SHA256.test(photoSha256)) refuse(`an entry's photo_sha256 is ${photoSha256.slice(0, 80)}`);
    if (name !== null) checkText("entry's name", name);
    for (const measures of [quality, pose]) {
        if (measures.size > MOST_MEASURES) refuse(`an entry has ${measures.size} measures`);
        for (const [key, value] of measures) {
            if (!KEY.test(key)) refuse(`an entry's measure is called ${key.slice(0, 40)}`);
            if (!isWhole(value) || Math.abs(value) > MOST_THOUSANDTHS) refuse(`an entry's measure is ${value}`);
        }
    }
}

/** The header's bytes with their length before them. @throws GalleryError where a limit is broken. */
export function encodeHeader(header: GalleryHeader): Uint8Array {
    checkHeader(header);
    const metadata = new Map<string, Json>([
        ["format", FORMAT],
        ["format_version", VERSION],
        ["feature_space", header.featureSpace],
        ["scale", String(header.scale)],
        ["lr_size", String(header.lrSize)],
        ["feature_parts", compactJson(header.parts.map(({ name, channels }) => [name, channels]))],
    ]);
    if (header.embedder !== null) metadata.set("embedder", header.embedder);
    metadata.set("entries", compactJson(header.labels.map(labelToJson)));
    const fields = new Map<string, Json>([["__metadata__", metadata]]);
    let at = 0;
    for (const name of TENSORS) {
        const tensor = header.tensors.get(name);
        if (!tensor) continue;
        const end = at + bytesOf(tensor);
        const described: [string, Json][] = [
            ["dtype", tensor.dtype],
            ["shape", tensor.shape],
            ["data_offsets", [at, end]],
        ];
        fields.set(name, new Map(described));
        at = end;
    }
    const written = new TextEncoder().encode(compactJson(fields));
    const length = Math.ceil(written.length / 8) * 8;
    if (length > MOST_HEADER) refuse(`its header has ${length} bytes`, "use fewer photos, or shorter names");
    const result = new Uint8Array(8 + length).fill(0x20);
    new DataView(result.buffer).setBigUint64(0, BigInt(length), true);
    result.set(written, 8);
    return result;
}

function labelToJson({ photoSha256, quality, pose, name }: Label): JsonObject {
    const sorted = (measures: ReadonlyMap<string, number>) =>
        new Map([...measures].sort(([a], [b]) => (a < b ? -1 : 1)));
    const fields = new Map<string, Json>([
        ["photo_sha256", photoSha256],
        ["quality", sorted(quality)],
        ["pose", sorted(pose)],
    ]);
    if (name !== null) fields.set("name", name);
    return fields;
}

/** The header from its bytes, without their length before them. @throws GalleryError where it breaks the format. */
export function decodeHeader(written: Uint8Array): GalleryHeader {
    const fields = parsed(written, "header");
    const metadata = isObject(fields) ? fields.get("__metadata__") : undefined;
    if (!isObject(fields) || !isObject(metadata) || metadata.get("format") !== FORMAT)
        refuse("it is no edgesr gallery");
    const version = metadata.get("format_version");
    if (version !== VERSION) refuse(`it has format version ${shown(version)}`, `this page reads version ${VERSION}`);
    const texts = new Map<string, string>();
    for (const [key, value] of metadata) {
        if (typeof value !== "string" || !(REQUIRED.includes(key) || key === "embedder")) {
            refuse(`its header has a strange field ${shown(key)}`);
        }
        texts.set(key, value);
    }
    const text = (key: string) => texts.get(key) ?? refuse(`its header has no ${key}`);
    const number = (key: string) =>
        WHOLE.test(text(key)) ? Number(text(key)) : refuse(`its ${key} is ${shown(text(key))}`);
    const header = {
        featureSpace: text("feature_space"),
        scale: number("scale"),
        lrSize: number("lr_size"),
        parts: partsFrom(parsed(text("feature_parts"), "feature_parts")),
        embedder: texts.get("embedder") ?? null,
        labels: labelsFrom(parsed(text("entries"), "entries")),
        tensors: tensorsFrom(fields),
    };
    checkHeader(header);
    return header;
}

function parsed(written: Uint8Array | string, what: string): Json {
    try {
        return parseJson(written, true);
    } catch (error) {
        if (!(error instanceof JsonError)) throw error;
        refuse(`its ${what} cannot be read: ${error.message}`, undefined, error);
    }
}

function partsFrom(listed: Json): FeaturePart[] {
    if (!isList(listed)) refuse("its feature_parts are no list");
    return listed.map((one) => {
        const [name, channels] = isList(one) && one.length === 2 ? one : [];
        if (typeof name !== "string" || !isWhole(channels)) refuse(`a feature part is ${shown(one)}`);
        return { name, channels };
    });
}

function labelsFrom(listed: Json): Label[] {
    if (!isList(listed) || listed.length > MOST_ENTRIES) refuse(`its entries are no list of at most ${MOST_ENTRIES}`);
    return listed.map((one) => {
        if (!isObject(one)) refuse(`an entry is ${shown(one)}`);
        const [photoSha256, name] = [one.get("photo_sha256"), one.get("name")];
        if (one.size !== (one.has("name") ? 4 : 3) || typeof photoSha256 !== "string")
            refuse(`an entry is ${shown(one)}`);
        if (one.has("name") && typeof name !== "string") refuse(`an entry's name is ${shown(name)}`);
        const [quality, pose] = [measuresFrom(one.get("quality")), measuresFrom(one.get("pose"))];
        return { photoSha256, quality, pose, name: typeof name === "string" ? name : null };
    });
}

function measuresFrom(listed: Json | undefined): Map<string, number> {
    if (!isObject(listed)) refuse(`an entry's measures are ${shown(listed)}`);
    return new Map(
        [...listed].map(([key, value]) => [
            key,
            isWhole(value) ? value : refuse(`an entry's measure is ${shown(value)}`),
        ]),
    );
}

function tensorsFrom(fields: JsonObject): Map<string, Tensor> {
    for (const name of fields.keys()) {
        if (name !== "__metadata__" && !TENSORS.includes(name)) refuse(`it has an unknown tensor ${shown(name)}`);
    }
    const result = new Map<string, Tensor>();
    let at = 0;
    for (const name of TENSORS.filter((one) => fields.has(one))) {
        const tensor = fields.get(name);
        if (!isObject(tensor) || tensor.size !== 3) refuse(`its tensor ${name} is ${shown(tensor)}`);
        const [dtype, shape, offsets] = ["dtype", "shape", "data_offsets"].map((key) => tensor.get(key));
        if (!isDType(dtype) || !isList(shape) || shape.length > 4 || !shape.every(isLength)) {
            refuse(`its tensor ${name} is ${shown(tensor)}`);
        }
        const end = at + bytesOf({ dtype, shape });
        if (!isList(offsets) || offsets.length !== 2 || offsets[0] !== at || offsets[1] !== end) {
            refuse(`its tensor ${name} lies at ${shown(offsets)}`);
        }
        result.set(name, { dtype, shape });
        at = end;
    }
    return result;
}

const isWhole = (value: Json | undefined): value is number => typeof value === "number" && Number.isInteger(value);

const isLength = (value: Json): value is number => isWhole(value) && value >= 0 && value <= MOST_DATA;

const isDType = (value: Json | undefined): value is DType =>
    typeof value === "string" && Object.hasOwn(ITEM_SIZES, value);
