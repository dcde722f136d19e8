import { resizeLevels } from "./bicubic";
import { luma } from "./descriptor";
import { type Pixels, picture } from "./pixels";
import { clamp, roundHalfEven } from "./rounding";

/** Of the colours over the face. */
const OPACITY = 0.45;

/** The jet colour of a value in [0, 1], red, green and blue from 0 to 1: dark blue, cyan, yellow, dark red. */
export function jet(value: number): [number, number, number] {
    const four = 4 * clamp(value, 0, 1);
    const channel = (middle: number) => clamp(1.5 - Math.abs(four - middle), 0, 1);
    return [channel(3), channel(2), channel(1)];
}

/**
 * One exemplar's weight [`side`, `side`] of `count` exemplars' in jet colours over a face.
 *
 * CoFA's weights add up to 1 over the exemplars (to less where none of them matches), so 1 / count is an equal part: that
 * is green; dark blue is none, and dark red twice an equal part or more.
 */
export function heatmap(face: Pixels, weights: Float32Array, side: number, count: number): Pixels {
    const { width, height, rgb } = face;
    const levels = resizeLevels(
        weights.map((weight) => weight * (count / 2)),
        side,
        side,
        width,
        height,
        1,
    );
    const result = picture(width, height);
    for (let i = 0; i < levels.length; i++) {
        const grey = (1 - OPACITY) * luma(rgb[3 * i], rgb[3 * i + 1], rgb[3 * i + 2]);
        const colour = jet(levels[i]);
        for (let c = 0; c < 3; c++) {
            result.rgb[3 * i + c] = clamp(roundHalfEven(grey + OPACITY * roundHalfEven(colour[c] * 255)), 0, 255);
        }
    }
    return result;
}
