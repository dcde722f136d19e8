import type { Pixels } from "../core/pixels";
import { canvas, toPicture } from "./decode";
import { marked } from "./mark";
import { ProblemError } from "./problems";

const JPEG_QUALITY = 0.95;

/** The picture as a file that says that edgesr enhanced it. PNG keeps every pixel. */
export async function encodePicture(pixels: Pixels, type: "png" | "jpeg", version: string): Promise<Blob> {
    const { width, height, rgba } = toPicture(pixels);
    const context = canvas(width, height);
    context.putImageData(new ImageData(rgba, width, height), 0, 0);
    const mime = `image/${type}`;
    const encoded = await context.canvas.convertToBlob({ type: mime, quality: JPEG_QUALITY });
    if (encoded.type !== mime)
        throw new ProblemError(
            "out-of-memory",
            `no ${type} came of ${width} x ${height} pixels`,
            "choose a smaller photo",
        );
    return new Blob([marked(new Uint8Array(await encoded.arrayBuffer()), type, version, width, height)], {
        type: mime,
    });
}
