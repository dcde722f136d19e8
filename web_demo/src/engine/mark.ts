/**
 * What a saved picture says about itself, in the words of edgesr's `enhance`: EXIF's Software and UserComment. It is
 * put into files that a canvas encoded; pixels are not touched, and nothing of the input's metadata (places, times,
 * devices) is carried over.
 */

/** A PNG or JPEG of ours with the mark in it. */
export function marked(
    file: Uint8Array,
    type: "png" | "jpeg",
    version: string,
    width: number,
    height: number,
): Uint8Array<ArrayBuffer> {
    const exif = exifBlock(version, width, height);
    return type === "png" ? markedPng(file, exif, version) : markedJpeg(file, exif);
}

export function note(version: string): string {
    return `faces enhanced by edgesr ${version}`;
}

/** A TIFF block, little-endian: IFD0 with Software and a pointer, the EXIF IFD with UserComment and sizes. */
function exifBlock(version: string, width: number, height: number): Uint8Array {
    const software = ascii(`edgesr ${version}\0`);
    const comment = concat([ascii("ASCII\0\0\0"), ascii(note(version))]);
    const ifd0 = 8;
    const exifIfd = ifd0 + 2 + 2 * 12 + 4;
    const softwareAt = exifIfd + 2 + 3 * 12 + 4;
    const commentAt = softwareAt + software.length + (software.length % 2);
    const block = new Uint8Array(commentAt + comment.length + (comment.length % 2));
    const data = new DataView(block.buffer);
    block.set(ascii("II*\0"));
    data.setUint32(4, ifd0, true);
    entries(data, ifd0, [
        [0x0131, 2, software.length, softwareAt],
        [0x8769, 4, 1, exifIfd],
    ]);
    entries(data, exifIfd, [
        [0x9286, 7, comment.length, commentAt],
        [0xa002, 4, 1, width],
        [0xa003, 4, 1, height],
    ]);
    block.set(software, softwareAt);
    block.set(comment, commentAt);
    return block;
}

function entries(
    data: DataView,
    at: number,
    listed: [tag: number, type: number, count: number, value: number][],
): void {
    data.setUint16(at, listed.length, true);
    listed.forEach(([tag, type, count, value], i) => {
        const place = at + 2 + 12 * i;
        data.setUint16(place, tag, true);
        data.setUint16(place + 2, type, true);
        data.setUint32(place + 4, count, true);
        data.setUint32(place + 8, value, true);
    });
}

const PNG_HEAD = 8 + 25; // signature and IHDR

function markedPng(file: Uint8Array, exif: Uint8Array, version: string): Uint8Array<ArrayBuffer> {
    const software = concat([ascii("Software\0"), ascii(`edgesr ${version}`)]);
    const comment = concat([ascii("Comment\0"), ascii(note(version))]);
    return concat([
        file.subarray(0, PNG_HEAD),
        chunk("tEXt", software),
        chunk("tEXt", comment),
        chunk("eXIf", exif),
        file.subarray(PNG_HEAD),
    ]);
}

function chunk(name: string, content: Uint8Array): Uint8Array {
    const result = new Uint8Array(12 + content.length);
    const data = new DataView(result.buffer);
    data.setUint32(0, content.length);
    result.set(ascii(name), 4);
    result.set(content, 8);
    data.setUint32(8 + content.length, crc32(result.subarray(4, 8 + content.length)));
    return result;
}

/** After JFIF's own segment, which must be first where there is one. */
function markedJpeg(file: Uint8Array, exif: Uint8Array): Uint8Array<ArrayBuffer> {
    const jfif = file[2] === 0xff && file[3] === 0xe0;
    const at = jfif ? 4 + ((file[4] << 8) | file[5]) : 2;
    const body = concat([ascii("Exif\0\0"), exif]);
    const head = new Uint8Array([0xff, 0xe1, (body.length + 2) >> 8, (body.length + 2) & 255]);
    return concat([file.subarray(0, at), head, body, file.subarray(at)]);
}

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
    let c = n;
    for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
    return c;
});

function crc32(bytes: Uint8Array): number {
    let c = 0xffffffff;
    for (const byte of bytes) c = CRC[(c ^ byte) & 255] ^ (c >>> 8);
    return (c ^ 0xffffffff) >>> 0;
}

function ascii(text: string): Uint8Array {
    return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

function concat(parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
    const result = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
        result.set(part, at);
        at += part.length;
    }
    return result;
}
