import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { BundleError } from "../../src/core/errors";
import { indexOfOnnxBundle, isOnnxBundle, YUNET_SHA256 } from "../../src/engine/onnxBundle";

const REPOSITORY = resolve(import.meta.dirname, "../../..");
const TESTDATA = process.env.EDGESR_BOOTH_TESTDATA ?? resolve(import.meta.dirname, "../../testdata");
const MANIFEST = "https://example.test/models/manifest.json";
const DETECTOR = "https://example.test/yunet.onnx";
const bytes = (text: string) => new TextEncoder().encode(text);
const manifest = (change: object = {}) => {
    const fields = JSON.parse(readFileSync(join(TESTDATA, "bundle-int8", "manifest.json"), "utf8"));
    return bytes(JSON.stringify({ ...fields, ...change }));
};

test("the documentation shows the example as it stands", () => {
    const page = readFileSync(join(REPOSITORY, "docs", "tasks", "web-library.md"), "utf8");
    const example = readFileSync(join(REPOSITORY, "web_demo", "example", "index.html"), "utf8");
    expect(page).toContain(`\`\`\`html\n${example}\`\`\`\n`);
    expect(example.trimEnd().split("\n").length).toBeLessThanOrEqual(20);
});

test("the one face detector is Python's", () => {
    const python = readFileSync(join(REPOSITORY, "edgesr", "faces", "yunet.py"), "utf8");
    expect(YUNET_SHA256).toBe(/^SHA256 = "(.*)"$/m.exec(python)![1]);
});

test("an ONNX bundle's manifest says what may be fetched, and by which hash", async () => {
    expect([isOnnxBundle(manifest()), isOnnxBundle(bytes("{}")), isOnnxBundle(bytes("<html>"))]).toEqual([
        true,
        false,
        false,
    ]);
    const index = await indexOfOnnxBundle(manifest(), MANIFEST, DETECTOR);
    expect(index.models).toEqual({
        int8: { manifest: MANIFEST, encode: "encode.onnx", restore: "restore.onnx", bytes: null },
    });
    expect(index.defaultPrecision).toBe("int8");
    expect(index.sha256).toMatchObject({
        "encode.onnx": expect.stringMatching(/^[0-9a-f]{64}$/),
        [MANIFEST]: expect.stringMatching(/^[0-9a-f]{64}$/),
        [DETECTOR]: YUNET_SHA256,
    });
    const float = await indexOfOnnxBundle(manifest({ precision: "fp32" }), MANIFEST, DETECTOR);
    expect(Object.keys(float.models)).toEqual(["fp32"]);
});

test.each([
    ["another target's", { target: "coreml" }, DETECTOR, /converted for coreml/],
    ["without a detector", {}, null, /detector is missing/],
    ["of another version", { format_version: 2 }, DETECTOR, /version 2/],
])("a bundle %s is refused", async (_, change, detector, said) => {
    const index = indexOfOnnxBundle(manifest(change), MANIFEST, detector);
    await expect(index).rejects.toThrow(said);
    await expect(index).rejects.toBeInstanceOf(BundleError);
});
