import { BundleError } from "../core/errors";
import { CancelledError, ProblemError } from "./problems";
import { PRECISIONS, type Precision } from "./protocol";

/** `booth.json` (docs/web.md): what the folder behind the page holds. */
export interface BoothIndex {
    buildId: string;
    /** Of edgesr. */
    version: string;
    name: string;
    featureSpace: string;
    defaultPrecision: Precision;
    models: Partial<Record<Precision, ModelFiles>>;
    detector: string;
    runtime: { version: string; wasm: RuntimeFiles; webgpu: RuntimeFiles | null };
    sha256: Readonly<Record<string, string>>;
}

export interface ModelFiles {
    manifest: string;
    encode: string;
    restore: string;
    bytes: number;
}

/** onnxruntime-web's glue and its WebAssembly. */
export interface RuntimeFiles {
    mjs: string;
    wasm: string;
}

const FORMAT_VERSION = 1;

/** The files behind the page, each checked before anything else sees its bytes. */
export class Bundle {
    private constructor(
        private readonly base: string,
        readonly index: BoothIndex,
    ) {}

    /** @throws ProblemError `offline`; @throws BundleError where there is no booth, or another version's. */
    static async open(base: string, signal?: AbortSignal): Promise<Bundle> {
        return new Bundle(base, decodeIndex(await fetched(new URL("booth.json", base), signal)));
    }

    get available(): Precision[] {
        return PRECISIONS.filter((precision) => this.index.models[precision]);
    }

    /** The precision, or the one that there is. */
    fitting(precision: Precision): Precision {
        return this.index.models[precision] ? precision : this.index.defaultPrecision;
    }

    url(name: string): string {
        return new URL(name, this.base).href;
    }

    /** @throws BundleError where the file is missing, or not the one that was converted. */
    async read(name: string, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
        const expected = this.index.sha256[name];
        if (!expected)
            throw new BundleError(`the booth has no hash for ${name}`, "make it again: edgesr convert --target web");
        const content = await fetched(new URL(name, this.base), signal);
        if ((await sha256(content)) !== expected) {
            throw new BundleError(`${name} is not the file that was converted`, "fetch it again");
        }
        return content;
    }
}

/** 64 lower-case hex digits. */
export async function sha256(content: Uint8Array<ArrayBuffer>): Promise<string> {
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
    return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function fetched(url: URL, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    const name = url.pathname.split("/").pop();
    let response: Response;
    try {
        response = await fetch(url, { cache: "no-cache", ...(signal && { signal }) });
        if (!response.ok) {
            if (response.status >= 500) throw new TypeError(`the server answered ${response.status}`);
            throw new BundleError(`the model is missing: no ${name}`, "edgesr convert --target web puts it there");
        }
        return new Uint8Array(await response.arrayBuffer());
    } catch (error) {
        if (signal?.aborted) throw new CancelledError();
        if (error instanceof BundleError) throw error;
        throw new ProblemError("offline", `${name} did not come: ${String(error)}`, "connect, and try again", {
            cause: error,
        });
    }
}

/** @throws BundleError where `content` describes no booth that this page can run. */
export function decodeIndex(content: Uint8Array): BoothIndex {
    let fields: Record<string, unknown>;
    try {
        fields = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(content));
    } catch (error) {
        throw new BundleError("booth.json cannot be read", "make it again: edgesr convert --target web", {
            cause: error,
        });
    }
    if (fields?.format !== "edgesr-booth") throw new BundleError("this is no edgesr booth");
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
