import { resizeBicubic } from "../core/bicubic";
import { type Pixels, picture, region } from "../core/pixels";

/** Megapixels of what is saved, unless the photo itself has more: a page has less room than `edgesr enhance`. */
export const MOST_SAVED = 24;

const STRIP_PIXELS = 1 << 20;
/** Rows beside a strip that the kernel reaches into: a seam is where no strip would differ. */
const REACH = 4;

/** The photo `factor` times as large, in strips: its floats would not fit beside it. */
export async function enlarge(photo: Pixels, factor: number, step: (share: number) => Promise<void>): Promise<Pixels> {
    const { width, height } = photo;
    if (factor === 1) return picture(width, height, photo.rgb.slice());
    const result = picture(width * factor, height * factor);
    const rows = Math.max(8, Math.floor(STRIP_PIXELS / (width * factor)));
    for (let top = 0; top < height; top += rows) {
        const first = Math.max(0, top - REACH);
        const last = Math.min(height, top + rows + REACH);
        const bottom = Math.min(height, top + rows);
        const large = resizeBicubic(
            region(photo, 0, first, width, last - first),
            width * factor,
            (last - first) * factor,
        );
        const row = width * factor * 3;
        result.rgb.set(
            large.rgb.subarray((top - first) * factor * row, (bottom - first) * factor * row),
            top * factor * row,
        );
        await step(bottom / height);
    }
    return result;
}
