import { type Pixels, picture } from "./pixels";
import { clamp, roundHalfEven } from "./rounding";

/** Scaling down by averaging what falls on each pixel, as OpenCV's INTER_AREA: the detector's pictures are made by it. */

interface Part {
    readonly first: number;
    readonly weights: Float32Array;
}

/** The picture at a size no larger than its own. */
export function resizeArea(image: Pixels, width: number, height: number): Pixels {
    if (width === image.width && height === image.height) return image;
    if (image.width % width === 0 && image.height % height === 0) return averaged(image, width, height);
    const columns = parts(image.width, width);
    const rows = parts(image.height, height);
    const result = picture(width, height);
    const sums = new Float32Array(width * 3);
    const row = new Float32Array(width * 3);
    for (let y = 0; y < height; y++) {
        sums.fill(0);
        const { first, weights } = rows[y];
        for (let k = 0; k < weights.length; k++) {
            shrinkRow(image, first + k, columns, row);
            const weight = weights[k];
            for (let i = 0; i < sums.length; i++) sums[i] += Math.fround(row[i] * weight);
        }
        for (let i = 0; i < sums.length; i++) {
            result.rgb[y * width * 3 + i] = clamp(roundHalfEven(sums[i]), 0, 255);
        }
    }
    return result;
}

/** By whole factors: means of whole blocks. OpenCV rounds those of 2 x 2 half up, all others half to even. */
function averaged(image: Pixels, width: number, height: number): Pixels {
    const { rgb } = image;
    const across = image.width / width;
    const down = image.height / height;
    const stride = image.width * 3;
    const result = picture(width, height);
    if (across === 2 && down === 2) {
        for (let y = 0, to = 0; y < height; y++) {
            for (let x = 0, at = 2 * y * stride; x < width; x++, at += 6) {
                for (let c = at; c < at + 3; c++) {
                    result.rgb[to++] = (rgb[c] + rgb[c + 3] + rgb[c + stride] + rgb[c + stride + 3] + 2) >> 2;
                }
            }
        }
        return result;
    }
    const share = Math.fround(1 / (across * down));
    for (let y = 0, to = 0; y < height; y++) {
        for (let at = y * down * stride; at < y * down * stride + stride; at += 3 * across) {
            for (let c = at; c < at + 3; c++) {
                let sum = 0;
                for (let j = 0; j < down; j++) {
                    for (let i = 0; i < across; i++) sum += rgb[c + j * stride + 3 * i];
                }
                result.rgb[to++] = roundHalfEven(Math.fround(sum * share));
            }
        }
    }
    return result;
}

function shrinkRow(image: Pixels, y: number, columns: Part[], into: Float32Array): void {
    const { rgb, width } = image;
    for (let x = 0; x < columns.length; x++) {
        const { first, weights } = columns[x];
        let red = 0;
        let green = 0;
        let blue = 0;
        let at = (y * width + first) * 3;
        for (let k = 0; k < weights.length; k++) {
            const weight = weights[k];
            red = Math.fround(red + Math.fround(weight * rgb[at]));
            green = Math.fround(green + Math.fround(weight * rgb[at + 1]));
            blue = Math.fround(blue + Math.fround(weight * rgb[at + 2]));
            at += 3;
        }
        into[3 * x] = red;
        into[3 * x + 1] = green;
        into[3 * x + 2] = blue;
    }
}

function parts(from: number, to: number): Part[] {
    const scale = from / to;
    return Array.from({ length: to }, (_, i) => {
        const start = i * scale;
        const end = start + scale;
        const cell = Math.min(scale, from - start);
        const last = Math.min(Math.floor(end), from - 1);
        const whole = Math.min(Math.ceil(start), last);
        const weights: number[] = [];
        const leads = whole - start > 1e-3;
        if (leads) weights.push((whole - start) / cell);
        for (let k = whole; k < last; k++) weights.push(1 / cell);
        if (end - last > 1e-3) weights.push(Math.min(Math.min(end - last, 1), cell) / cell);
        return { first: leads ? whole - 1 : whole, weights: Float32Array.from(weights) };
    });
}
