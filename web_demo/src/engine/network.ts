import type * as Ort from "onnxruntime-common";
import { BundleError } from "../core/errors";
import type { Gallery } from "../core/gallery";
import { countOf, decodeManifest, type GraphName, type Manifest, type TensorSpec } from "../core/manifest";
import { fromPlanes, fromUnit, type Pixels, toPlanes, toUnit } from "../core/pixels";
import type { Features } from "../core/section";
import type { Bundle } from "./bundle";
import { Latency } from "./latency";
import type { Precision, Provider } from "./protocol";
import { type Runtime, runtimeFor } from "./runtime";

/** What a graph gave, and the milliseconds from pixels in to results out, readback included. */
export interface Timed<T> {
    value: T;
    millis: number;
}

/** A restored face, and how much each exemplar counted at each LR pixel: [slots, h, w] in [0, 1]. */
export interface Restored {
    face: Pixels;
    weights: Float32Array;
}

/** The two graphs of one network on one provider. */
export class Network {
    readonly latency: Record<GraphName, Latency> = { encode: new Latency(), restore: new Latency() };
    used = performance.now();

    private constructor(
        readonly manifest: Manifest,
        readonly precision: Precision,
        private readonly runtime: Runtime,
        private readonly sessions: Record<GraphName, Ort.InferenceSession>,
    ) {}

    /** @throws BundleError, ProblemError where files are missing, damaged or cannot be fetched. */
    static async open(
        bundle: Bundle,
        precision: Precision,
        provider: Provider,
        signal?: AbortSignal,
    ): Promise<Network> {
        const files = bundle.index.models[precision];
        if (!files) throw new BundleError(`the ${precision} network is missing`, "convert it, too");
        const read = (name: string) => bundle.read(name, signal);
        const [runtime, described, encode, restore] = await Promise.all([
            runtimeFor(provider, bundle),
            read(files.manifest),
            read(files.encode),
            read(files.restore),
        ]);
        const manifest = decodeManifest(described);
        const sessions = { encode: await runtime.session(encode), restore: await runtime.session(restore) };
        return new Network(manifest, precision, runtime, sessions);
    }

    get provider(): Provider {
        return this.runtime.provider;
    }

    /** What is kept of an aligned sharp face of `hrSize` pixels: maps [h, w, C], then codes. */
    async encode(exemplar: Pixels): Promise<Timed<Features>> {
        const start = performance.now();
        const outputs = await this.run("encode", { exemplar: toUnit(exemplar) });
        const features = this.manifest.kept.map((name) => outputs[name]);
        return this.timed("encode", start, features);
    }

    /** The sharp face from an aligned LR face of `lrSize` pixels, with `exemplars` of a gallery, the best first. */
    async restore(lr: Pixels, gallery: Gallery, exemplars: readonly number[]): Promise<Timed<Restored>> {
        const { slots, hrSize } = this.manifest;
        const start = performance.now();
        const section = exemplars.length > 0 ? this.manifest.checkGallery(gallery) : 0;
        const features = exemplars.slice(0, slots).map((index) => gallery.floats(section, index));
        const { sr, weights } = await this.run("restore", { lr: toUnit(lr), ...this.manifest.slotted(features) });
        return this.timed("restore", start, { face: fromUnit(hrSize, hrSize, sr), weights });
    }

    async close(): Promise<void> {
        await this.sessions.encode.release();
        await this.sessions.restore.release();
    }

    private timed<T>(graph: GraphName, start: number, value: T): Timed<T> {
        const millis = performance.now() - start;
        this.latency[graph].add(millis);
        this.used = performance.now();
        return { value, millis };
    }

    /** Inputs and outputs in the canonical order, [h, w, C]. */
    private async run<G extends GraphName>(
        graph: G,
        inputs: Record<string, Float32Array>,
    ): Promise<Record<string, Float32Array>> {
        const feeds: Record<string, Ort.Tensor> = {};
        for (const spec of this.manifest.tensors(graph, "inputs")) {
            feeds[spec.fileName] = this.runtime.tensor(toLayout(inputs[spec.name], spec), spec.shape);
        }
        const results = await this.sessions[graph].run(feeds);
        const outputs: Record<string, Float32Array> = {};
        for (const spec of this.manifest.tensors(graph, "outputs")) {
            const values = results[spec.fileName]?.data;
            if (!(values instanceof Float32Array) || values.length !== countOf(spec)) {
                throw new BundleError(`${graph} gave no ${spec.name} of ${countOf(spec)} numbers`, "convert it again");
            }
            outputs[spec.name] = fromLayout(values, spec);
        }
        return outputs;
    }
}

/** Of NCHW [n, C, h, w]: each of the n by itself. */
function each(
    values: Float32Array,
    spec: TensorSpec,
    turn: (part: Float32Array, channels: number) => Float32Array,
): Float32Array {
    if (spec.layout !== "NCHW") return values;
    const [n, channels] = spec.shape;
    if (n === 1) return turn(values, channels);
    const size = values.length / n;
    const result = new Float32Array(values.length);
    for (let i = 0; i < n; i++) result.set(turn(values.subarray(i * size, (i + 1) * size), channels), i * size);
    return result;
}

const toLayout = (values: Float32Array, spec: TensorSpec) => each(values, spec, toPlanes);
const fromLayout = (values: Float32Array, spec: TensorSpec) => each(values, spec, fromPlanes);
