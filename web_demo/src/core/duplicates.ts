import { GRID } from "./descriptor";
import type { Pixels } from "./pixels";
import { passBytes, tapsOf } from "./resample";
import { RULES } from "./rules";

/**
 * Whether two photos are one picture, stored twice: by a fingerprint of the whole photo where both are at hand, else by
 * their descriptors (`docs/personalization.md`, Duplicates). Fingerprints are pictures in effect, and never stored.
 */

/** Cells a side of a fingerprint. */
const CELLS = RULES.duplicates.print_grid;
const SAME_PHOTO = RULES.duplicates.same_photo;
const SAME_FACE = RULES.duplicates.same_face;
/** Pillow's box filter. */
const BOX = { support: 0.5, weight: (distance: number) => (distance > -0.5 && distance <= 0.5 ? 1 : 0) };

/** Luminance of the whole photo on 16 x 16 cells, less its mean, over its deviation. */
export function fingerprint(photo: Pixels): Float32Array {
    const { width, height, rgb } = photo;
    const columns = tapsOf(width, CELLS, BOX);
    const narrow = new Uint8Array(height * CELLS);
    const row = new Uint8Array(width); // a row at a time: a photo's luminance would take a third of the photo's memory
    for (let y = 0, at = 0; y < height; y++) {
        for (let x = 0; x < width; x++, at += 3) {
            // Pillow's luminance: 0.299, 0.587 and 0.114 in 16 binary digits, rounded.
            row[x] = (rgb[at] * 19595 + rgb[at + 1] * 38470 + rgb[at + 2] * 7471 + 0x8000) >> 16;
        }
        passBytes(row, narrow.subarray(y * CELLS, (y + 1) * CELLS), columns, 1, 1);
    }
    const cells = new Uint8Array(CELLS * CELLS);
    passBytes(narrow, cells, tapsOf(height, CELLS, BOX), 1, CELLS);
    const mean = cells.reduce((sum, level) => sum + level, 0) / cells.length;
    const deviation = Math.sqrt(cells.reduce((sum, level) => sum + (level - mean) ** 2, 0) / cells.length);
    return Float32Array.from(cells, (level) => (level - mean) / Math.max(deviation, 1));
}

/** Whether two fingerprints are of one photo, stored again with other compression or at another size. */
export function samePhoto(one: Float32Array, other: Float32Array): boolean {
    return one.reduce((sum, value, i) => sum + (value - other[i]) ** 2, 0) / one.length < SAME_PHOTO;
}

/** Whether two descriptors are of one photo's face; errs a little more often than fingerprints do. */
export function sameFace(one: Float32Array, other: Float32Array): boolean {
    return faceDifference(one, other) < SAME_FACE;
}

/**
 * Mean squared difference of two descriptors' luminance grids after the best small shift, turn, zoom and change of light:
 * crops of one photo's copies are aligned a little differently.
 */
export function faceDifference(one: Float32Array, other: Float32Array): number {
    const inner = Array.from({ length: GRID * GRID }, (_, i) => i).filter((i) => {
        const [x, y] = [i % GRID, Math.floor(i / GRID)];
        return x > 0 && y > 0 && x < GRID - 1 && y < GRID - 1;
    });
    const mean = (i: number) => (one[i] + other[i]) / 2;
    const right = inner.map((i) => (mean(i + 1) - mean(i - 1)) / 2);
    const down = inner.map((i) => (mean(i + GRID) - mean(i - GRID)) / 2);
    const x = inner.map((i) => (i % GRID) / GRID - 0.5);
    const y = inner.map((i) => Math.floor(i / GRID) / GRID - 0.5);
    const moves = [
        right,
        down,
        inner.map((_, k) => right[k] * x[k] + down[k] * y[k]),
        inner.map((_, k) => right[k] * y[k] - down[k] * x[k]),
        inner.map((i) => one[i]),
        inner.map(() => 1),
    ];
    const rest = withoutMoves(
        inner.map((i) => other[i]),
        moves,
    );
    return dot(rest, rest) / rest.length;
}

/** What `moves` cannot make of `target`: Gram-Schmidt, twice over for the digits that once leaves. */
function withoutMoves(target: number[], moves: number[][]): number[] {
    const basis: number[][] = [];
    const less = (vector: number[]) => {
        const result = vector.slice();
        for (const unit of [...basis, ...basis]) {
            const share = dot(result, unit);
            for (let i = 0; i < result.length; i++) result[i] -= share * unit[i];
        }
        return result;
    };
    for (const move of moves) {
        const direction = less(move);
        const length = Math.sqrt(dot(direction, direction));
        // A move that the ones before it can make adds nothing, and its rounding errors are no direction.
        if (length > 1e-9 * Math.sqrt(dot(move, move))) basis.push(direction.map((value) => value / length));
    }
    return less(target);
}

function dot(a: readonly number[], b: readonly number[]): number {
    return a.reduce((sum, value, i) => sum + value * b[i], 0);
}
