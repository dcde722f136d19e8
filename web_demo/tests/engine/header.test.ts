import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { readHeader } from "../../src/engine/header";

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex.replace(/\s/g, ""), "hex"));
const ascii = (text: string) => Buffer.from(text, "latin1").toString("hex");

test.each([
    ["PNG", `89504e470d0a1a0a 0000000d ${ascii("IHDR")} 00002710 00001f40 0802000000`, "png", 10000, 8000],
    ["JPEG with EXIF first", `ffd8 ffe1 0006 45786966 ffc0 0011 08 0bb8 0fa0 03`.padEnd(80, "0"), "jpeg", 4000, 3000],
    ["progressive JPEG", `ffd8 ffdb 0003 00 ff ffc2 0011 08 0010 0020 03`.padEnd(80, "0"), "jpeg", 32, 16],
    ["lossy WebP", `${ascii("RIFF")} 00000000 ${ascii("WEBPVP8 ")} 00000000 000000 9d012a 8002 e001`, "webp", 640, 480],
    ["lossless WebP", `${ascii("RIFF")} 00000000 ${ascii("WEBPVP8L")} 00000000 2f 7fc27700 00`, "webp", 640, 480],
    [
        "WebP with metadata",
        `${ascii("RIFF")} 00000000 ${ascii("WEBPVP8X")} 0a000000 00000000 7f0200 df0100`,
        "webp",
        640,
        480,
    ],
    ["GIF", `${ascii("GIF89a")} 8002 e001`, "gif", 640, 480],
    ["BMP upside down", `${ascii("BM")} ${"00".repeat(16)} 80020000 20feffff`, "bmp", 640, 480],
    [
        "HEIC: the picture, not its tiles",
        `00000018 ${ascii("ftypheic")} 00000000 ${ascii("mif1heic")} 00000014 ${ascii("ispe")} 00000000 00000200 00000200 00000014 ${ascii("ispe")} 00000000 00000fc0 00000bd0 ${"00".repeat(24)}`,
        "heic",
        4032,
        3024,
    ],
    [
        "AVIF",
        `00000018 ${ascii("ftypavif")} 00000000 00000014 ${ascii("ispe")} 00000000 00000280 000001e0 ${"00".repeat(24)}`,
        "avif",
        640,
        480,
    ],
])("the size of a %s is read before it is decoded", (_, hex, kind, width, height) => {
    expect(readHeader(bytes(hex))).toEqual({ kind, size: { width, height } });
});

test.each([
    ["nothing", ""],
    ["a text", ascii("this is no picture at all")],
    ["a PNG that is cut off", "89504e470d0a1a0a0000000d"],
    ["a JPEG that is cut off", "ffd8ffe1ffff"],
    ["a film", `00000018 ${ascii("ftypisom")} ${"00".repeat(40)}`],
])("%s has no size, and is no error", (_, hex) => {
    expect(readHeader(bytes(hex)).size).toBeNull();
});

test("garbage behind every kind's first bytes never throws", () => {
    let state = 1;
    const random = () => {
        state = (state * 48271) % 2147483647;
        return state % 256;
    };
    for (const start of [
        "ffd8ff",
        "89504e470d0a1a0a",
        `${ascii("RIFF")}00000000${ascii("WEBP")}`,
        ascii("BM"),
        `00000018${ascii("ftypheic")}`,
    ]) {
        for (let i = 0; i < 500; i++) {
            const content = Uint8Array.from([...bytes(start), ...Array.from({ length: random() }, random)]);
            expect(() => readHeader(content)).not.toThrow();
        }
    }
});

test("a real photo", () => {
    const path = resolve(import.meta.dirname, "../../../edgesr/samples/london_0027_1.jpg");
    expect(readHeader(readFileSync(path))).toEqual({ kind: "jpeg", size: { width: 256, height: 256 } });
});
