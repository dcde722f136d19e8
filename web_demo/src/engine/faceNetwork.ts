import type * as Ort from "onnxruntime-common";
import { BundleError } from "../core/errors";
import type { FaceNetwork, YunetInput, YunetOutputs } from "../core/yunet";
import type { Bundle } from "./bundle";
import { type Runtime, runtimeFor } from "./runtime";

/** YuNet's own ONNX graph: pictures of any size. */
export class OrtFaceNetwork implements FaceNetwork {
    private constructor(
        private readonly runtime: Runtime,
        private readonly session: Ort.InferenceSession,
    ) {}

    /** Always on WebAssembly: it is small, runs many times a photo, and its landmarks must not depend on the GPU. */
    static async open(bundle: Bundle): Promise<OrtFaceNetwork> {
        const [runtime, model] = await Promise.all([runtimeFor("wasm", bundle), bundle.read(bundle.index.detector)]);
        return new OrtFaceNetwork(runtime, await runtime.session(model));
    }

    async run(input: YunetInput): Promise<YunetOutputs> {
        await breathe();
        const tensor = this.runtime.tensor(input.data, input.shape);
        const results = await this.session.run({ [this.session.inputNames[0]]: tensor });
        const outputs: Record<string, Float32Array> = {};
        for (const [name, result] of Object.entries(results)) {
            if (!(result.data instanceof Float32Array))
                throw new BundleError(`the face detector's ${name} is ${result.type}`);
            outputs[name] = result.data;
        }
        return outputs;
    }

    async close(): Promise<void> {
        await this.session.release();
    }
}

/** Let the worker hear of a cancellation: WebAssembly's promises alone never get to its messages. */
function breathe(): Promise<void> {
    return new Promise((resolve) => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => {
            port1.close();
            resolve();
        };
        port2.postMessage(null);
    });
}
