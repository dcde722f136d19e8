import { RULES } from "./rules";

/** Which faces gain from a network, and how large the photo must be for it to show: the rules of `edgesr enhance`. */

/** A face gains while its side is within these multiples of the network's LR size; `docs/enhance.md` has the figures. */
export const LEAST_SIZES = RULES.regions.least;
export const MOST_SIZES = RULES.regions.most;

/** The output shows a restored face once it has so many of its pixels a side. */
const SHOWN = RULES.regions.shown;
const FACTORS = RULES.regions.factors;
/** Most megapixels of the output. */
export const MOST_MEGAPIXELS = RULES.regions.most_megapixels;

/** Whether a face of `side` pixels (`sideOf`) gains from a network of this LR size, or why not. */
export function gain(side: number, lrSize: number): "gains" | "too-small" | "large-enough" {
    if (side > MOST_SIZES * lrSize) return "large-enough";
    return side < LEAST_SIZES * lrSize ? "too-small" : "gains";
}

/**
 * How many times larger the output is, and whether `megapixels` kept it from being what the faces need: the smallest
 * factor at which every face shows 3/4 of its restored pixels a side, at most 4.
 */
export function factorFor(
    faces: readonly { readonly side: number; readonly restored: number }[],
    width: number,
    height: number,
    megapixels = MOST_MEGAPIXELS,
): { factor: number; limited: boolean } {
    const needed = faces.map(
        ({ side, restored }) => FACTORS.find((f) => f * side >= SHOWN * restored) ?? FACTORS.length,
    );
    const wanted = Math.max(1, ...needed);
    let factor = wanted;
    while (factor > 1 && width * height * factor ** 2 > megapixels * 1e6) factor--;
    return { factor, limited: factor < wanted };
}
