import { type Pixels, picture } from "./pixels";
import { passBytes, passLevels, tapsOf } from "./resample";

/**
 * The one bicubic kernel of edgesr: Keys with a = -0.5, antialiased going down, taps outside the picture left out and
 * the rest renormalised. `resizeBicubic` is Pillow's to the byte, with its weights of 22 bits; `resizeLevels` is
 * Pillow's on floats, and PyTorch's with `antialias=True`.
 */

const KEYS = { support: 2, weight: keys };

/** The picture at another size; rounded to 8 bits after each of the two passes. */
export function resizeBicubic(image: Pixels, width: number, height: number): Pixels {
    let now = image;
    if (width !== now.width) {
        const taps = tapsOf(now.width, width, KEYS);
        const wide = picture(width, now.height);
        passBytes(now.rgb, wide.rgb, taps, now.height, 3);
        now = wide;
    }
    if (height !== now.height) {
        const taps = tapsOf(now.height, height, KEYS);
        const tall = picture(width, height);
        passBytes(now.rgb, tall.rgb, taps, 1, width * 3);
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
        passLevels(now, wide, tapsOf(fromWidth, width, KEYS), fromHeight, channels);
        now = wide;
    }
    if (height !== fromHeight) {
        const tall = new Float32Array(width * height * channels);
        passLevels(now, tall, tapsOf(fromHeight, height, KEYS), 1, width * channels);
        now = tall;
    }
    return now === values ? values.slice() : now;
}

function keys(distance: number): number {
    const t = Math.abs(distance);
    if (t < 1) return (1.5 * t - 2.5) * t * t + 1;
    return t < 2 ? (((t - 5) * t + 8) * t - 4) * -0.5 : 0;
}
