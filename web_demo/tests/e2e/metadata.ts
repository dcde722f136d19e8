/** Reads what the booth writes into files, by other code than what writes it. */

/** A PNG's tEXt chunks. */
export function textOf(png: Buffer): Record<string, string> {
    const found: Record<string, string> = {};
    for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at)) {
        if (png.toString("latin1", at + 4, at + 8) !== "tEXt") continue;
        const [key, value] = png.toString("latin1", at + 8, at + 8 + png.readUInt32BE(at)).split("\0");
        found[key] = value;
    }
    return found;
}

/** Software, UserComment and size from a JPEG's EXIF. */
export function exifOf(jpeg: Buffer): { software: string; comment: string; width: number; height: number } {
    const start = jpeg.indexOf("Exif\0\0") + 6;
    if (start < 6) throw new Error("no EXIF");
    const tiff = jpeg.subarray(start);
    const ifd = (at: number) => {
        const count = tiff.readUInt16LE(at);
        return new Map(
            Array.from({ length: count }, (_, i) => {
                const place = at + 2 + 12 * i;
                return [
                    tiff.readUInt16LE(place),
                    { count: tiff.readUInt32LE(place + 4), value: tiff.readUInt32LE(place + 8) },
                ];
            }),
        );
    };
    const first = ifd(tiff.readUInt32LE(4));
    const details = ifd(first.get(0x8769)!.value);
    const text = ({ count, value }: { count: number; value: number }) => tiff.toString("latin1", value, value + count);
    return {
        software: text(first.get(0x131)!).replace(/\0$/, ""),
        comment: text(details.get(0x9286)!).replace(/^ASCII\0\0\0/, ""),
        width: details.get(0xa002)!.value,
        height: details.get(0xa003)!.value,
    };
}
