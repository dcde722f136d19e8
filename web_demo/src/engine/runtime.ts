import type * as Ort from "onnxruntime-common";
import type { Bundle } from "./bundle";
import { ProblemError } from "./problems";
import type { Provider } from "./protocol";

type OrtModule = Pick<typeof Ort, "env" | "InferenceSession" | "Tensor">;

/** onnxruntime-web, of one of its builds. */
export interface Runtime {
    readonly provider: Provider;
    session(model: Uint8Array): Promise<Ort.InferenceSession>;
    tensor(values: Float32Array, shape: readonly number[]): Ort.Tensor;
}

const loaded = new Map<Provider, Promise<Runtime>>();

/** The runtime for a provider, loaded once; WebGPU's build is fetched only when somebody asks for it. */
export function runtimeFor(provider: Provider, bundle: Bundle): Promise<Runtime> {
    const known = loaded.get(provider);
    if (known) return known;
    const made = load(provider, bundle);
    loaded.set(provider, made);
    made.catch(() => loaded.delete(provider)); // the next one may have a connection
    return made;
}

/** Whether WebGPU may be asked for an adapter at all. */
export function gpuPossible(bundle: Bundle): boolean {
    const { runtime } = bundle.index;
    return (runtime ? runtime.webgpu !== null : bundle.runtimeModule === null) && "gpu" in navigator;
}

async function load(provider: Provider, bundle: Bundle): Promise<Runtime> {
    const { runtime } = bundle.index;
    const files = provider === "webgpu" ? runtime?.webgpu : runtime?.wasm;
    if (runtime && !files)
        throw new ProblemError("model-missing", "the booth came without WebGPU's runtime", "it works without");
    const ort = await module(provider, bundle.runtimeModule);
    ort.env.logLevel = "error";
    ort.env.wasm.numThreads = 1; // more would need headers that static hosts do not send, and gains little
    if (runtime && files) {
        const { web } = ort.env.versions;
        if (web !== runtime.version) {
            const what = `the bundle's runtime is onnxruntime-web ${runtime.version}, and the program's is ${web}`;
            throw new ProblemError("model-other", what, "take both from one version of edgesr");
        }
        const [wasm] = await Promise.all([bundle.read(files.wasm), bundle.read(files.mjs)]);
        ort.env.wasm.wasmPaths = { mjs: bundle.url(files.mjs), wasm: bundle.url(files.wasm) };
        ort.env.wasm.wasmBinary = wasm.buffer;
    }
    return {
        provider,
        session: (model) => ort.InferenceSession.create(model, { executionProviders: [provider], logSeverityLevel: 3 }),
        tensor: (values, shape) => new ort.Tensor("float32", values, shape),
    };
}

/** onnxruntime-web's JavaScript: as a bundler found it, or from an address, where there was no bundler. */
async function module(provider: Provider, address: string | null): Promise<OrtModule> {
    if (address === null) {
        return provider === "webgpu" ? await import("onnxruntime-web/webgpu") : await import("onnxruntime-web/wasm");
    }
    try {
        return await import(/* @vite-ignore */ /* webpackIgnore: true */ address);
    } catch (error) {
        const what = `onnxruntime-web did not come from ${address}: ${String(error)}`;
        throw new ProblemError("offline", what, "say where its ort.wasm.min.mjs lies", { cause: error });
    }
}
