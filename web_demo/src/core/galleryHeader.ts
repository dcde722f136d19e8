import { compactJson, isList, isObject, type Json, JsonError, type JsonObject, parseJson, shown } from "./json";
import type { Quality } from "./quality";
import { roundHalfEven } from "./rounding";
import { RULES } from "./rules";
import {
    type Code,
    channelsOf,
    type FeatureMap,
    keyOf,
    partsOf,
    refuse,
    type Section,
    sizeOf,
    type Tensor,
    tensorsOf,
} from "./section";

/** What a gallery's header says of one entry; measures are kept in whole thousandths, as they are stored. */
export interface Label {
    /** SHA-256 of the photo's file, 64 lower-case hex digits: the entry's identity. */
    readonly photoSha256: string;
    readonly quality: ReadonlyMap<string, number>;
    readonly pose: ReadonlyMap<string, number>;
    /** The photo's file name, where the user asked for it. */
    readonly name: string | null;
}

/** A gallery without its numbers; every rule of `docs/gallery-format.md` on the header is here. */
export interface GalleryHeader {
    /** Without their steps, which are numbers. */
    readonly sections: readonly Section[];
    /** Of each section the entries that it has features of, ascending. */
    readonly rows: readonly (readonly number[])[];
    readonly embedder: string | null;
    readonly labels: readonly Label[];
    readonly descriptorSize: number;
    readonly embeddingSize: number;
    readonly extensions: ReadonlyMap<string, string>;
    /** As it was read; null in version 1. */
    readonly contentSha256: string | null;
}

/** Most bytes of the header, and of all tensors. */
export const MOST_HEADER = RULES.gallery.most_header;
export const MOST_DATA = RULES.gallery.most_data;
export const FORMAT = RULES.gallery.format;
export const VERSION = String(RULES.gallery.format_version);
/** A section's tensor of int8 steps. */
export const STEPS = RULES.gallery.steps;
export const SCALES = RULES.gallery.scales;
export const LEAST_LR = RULES.gallery.least_lr;
export const MOST_LR = RULES.gallery.most_lr;
export const MOST_CHANNELS = RULES.gallery.most_channels;
export const MOST_ENTRIES = RULES.gallery.most_entries;
export const MOST_PARTS = RULES.gallery.most_parts;
const MOST_SECTIONS = RULES.gallery.most_sections;
const MOST_MAPS = RULES.gallery.most_maps;
const MOST_CODES = RULES.gallery.most_codes;
const MOST_SIDE = RULES.gallery.most_side;
const MOST_VECTOR = RULES.gallery.most_vector;
const MOST_MEASURES = RULES.gallery.most_measures;
const MOST_THOUSANDTHS = RULES.gallery.most_thousandths;
const MOST_TEXT = RULES.gallery.most_text;
const MOST_EXTENSIONS = RULES.gallery.most_extensions;
const MOST_EXTENSION = RULES.gallery.most_extension;
const REQUIRED = ["format", "format_version", "content_sha256", "sections", "entries"];
const OPTIONAL = ["embedder", "extensions"];
const OF_SECTION = ["feature_space", "scale", "lr_size", "dtype", "maps", "codes", "entries"];
const KEY = /^[a-z][a-z0-9_]{0,31}$/;
export const SHA256 = /^[0-9a-f]{64}$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
const NO_LINE = /[\u0000-\u001f\u007f]|\p{Surrogate}/u;
const ZEROS = "0".repeat(64);
const BEGINNING = new TextEncoder().encode(
    `{"__metadata__":{"format":"${FORMAT}","format_version":"${VERSION}","content_sha256":"`,
);
/** Where the digits of the content's hash lie in a header. */
export const HASH_AT = BEGINNING.length;

/** dtype and shape of everything that follows a header, in the file's order. */
export function tensorsAfter(header: GalleryHeader): Map<string, Tensor> {
    const n = header.labels.length;
    const result = new Map<string, Tensor>([["descriptors", { dtype: "F32", shape: [n, header.descriptorSize] }]]);
    if (header.embedder !== null) result.set("embeddings", { dtype: "F32", shape: [n, header.embeddingSize] });
    header.sections.forEach((section, i) => {
        if (section.dtype === "int8") result.set(`${i}.${STEPS}`, { dtype: "F32", shape: [partsOf(section).length] });
        for (const [name, { dtype, shape }] of tensorsOf(section))
            result.set(`${i}.${name}`, { dtype, shape: [header.rows[i].length, ...shape] });
    });
    return result;
}

/** Bytes that follow the header. */
export function dataSize(header: GalleryHeader): number {
    return [...tensorsAfter(header).values()].reduce((sum, tensor) => sum + sizeOf(tensor), 0);
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
    const { sections, rows, labels, extensions } = header;
    if (header.embedder !== null) checkText("embedder", header.embedder);
    if (labels.length > MOST_ENTRIES) refuse(`it has ${labels.length} entries`, `at most ${MOST_ENTRIES} photos fit`);
    labels.forEach(checkLabel);
    if (new Set(labels.map((label) => label.photoSha256)).size < labels.length) refuse("it holds one photo twice");
    if (sections.length < 1 || sections.length > MOST_SECTIONS) refuse(`it has ${sections.length} sections`);
    sections.forEach((section, i) => {
        checkSection(section);
        const good = rows[i].every(
            (row, at) => within(row, 0, labels.length - 1) && (at === 0 || row > rows[i][at - 1]),
        );
        if (!good) refuse(`a section's entries are ${rows[i]}`);
    });
    if (new Set(sections.map(keyOf)).size < sections.length) refuse("it has two sections of one network");
    const least = labels.length > 0 ? 1 : 0;
    if (!within(header.descriptorSize, least, MOST_VECTOR))
        refuse(`its descriptors have ${header.descriptorSize} numbers`);
    if (!within(header.embeddingSize, header.embedder === null ? 0 : least, MOST_VECTOR))
        refuse(`its embeddings have ${header.embeddingSize} numbers`);
    if (extensions.size > MOST_EXTENSIONS || ![...extensions.keys()].every((key) => KEY.test(key)))
        refuse(`its extensions are ${[...extensions.keys()]}`);
    for (const [key, value] of extensions) checkText(`extension ${key}`, value, MOST_EXTENSION);
    if (dataSize(header) > MOST_DATA) refuse(`it has ${dataSize(header)} bytes`, "use fewer photos");
}

/** @throws GalleryError where a section breaks a limit. */
export function checkSection(section: Section): void {
    const { scale, lrSize, maps, codes } = section;
    checkText("feature_space", section.featureSpace);
    if (!SCALES.includes(scale)) refuse(`its scale is ${scale}`);
    if (!within(lrSize, LEAST_LR, MOST_LR)) refuse(`its lr_size is ${lrSize}`);
    if (!within(maps.length, 1, MOST_MAPS) || codes.length > MOST_CODES)
        refuse(`a section has ${maps.length} maps and ${codes.length} codes`);
    const parts = partsOf(section);
    for (const called of [[...maps, ...codes, { name: STEPS }], parts]) {
        const names = called.map(({ name }) => name);
        if (!names.every((name) => KEY.test(name)) || new Set(names).size < names.length)
            refuse(`its parts, maps and codes are called ${names}`);
    }
    if (parts.length > MOST_PARTS) refuse(`its features have ${parts.length} parts`);
    for (const map of maps) {
        if (
            !map.parts.every(({ channels }) => within(channels, 1, MOST_CHANNELS)) ||
            !within(channelsOf(map.parts), 1, MOST_CHANNELS)
        )
            refuse(`its features have ${channelsOf(map.parts)} channels`);
        if (!within(map.size, 1, MOST_SIDE)) refuse(`a map has a side of ${map.size}`);
    }
    for (const { length } of codes) if (!within(length, 1, MOST_VECTOR)) refuse(`a code has ${length} numbers`);
}

function checkText(what: string, value: string, most = MOST_TEXT): void {
    const length = new TextEncoder().encode(value).length;
    if (NO_LINE.test(value) || length < 1 || length > most) refuse(`its ${what} is no line of 1 to ${most} bytes`);
}

function checkLabel({ photoSha256, quality, pose, name }: Label): void {
    if (!SHA256.test(photoSha256)) refuse(`an entry's photo_sha256 is ${photoSha256.slice(0, 80)}`);
    if (name !== null) checkText("entry's name", name);
    for (const measures of [quality, pose]) {
        if (measures.size > MOST_MEASURES) refuse(`an entry has ${measures.size} measures`);
        for (const [key, value] of measures) {
            if (!KEY.test(key)) refuse(`an entry's measure is called ${key.slice(0, 40)}`);
            if (!within(value, -MOST_THOUSANDTHS, MOST_THOUSANDTHS)) refuse(`an entry's measure is ${value}`);
        }
    }
}

/** The header's bytes, zeros in place of the content's hash, filled up to a multiple of 8. @throws GalleryError */
export function encodeHeader(header: GalleryHeader): Uint8Array {
    checkHeader(header);
    const metadata = new Map<string, Json>([
        ["format", FORMAT],
        ["format_version", VERSION],
        ["content_sha256", ZEROS],
    ]);
    if (header.embedder !== null) metadata.set("embedder", header.embedder);
    metadata.set("sections", compactJson(header.sections.map((section, i) => sectionToJson(section, header.rows[i]))));
    metadata.set("entries", compactJson(header.labels.map(labelToJson)));
    if (header.extensions.size > 0) metadata.set("extensions", compactJson(sorted(header.extensions)));
    const fields = new Map<string, Json>([["__metadata__", metadata]]);
    let at = 0;
    for (const [name, tensor] of tensorsAfter(header)) {
        const end = at + sizeOf(tensor);
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
    const result = new Uint8Array(length).fill(0x20);
    result.set(written);
    return result;
}

/** A header with zeros in place of its hash: what the hash is computed over. */
export function withoutHash(written: Uint8Array): Uint8Array {
    const result = written.slice();
    result.fill(0x30, HASH_AT, HASH_AT + 64);
    return result;
}

function sorted<T>(fields: ReadonlyMap<string, T>): Map<string, T> {
    return new Map([...fields].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function sectionToJson(
    { featureSpace, scale, lrSize, dtype, maps, codes }: Section,
    rows: readonly number[],
): JsonObject {
    return new Map<string, Json>([
        ["feature_space", featureSpace],
        ["scale", scale],
        ["lr_size", lrSize],
        ["dtype", dtype],
        ["maps", maps.map(({ name, size, parts }) => [name, size, parts.map((part) => [part.name, part.channels])])],
        ["codes", codes.map(({ name, length }) => [name, length])],
        ["entries", rows],
    ]);
}

function labelToJson({ photoSha256, quality, pose, name }: Label): JsonObject {
    const fields = new Map<string, Json>([
        ["photo_sha256", photoSha256],
        ["quality", sorted(quality)],
        ["pose", sorted(pose)],
    ]);
    if (name !== null) fields.set("name", name);
    return fields;
}

/** Whether a header's bytes begin as this version's do, whatever else they are. */
export function isCurrent(written: Uint8Array): boolean {
    return written.length >= HASH_AT + 64 && BEGINNING.every((byte, i) => written[i] === byte);
}

/**
 * The header from its bytes, without their length before them, where `isCurrent`.
 *
 * @throws GalleryError where it breaks the format.
 */
export function decodeHeader(written: Uint8Array): GalleryHeader {
    const fields = parsed(written, "header");
    const metadata = isObject(fields) ? fields.get("__metadata__") : undefined;
    if (!isObject(fields) || !isObject(metadata)) refuse("it is no edgesr gallery");
    const texts = textsFrom(metadata, "header");
    for (const key of texts.keys())
        if (![...REQUIRED, ...OPTIONAL].includes(key)) refuse(`its header has a strange field ${shown(key)}`);
    const text = (key: string) => texts.get(key) ?? refuse(`its header has no ${key}`);
    const listed = parsed(text("sections"), "sections");
    if (!isList(listed)) refuse("its sections are no list");
    const pairs = listed.map(sectionFrom);
    const extensions = texts.get("extensions");
    const header: GalleryHeader = {
        sections: pairs.map(([section]) => section),
        rows: pairs.map(([, rows]) => rows),
        embedder: texts.get("embedder") ?? null,
        labels: labelsFrom(parsed(text("entries"), "entries")),
        descriptorSize: columnsOf(fields, "descriptors"),
        embeddingSize: texts.has("embedder") ? columnsOf(fields, "embeddings") : 0,
        extensions: extensions === undefined ? new Map() : textsFrom(parsed(extensions, "extensions"), "extensions"),
        contentSha256: text("content_sha256"),
    };
    const again = encodeHeader(header);
    const known = tensorsAfter(header);
    for (const name of fields.keys())
        if (name !== "__metadata__" && !known.has(name)) refuse(`it has an unknown tensor ${shown(name)}`);
    // What a writer would not write is not read: no key, space or number too many.
    const ours = withoutHash(written);
    if (ours.length !== again.length || !ours.every((byte, i) => byte === again[i]))
        refuse("its header is not written as the format says");
    return header;
}

/** JSON of a header. @throws GalleryError where it is none. */
export function parsed(written: Uint8Array | string, what: string): Json {
    try {
        return parseJson(written, true);
    } catch (error) {
        if (!(error instanceof JsonError)) throw error;
        refuse(`its ${what} cannot be read: ${error.message}`, undefined, error);
    }
}

function textsFrom(fields: Json, what: string): Map<string, string> {
    if (!isObject(fields)) refuse(`its ${what} are no object`);
    const good = ([key, value]: [string, Json]): [string, string] =>
        typeof value === "string" ? [key, value] : refuse(`its ${what} have a strange field ${shown(key)}`);
    return new Map([...fields].map(good));
}

/** Reads what a JSON value should hold, or else calls `no`. */
function reading(no: () => never) {
    return {
        number: (value: Json | undefined) => (isWhole(value) ? value : no()),
        name: (value: Json | undefined) => (typeof value === "string" ? value : no()),
        list: (value: Json | undefined, length?: number) =>
            isList(value) && (length === undefined || value.length === length) ? value : no(),
    };
}

/** `maps` and `codes` of an object, as sections and manifests have them. @throws GalleryError where they are others. */
export function keptFrom(one: JsonObject): { maps: FeatureMap[]; codes: Code[] } {
    const no = () => refuse(`maps and codes are ${shown(one.get("maps"))} and ${shown(one.get("codes"))}`);
    const { number, name, list } = reading(no);
    const maps: FeatureMap[] = list(one.get("maps")).map((each) => {
        const [map, size, parts] = list(each, 3);
        const pairs = list(parts).map((part) => list(part, 2));
        if (pairs.length < 1) no();
        return {
            name: name(map),
            size: number(size),
            parts: pairs.map(([part, channels]) => ({ name: name(part), channels: number(channels) })),
        };
    });
    const codes = list(one.get("codes"))
        .map((each) => list(each, 2))
        .map(([code, length]) => ({ name: name(code), length: number(length) }));
    return { maps, codes };
}

function sectionFrom(one: Json): [Section, number[]] {
    const no = () => refuse(`a section is ${shown(one)}`);
    if (!isObject(one) || one.size !== OF_SECTION.length) return no();
    const { number, name, list } = reading(no);
    const dtype = one.get("dtype");
    if (dtype !== "int8" && dtype !== "fp16") return no();
    const section: Section = {
        featureSpace: name(one.get("feature_space")),
        scale: number(one.get("scale")),
        lrSize: number(one.get("lr_size")),
        ...keptFrom(one),
        dtype,
        steps: null,
    };
    return [section, list(one.get("entries")).map(number)];
}

function columnsOf(fields: JsonObject, name: string): number {
    const tensor = fields.get(name);
    const shape = isObject(tensor) ? tensor.get("shape") : undefined;
    const columns = isList(shape) && shape.length === 2 ? shape[1] : undefined;
    return isWhole(columns) ? columns : refuse(`its tensor ${name} is ${shown(tensor)}`);
}

/** The entries' labels. @throws GalleryError where one has other keys, or values of other types. */
export function labelsFrom(listed: Json): Label[] {
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

const within = (value: number, least: number, most: number) => isWhole(value) && value >= least && value <= most;

/** Whether a value is a whole number. */
export function isWhole(value: Json | undefined): value is number {
    return typeof value === "number" && Number.isInteger(value);
}
