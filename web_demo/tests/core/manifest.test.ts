import { expect, test } from "vitest";
import { BundleError, GalleryError } from "../../src/core/errors";
import { decodeGallery, Gallery } from "../../src/core/gallery";
import { countOf, decodeManifest, sha256Of } from "../../src/core/manifest";
import { decodeSafetensors } from "../../src/core/safetensors";
import { bytesOf, precisions } from "./vectors";

const text = new TextDecoder().decode(bytesOf(`bundle-${precisions[0]}`, "manifest.json"));

test.each(precisions)("a bundle of edgesr is understood, and its files are checked: %s", async (precision) => {
    const manifest = decodeManifest(bytesOf(`bundle-${precision}`, "manifest.json"));
    expect([manifest.target, manifest.precision, manifest.lrSize, manifest.hrSize, manifest.slots]).toEqual([
        "onnx",
        precision,
        32,
        128,
        5,
    ]);
    expect(manifest.tensors("restore", "inputs").map(({ name }) => name)).toEqual(["lr", "features", "valid"]);
    expect(manifest.tensors("restore", "outputs").map(({ name, shape }) => [name, ...shape])).toEqual([
        ["sr", 1, 3, 128, 128],
        ["weights", 5, 32, 32],
    ]);
    for (const role of ["encode", "restore"]) {
        const content = bytesOf(`bundle-${precision}`, manifest.file(role));
        await manifest.check(manifest.file(role), content);
        content[content.length >> 1] ^= 1;
        await expect(manifest.check(manifest.file(role), content)).rejects.toThrow(BundleError);
    }
    await expect(manifest.check("other.onnx", new Uint8Array())).rejects.toThrow(BundleError);
    expect(() => manifest.file("quantize")).toThrow(BundleError);
    const golden = decodeSafetensors(bytesOf(`bundle-${precision}`, "golden.safetensors"));
    for (const { name } of [...manifest.tensors("encode", "inputs"), ...manifest.tensors("restore", "inputs")]) {
        const graph = name === "exemplar" ? "encode" : "restore";
        const spec = manifest.tensors(graph, "inputs").find((one) => one.name === name);
        expect(golden.get(`${graph}.in.${name}`)?.values.length).toBe(countOf(spec ?? { shape: [] }));
    }
});

test("galleries of this network fit, others do not", () => {
    const manifest = decodeManifest(bytesOf(`bundle-${precisions[0]}`, "manifest.json"));
    const gallery = decodeGallery(bytesOf(`python-${precisions[0]}.gallery`));
    manifest.checkGallery(gallery);
    manifest.checkGallery(manifest.emptyGallery());
    expect(manifest.section).toEqual(gallery.sections[0]);
    const [entry] = gallery.entries;
    const [section] = gallery.sections;
    const changed = (changes: object) => new Gallery({ ...gallery, sections: [{ ...section, ...changes }] }, []);
    const [map] = section.maps;
    for (const other of [
        changed({ featureSpace: "another" }),
        changed({ lrSize: 16 }),
        changed({ steps: (section.steps ?? []).map((step) => step * 100) }),
        changed({ maps: [{ ...map, parts: [...map.parts].reverse() }] }),
        changed({ codes: [{ name: "style", length: 4 }] }),
        new Gallery(gallery, [{ ...entry, descriptor: new Float32Array(301) }]),
    ]) {
        expect(() => manifest.checkGallery(other)).toThrow(GalleryError);
    }
});

test.each<[string, (fields: Record<string, never> & { [key: string]: never }) => void]>([
    ["another format", (fields) => Object.assign(fields, { format: "edgesr-gallery" })],
    ["another version", (fields) => Object.assign(fields, { format_version: 2 })],
    ["no name", (fields) => Object.assign(fields, { name: 3 })],
    ["no features", (fields) => Object.assign(fields, { features: null })],
    ["a huge network", (fields) => Object.assign(fields.model, { lr_size: 1e9 })],
    ["a scale of 3", (fields) => Object.assign(fields.model, { scale: 3 })],
    ["a way out", (fields) => Object.assign(fields.files, { encode: "../encode.onnx" })],
    ["another address", (fields) => Object.assign(fields.files, { encode: "https://example.org/encode.onnx" })],
    ["a file from the top", (fields) => Object.assign(fields.sha256, { "/etc/x": "0".repeat(64) })],
    ["no hash", (fields) => Object.assign(fields.files, { encode: "other.onnx" })],
    ["half a hash", (fields) => Object.assign(fields.sha256, { "encode.onnx": "00" })],
    [
        "a step of 0",
        (fields) => Object.assign(fields, { features: { parts: [{ name: "f", channels: 1, int8_scale: 0 }] } }),
    ],
    ["no graph", (fields) => Object.assign(fields.tensors, { encode: null })],
    [
        "another tensor",
        (fields) =>
            Object.assign(fields.tensors, {
                encode: { inputs: [{ name: "toString", layout: "N", shape: [] }], outputs: [] },
            }),
    ],
])("a manifest with %s is refused", (_, damage) => {
    const fields = JSON.parse(text);
    damage(fields);
    expect(() => decodeManifest(new TextEncoder().encode(JSON.stringify(fields)))).toThrow(BundleError);
});

test("hashes are those of SHA-256", async () => {
    expect(await sha256Of(new Uint8Array())).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
});
