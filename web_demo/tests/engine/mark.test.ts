import { crc32 } from "node:zlib";
import { expect, test } from "vitest";
import { marked } from "../../src/engine/mark";
import { exifOf, textOf } from "../e2e/metadata";

const chunk = (name: string, content: Buffer) => {
    const body = Buffer.concat([Buffer.from(name, "latin1"), content]);
    const result = Buffer.alloc(8 + body.length);
    result.writeUInt32BE(content.length, 0);
    body.copy(result, 4);
    result.writeUInt32BE(crc32(body), 4 + body.length);
    return result;
};
const PNG = Buffer.concat([
    Buffer.from("89504e470d0a1a0a", "hex"),
    chunk("IHDR", Buffer.from("00000080000000800802000000", "hex")),
    chunk("IDAT", Buffer.from("pixels")),
    chunk("IEND", Buffer.alloc(0)),
]);
const JFIF = Buffer.from("ffe000104a46494600010100000100010000", "hex");
const JPEG = Buffer.concat([Buffer.from("ffd8", "hex"), JFIF, Buffer.from("ffdb0003ffd9", "hex")]);

test("a PNG says so in tEXt and eXIf, with right checksums, and keeps its pixels", () => {
    const file = Buffer.from(marked(PNG, "png", "1.2.3", 128, 128));
    expect(textOf(file)).toEqual({ Software: "edgesr 1.2.3", Comment: "faces enhanced by edgesr 1.2.3" });
    const names: string[] = [];
    for (let at = 8; at < file.length; ) {
        const size = file.readUInt32BE(at);
        names.push(file.toString("latin1", at + 4, at + 8));
        expect(file.readUInt32BE(at + 8 + size)).toBe(crc32(file.subarray(at + 4, at + 8 + size)));
        at += 12 + size;
    }
    expect(names).toEqual(["IHDR", "tEXt", "tEXt", "eXIf", "IDAT", "IEND"]);
    expect(file.indexOf("pixels")).toBeGreaterThan(0);
});

test("a JPEG says so in EXIF, behind JFIF's own segment", () => {
    const file = Buffer.from(marked(JPEG, "jpeg", "1.2.3", 640, 480));
    expect(exifOf(file)).toEqual({
        software: "edgesr 1.2.3",
        comment: "faces enhanced by edgesr 1.2.3",
        width: 640,
        height: 480,
    });
    expect(file.subarray(2, 2 + JFIF.length).equals(JFIF)).toBe(true);
    expect(file.subarray(-6).toString("hex")).toBe("ffdb0003ffd9");
});

test("a JPEG without JFIF's segment", () => {
    const bare = Buffer.from("ffd8ffdb0003ffd9", "hex");
    expect(exifOf(Buffer.from(marked(bare, "jpeg", "1", 1, 1))).software).toBe("edgesr 1");
});
