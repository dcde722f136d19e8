import * as ort from "onnxruntime-web";
import type { GraphName, Manifest } from "../../src/core/manifest";
import { decodeManifest } from "../../src/core/manifest";
import { fromPlanes, toPlanes } from "../../src/core/pixels";
import type { FaceNetwork } from "../../src/core/yunet";
import { bytesOf } from "./vectors";

/** onnxruntime-web's WebAssembly, as the page runs it, here in Node. */

ort.env.wasm.numThreads = 1;
ort.env.logLevel = "error";

async function open(...path: string[]): Promise<ort.InferenceSession> {
    return ort.InferenceSession.create(bytesOf(...path), { executionProviders: ["wasm"], logSeverityLevel: 3 });
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
    const session = await open("detector.onnx");
    return {
        run: async ({ data, shape }) => numbers(await session.run({ input: new ort.Tensor("float32", data, shape) })),
    };
}

/** Both graphs of a bundle on arrays in canonical order, [h, w, C]. */
export async function openBundle(precision: string) {
    const folder = `bundle-${precision}`;
    const manifest = decodeManifest(bytesOf(folder, "manifest.json"));
    const [encoder, restorer] = [
        await open(folder, manifest.file("encode")),
        await open(folder, manifest.file("restore")),
    ];
    return {
        manifest,
        encode: async (exemplar: Float32Array) => (await run(encoder, manifest, "encode", { exemplar })).features,
        restore: (lr: Float32Array, features: readonly Float32Array[]) => {
            const slots = new Float32Array(manifest.slots * manifest.lrSize ** 2 * manifest.channels);
            for (const [i, one] of features.entries()) slots.set(one, i * one.length);
            const valid = Float32Array.from({ length: manifest.slots }, (_, i) => (i < features.length ? 1 : 0));
            return run(restorer, manifest, "restore", { lr, features: slots, valid });
        },
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
