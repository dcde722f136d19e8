import { type Pixels, picture, toRgba } from "../core/pixels";
import { HEADER_BYTES, readHeader } from "./header";
import { ProblemError } from "./problems";
import type { Picture } from "./protocol";

/** Beyond this a photo is refused before anything is decoded: four bytes a pixel would be a quarter of a gigabyte. */
export const MOST_PIXELS = 64_000_000;

/** Larger photos come in at a half or a third of their width. */
export const MOST_DECODED = 24_000_000;

const MOST_BYTES = 128 << 20;
const STRIP_PIXELS = 1 << 20;

export interface Decoded {
    pixels: Pixels;
    /** How many times smaller than the file's pixels. */
    reduced: number;
}

/** A photo of any format that this browser reads, upright, in sRGB, on white. @throws ProblemError why not. */
export async function decode(content: Blob): Promise<Decoded> {
    if (content.size > MOST_BYTES) throw tooLarge(`${content.size >> 20} MiB`);
    if (content.size === 0) throw new ProblemError("no-image", "the file is empty", "choose another photo");
    const head = readHeader(await bytesOf(content.slice(0, HEADER_BYTES)));
    if (head.size && head.size.width * head.size.height > MOST_PIXELS) {
        throw tooLarge(`${Math.round((head.size.width * head.size.height) / 1e6)} megapixels`);
    }
    let reduced = 1;
    while (head.size && (head.size.width * head.size.height) / (reduced * reduced) > MOST_DECODED) reduced++;
    const bitmap = await bitmapOf(content, head.kind, reduced > 1 ? Math.floor(head.size!.width / reduced) : 0);
    try {
        if (bitmap.width * bitmap.height > MOST_DECODED) throw tooLarge("its header does not say how large it is");
        return { pixels: pixelsOf(bitmap), reduced };
    } finally {
        bitmap.close();
    }
}

/** The file's bytes: it may have been moved or deleted since it was chosen. */
export async function bytesOf(content: Blob): Promise<Uint8Array<ArrayBuffer>> {
    try {
        return new Uint8Array(await content.arrayBuffer());
    } catch (error) {
        throw new ProblemError("no-image", "the file cannot be read any more", "choose it again", { cause: error });
    }
}

async function bitmapOf(content: Blob, kind: string, width: number): Promise<ImageBitmap> {
    const options: ImageBitmapOptions = { imageOrientation: "from-image", premultiplyAlpha: "default" };
    if (width > 0) Object.assign(options, { resizeWidth: width, resizeQuality: "high" });
    try {
        return await createImageBitmap(content, options);
    } catch (error) {
        const cause = { cause: error };
        if (kind === "heic")
            throw new ProblemError("heic", "this browser does not decode HEIC", "save it as a JPEG", cause);
        throw new ProblemError(
            "no-image",
            "this browser cannot decode it",
            "JPEG, PNG and WebP work everywhere",
            cause,
        );
    }
}

function tooLarge(what: string): ProblemError {
    return new ProblemError("too-large", `the photo is too large: ${what}`, "scale it down, or choose another one");
}

/** A strip at a time: the whole photo as a canvas and as four bytes a pixel would take as much memory again. */
function pixelsOf(bitmap: ImageBitmap): Pixels {
    const { width, height } = bitmap;
    const result = picture(width, height);
    const rows = Math.min(height, Math.max(1, Math.floor(STRIP_PIXELS / width)));
    const context = canvas(width, rows);
    for (let top = 0; top < height; top += rows) {
        const count = Math.min(rows, height - top);
        context.fillStyle = "#fff";
        context.fillRect(0, 0, width, count);
        context.drawImage(bitmap, 0, top, width, count, 0, 0, width, count);
        const rgba = context.getImageData(0, 0, width, count).data;
        let at = top * width * 3;
        for (let i = 0; i < width * count * 4; i += 4) {
            result.rgb[at++] = rgba[i];
            result.rgb[at++] = rgba[i + 1];
            result.rgb[at++] = rgba[i + 2];
        }
    }
    return result;
}

/**
 * Some browsers give pages noise in place of pixels, against tracking: a restoration of noise is none.
 *
 * @throws ProblemError where what is read is not what was drawn.
 */
export function checkPixels(): void {
    const side = 8;
    const context = canvas(side, side);
    for (let i = 0; i < side * side; i++) {
        context.fillStyle = colour(i);
        context.fillRect(i % side, Math.floor(i / side), 1, 1);
    }
    const read = context.getImageData(0, 0, side, side).data;
    for (let i = 0; i < side * side; i++) {
        if (`rgb(${read[4 * i]},${read[4 * i + 1]},${read[4 * i + 2]})` !== colour(i)) {
            throw new ProblemError(
                "pixels-hidden",
                "the canvas gives other pixels than were drawn",
                "allow canvas access here",
            );
        }
    }
}

function colour(i: number): string {
    return `rgb(${(i * 37) % 256},${(i * 101 + 60) % 256},${(i * 67 + 120) % 256})`;
}

export function canvas(width: number, height: number): OffscreenCanvasRenderingContext2D {
    const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    if (!context) throw new ProblemError("out-of-memory", `no canvas of ${width} x ${height}`, "close other tabs");
    return context;
}

export function toPicture(pixels: Pixels): Picture {
    return { width: pixels.width, height: pixels.height, rgba: toRgba(pixels) };
}

/** What a screen shows of a photo: at most `longest` pixels a side. */
export async function toPreview(pixels: Pixels, longest: number): Promise<ImageBitmap> {
    const scale = Math.min(1, longest / Math.max(pixels.width, pixels.height));
    const picture = toPicture(pixels);
    const data = new ImageData(picture.rgba, picture.width, picture.height);
    if (scale === 1) return createImageBitmap(data);
    return createImageBitmap(data, {
        resizeWidth: Math.max(1, Math.round(pixels.width * scale)),
        resizeQuality: "high",
    });
}
