import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { BundleError, GalleryError } from "../../src/core/errors";
import { decodeGallery, encodeGallery } from "../../src/core/gallery";
import { HASH_AT, isCurrent } from "../../src/core/galleryHeader";
import { compactJson, JsonError, parseJson } from "../../src/core/json";
import { decodeManifest } from "../../src/core/manifest";
import { decodeSafetensors } from "../../src/core/safetensors";
import { damaged, headerOf, random } from "./damage";
import { bytesOf, galleries, galleryNamed, oldGalleries, precisions, python, repository } from "./vectors";

/** Damaged files give the errors that the page has words for, or a correct result: never another error. */

const utf8 = new TextEncoder();
const { content } = galleryNamed("tiny-empty.gallery");
const { content: old } = oldGalleries.find(({ name }) => name === "tiny-empty.gallery")!;

function headerText(file: Uint8Array<ArrayBuffer>): string {
    return new TextDecoder().decode(file.subarray(8, headerOf(file))).trimEnd();
}

const good = headerText(content);
const goodOld = headerText(old);
const tensors = content.subarray(headerOf(content));

/** A file of this header, with the right hash where the header has one of ours. */
function withHeader(text: string | Uint8Array, fill = 0, rest = tensors): Uint8Array {
    const written = typeof text === "string" ? utf8.encode(text) : text;
    const result = new Uint8Array(8 + written.length + fill + rest.length).fill(0x20);
    new DataView(result.buffer).setBigUint64(0, BigInt(written.length + fill), true);
    result.set(written, 8);
    result.set(rest, 8 + written.length + fill);
    if (isCurrent(written)) {
        result.fill(0x30, 8 + HASH_AT, 8 + HASH_AT + 64);
        const hash = createHash("sha256").update(result).digest("hex");
        result.set(utf8.encode(hash), 8 + HASH_AT);
    }
    return result;
}

/** Spaces that make a header's length a multiple of 8, as a writer does. */
function fillOf(text: string): number {
    return -utf8.encode(text).length & 7;
}

test("a reader takes what a writer writes, and no other spaces, orders or escapes", () => {
    expect(Buffer.compare(withHeader(good, fillOf(good)), content)).toBe(0);
    const others: [string, number][] = [
        [good, fillOf(good) + 8],
        [good.replace('"sections":', '"sections": '), 0],
        [good.replace('"entries":"[]"', '"entries":"\\u005b]"'), 0],
        [good.replace('"data_offsets":[0,0]', '"data_offsets":[-0,0]'), 0],
    ];
    for (const [text, fill] of others) {
        expect(() => decodeGallery(withHeader(text, fill || fillOf(text))), text).toThrow(GalleryError);
    }
});

test("of version 1 a reader takes other spaces, orders and escapes", () => {
    for (const file of [
        withHeader(goodOld),
        withHeader(goodOld, 3),
        withHeader(goodOld.replace('{"__metadata__"', '\n{ "__metadata__"')),
        withHeader(goodOld.replace('"format":"edgesr-gallery"', '"format":"edgesr\\u002dgallery"')),
        withHeader(goodOld.replaceAll("[0,0]", "[-0,0]")),
    ]) {
        expect(Buffer.compare(encodeGallery(decodeGallery(file)), content)).toBe(0);
    }
});

test.each([
    ['"format_version":"2"', '"format_version":"3"'],
    ['"format_version":"2"', '"format_version":"1"'],
    ['"format":"edgesr-gallery"', '"format":"edgesr-thumbnail"'],
    ['"sections":"', '"thumbnail":"x","sections":"'],
    ['"sections":"[', '"sections":"[1,'],
    ['"sections":"[', '"sections":"{}","x":"['],
    ['scale\\":4', 'scale\\":3'],
    ['scale\\":4', 'scale\\":\\"4\\"'],
    ['scale\\":4', 'scale\\":4,\\"x\\":1'],
    ['lr_size\\":8', 'lr_size\\":1000'],
    ['dtype\\":\\"int8', 'dtype\\":\\"int4'],
    ['codes\\":[]', 'codes\\":[[\\"style\\",4]]'],
    ['codes\\":[]', 'codes\\":[[\\"style\\"]]'],
    ['codes\\":[]', 'codes\\":{}'],
    ['entries\\":[]', 'entries\\":[0]'],
    ['entries\\":[]', 'entries\\":null'],
    ['"entries":"[]"', '"entries":"[]","extensions":"{}"'],
    ['"entries":"[]"', '"entries":"[]","extensions":"[]"'],
    ['"entries":"[]"', '"entries":"[]","extensions":"{\\"a\\":1}"'],
    ['"entries":"[]"', '"entries":"[]","extensions":"{\\"b\\":\\"x\\",\\"a\\":\\"x\\"}"'],
    ['"entries":"[]"', `"entries":"[]","extensions":"{\\"a\\":\\"${"x".repeat(1001)}\\"}"`],
    ['"entries":"[]"', '"entries":"{}"'],
    ['"entries":"[]"', '"entries":"[null]"'],
    ['"entries":"[]"', '"entries":"[1e3]"'],
    ['{"dtype"', '{"x":1,"dtype"'],
    ['"dtype":"F32"', '"dtype":"F64"'],
    ['"data_offsets":[0,0]', '"data_offsets":[0,1]'],
    ['"shape":[0,', '"shape":[-1,'],
])("the format forbids it: %s -> %s", (before, changed) => {
    expect(good).toContain(before);
    const text = good.replace(before, () => changed);
    expect(() => decodeGallery(withHeader(text, fillOf(text)))).toThrow(GalleryError);
});

test.each([
    ['"format_version":"1"', '"format_version":"2"'],
    ['"scale":"', '"thumbnail":"x","scale":"'],
    ['"scale":"', '"scale":"3'],
    ['"scale":"4"', '"scale":4'],
    ['"scale":"4",', ""],
    ['"lr_size":"', '"lr_size":"999'],
    ['"entries":"[]"', '"entries":"{}"'],
    ['"entries":"[]"', '"entries":"[NaN]"'],
    ['"feature_space":"', '"feature_space":"\\ud800'],
    ['"feature_space":"', '"feature_space":"\\u0007'],
    ['"feature_space":"', `"feature_space":"${"x".repeat(200)}`],
    ['{"__metadata__"', '{"extra":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"__metadata__"'],
    ['{"__metadata__"', '{"__proto__":{},"__metadata__"'],
    ['{"__metadata__"', '{"__metadata__":{},"__metadata__"'],
    ["[0,0]", "[0.0,0]"],
    ['"data_offsets":[0,0]', '"data_offsets":[0]'],
    ['"dtype":"F32"', '"dtype":"toString"'],
    ['"shape":[0,', '"shape":[9007199254740993,'],
    ['"shape":[0,', `"shape":[1${"0".repeat(400)},`],
])("version 1 forbids it: %s -> %s", (before, changed) => {
    expect(goodOld).toContain(before);
    expect(() => decodeGallery(withHeader(goodOld.replace(before, () => changed)))).toThrow(GalleryError);
});

test("what is no header is refused", () => {
    const deep = "[".repeat(200_000);
    for (const text of [
        "",
        "null",
        "[]",
        "{}",
        "{",
        deep,
        `{"a":${deep}`,
        `\ufeff${good}`,
        `${good}x`,
        `${good.slice(0, -1)},}`,
    ]) {
        expect(() => decodeGallery(withHeader(text)), text.slice(0, 20)).toThrow(GalleryError);
    }
    const bad = utf8.encode(good);
    bad[bad.length - 3] = 0xff;
    expect(() => decodeGallery(withHeader(bad))).toThrow("UTF-8");
    expect(() => decodeGallery(withHeader(good, 1 << 20))).toThrow(GalleryError);
    expect(() => decodeGallery(Uint8Array.from([...content, 0]))).toThrow("bytes");
    const long = content.slice();
    long[7] = 0xff;
    expect(() => decodeGallery(long)).toThrow(GalleryError);
});

test("sizes are checked before anything is allocated by them", () => {
    const label = `{\\"photo_sha256\\":\\"${"0".repeat(64)}\\",\\"quality\\":{},\\"pose\\":{}}`;
    const huge = goodOld.replace('"entries":"[]"', `"entries":"[${label}]"`).replaceAll("[0,", "[536870912,");
    const before = process.memoryUsage().arrayBuffers;
    expect(() => decodeGallery(withHeader(huge))).toThrow(GalleryError);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1 << 20);
});

function survive(read: () => unknown, kind: new (...words: never[]) => Error, what: string): boolean {
    try {
        read();
        return true;
    } catch (error) {
        if (error instanceof kind) return false;
        throw new Error(`${what}: ${error}`, { cause: error });
    }
}

test("every changed byte of a gallery is refused", () => {
    const next = random(8);
    for (const { name, content: whole } of galleries.filter(({ content: one }) => one.length < 20_000)) {
        for (let at = 0; at < whole.length; at += whole.length < 2000 ? 1 : 7) {
            const bytes = whole.slice();
            bytes[at] ^= 1 + Math.floor(next() * 255);
            expect(
                survive(() => decodeGallery(bytes), GalleryError, `${name} ${at}`),
                `${name} ${at}`,
            ).toBe(false);
        }
    }
});

test("thousands of damaged galleries are refused, and those of version 1 refused or read as what they then say", () => {
    const next = random(8);
    let [read, refused] = [0, 0];
    for (const file of [...galleries, ...oldGalleries]) {
        const within = headerOf(file.content) + 64;
        const rounds = file.content.length > 100_000 ? 100 : 500;
        for (let i = 0; i < rounds; i++) {
            const bytes = damaged(file.content, within, next);
            const check = () => {
                const gallery = decodeGallery(bytes);
                const again = encodeGallery(gallery); // whatever was read is a gallery, and goes there and back
                expect(Buffer.compare(encodeGallery(decodeGallery(again)), again)).toBe(0);
            };
            if (!survive(check, GalleryError, `${file.name} ${i}`)) refused++;
            else if (oldGalleries.includes(file)) read++;
            else expect(Buffer.compare(bytes, file.content), `${file.name} ${i}`).toBe(0);
        }
    }
    expect(read).toBeGreaterThan(10);
    expect(refused).toBeGreaterThan(2000);
});

test("Python refuses and reads the same damaged galleries", () => {
    const next = random(10);
    const files = [...galleries, ...oldGalleries]
        .filter(({ content: whole }) => whole.length < 100_000)
        .flatMap(({ content: whole }) => Array.from({ length: 200 }, () => damaged(whole, headerOf(whole) + 64, next)));
    const ours = files.map((bytes) => {
        try {
            return Buffer.from(encodeGallery(decodeGallery(bytes))).toString("base64");
        } catch {
            return "refused";
        }
    });
    const program = `
import base64, sys
from edgesr.errors import GalleryError
from edgesr.gallery.format import decode_gallery, encode_gallery
for line in sys.stdin:
    try:
        print(base64.b64encode(b"".join(encode_gallery(decode_gallery(base64.b64decode(line))))).decode())
    except GalleryError:
        print("refused")
`;
    const input = files.map((bytes) => `${Buffer.from(bytes).toString("base64")}\n`).join("");
    const options = { cwd: repository, encoding: "utf-8", input, maxBuffer: 1 << 28 } as const;
    const theirs = execFileSync(python, ["-c", program], options).trimEnd().split("\n");
    expect(theirs.length).toBe(files.length);
    theirs.forEach((verdict, i) => {
        if (verdict !== ours[i]) {
            const start = Buffer.from(files[i]).toString("latin1");
            throw new Error(`Python: ${verdict.slice(0, 40)}, here: ${ours[i].slice(0, 40)}: ${start.slice(0, 1500)}`);
        }
    });
    expect(new Set(theirs).size).toBeGreaterThan(5);
});

test("every cut of a gallery is refused", () => {
    const { content: whole } = galleryNamed("example.gallery");
    for (let length = 0; length < whole.length; length++) {
        expect(() => decodeGallery(whole.subarray(0, length))).toThrow(GalleryError);
    }
});

test("thousands of damaged manifests and golden vectors are refused, or read", () => {
    const next = random(9);
    const manifest = bytesOf(`bundle-${precisions[0]}`, "manifest.json");
    const golden = decodeSafetensors(bytesOf(`bundle-${precisions[0]}`, "golden.safetensors"));
    expect(golden.get("restore.in.valid")?.shape).toEqual([5]);
    const small = withHeader('{"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]}}', 0, new Uint8Array(8));
    expect([...(decodeSafetensors(small).get("a")?.values ?? [])]).toEqual([0, 0]);
    const seen = { manifest: [0, 0], golden: [0, 0] };
    for (let i = 0; i < 2500; i++) {
        const bytes = damaged(manifest, manifest.length, next);
        seen.manifest[Number(survive(() => decodeManifest(bytes), BundleError, `manifest ${i}`))]++;
        const vectors = damaged(small, small.length, next);
        seen.golden[Number(survive(() => decodeSafetensors(vectors), BundleError, `golden ${i}`))]++;
    }
    for (const [refused, read] of Object.values(seen)) {
        expect(refused).toBeGreaterThan(200);
        expect(read).toBeGreaterThan(20);
    }
});

test("JSON is read as Python reads it", () => {
    expect(parseJson('{"b":[1,-2.5e1,"\\u00e9\\n",true,null,{}],"a":1}')).toEqual(
        new Map<string, unknown>([
            ["b", [1, -25, "é\n", true, null, new Map()]],
            ["a", 1],
        ]),
    );
    expect(Object.is(parseJson("-0", true), 0)).toBe(true);
    for (const text of [
        "",
        "01",
        "+1",
        ".5",
        "1.",
        "[1,]",
        "{a:1}",
        '"\t"',
        '"\\x"',
        '"\\u12g4"',
        '"',
        "tru",
        "1 2",
        "NaN",
        "\u00a01",
        '{"a":1,"a":1}',
    ]) {
        expect(() => parseJson(text), text).toThrow(JsonError);
    }
    for (const text of ["1.0", "1e3", "[1,2.5]"]) expect(() => parseJson(text, true), text).toThrow(JsonError);
    const text = '{"a\\"":["\\\\",-1,0,true,null],"":{}}';
    expect(compactJson(parseJson(text))).toBe(text);
});
