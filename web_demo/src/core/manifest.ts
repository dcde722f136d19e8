import { DESCRIPTOR_SIZE } from "./descriptor";
import { BundleError, GalleryError } from "./errors";
import { Gallery } from "./gallery";
import { checkSection, keptFrom, LEAST_LR, MOST_CHANNELS, MOST_LR, SCALES, SHA256 } from "./galleryHeader";
import { isList, isObject, type Json, JsonError, type JsonObject, parseJson, shown } from "./json";
import { RULES } from "./rules";
import { countsOf, differs, type FeaturePart, type Features, partsOf, type Section, tensorsOf } from "./section";

export type GraphName = "encode" | "restore";
export type Side = "inputs" | "outputs";

/** An input or output of a graph as the artifact has it. */
export interface TensorSpec {
    /** Ours: exemplar, features (of several maps and codes features_NAME each), lr, valid, sr, weights. */
    readonly name: string;
    /** The artifact's own name for it. */
    readonly fileName: string;
    readonly shape: readonly number[];
    /** Order of the axes: NCHW, NHWC, N, NC or NHW. */
    readonly layout: string;
    readonly dtype: string;
}

/** Numbers of a tensor. */
export function countOf({ shape }: Pick<TensorSpec, "shape">): number {
    return shape.reduce((product, length) => product * length, 1);
}

interface Fields {
    /** What this network's features are in a gallery. */
    readonly section: Section;
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
    /** What this network's features are in a gallery; fp16 where the network came without int8 steps. */
    readonly section: Section;
    readonly files: ReadonlyMap<string, string>;
    readonly sha256: ReadonlyMap<string, string>;
    readonly checkpointSha256: string;

    constructor(private readonly fields: Fields) {
        this.name = fields.name;
        this.target = fields.target;
        this.precision = fields.precision;
        this.section = fields.section;
        this.scale = fields.section.scale;
        this.lrSize = fields.section.lrSize;
        this.featureSpace = fields.section.featureSpace;
        this.slots = fields.slots;
        this.files = fields.files;
        this.sha256 = fields.sha256;
        this.checkpointSha256 = fields.checkpointSha256;
    }

    get hrSize(): number {
        return this.lrSize * this.scale;
    }

    /** The graphs' tensors of what is kept of an exemplar, in order. */
    get kept(): string[] {
        return namesOf(this.section);
    }

    /** What the restorer takes of `exemplars` beside the LR face, by tensor: zeros in the slots behind them, and the mask. */
    slotted(exemplars: readonly Features[]): Record<string, Float32Array> {
        const counts = countsOf(this.section);
        const slots = counts.map((count) => new Float32Array(count * this.slots));
        const given = exemplars.slice(0, this.slots);
        for (const [slot, features] of given.entries())
            for (const [i, one] of features.entries()) slots[i].set(one, slot * counts[i]);
        const valid = Float32Array.from({ length: this.slots }, (_, slot) => (slot < given.length ? 1 : 0));
        return { ...Object.fromEntries(this.kept.map((name, i) => [name, slots[i]])), valid };
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
        if (found < 0) {
            throw new GalleryError(
                `the gallery has features of ${gallery.sections.map(({ featureSpace }) => featureSpace)}, and this network takes ${this.featureSpace}`,
                "build the gallery again with this network",
            );
        }
        const other = differs(theirs, ours);
        if (other !== null) {
            throw new GalleryError(
                `the gallery ${other} as the network ${this.name} has`,
                "the gallery is damaged, or another network's: build it again",
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
    const section = sectionFrom(object(fields, "features"), text(fields, "feature_space"), scale, lrSize);
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
        section,
        slots,
        files,
        sha256,
        checkpointSha256: text(fields, "checkpoint_sha256"),
        tensors: tensorsFrom(object(fields, "tensors"), section, slots),
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

const FEATURES = "features";

/** The graphs' tensors of what is kept of an exemplar, in order: of its one map, or of each map and code. */
function namesOf({ maps, codes }: Section): string[] {
    const names = [...maps, ...codes].map(({ name }) => name);
    return names.length === 1 ? [FEATURES] : names.map((name) => `${FEATURES}_${name}`);
}

/** Bundles that say nothing of maps are of networks of one map of the LR face's size. */
function sectionFrom(features: JsonObject, featureSpace: string, scale: number, lrSize: number): Section {
    const { parts, steps } = partsFrom(features);
    try {
        const kept = features.has("maps")
            ? keptFrom(features)
            : { maps: [{ name: FEATURES, size: lrSize, parts }], codes: [] };
        const section: Section = { featureSpace, scale, lrSize, ...kept, dtype: steps ? "int8" : "fp16", steps };
        checkSection(section);
        if (JSON.stringify(partsOf(section)) !== JSON.stringify(parts)) lacks("maps", features.get("maps"));
        return section;
    } catch (error) {
        if (!(error instanceof GalleryError)) throw error;
        throw new BundleError(`manifest.json has no proper features: ${error.message}`, AGAIN, { cause: error });
    }
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
    const steps = described.flatMap(({ step }) => (step === null ? [] : [Math.fround(step)]));
    return { parts, steps: steps.length === parts.length ? steps : null };
}

/** Every tensor that is described has the shape that the network's configuration asks for. */
function tensorsFrom(described: JsonObject, section: Section, slots: number) {
    const [low, high] = [section.lrSize, section.lrSize * section.scale];
    const result = new Map<string, TensorSpec[]>();
    const names = namesOf(section);
    const image = (side: number) => ({ NCHW: [1, 3, side, side], NHWC: [1, side, side, 3] });
    for (const graph of ["encode", "restore"] as const) {
        const n = graph === "encode" ? 1 : slots;
        const shapes: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>> = {
            exemplar: image(high),
            lr: image(low),
            sr: image(high),
            valid: { N: [slots] },
            weights: { NHW: [slots, low, low] },
            ...Object.fromEntries(tensorsOf(section).map(([, { shape }], i) => [names[i], layoutsOf(n, shape)])),
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
    for (const side of ["encode.outputs", "restore.inputs"])
        for (const name of names)
            if (!result.get(side)?.some((spec) => spec.name === name)) lacks(`${side}: ${name}`, undefined);
    return result;
}

/** Of `n` maps [h, w, C] or codes [length]. */
function layoutsOf(n: number, shape: readonly number[]): Record<string, readonly number[]> {
    const [h, w, c] = shape;
    return shape.length === 1 ? { NC: [n, h] } : { NCHW: [n, c, h, w], NHWC: [n, h, w, c] };
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
