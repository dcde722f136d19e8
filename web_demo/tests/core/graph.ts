import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as ort from "onnxruntime-web";
import type { GraphName, Manifest } from "../../src/core/manifest";
import { decodeManifest } from "../../src/core/manifest";
import { fromPlanes, toPlanes } from "../../src/core/pixels";
import type { Features } from "../../src/core/section";
import type { FaceNetwork } from "../../src/core/yunet";
import { testdata } from "./vectors";

/** onnxruntime-web's WebAssembly, as the page runs it, here in Node. */

ort.env.wasm.numThreads = 1;
ort.env.logLevel = "error";

async function open(path: string): Promise<ort.InferenceSession> {
    const content = new Uint8Array(readFileSync(path));
    return ort.InferenceSession.create(content, { executionProviders: ["wasm"], logSeverityLevel: 3 });
}

function numbers(results: ort.InferenceSession.ReturnType): Record<string, Float32Array> {
    return Object.fromEntries(
        Object.entries(results).map(([name, { data }]) => {
            if (!(data instanceof Float32Array)) throw new Error(`${name} holds no floats`);
            return [name, data];
        }),
    );
}

export async function openDetector(): Promise<FaceNetwork> {
    const session = await open(join(testdata, "detector.onnx"));
    return {
        run: async ({ data, shape }) => numbers(await session.run({ input: new ort.Tensor("float32", data, shape) })),
    };
}

/** Both graphs of a bundle on arrays in canonical order, [h, w, C]. */
export async function openBundle(folder: string) {
    const manifest = decodeManifest(new Uint8Array(readFileSync(join(folder, "manifest.json"))));
    const [encoder, restorer] = [
        await open(join(folder, manifest.file("encode"))),
        await open(join(folder, manifest.file("restore"))),
    ];
    return {
        manifest,
        encode: async (exemplar: Float32Array) => {
            const outputs = await run(encoder, manifest, "encode", { exemplar });
            return manifest.kept.map((name) => outputs[name]);
        },
        restore: (lr: Float32Array, exemplars: readonly Features[]) =>
            run(restorer, manifest, "restore", { lr, ...manifest.slotted(exemplars) }),
    };
}

async function run(
    session: ort.InferenceSession,
    manifest: Manifest,
    graph: GraphName,
    inputs: Record<string, Float32Array>,
): Promise<Record<string, Float32Array>> {
    const feeds: Record<string, ort.Tensor> = {};
    for (const { name, fileName, shape, layout } of manifest.tensors(graph, "inputs")) {
        const values = layout === "NCHW" ? batched(inputs[name], shape[0], shape[1], toPlanes) : inputs[name];
        feeds[fileName] = new ort.Tensor("float32", values, [...shape]);
    }
    const results = numbers(await session.run(feeds));
    return Object.fromEntries(
        manifest.tensors(graph, "outputs").map(({ name, fileName, shape, layout }) => {
            const values = results[fileName];
            return [name, layout === "NCHW" ? batched(values, shape[0], shape[1], fromPlanes) : values];
        }),
    );
}

function batched(values: Float32Array, n: number, channels: number, turn: typeof toPlanes): Float32Array {
    const size = values.length / n;
    const result = new Float32Array(values.length);
    for (let i = 0; i < n; i++) result.set(turn(values.subarray(i * size, (i + 1) * size), channels), i * size);
    return result;
}
