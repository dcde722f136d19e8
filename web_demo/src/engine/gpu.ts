import type { Bundle } from "./bundle";
import { quantile } from "./latency";
import { Network } from "./network";
import type { GpuTrial, Precision } from "./protocol";
import { gpuPossible } from "./runtime";
import { drawnFace, drawnGallery } from "./samples";
import { readSetting, writeSetting } from "./store";

/** From here on two runtimes give the same picture: what is left is rounding. */
export const LEAST_PSNR = 50;
const RUNS = 5;
/** Runs beyond this tell nothing more: what is so slow serves nobody. */
const MOST_MILLIS = 3000;

/** What is remembered of a trial: another adapter, network or runtime is another device. */
interface Remembered extends GpuTrial {
    key: string;
}

/**
 * Whether WebGPU may run the network here: its face must be WebAssembly's, and come sooner. Asked once per device,
 * network and runtime, and remembered.
 */
export async function tryGpu(
    bundle: Bundle,
    wasm: Network,
    precision: Precision,
    { again, remember }: { again: boolean; remember: boolean },
): Promise<GpuTrial> {
    const no = { adapter: false, agrees: false, psnr: 0, wasmMillis: 0, gpuMillis: 0, used: false };
    if (!gpuPossible(bundle)) return { ...no, why: "no WebGPU in this browser" };
    const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" }).catch(() => null);
    if (!adapter) return { ...no, why: "no WebGPU adapter" };
    const { vendor, architecture } = adapter.info;
    const { buildId, runtime } = bundle.index;
    const key = [vendor, architecture, navigator.userAgent, buildId, runtime?.version ?? ""].join("|");
    const kept = remember && !again ? await readSetting(`gpu-${precision}`).catch(() => null) : null;
    if ((kept as Remembered | null)?.key === key) return kept as Remembered;
    if (!again && adapter.info.isFallbackAdapter) return { ...no, adapter: true, why: "WebGPU by software alone" };
    const result = await trial(bundle, wasm, precision);
    // Where it cannot be kept it is asked again.
    if (remember) await writeSetting(`gpu-${precision}`, { ...result, key }).catch(() => undefined);
    return result;
}

async function trial(bundle: Bundle, wasm: Network, precision: Precision): Promise<GpuTrial> {
    const none = { adapter: true, agrees: false, psnr: 0, wasmMillis: 0, gpuMillis: 0, used: false };
    let gpu: Network | null = null;
    try {
        gpu = await Network.open(bundle, precision, "webgpu");
        const [expected, found] = [await run(wasm), await run(gpu)];
        const psnr = Math.min(
            expected.sr.psnr(found.sr),
            ...expected.features.map((one, i) => one.psnr(found.features[i])),
        );
        const agrees = psnr >= LEAST_PSNR;
        const used = agrees && found.millis < expected.millis;
        const why = used
            ? "it agrees and is faster"
            : agrees
              ? "it agrees, and is not faster"
              : `it disagrees: ${psnr.toFixed(1)} dB`;
        return { adapter: true, agrees, psnr, wasmMillis: expected.millis, gpuMillis: found.millis, used, why };
    } catch (error) {
        return { ...none, why: `it does not run the network: ${error instanceof Error ? error.message : error}` };
    } finally {
        await gpu?.close();
    }
}

/** Both graphs on one drawn face, which every device draws alike. */
async function run(network: Network) {
    const { lrSize, hrSize } = network.manifest;
    const lr = drawnFace(lrSize);
    const features = (await network.encode(drawnFace(hrSize))).value;
    const gallery = drawnGallery(network.manifest, features, 1);
    // The first run compiles the shaders, and counts only where it is all that there is time for.
    const first = await network.restore(lr, gallery, [0]);
    let face = first.value.face;
    const millis = first.millis > MOST_MILLIS ? [first.millis] : [];
    const begun = performance.now();
    while (millis.length < RUNS && performance.now() - begun < MOST_MILLIS - first.millis) {
        const timed = await network.restore(lr, gallery, [0]);
        face = timed.value.face;
        millis.push(timed.millis);
    }
    if (millis.length === 0) millis.push(first.millis);
    return {
        features: features.map((one) => new Signal(one, 0)),
        sr: new Signal(face.rgb, 255),
        millis: quantile(millis, 0.5),
    };
}

/** Numbers to compare; a `range` of 0 stands for the largest magnitude among them. */
class Signal {
    constructor(
        private readonly values: ArrayLike<number>,
        private readonly range: number,
    ) {}

    psnr(other: Signal): number {
        let [squares, most] = [0, this.range];
        for (let i = 0; i < this.values.length; i++) {
            squares += (this.values[i] - other.values[i]) ** 2;
            if (this.range === 0) most = Math.max(most, Math.abs(this.values[i]));
        }
        const mean = squares / this.values.length;
        return mean === 0 ? 120 : 10 * Math.log10((most * most) / mean);
    }
}
