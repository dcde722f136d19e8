import { BundleError } from "../core/errors";
import { ProblemError } from "./problems";
import { PRECISIONS, type Precision } from "./protocol";

/** What an engine may fetch: `booth.json` (docs/web.md) says so, or an ONNX bundle's manifest. Files are addresses from there. */
export interface BoothIndex {
    /** Another one means that something changed. */
    buildId: string;
    /** Of edgesr. */
    version: string;
    name: string;
    featureSpace: string;
    defaultPrecision: Precision;
    models: Partial<Record<Precision, ModelFiles>>;
    detector: string;
    /** Null where the runtime is not beside the networks: its module knows where its WebAssembly lies. */
    runtime: { version: string; wasm: RuntimeFiles; webgpu: RuntimeFiles | null } | null;
    sha256: Readonly<Record<string, string>>;
}

export interface ModelFiles {
    manifest: string;
    encode: string;
    restore: string;
    /** Of both graphs; null where nobody says. */
    bytes: number | null;
}

/** onnxruntime-web's glue and its WebAssembly. */
export interface RuntimeFiles {
    mjs: string;
    wasm: string;
}

const FORMAT_VERSION = 1;

/** @throws BundleError where `content` describes no booth that this page can run. */
export function decodeIndex(content: Uint8Array): BoothIndex {
    let fields: Record<string, unknown>;
    try {
        fields = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(content));
    } catch (error) {
        throw new BundleError("the manifest is no JSON that can be read", "is it at this address? else convert again", {
            cause: error,
        });
    }
    if (fields?.format !== "edgesr-booth") throw new BundleError("this is no edgesr booth or bundle");
    if (fields.format_version !== FORMAT_VERSION) {
        throw new ProblemError(
            "model-other",
            `booth.json has format version ${fields.format_version}`,
            "load the page again",
        );
    }
    const read = new Fields(fields);
    const models: BoothIndex["models"] = {};
    for (const precision of PRECISIONS) {
        const one = read.fields("models").optional(precision);
        if (!one) continue;
        models[precision] = {
            manifest: one.text("manifest"),
            encode: one.text("encode"),
            restore: one.text("restore"),
            bytes: one.number("bytes"),
        };
    }
    const defaultPrecision = read.text("default_precision") as Precision;
    if (!models[defaultPrecision])
        throw new BundleError(`the booth lacks its own ${defaultPrecision} network: it is missing`);
    const runtime = read.fields("runtime");
    return {
        buildId: read.text("build_id"),
        version: read.text("edgesr"),
        name: read.text("name"),
        featureSpace: read.text("feature_space"),
        defaultPrecision,
        models,
        detector: read.fields("detector").text("file"),
        runtime: {
            version: runtime.text("version"),
            wasm: pair(runtime.texts("wasm"))!,
            webgpu: pair(runtime.texts("webgpu")),
        },
        sha256: read.fields("sha256").all,
    };
}

function pair(files: string[]): RuntimeFiles | null {
    const [mjs, wasm] = [".mjs", ".wasm"].map((suffix) => files.find((file) => file.endsWith(suffix)));
    return mjs && wasm ? { mjs, wasm } : null;
}

/** Typed access to JSON, with errors that say what lacks. */
class Fields {
    constructor(private readonly from: Record<string, unknown>) {}

    get all(): Record<string, string> {
        return this.from as Record<string, string>;
    }

    text(key: string): string {
        return this.typed(key, "string") as string;
    }

    number(key: string): number {
        return this.typed(key, "number") as number;
    }

    texts(key: string): string[] {
        const value = this.from[key];
        return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
    }

    fields(key: string): Fields {
        return new Fields(this.typed(key, "object") as Record<string, unknown>);
    }

    optional(key: string): Fields | null {
        return this.from[key] ? this.fields(key) : null;
    }

    private typed(key: string, type: string): unknown {
        const value = this.from[key];
        if (typeof value !== type || value === null) throw new BundleError(`booth.json is not complete: no ${key}`);
        return value;
    }
}
