import { quantile } from "./latency";
import type { Network } from "./network";
import type { Measured } from "./protocol";
import { drawnFace, drawnGallery } from "./samples";

const WARM_UP = 3;

/** Milliseconds of both graphs of a network with all slots filled, warm, from pixels in to results out. */
export async function measure(
    network: Network,
    runs: number,
    step: (share: number) => Promise<void>,
): Promise<Measured[]> {
    const { lrSize, hrSize, slots } = network.manifest;
    const [sharp, tiny] = [drawnFace(hrSize), drawnFace(lrSize)];
    const gallery = drawnGallery(network.manifest, (await network.encode(sharp)).value, slots);
    const exemplars = Array.from({ length: slots }, (_, i) => i);
    const graphs = {
        encode: async () => (await network.encode(sharp)).millis,
        restore: async () => (await network.restore(tiny, gallery, exemplars)).millis,
    };
    const results: Measured[] = [];
    for (const [done, graph] of (["encode", "restore"] as const).entries()) {
        const millis: number[] = [];
        for (let run = -WARM_UP; run < runs; run++) {
            const one = await graphs[graph]();
            if (run >= 0) millis.push(one);
            await step((done + (run + WARM_UP) / (runs + WARM_UP)) / 2);
        }
        const at = (share: number) => quantile(millis, share);
        results.push({
            precision: network.precision,
            provider: network.provider,
            graph,
            median: at(0.5),
            p10: at(0.1),
            p90: at(0.9),
            runs,
        });
    }
    return results;
}
