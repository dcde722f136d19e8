import { BoothError } from "./errors";
import { clamp, roundHalfEven } from "./rounding";

/** A picture of 8-bit RGB: `rgb` holds red, green, blue of each pixel, row by row from the upper left. */
export interface Pixels {
    readonly width: number;
    readonly height: number;
    readonly rgb: Uint8Array;
}

/** A picture of `width` x `height`, black where no `rgb` is given. @throws BoothError where the sizes do not fit. */
export function picture(width: number, height: number, rgb = new Uint8Array(width * height * 3)): Pixels {
    if (!(width > 0 && height > 0) || rgb.length !== width * height * 3) {
        throw new BoothError(
            `a picture of ${width} x ${height} pixels has ${rgb.length} bytes`,
            "it has three a pixel",
        );
    }
    return { width, height, rgb };
}

/** One channel (0 red, 1 green, 2 blue) of pixel (x, y), 0 to 255. */
export function levelAt(image: Pixels, x: number, y: number, channel: number): number {
    return image.rgb[(y * image.width + x) * 3 + channel];
}

/** float32 in [0, 1], [height, width, 3] in row-major order. */
export function toUnit(image: Pixels, into = new Float32Array(image.rgb.length)): Float32Array {
    const { rgb } = image;
    for (let i = 0; i < rgb.length; i++) into[i] = rgb[i] / 255;
    return into;
}

/** From float32 [height, width, 3] in [0, 1]: clamped, times 255, rounded half to even. */
export function fromUnit(width: number, height: number, unit: Float32Array): Pixels {
    const result = picture(width, height);
    for (let i = 0; i < result.rgb.length; i++) {
        result.rgb[i] = roundHalfEven(Math.fround(clamp(unit[i], 0, 1) * 255));
    }
    return result;
}

/** From a canvas's pixels (`ImageData`), not premultiplied; transparency is laid over white, as edgesr does. */
export function fromRgba(width: number, height: number, rgba: Uint8Array | Uint8ClampedArray): Pixels {
    if (rgba.length !== width * height * 4) {
        throw new BoothError(
            `${width} x ${height} pixels with transparency have ${rgba.length} bytes`,
            "it has four a pixel",
        );
    }
    const result = picture(width, height);
    const { rgb } = result;
    for (let from = 0, to = 0; from < rgba.length; from += 4, to += 3) {
        const alpha = rgba[from + 3];
        const white = 255 * (255 - alpha) + 127;
        for (let c = 0; c < 3; c++) {
            const level = rgba[from + c];
            rgb[to + c] = alpha === 255 ? level : Math.floor((level * alpha + white) / 255);
        }
    }
    return result;
}

/** A canvas's pixels, opaque. */
export function toRgba(
    image: Pixels,
    into: Uint8ClampedArray<ArrayBuffer> = new Uint8ClampedArray(image.width * image.height * 4),
): Uint8ClampedArray<ArrayBuffer> {
    const { rgb } = image;
    for (let from = 0, to = 0; from < rgb.length; from += 3, to += 4) {
        into[to] = rgb[from];
        into[to + 1] = rgb[from + 1];
        into[to + 2] = rgb[from + 2];
        into[to + 3] = 255;
    }
    return into;
}

/** The rectangle from (`left`, `top`), `columns` x `rows`, which lies inside. */
export function region(image: Pixels, left: number, top: number, columns: number, rows: number): Pixels {
    const result = picture(columns, rows);
    for (let y = 0; y < rows; y++) {
        const from = ((top + y) * image.width + left) * 3;
        result.rgb.set(image.rgb.subarray(from, from + columns * 3), y * columns * 3);
    }
    return result;
}

/** The picture with left and right exchanged. */
export function mirrored(image: Pixels): Pixels {
    const { width, height, rgb } = image;
    const result = picture(width, height);
    for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
            const from = (y * width + x) * 3;
            const to = (y * width + width - 1 - x) * 3;
            for (let c = 0; c < 3; c++) result.rgb[to + c] = rgb[from + c];
        }
    }
    return result;
}

/** Whether two pictures are the same to the byte. */
export function samePixels(a: Pixels, b: Pixels): boolean {
    return a.width === b.width && a.height === b.height && a.rgb.every((level, i) => level === b.rgb[i]);
}

/** Levels 0 to 255 as float32 [height, width, 3]. */
export function toLevels(image: Pixels): Float32Array {
    return Float32Array.from(image.rgb);
}

/** [height, width, channels] as [channels, height, width]: from a picture's order to an ONNX graph's (NHWC to NCHW). */
export function toPlanes(values: Float32Array, channels: number): Float32Array {
    const count = values.length / channels;
    const result = new Float32Array(values.length);
    for (let i = 0; i < count; i++) {
        for (let c = 0; c < channels; c++) result[c * count + i] = values[i * channels + c];
    }
    return result;
}

/** [channels, height, width] as [height, width, channels]: the way back from `toPlanes`. */
export function fromPlanes(values: Float32Array, channels: number): Float32Array {
    const count = values.length / channels;
    const result = new Float32Array(values.length);
    for (let c = 0; c < channels; c++) {
        for (let i = 0; i < count; i++) result[i * channels + c] = values[c * count + i];
    }
    return result;
}
