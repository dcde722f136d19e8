import { type Alignment, mapPoint, TOLERANCE } from "./alignment";
import { resizeBicubic, resizeLevels } from "./bicubic";
import { type Pixels, picture, toLevels } from "./pixels";
import { clamp, roundHalfEven } from "./rounding";
import { RULES } from "./rules";
import { Sampler } from "./sampler";

/** What happens to a face on its way out of a photo and back into it, as `edgesr enhance` does it. */

/** The median of a normal distribution's absolute values, in standard deviations. */
const GAUSSIAN = RULES.noise.gaussian;
/** The mask falls from 1 to 0 over this share of the way from the middle of the square to its border. */
const FEATHER = RULES.paste.feather;
/** |u|^p + |v|^p = 1 is the mask's outline: a square with round corners. */
const ROUNDNESS = RULES.paste.roundness;

/** The side of a face's square in whole photo pixels, rounded up: what all rules go by. */
export function sideOf(alignment: Alignment): number {
    return Math.max(1, Math.ceil(alignment.side - TOLERANCE));
}

/** The aligned face at the size it has in the photo: one cubic sample a pixel. */
export function nativeCrop(photo: Pixels, alignment: Alignment): Pixels {
    const size = sideOf(alignment);
    const map = alignment.photoFromCrop(size);
    const sampler = new Sampler({ ...photo, values: photo.rgb }, true);
    const result = picture(size, size);
    const sums = new Float64Array(3);
    for (let j = 0; j < size; j++) {
        for (let i = 0; i < size; i++) {
            const { x, y } = mapPoint(map, { x: i + 0.5, y: j + 0.5 });
            sums.fill(0);
            sampler.add(x - 0.5, y - 0.5, sums);
            for (let c = 0; c < 3; c++) result.rgb[(j * size + i) * 3 + c] = roundHalfEven(clamp(sums[c], 0, 255));
        }
    }
    return result;
}

/** A native crop at the network's LR size. */
export function lrCrop(native: Pixels, lrSize: number): Pixels {
    return resizeBicubic(native, lrSize, lrSize);
}

/** `share` of `over` and the rest of `under`, which are of one size. */
export function blend(under: Pixels, over: Pixels, share: number): Pixels {
    const mixed = under.rgb.map((level, i) => roundHalfEven(level + share * (over.rgb[i] - level)));
    return picture(under.width, under.height, mixed);
}

/**
 * SR + w up(band(native - down(SR))): of what the photo shows of a face and the restored one has not, what `lrSize` pixels
 * cannot hold comes back. The rest the network saw, and changed for a reason. w is `signal`.
 */
export function keepOwnDetail(sr: Pixels, native: Pixels, lrSize: number): Pixels {
    if (native.width <= lrSize) return sr;
    const given = toLevels(sr);
    const missing = resizeLevels(given, sr.width, sr.height, native.width, native.height);
    for (let i = 0; i < missing.length; i++) missing[i] = native.rgb[i] - missing[i];
    const back = resizeLevels(band(missing, native.width, lrSize), native.width, native.height, sr.width, sr.height);
    const weight = Math.fround(signal(native, lrSize));
    const result = picture(sr.width, sr.height);
    for (let i = 0; i < back.length; i++) {
        const level = Math.fround(given[i] + Math.fround(weight * back[i]));
        result.rgb[i] = roundHalfEven(clamp(level, 0, 255));
    }
    return result;
}

/** What a square of `side` pixels loses when it is scaled down to `lrSize` and up again. */
function band(levels: Float32Array, side: number, lrSize: number): Float32Array {
    const low = resizeLevels(resizeLevels(levels, side, side, lrSize, lrSize), lrSize, lrSize, side, side);
    return levels.map((level, i) => level - low[i]);
}

/** Wiener's weight: the share of a face's detail beyond the LR size that is not noise, 0 to 1, by luminance. */
export function signal(native: Pixels, lrSize: number): number {
    const detail = luminance(band(toLevels(native), native.width, lrSize));
    const mean = detail.reduce((sum, value) => sum + value, 0) / detail.length;
    const power = detail.reduce((sum, value) => sum + (value - mean) ** 2, 0) / detail.length;
    return power > 0 ? Math.max(0, 1 - noiseOf(luminance(native.rgb), native.width) ** 2 / power) : 0;
}

/** Standard deviation of the noise of a square: Donoho and Johnstone's estimate from the diagonal Haar coefficients. */
function noiseOf(plane: Float64Array, side: number): number {
    const found: number[] = [];
    for (let y = 0; y + 1 < side; y += 2) {
        for (let x = 0; x + 1 < side; x += 2) {
            const at = y * side + x;
            found.push(Math.abs(plane[at] - plane[at + side] - plane[at + 1] + plane[at + side + 1]) / 2);
        }
    }
    found.sort((a, b) => a - b);
    const middle = found.length >> 1;
    if (found.length === 0) return 0;
    return (found.length % 2 === 1 ? found[middle] : (found[middle - 1] + found[middle]) / 2) / GAUSSIAN;
}

function luminance(rgb: ArrayLike<number>): Float64Array {
    const [red, green, blue] = RULES.noise.luminance;
    return Float64Array.from({ length: rgb.length / 3 }, (_, i) => {
        return red * rgb[3 * i] + green * rgb[3 * i + 1] + blue * rgb[3 * i + 2];
    });
}

/** How much of the restored face shows at (u, v), the square's own coordinates from -1 to 1: 1 inside, 0 outside. */
export function feather(u: number, v: number): number {
    const radius = (Math.abs(u) ** ROUNDNESS + Math.abs(v) ** ROUNDNESS) ** (1 / ROUNDNESS);
    const t = clamp((1 - radius) / FEATHER, 0, 1);
    return t * t * t * (t * (6 * t - 15) + 10);
}

/** The photo with `face` blended in at its square by `strength`; every pixel outside the square keeps its value. */
export function paste(photo: Pixels, face: Pixels, alignment: Alignment, strength = 1): Pixels {
    const result = picture(photo.width, photo.height, photo.rgb.slice());
    pasteInto(result, face, alignment, strength);
    return result;
}

/** `paste` that writes into the photo itself: for several faces, and where a second large photo has no room. */
export function pasteInto(photo: Pixels, face: Pixels, alignment: Alignment, strength = 1): void {
    if (!(strength > 0)) return;
    const { centre, half } = alignment;
    const reach = Math.abs(half.x) + Math.abs(half.y);
    const left = Math.max(0, Math.floor(centre.x - reach));
    const top = Math.max(0, Math.floor(centre.y - reach));
    const right = Math.min(photo.width, Math.ceil(centre.x + reach));
    const bottom = Math.min(photo.height, Math.ceil(centre.y + reach));
    const side = Math.min(face.width, Math.max(1, Math.ceil(alignment.side)));
    const levels = toLevels(face);
    const small = side === face.width ? levels : resizeLevels(levels, face.width, face.height, side, side);
    const map = alignment.cropFromPhoto(side);
    const sampler = new Sampler({ width: side, height: side, values: small }, true);
    const sums = new Float64Array(3);
    for (let y = top; y < bottom; y++) {
        for (let x = left; x < right; x++) {
            const p = mapPoint(map, { x: x + 0.5, y: y + 0.5 });
            const mask = strength * feather(p.x / (side / 2) - 1, p.y / (side / 2) - 1);
            if (!(mask > 0)) continue;
            sums.fill(0);
            sampler.add(p.x - 0.5, p.y - 0.5, sums);
            for (let c = 0; c < 3; c++) {
                const at = (y * photo.width + x) * 3 + c;
                const before = photo.rgb[at];
                photo.rgb[at] = roundHalfEven(before + mask * (clamp(sums[c], 0, 255) - before));
            }
        }
    }
}
