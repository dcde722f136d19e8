import { type Pixels, picture } from "./pixels";
import { clamp } from "./rounding";

/**
 * The one bicubic kernel of edgesr: Keys with a = -0.5, antialiased going down, taps outside the picture left out and
 * the rest renormalised. `resizeBicubic` is Pillow's to the byte, with its weights of 22 bits; `resizeLevels` is
 * Pillow's on floats, and PyTorch's with `antialias=True`.
 */

interface Taps {
    /** First pixel of each result. */
    readonly first: Int32Array;
    /** How many pixels count, and their weights: `width` places each. */
    readonly counts: Int32Array;
    readonly weights: Float64Array;
    readonly width: number;
}

const BITS = 22;

/** The picture at another size; rounded to 8 bits after each of the two passes. */
export function resizeBicubic(image: Pixels, width: number, height: number): Pixels {
    let now = image;
    if (width !== now.width) {
        const taps = fixed(tapsOf(now.width, width));
        const wide = picture(width, now.height);
        pass(now.rgb, wide.rgb, taps, now.height, now.width * 3, 3, width * 3, 3, 3, byte);
        now = wide;
    }
    if (height !== now.height) {
        const taps = fixed(tapsOf(now.height, height));
        const tall = picture(width, height);
        pass(now.rgb, tall.rgb, taps, 1, 0, width * 3, 0, width * 3, width * 3, byte);
        now = tall;
    }
    return now === image ? picture(width, height, image.rgb.slice()) : now;
}

/** Values [h, w, channels] at another size, neither clamped nor rounded. */
export function resizeLevels(
    values: Float32Array,
    fromWidth: number,
    fromHeight: number,
    width: number,
    height: number,
    channels = 3,
): Float32Array {
    let now = values;
    if (width !== fromWidth) {
        const wide = new Float32Array(width * fromHeight * channels);
        const stride = fromWidth * channels;
        pass(now, wide, tapsOf(fromWidth, width), fromHeight, stride, channels, width * channels, channels, channels);
        now = wide;
    }
    if (height !== fromHeight) {
        const tall = new Float32Array(width * height * channels);
        const row = width * channels;
        pass(now, tall, tapsOf(fromHeight, height), 1, 0, row, 0, row, row);
        now = tall;
    }
    return now === values ? values.slice() : now;
}

/**
 * Weighted sums along one axis: for each of `lines` lines (`lineFrom`, `lineTo` apart), each result (`stepTo` apart) of
 * taps `stepFrom` apart, for each of the `block` neighbouring values.
 */
function pass<T extends Uint8Array | Float32Array>(
    from: T,
    to: T,
    taps: Taps,
    lines: number,
    lineFrom: number,
    stepFrom: number,
    lineTo: number,
    stepTo: number,
    block: number,
    after: (sum: number) => number = Math.fround,
): void {
    for (let line = 0; line < lines; line++) {
        for (let i = 0; i < taps.first.length; i++) {
            const start = line * lineFrom + taps.first[i] * stepFrom;
            const target = line * lineTo + i * stepTo;
            const count = taps.counts[i];
            for (let c = 0; c < block; c++) {
                let sum = 0;
                for (let k = 0; k < count; k++)
                    sum += from[start + k * stepFrom + c] * taps.weights[i * taps.width + k];
                to[target + c] = after(sum);
            }
        }
    }
}

/** A sum of 22 fixed bits as Pillow rounds it: half up. */
function byte(sum: number): number {
    return clamp(Math.floor((sum + (1 << (BITS - 1))) / (1 << BITS)), 0, 255);
}

function fixed(taps: Taps): Taps {
    return { ...taps, weights: taps.weights.map((w) => Math.trunc(w * (1 << BITS) + (w < 0 ? -0.5 : 0.5))) };
}

function tapsOf(from: number, to: number): Taps {
    const scale = from / to;
    const stretch = Math.max(scale, 1);
    const support = 2 * stretch;
    const width = Math.ceil(support) * 2 + 1;
    const taps = {
        first: new Int32Array(to),
        counts: new Int32Array(to),
        weights: new Float64Array(to * width),
        width,
    };
    for (let i = 0; i < to; i++) {
        const centre = (i + 0.5) * scale;
        const first = Math.max(0, Math.trunc(centre - support + 0.5));
        const count = Math.min(from, Math.trunc(centre + support + 0.5)) - first;
        let sum = 0;
        for (let k = 0; k < count; k++) {
            const weight = kernel((k + first - centre + 0.5) * (1 / stretch));
            taps.weights[i * width + k] = weight;
            sum += weight;
        }
        for (let k = 0; k < count; k++) taps.weights[i * width + k] /= sum;
        taps.first[i] = first;
        taps.counts[i] = count;
    }
    return taps;
}

function kernel(distance: number): number {
    const t = Math.abs(distance);
    if (t < 1) return (1.5 * t - 2.5) * t * t + 1;
    return t < 2 ? (((t - 5) * t + 8) * t - 4) * -0.5 : 0;
}
