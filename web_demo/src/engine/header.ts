/** Image files' sizes, read from their first bytes: before a decoder takes memory for what it finds there. */

export type ImageKind = "jpeg" | "png" | "webp" | "gif" | "bmp" | "avif" | "heic" | "other";

export interface ImageHeader {
    kind: ImageKind;
    /** Null where the header does not say in a place that is known here. */
    size: { width: number; height: number } | null;
}

/** So many bytes of a file are enough for `readHeader`, but for JPEGs with very long metadata. */
export const HEADER_BYTES = 1 << 20;

export function readHeader(bytes: Uint8Array): ImageHeader {
    const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    try {
        if (starts(bytes, 0, "\x89PNG\r\n\x1a\n"))
            return { kind: "png", size: of(data.getUint32(16), data.getUint32(20)) };
        if (starts(bytes, 0, "\xff\xd8\xff")) return { kind: "jpeg", size: jpegSize(data) };
        if (starts(bytes, 0, "RIFF") && starts(bytes, 8, "WEBP")) return { kind: "webp", size: webpSize(data, bytes) };
        if (starts(bytes, 0, "GIF8"))
            return { kind: "gif", size: of(data.getUint16(6, true), data.getUint16(8, true)) };
        if (starts(bytes, 0, "BM")) {
            return { kind: "bmp", size: of(data.getInt32(18, true), Math.abs(data.getInt32(22, true))) };
        }
        if (starts(bytes, 4, "ftyp")) return isoSize(data, bytes);
    } catch (error) {
        if (!(error instanceof RangeError)) throw error; // cut off: a decoder will say so
    }
    return { kind: "other", size: null };
}

function of(width: number, height: number): { width: number; height: number } {
    return { width, height };
}

function starts(bytes: Uint8Array, at: number, text: string): boolean {
    for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text.charCodeAt(i)) return false;
    return true;
}

/** Of the frame header, which comes after any amount of metadata. */
function jpegSize(data: DataView): ImageHeader["size"] {
    let at = 2;
    while (at + 9 < data.byteLength) {
        if (data.getUint8(at) !== 0xff) return null;
        const marker = data.getUint8(at + 1);
        if (marker === 0xff) {
            at++;
            continue;
        }
        const frame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
        if (frame) return of(data.getUint16(at + 7), data.getUint16(at + 5));
        at += 2 + data.getUint16(at + 2);
    }
    return null;
}

function webpSize(data: DataView, bytes: Uint8Array): ImageHeader["size"] {
    if (starts(bytes, 12, "VP8X")) {
        const three = (at: number) => data.getUint16(at, true) + (data.getUint8(at + 2) << 16) + 1;
        return of(three(24), three(27));
    }
    if (starts(bytes, 12, "VP8L")) {
        const bits = data.getUint32(21, true);
        return of((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1);
    }
    return of(data.getUint16(26, true) & 0x3fff, data.getUint16(28, true) & 0x3fff);
}

/** HEIC and AVIF: the largest of the `ispe` boxes, that of the whole picture (others are of its tiles). */
function isoSize(data: DataView, bytes: Uint8Array): ImageHeader {
    const kind = starts(bytes, 8, "avif") || starts(bytes, 8, "avis") ? "avif" : "heic";
    const heic = ["heic", "heix", "hevc", "mif1", "msf1", "heim", "heis"].some((brand) => starts(bytes, 8, brand));
    if (kind === "heic" && !heic) return { kind: "other", size: null };
    let size: ImageHeader["size"] = null;
    const end = Math.min(bytes.length - 20, 1 << 16);
    for (let at = 8; at < end; at++) {
        if (!starts(bytes, at, "ispe")) continue;
        const found = of(data.getUint32(at + 8), data.getUint32(at + 12));
        if (!size || found.width * found.height > size.width * size.height) size = found;
    }
    return { kind, size };
}
