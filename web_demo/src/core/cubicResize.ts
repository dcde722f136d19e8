import { type Pixels, picture } from "./pixels";
import { clamp } from "./rounding";

/** OpenCV's INTER_CUBIC, by which tiny faces are enlarged before they are searched: a = -0.75, weights of 11 bits. */

const SHARPNESS = -0.75;
const BITS = 11;

interface Taps {
    readonly places: Int32Array;
    readonly weights: Int32Array;
}

/** The picture at a larger size. */
export function enlargeCubic(image: Pixels, width: number, height: number): Pixels {
    const columns = tapsOf(image.width, width);
    const rows = tapsOf(image.height, height);
    const wide = new Int32Array(width * 3 * image.height);
    for (let y = 0; y < image.height; y++) {
        for (let x = 0; x < width; x++) {
            for (let c = 0; c < 3; c++) {
                let sum = 0;
                for (let k = 4 * x; k < 4 * x + 4; k++) {
                    sum += columns.weights[k] * image.rgb[(y * image.width + columns.places[k]) * 3 + c];
                }
                wide[(y * width + x) * 3 + c] = sum;
            }
        }
    }
    const result = picture(width, height);
    const half = 1 << (2 * BITS - 1);
    for (let y = 0; y < height; y++) {
        for (let i = 0; i < width * 3; i++) {
            let sum = half;
            for (let k = 4 * y; k < 4 * y + 4; k++) sum += rows.weights[k] * wide[rows.places[k] * width * 3 + i];
            result.rgb[y * width * 3 + i] = clamp(sum >> (2 * BITS), 0, 255);
        }
    }
    return result;
}

/** Four pixels and their weights for each result; pixels beyond the edge are the edge's. */
function tapsOf(from: number, to: number): Taps {
    const taps = { places: new Int32Array(4 * to), weights: new Int32Array(4 * to) };
    for (let i = 0; i < to; i++) {
        const at = (i + 0.5) * (from / to) - 0.5;
        const whole = Math.floor(at);
        kernel(at - whole).forEach((weight, k) => {
            taps.places[4 * i + k] = clamp(whole - 1 + k, 0, from - 1);
            taps.weights[4 * i + k] = Math.round(weight * (1 << BITS));
        });
    }
    return taps;
}

function kernel(t: number): number[] {
    const a = SHARPNESS;
    const far = (x: number) => ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
    const near = (x: number) => ((a + 2) * x - (a + 3)) * x * x + 1;
    const first = [far(t + 1), near(t), near(1 - t)];
    return [...first, 1 - first[0] - first[1] - first[2]];
}
