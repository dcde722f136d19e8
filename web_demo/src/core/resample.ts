/** How pictures are scaled along one axis as Pillow does it: weights from a kernel, antialiased going down. */

/** A kernel's weight at a distance, and how far it reaches. */
export interface Kernel {
    readonly support: number;
    weight(distance: number): number;
}

export interface Taps {
    /** First pixel of each result. */
    readonly first: Int32Array;
    /** How many pixels count, and their weights: `width` places each. */
    readonly counts: Int32Array;
    readonly weights: Float64Array;
    readonly width: number;
    /** The weights in 22 binary digits. */
    readonly whole: Int32Array;
}

/**
 * Weighted sums along one axis, of `step` neighbouring values at a time: along rows with the picture's channels as `step`
 * and its rows as `lines`; along columns with a whole row as `step` and 1 as `lines`.
 */
export function passLevels(from: Float32Array, to: Float32Array, taps: Taps, lines: number, step: number): void {
    const { first, counts, weights, width } = taps;
    const [lineFrom, lineTo] = [from.length / lines, to.length / lines];
    for (let line = 0; line < lines; line++) {
        for (let i = 0; i < first.length; i++) {
            const start = line * lineFrom + first[i] * step;
            const target = line * lineTo + i * step;
            for (let c = 0; c < step; c++) {
                let sum = 0;
                for (let k = 0, at = start + c; k < counts[i]; k++, at += step)
                    sum += from[at] * weights[i * width + k];
                to[target + c] = sum;
            }
        }
    }
}

/** Digits after the binary point of the weights for 8-bit pictures: sums stay below 2^31. */
const BITS = 22;

/** `passLevels` for 8 bits, as Pillow does it: with weights of 22 binary digits, rounded half up. */
export function passBytes(from: Uint8Array, to: Uint8Array, taps: Taps, lines: number, step: number): void {
    const { first, counts, width, whole } = taps;
    const [lineFrom, lineTo] = [from.length / lines, to.length / lines];
    for (let line = 0; line < lines; line++) {
        for (let i = 0; i < first.length; i++) {
            const start = line * lineFrom + first[i] * step;
            const target = line * lineTo + i * step;
            const firstWeight = i * width;
            const lastWeight = firstWeight + counts[i];
            for (let c = 0; c < step; c++) {
                let sum = 1 << (BITS - 1);
                for (let k = firstWeight, at = start + c; k < lastWeight; k++, at += step) {
                    sum = (sum + Math.imul(from[at], whole[k])) | 0;
                }
                to[target + c] = Math.min(Math.max(sum >> BITS, 0), 255);
            }
        }
    }
}

/** Taps outside the picture are left out, and the rest renormalised. */
export function tapsOf(from: number, to: number, kernel: Kernel): Taps {
    const scale = from / to;
    const stretch = Math.max(scale, 1);
    const support = kernel.support * stretch;
    const width = Math.ceil(support) * 2 + 1;
    const [first, counts, weights] = [new Int32Array(to), new Int32Array(to), new Float64Array(to * width)];
    for (let i = 0; i < to; i++) {
        const centre = (i + 0.5) * scale;
        const start = Math.max(0, Math.trunc(centre - support + 0.5));
        const count = Math.min(from, Math.trunc(centre + support + 0.5)) - start;
        let sum = 0;
        for (let k = 0; k < count; k++) {
            const weight = kernel.weight((k + start - centre + 0.5) * (1 / stretch));
            weights[i * width + k] = weight;
            sum += weight;
        }
        for (let k = 0; k < count; k++) weights[i * width + k] /= sum;
        first[i] = start;
        counts[i] = count;
    }
    const whole = Int32Array.from(weights, (w) => Math.trunc(w * (1 << BITS) + (w < 0 ? -0.5 : 0.5)));
    return { first, counts, weights, width, whole };
}
