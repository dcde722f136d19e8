import { expect, test } from "vitest";
import { BundleError } from "../../src/core/errors";
import { decodeIndex } from "../../src/engine/boothIndex";
import { Latency } from "../../src/engine/latency";
import { problemOf } from "../../src/engine/problems";

const MODEL = { manifest: "m/manifest.json", encode: "m/encode.onnx", restore: "m/restore.onnx", bytes: 1 };
const GOOD = {
    format: "edgesr-booth",
    format_version: 1,
    build_id: "0123456789abcdef",
    edgesr: "0.1.0",
    name: "net",
    feature_space: "net-1",
    default_precision: "int8",
    models: { int8: MODEL },
    detector: { file: "d.onnx" },
    runtime: { version: "1.30.0", wasm: ["ort/a.mjs", "ort/a.wasm"], webgpu: [] },
    sha256: { "d.onnx": "00" },
};
const decode = (fields: unknown) =>
    decodeIndex(new TextEncoder().encode(typeof fields === "string" ? fields : JSON.stringify(fields)));

test("booth.json is read", () => {
    const index = decode(GOOD);
    expect(index.models.int8).toEqual(MODEL);
    expect(index.models.fp32).toBeUndefined();
    expect(index.runtime).toEqual({ version: "1.30.0", wasm: { mjs: "ort/a.mjs", wasm: "ort/a.wasm" }, webgpu: null });
});

test.each([
    ["no JSON", "{"],
    ["another file", { format: "other" }],
    ["no network of its own precision", { ...GOOD, models: {} }],
    ["no detector", { ...GOOD, detector: null }],
    ["no runtime", { ...GOOD, runtime: { version: 1 } }],
    ["a list in place of hashes", { ...GOOD, build_id: 7 }],
])("%s is refused", (_, fields) => {
    expect(() => decode(fields)).toThrow(BundleError);
});

test("another version has its own problem", () => {
    try {
        decode({ ...GOOD, format_version: 2 });
        expect.unreachable();
    } catch (error) {
        expect(problemOf(error)).toBe("model-other");
    }
});

test("the first run counts until there is a second", () => {
    const latency = new Latency(3);
    latency.add(1000);
    expect(latency.median).toBe(1000);
    for (const millis of [10, 30, 20, 40]) latency.add(millis);
    expect(latency.runs).toBe(3);
    expect(latency.median).toBe(30);
});
