import { type Alignment, mapPoint, TOLERANCE } from "./alignment";
import { resizeBicubic, resizeLevels } from "./bicubic";
import { type Pixels, picture, toLevels } from "./pixels";
import { clamp, roundHalfEven } from "./rounding";
import { RULES } from "./rules";
import { Sampler } from "./sampler";

/** What happens to a face on its way out of a photo and back into it, as `edgesr enhance` does it. */

/** Up to the first ratio of disagreements exemplars count in full, from the second on not at all. */
const BELIEVED = 1.022;
const NOT_BELIEVED = 1.04;
/** Levels added to both disagreements: rounding to 8 bits is no disagreement. */
const LEAST_ERROR = 0.5;
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

/** `sr` as far as it explains `lr` as well as `none` does, the face restored without exemplars; and that share, 0 to 1. */
export function believe(sr: Pixels, none: Pixels, lr: Pixels): { face: Pixels; share: number } {
    const ratio = (error(sr, lr) + LEAST_ERROR) / (error(none, lr) + LEAST_ERROR);
    const share = clamp((NOT_BELIEVED - ratio) / (NOT_BELIEVED - BELIEVED), 0, 1);
    return { face: share === 1 ? sr : blend(none, sr, share), share };
}

/** Root mean square of the differences between `lr` and the face scaled down to it, in levels. */
function error(face: Pixels, lr: Pixels): number {
    const down = resizeLevels(toLevels(face), face.width, face.height, lr.width, lr.height);
    return Math.sqrt(down.reduce((sum, level, i) => sum + (level - lr.rgb[i]) ** 2, 0) / down.length);
}

/** `share` of `over` and the rest of `under`, which are of one size. */
export function blend(under: Pixels, over: Pixels, share: number): Pixels {
    const mixed = under.rgb.map((level, i) => roundHalfEven(level + share * (over.rgb[i] - level)));
    return picture(under.width, under.height, mixed);
}

/** SR + up(native - down(SR)): a face larger than the network's LR size lost detail on its way in; it comes back. */
export function keepOwnDetail(sr: Pixels, native: Pixels): Pixels {
    const given = toLevels(sr);
    const missing = resizeLevels(given, sr.width, sr.height, native.width, native.height);
    for (let i = 0; i < missing.length; i++) missing[i] = native.rgb[i] - missing[i];
    const back = resizeLevels(missing, native.width, native.height, sr.width, sr.height);
    const result = picture(sr.width, sr.height);
    for (let i = 0; i < back.length; i++) {
        result.rgb[i] = roundHalfEven(clamp(Math.fround(given[i] + back[i]), 0, 255));
    }
    return result;
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
