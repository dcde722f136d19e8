import type { Point } from "./alignment";
import { BoothError } from "./errors";
import type { Pixels } from "./pixels";
import { RULES } from "./rules";

/** What a face looks like and where it turns (`docs/gallery-format.md`, Descriptor): cells a side, and what lies where. */
export const GRID = RULES.descriptor.grid;
const CHROMA_GRID = RULES.descriptor.chroma_grid;
export const MEAN = GRID * GRID;
export const CONTRAST = MEAN + 1;
const CHROMA = CONTRAST + 1;
export const LANDMARKS = CHROMA + 2 * CHROMA_GRID * CHROMA_GRID;
export const HAS_LANDMARKS = LANDMARKS + 10;
/** Numbers of a descriptor. */
export const DESCRIPTOR_SIZE = HAS_LANDMARKS + 1;

const LEAST_CONTRAST = RULES.descriptor.least_contrast;
const TEMPLATE: readonly Point[] = RULES.descriptor.template.map(([x, y]) => ({ x, y }));
const [RED, GREEN, BLUE] = RULES.descriptor.luma;

/** Luminance of red, green and blue from 0 to 1. */
export function luma(r: number, g: number, b: number): number {
    return RED * r + GREEN * g + BLUE * b;
}

/**
 * The descriptor of an aligned square crop, LR or HR; `landmarks` in the crop's pixels, or null where they are not known.
 *
 * @throws BoothError where the crop is not square or the landmarks are not five finite points.
 */
export function describe(face: Pixels, landmarks: readonly Point[] | null): Float32Array {
    if (face.width !== face.height)
        throw new BoothError(`a face of ${face.width} x ${face.height} pixels`, "it is square");
    const side = face.width;
    const count = side * side;
    const [light, red, blue] = [new Float64Array(count), new Float64Array(count), new Float64Array(count)];
    for (let i = 0; i < count; i++) {
        const r = face.rgb[3 * i] / 255;
        const b = face.rgb[3 * i + 2] / 255;
        light[i] = luma(r, face.rgb[3 * i + 1] / 255, b);
        red[i] = r - light[i];
        blue[i] = b - light[i];
    }
    const cells = boxMeans(light, side, GRID);
    const mean = average(cells);
    const contrast = Math.sqrt(average(cells.map((cell) => (cell - mean) ** 2)));
    const result = new Float32Array(DESCRIPTOR_SIZE);
    for (let i = 0; i < cells.length; i++) result[i] = (cells[i] - mean) / Math.max(contrast, LEAST_CONTRAST);
    result[MEAN] = mean;
    result[CONTRAST] = contrast;
    result.set(boxMeans(red, side, CHROMA_GRID), CHROMA);
    result.set(boxMeans(blue, side, CHROMA_GRID), CHROMA + CHROMA_GRID * CHROMA_GRID);
    if (landmarks !== null) {
        if (landmarks.length !== 5 || !landmarks.every(({ x, y }) => Number.isFinite(x) && Number.isFinite(y))) {
            throw new BoothError("a face's landmarks are five finite points", "eyes, nose and mouth corners");
        }
        landmarks.forEach(({ x, y }, i) => {
            result[LANDMARKS + 2 * i] = x / side - TEMPLATE[i].x;
            result[LANDMARKS + 2 * i + 1] = y / side - TEMPLATE[i].y;
        });
        result[HAS_LANDMARKS] = 1;
    }
    return result;
}

/** Exact means over a grid of `cells` a side: a pixel counts by the length that it shares with the cell. */
export function boxMeans(image: Float64Array, side: number, cells: number): Float64Array {
    const weights = overlaps(side, cells);
    const rows = new Float64Array(cells * side);
    for (let i = 0; i < cells; i++) {
        for (let p = 0; p < side; p++) {
            const weight = weights[i * side + p];
            if (weight > 0) for (let x = 0; x < side; x++) rows[i * side + x] += weight * image[p * side + x];
        }
    }
    const result = new Float64Array(cells * cells);
    for (let i = 0; i < cells; i++) {
        for (let j = 0; j < cells; j++) {
            let sum = 0;
            for (let q = 0; q < side; q++) sum += weights[j * side + q] * rows[i * side + q];
            result[i * cells + j] = sum;
        }
    }
    return result;
}

/** The mean of some numbers. */
export function average(values: Float64Array): number {
    return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Each pixel's share of each cell, [cells, side]; rows add up to 1. */
function overlaps(side: number, cells: number): Float64Array {
    const result = new Float64Array(cells * side);
    for (let cell = 0; cell < cells; cell++) {
        for (let pixel = 0; pixel < side; pixel++) {
            const shared = Math.min((pixel + 1) * cells, (cell + 1) * side) - Math.max(pixel * cells, cell * side);
            result[cell * side + pixel] = Math.max(shared, 0) / side;
        }
    }
    return result;
}
