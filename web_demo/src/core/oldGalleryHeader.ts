import {
    checkHeader,
    FORMAT,
    type GalleryHeader,
    isWhole,
    labelsFrom,
    MOST_CHANNELS,
    MOST_DATA,
    MOST_PARTS,
    parsed,
    tensorsAfter,
    VERSION,
} from "./galleryHeader";
import { isList, isObject, type Json, type JsonObject, shown } from "./json";
import { type FeaturePart, isDType, refuse, type Section, sizeOf, type Tensor } from "./section";

const MAP = "features";
const ORDER = ["descriptors", "embeddings", "scales", MAP];
const REQUIRED = ["format", "format_version", "feature_space", "scale", "lr_size", "feature_parts", "entries"];
const WHOLE = /^(0|[1-9][0-9]{0,8})$/;

/**
 * The header of version 1, which had one network's features, as that of this version which holds the same; its tensors
 * lie in the same order. It is read, and written no more.
 *
 * @throws GalleryError
 */
export function decodeOldHeader(written: Uint8Array): GalleryHeader {
    const fields = parsed(written, "header");
    const metadata = isObject(fields) ? fields.get("__metadata__") : undefined;
    if (!isObject(fields) || !isObject(metadata) || metadata.get("format") !== FORMAT)
        refuse("it is no edgesr gallery");
    const version = metadata.get("format_version");
    if (version === VERSION) refuse("its header is not written as the format says");
    if (version !== "1") refuse(`it has format version ${shown(version)}`, `this page reads up to version ${VERSION}`);
    const texts = new Map<string, string>();
    for (const [key, value] of metadata) {
        if (typeof value !== "string" || !(REQUIRED.includes(key) || key === "embedder"))
            refuse(`its header has a strange field ${shown(key)}`);
        texts.set(key, value);
    }
    const text = (key: string) => texts.get(key) ?? refuse(`its header has no ${key}`);
    const number = (key: string) =>
        WHOLE.test(text(key)) ? Number(text(key)) : refuse(`its ${key} is ${shown(text(key))}`);
    const parts = partsFrom(parsed(text("feature_parts"), "feature_parts"));
    const labels = labelsFrom(parsed(text("entries"), "entries"));
    const given = tensorsFrom(fields);
    const stored = given.get(MAP)?.dtype;
    if (stored !== "I8" && stored !== "F16") refuse("it has no features of dtype I8 or F16");
    const section: Section = {
        featureSpace: text("feature_space"),
        scale: number("scale"),
        lrSize: number("lr_size"),
        maps: [{ name: MAP, size: number("lr_size"), parts }],
        codes: [],
        dtype: stored === "I8" ? "int8" : "fp16",
        steps: null,
    };
    const columns = (name: string) => given.get(name)?.shape[1] ?? 0;
    const header: GalleryHeader = {
        sections: [section],
        rows: [labels.map((_, i) => i)],
        embedder: texts.get("embedder") ?? null,
        labels,
        descriptorSize: columns("descriptors"),
        embeddingSize: columns("embeddings"),
        extensions: new Map(),
        contentSha256: null,
    };
    const expected = new Map([...tensorsAfter(header)].map(([name, tensor]) => [name.replace("0.", ""), tensor]));
    for (const name of new Set([...expected.keys(), ...given.keys()])) {
        const [found, wanted] = [given.get(name), expected.get(name)].map(
            (tensor) => tensor && `${tensor.dtype} [${tensor.shape}]`,
        );
        if (found !== wanted)
            refuse(`its tensor ${name} is ${found ?? "missing"}, which should be ${wanted ?? "absent"}`);
    }
    checkHeader(header);
    return header;
}

function partsFrom(listed: Json): FeaturePart[] {
    if (!isList(listed) || listed.length < 1 || listed.length > MOST_PARTS)
        refuse(`its feature_parts are no list of 1 to ${MOST_PARTS}`);
    return listed.map((one) => {
        const [name, channels] = isList(one) && one.length === 2 ? one : [];
        if (typeof name !== "string" || !isWhole(channels) || channels < 1 || channels > MOST_CHANNELS)
            refuse(`a feature part is ${shown(one)}`);
        return { name, channels };
    });
}

function tensorsFrom(fields: JsonObject): Map<string, Tensor> {
    for (const name of fields.keys()) {
        if (name !== "__metadata__" && !ORDER.includes(name)) refuse(`it has an unknown tensor ${shown(name)}`);
    }
    const result = new Map<string, Tensor>();
    let at = 0;
    for (const name of ORDER.filter((one) => fields.has(one))) {
        const tensor = fields.get(name);
        if (!isObject(tensor) || tensor.size !== 3) refuse(`its tensor ${name} is ${shown(tensor)}`);
        const [dtype, shape, offsets] = ["dtype", "shape", "data_offsets"].map((key) => tensor.get(key));
        if (!isDType(dtype) || !isList(shape) || shape.length > 4 || !shape.every(isLength)) {
            refuse(`its tensor ${name} is ${shown(tensor)}`);
        }
        const end = at + sizeOf({ dtype, shape });
        if (!isList(offsets) || offsets.length !== 2 || offsets[0] !== at || offsets[1] !== end) {
            refuse(`its tensor ${name} lies at ${shown(offsets)}`);
        }
        result.set(name, { dtype, shape });
        at = end;
    }
    return result;
}

const isLength = (value: Json): value is number => isWhole(value) && value >= 0 && value <= MOST_DATA;
