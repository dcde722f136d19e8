import { FaceDetector } from "../core/faceDetector";
import { decodeManifest, type Manifest } from "../core/manifest";
import { Bundle } from "./bundle";
import { OrtFaceNetwork } from "./faceNetwork";
import { Network } from "./network";
import type { Precision, Progress, Provider, Sources } from "./protocol";

/** Who asks: whether they still want it, and how to tell them how far it is. */
export interface Asked {
    signal: AbortSignal;
    progress(now: Progress): void;
}

/** A network that nobody used for so long is released when another one runs. */
const IDLE = 120_000;

/** Everything that is fetched and held in memory: opened when it is first needed. */
export class Networks {
    private bundle: Bundle | null = null;
    private manifest: Manifest | null = null;
    private detector: FaceDetector | null = null;
    private readonly opened = new Map<string, Network>();
    /** Where WebGPU was tried, and found to agree and to be faster. */
    private readonly onGpu = new Set<Precision>();

    constructor(private readonly sources: Sources) {}

    async files({ signal }: Asked): Promise<Bundle> {
        this.bundle ??= await Bundle.open(this.sources, signal);
        return this.bundle;
    }

    /** The default network's manifest: galleries are judged by it before any network is loaded. */
    async described(asked: Asked): Promise<Manifest> {
        const bundle = await this.files(asked);
        const files = bundle.index.models[bundle.index.defaultPrecision]!;
        this.manifest ??= decodeManifest(await bundle.read(files.manifest, asked.signal));
        return this.manifest;
    }

    async faces(asked: Asked): Promise<FaceDetector> {
        this.detector ??= new FaceDetector(await OrtFaceNetwork.open(await this.files(asked)));
        return this.detector;
    }

    /** The network of that precision, or the only one, on what runs it best here. */
    async get(precision: Precision, asked: Asked): Promise<Network> {
        const fitting = (await this.files(asked)).fitting(precision);
        return this.on(fitting, this.onGpu.has(fitting) ? "webgpu" : "wasm", asked);
    }

    async on(precision: Precision, provider: Provider, asked: Asked): Promise<Network> {
        const key = `${precision}-${provider}`;
        const known = this.opened.get(key);
        if (known) return known;
        asked.progress({ stage: "network", share: -1 });
        const network = await Network.open(await this.files(asked), precision, provider, asked.signal);
        this.opened.set(key, network);
        return network;
    }

    useGpu(precision: Precision, use: boolean): void {
        if (use) this.onGpu.add(precision);
        else this.onGpu.delete(precision);
    }

    async releaseIdle(): Promise<void> {
        const newest = Math.max(...[...this.opened.values()].map((network) => network.used));
        for (const [key, network] of this.opened) {
            if (newest - network.used < IDLE) continue;
            this.opened.delete(key);
            await network.close();
        }
    }
}
