import { DESCRIPTOR_SIZE } from "./descriptor";
import { BundleError, GalleryError } from "./errors";
import { Gallery } from "./gallery";
import { LEAST_LR, MOST_CHANNELS, MOST_LR, SCALES, SHA256 } from "./galleryHeader";
import { isList, isObject, type Json, JsonError, type JsonObject, parseJson, shown } from "./json";
import { RULES } from "./rules";
import { channelsOf, type FeaturePart, type Section } from "./section";

export type GraphName = "encode" | "restore";
export type Side = "inputs" | "outputs";

/** An input or output of a graph as the artifact has it. */
export interface TensorSpec {
    /** Ours: exemplar, features, lr, valid, sr, weights. */
    readonly name: string;
    /** The artifact's own name for it. */
    readonly fileName: string;
    readonly shape: readonly number[];
    /** Order of the axes: NCHW, NHWC, N or NHW. */
    readonly layout: string;
    readonly dtype: string;
}

/** Numbers of a tensor. */
export function countOf({ shape }: Pick<TensorSpec, "shape">): number {
    return shape.reduce((product, length) => product * length, 1);
}

interface Fields {
    readonly featureSpace: string;
    readonly scale: number;
    readonly lrSize: number;
    readonly parts: readonly FeaturePart[];
    /** int8 step of each part, float32 numbers; null for fp16. */
    readonly steps: readonly number[] | null;
    readonly name: string;
    readonly target: string;
    readonly precision: string;
    /** Most exemplars of one restoration. */
    readonly slots: number;
    /** File of each role: `encode`, `restore`. */
    readonly files: ReadonlyMap<string, string>;
    readonly sha256: ReadonlyMap<string, string>;
    readonly checkpointSha256: string;
    readonly tensors: ReadonlyMap<string, readonly TensorSpec[]>;
}

const FORMAT = "edgesr-bundle";
const VERSION = 1;
const MOST_BYTES = 16 << 20;
const MOST_FILES = 1000;
const MOST_SLOTS = 64;
const AGAIN = "convert it again";
const DTYPES = ["float32", "float16", "int8", "uint8", "int32"];
const LEAST_STEP = RULES.gallery.least_step;
const MOST_STEP = RULES.gallery.most_step;
/** A path inside the bundle: no way out of its folder, and nothing that a browser would take for another address. */
const INSIDE = /^(?!\.{1,2}(\/|$))[A-Za-z0-9._-]+(\/(?!\.{1,2}(\/|$))[A-Za-z0-9._-]+)*$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
const NO_LINE = /[\u0000-\u001f\u007f]|\p{Surrogate}/u;

/** A bundle's `manifest.json`: which network it is and how to feed it. */
export class Manifest {
    readonly name: string;
    readonly target: string;
    readonly precision: string;
    readonly scale: number;
    readonly lrSize: number;
    readonly slots: number;
    readonly featureSpace: string;
    readonly parts: readonly FeaturePart[];
    /** int8 steps of the stored features; null where the network came without, then galleries are fp16. */
    readonly steps: readonly number[] | null;
    readonly files: ReadonlyMap<string, string>;
    readonly sha256: ReadonlyMap<string, string>;
    readonly checkpointSha256: string;

    constructor(private readonly fields: Fields) {
        this.name = fields.name;
        this.target = fields.target;
        this.precision = fields.precision;
        this.scale = fields.scale;
        this.lrSize = fields.lrSize;
        this.slots = fields.slots;
        this.featureSpace = fields.featureSpace;
        this.parts = fields.parts;
        this.steps = fields.steps;
        this.files = fields.files;
        this.sha256 = fields.sha256;
        this.checkpointSha256 = fields.checkpointSha256;
    }

    get hrSize(): number {
        return this.lrSize * this.scale;
    }

    get channels(): number {
        return channelsOf(this.parts);
    }

    /** Inputs or outputs of a graph, in the graph's order. */
    tensors(graph: GraphName, side: Side): readonly TensorSpec[] {
        return this.fields.tensors.get(`${graph}.${side}`) ?? [];
    }

    /** The file of a role. @throws BundleError where there is none. */
    file(role: string): string {
        const name = this.files.get(role);
        if (name === undefined) throw new BundleError(`the bundle has no ${role} file`, AGAIN);
        return name;
    }

    /** Check the bytes of a file of the bundle. @throws BundleError where they are not what was converted. */
    async check(file: string, content: Uint8Array<ArrayBuffer>): Promise<void> {
        const expected = this.sha256.get(file);
        if (expected === undefined) throw new BundleError(`the bundle has no hash for ${file}`, AGAIN);
        if ((await sha256Of(content)) !== expected) {
            throw new BundleError(`${file} is not the file that was converted`, "it is damaged: load the page again");
        }
    }

    /** What this network's features are in a gallery. */
    get section(): Section {
        const { featureSpace, scale, lrSize, parts, steps } = this.fields;
        const maps = [{ name: "features", size: lrSize, parts }];
        return { featureSpace, scale, lrSize, maps, codes: [], dtype: steps ? "int8" : "fp16", steps };
    }

    /** An empty gallery of this network's features. */
    emptyGallery(): Gallery {
        return new Gallery({ sections: [this.section], embedder: null, extensions: new Map() }, []);
    }

    /**
     * The section of a gallery that holds this network's features.
     *
     * @throws GalleryError where there is none, or its features or descriptors mean something else here.
     */
    checkGallery(gallery: Gallery): number {
        const ours = this.section;
        const found = gallery.indexOf(ours);
        const theirs = gallery.sections[found];
        const parts = ({ maps, codes }: Section) =>
            JSON.stringify([
                maps.map(({ name, size, parts: each }) => [name, size, each.map((part) => [part.name, part.channels])]),
                codes.map(({ name, length }) => [name, length]),
            ]);
        if (found < 0 || parts(theirs) !== parts(ours)) {
            throw new GalleryError(
                `the gallery has features of ${gallery.sections.map(({ featureSpace }) => featureSpace)}, and this network takes ${this.featureSpace}`,
                "build the gallery again with this network",
            );
        }
        if (theirs.steps?.some((step, i) => ours.steps === null || Math.fround(ours.steps[i]) !== Math.fround(step))) {
            throw new GalleryError(
                `the gallery's int8 steps are ${theirs.steps}, and this network's ${ours.steps ?? "none"}`,
                "the gallery is damaged: build it again",
            );
        }
        if (gallery.entries.some((entry) => entry.descriptor.length !== DESCRIPTOR_SIZE)) {
            throw new GalleryError("the gallery's descriptors are of another version", "build the gallery again");
        }
        return found;
    }
}

/** SHA-256 of bytes, 64 lower-case hex digits. @throws BundleError where the browser computes none. */
export async function sha256Of(content: Uint8Array<ArrayBuffer>): Promise<string> {
    if (!globalThis.crypto?.subtle) {
        throw new BundleError(
            "this page cannot check its files",
            "open it over https, or from this machine (localhost)",
        );
    }
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
    return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @throws BundleError where `content` describes no bundle that can be used. */
export function decodeManifest(content: Uint8Array): Manifest {
    if (content.length > MOST_BYTES) throw new BundleError(`manifest.json has ${content.length} bytes`, AGAIN);
    let fields: Json;
    try {
        fields = parseJson(content);
    } catch (error) {
        if (!(error instanceof JsonError)) throw error;
        throw new BundleError(`manifest.json cannot be read: ${error.message}`, AGAIN, { cause: error });
    }
    if (!isObject(fields) || fields.get("format") !== FORMAT) throw new BundleError("this is no edgesr bundle", AGAIN);
    const version = fields.get("format_version");
    if (version !== VERSION) {
        throw new BundleError(`the bundle has format version ${shown(version)}`, `this page reads version ${VERSION}`);
    }
    return new Manifest(read(fields));
}

function lacks(what: string, value: Json | undefined): never {
    throw new BundleError(`manifest.json has no proper ${what}: it is ${shown(value)}`, AGAIN);
}

function read(fields: JsonObject): Fields {
    const model = object(fields, "model");
    const scale = whole(model, "scale", 2, 16);
    if (!SCALES.includes(scale)) lacks("scale", scale);
    const lrSize = whole(model, "lr_size", LEAST_LR, MOST_LR);
    const slots = whole(model, "slots", 1, MOST_SLOTS);
    const { parts, steps } = partsFrom(object(fields, "features"));
    const sha256 = texts(fields, "sha256", (file, hash) => INSIDE.test(file) && SHA256.test(hash));
    const files = texts(fields, "files", (_, file) => INSIDE.test(file));
    for (const [role, file] of files) {
        if (![...sha256.keys()].some((known) => known === file || known.startsWith(`${file}/`)))
            lacks(`hash for ${role}`, file);
    }
    return {
        name: text(fields, "name"),
        target: text(fields, "target"),
        precision: text(fields, "precision"),
        scale,
        lrSize,
        slots,
        featureSpace: text(fields, "feature_space"),
        parts,
        steps,
        files,
        sha256,
        checkpointSha256: text(fields, "checkpoint_sha256"),
        tensors: tensorsFrom(object(fields, "tensors"), lrSize, lrSize * scale, slots, channelsOf(parts)),
    };
}

function object(fields: JsonObject, key: string): JsonObject {
    const value = fields.get(key);
    return isObject(value) ? value : lacks(key, value);
}

function text(fields: JsonObject, key: string): string {
    const value = fields.get(key);
    return typeof value === "string" && value.length <= 1000 && !NO_LINE.test(value) ? value : lacks(key, value);
}

function whole(fields: JsonObject, key: string, least: number, most: number): number {
    const value = fields.get(key);
    const good = typeof value === "number" && Number.isInteger(value) && value >= least && value <= most;
    return good ? value : lacks(key, value);
}

function texts(fields: JsonObject, key: string, good: (key: string, value: string) => boolean): Map<string, string> {
    const listed = object(fields, key);
    if (listed.size > MOST_FILES) lacks(key, `${listed.size} files`);
    return new Map(
        [...listed].map(([name, value]) =>
            typeof value === "string" && good(name, value)
                ? [name, value]
                : lacks(`${key} of ${name.slice(0, 60)}`, value),
        ),
    );
}

function partsFrom(features: JsonObject): { parts: FeaturePart[]; steps: number[] | null } {
    const listed = features.get("parts");
    if (!isList(listed) || listed.length < 1) lacks("features", listed);
    const described = listed.map((one) => {
        if (!isObject(one)) lacks("part of the features", one);
        const step = one.get("int8_scale") ?? null;
        if (step !== null && !(typeof step === "number" && step >= LEAST_STEP && step <= MOST_STEP))
            lacks("int8_scale", step);
        return { name: text(one, "name"), channels: whole(one, "channels", 1, MOST_CHANNELS), step };
    });
    const parts = described.map(({ name, channels }) => ({ name, channels }));
    if (channelsOf(parts) > MOST_CHANNELS) lacks("features", listed);
    const steps = described.flatMap(({ step }) => (step === null ? [] : [Math.fround(step)]));
    return { parts, steps: steps.length === parts.length ? steps : null };
}

/** Every tensor that is described has the shape that the network's configuration asks for. */
function tensorsFrom(described: JsonObject, low: number, high: number, slots: number, channels: number) {
    const result = new Map<string, TensorSpec[]>();
    const image = (side: number) => ({ NCHW: [1, 3, side, side], NHWC: [1, side, side, 3] });
    for (const graph of ["encode", "restore"] as const) {
        const n = graph === "encode" ? 1 : slots;
        const shapes: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>> = {
            exemplar: image(high),
            lr: image(low),
            sr: image(high),
            valid: { N: [slots] },
            weights: { NHW: [slots, low, low] },
            features: { NCHW: [n, channels, low, low], NHWC: [n, low, low, channels] },
        };
        const sides = object(described, graph);
        for (const side of ["inputs", "outputs"] as const) {
            const listed = sides.get(side);
            if (!isList(listed)) lacks(`${side} of ${graph}`, listed);
            result.set(
                `${graph}.${side}`,
                listed.map((one) => tensorFrom(one, shapes)),
            );
        }
    }
    return result;
}

function tensorFrom(
    one: Json,
    shapes: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>,
): TensorSpec {
    if (!isObject(one)) lacks("tensor", one);
    const name = text(one, "name");
    const layout = text(one, "layout");
    const fileName = one.has("file_name") ? text(one, "file_name") : name;
    const dtype = one.has("dtype") ? text(one, "dtype") : "float32";
    const layouts = Object.hasOwn(shapes, name) ? shapes[name] : {};
    const expected = Object.hasOwn(layouts, layout) ? layouts[layout] : null;
    const shape = one.get("shape");
    const fits =
        expected && isList(shape) && shape.length === expected.length && expected.every((n, i) => n === shape[i]);
    if (!fits || !DTYPES.includes(dtype)) lacks(`tensor ${name}`, one);
    return { name, fileName, shape: expected, layout, dtype };
}
