import { DESCRIPTOR_SIZE, GRID, HAS_LANDMARKS, LANDMARKS } from "./descriptor";
import { GalleryError } from "./errors";
import { RULES } from "./rules";

/** Which exemplars serve an LR face best, by their descriptors alone (`docs/gallery-format.md`). */

/** Differences of pixels and of landmarks below these are rounding, and a product must not vanish by it. */
const LEAST_DIFFERENCE = RULES.choice.least_difference;
const LEAST_TURN = RULES.choice.least_turn;
const SHARPNESS_POWER = RULES.choice.sharpness_power;
/** Cells count by a Gaussian around the face's middle: hair and background differ from day to day. */
const [CENTRE_X, CENTRE_Y] = RULES.choice.centre;
const [SPREAD_X, SPREAD_Y] = RULES.choice.spread;
const WEIGHTS = Float64Array.from({ length: GRID * GRID }, (_, i) => {
    const x = ((i % GRID) - CENTRE_X) / SPREAD_X;
    const y = (Math.floor(i / GRID) - CENTRE_Y) / SPREAD_Y;
    return Math.exp(-x * x - y * y);
});

/**
 * Indices of the best `slots` exemplars, the best first; of equals the first. `sharpness` where it is known of all.
 *
 * @throws GalleryError where descriptors are not those of this version.
 */
export function choose(
    gallery: readonly Float32Array[],
    query: Float32Array,
    slots: number,
    sharpness: readonly number[] | null = null,
): number[] {
    const far = distances(gallery, query, sharpness);
    const order = gallery.map((_, i) => i).sort((a, b) => far[a] - far[b]);
    return order.slice(0, Math.max(slots, 0));
}

/** (A + a)(E + a) sqrt(P + p) / sharpness^(1/4) of each exemplar; lower is better. */
export function distances(
    gallery: readonly Float32Array[],
    query: Float32Array,
    sharpness: readonly number[] | null = null,
): number[] {
    const foreign = [...gallery, query].find((one) => one.length !== DESCRIPTOR_SIZE || !one.every(Number.isFinite));
    if (foreign) {
        throw new GalleryError(
            `a descriptor has ${foreign.length} numbers, and this version compares ${DESCRIPTOR_SIZE} finite ones`,
            "build the gallery again",
        );
    }
    const turn = turns(gallery, query);
    return gallery.map((one, n) => {
        const { appearance, edges } = difference(one, query);
        const distance = (appearance + LEAST_DIFFERENCE) * (edges + LEAST_DIFFERENCE) * Math.sqrt(turn[n]);
        return sharpness ? distance / Math.max(sharpness[n], LEAST_DIFFERENCE) ** SHARPNESS_POWER : distance;
    });
}

/** A and E: of the cells, and of the differences between neighbouring cells. */
function difference(one: Float32Array, other: Float32Array): { appearance: number; edges: number } {
    const off = WEIGHTS.map((_, i) => one[i] - other[i]);
    let [appearance, all, edges, inner] = [0, 0, 0, 0];
    for (let i = 0; i < off.length; i++) {
        appearance += off[i] * off[i] * WEIGHTS[i];
        all += WEIGHTS[i];
        if (i % GRID < GRID - 1 && i < GRID * (GRID - 1)) {
            edges += ((off[i + 1] - off[i]) ** 2 + (off[i + GRID] - off[i]) ** 2) * WEIGHTS[i];
            inner += WEIGHTS[i];
        }
    }
    return { appearance: appearance / all, edges: edges / inner };
}

/** P + p of each exemplar; one without landmarks takes the mean of the others. */
function turns(gallery: readonly Float32Array[], query: Float32Array): number[] {
    const known = gallery.map((one) => one[HAS_LANDMARKS] > 0);
    if (!(query[HAS_LANDMARKS] > 0) || !known.includes(true)) return gallery.map(() => 1);
    const off = gallery.map((one) => {
        let sum = 0;
        for (let i = LANDMARKS; i < LANDMARKS + 10; i++) sum += (one[i] - query[i]) ** 2;
        return sum / 10;
    });
    const seen = off.filter((_, i) => known[i]);
    const usual = seen.reduce((sum, value) => sum + value, 0) / seen.length;
    return off.map((value, i) => (known[i] ? value : usual) + LEAST_TURN);
}
