import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { GalleryError } from "../../src/core/errors";
import { decodeGallery, encodeGallery, Gallery } from "../../src/core/gallery";
import { labelOf, thousandths } from "../../src/core/galleryHeader";
import { floatToHalf, halfToFloat } from "../../src/core/half";
import { sha256Of } from "../../src/core/manifest";
import type { Quality } from "../../src/core/quality";
import { countsOf, pack, packFeatures, unpackFeatures } from "../../src/core/section";
import {
    bytesOf,
    galleries,
    galleryNamed,
    oldGalleries,
    precisions,
    python,
    repository,
    unpacked,
    web,
} from "./vectors";

test("Python's files are read and written again byte for byte", () => {
    expect(galleries.length).toBeGreaterThanOrEqual(7);
    for (const { name, content } of galleries) {
        expect(Buffer.compare(encodeGallery(decodeGallery(content)), content), name).toBe(0);
    }
    for (const precision of precisions) {
        const content = bytesOf(`python-${precision}.gallery`);
        expect(Buffer.compare(encodeGallery(decodeGallery(content)), content), precision).toBe(0);
    }
});

test("files of version 1 are read, and upgraded as Python does", () => {
    expect(oldGalleries.length).toBeGreaterThanOrEqual(5);
    for (const { name, content } of oldGalleries) {
        expect(Buffer.compare(encodeGallery(decodeGallery(content)), galleryNamed(name).content), name).toBe(0);
    }
});

test("what other networks and programs keep is carried through a change", () => {
    const { content } = galleryNamed("two-networks.gallery");
    const gallery = decodeGallery(content);
    expect([...gallery.extensions]).toEqual([["booth", '{"theme":"dark"}']]);
    const [first] = gallery.entries;
    const label = { ...first.label, photoSha256: "f".repeat(64) };
    const entry = gallery.entryOf(1, first.features[1] ?? [], first.descriptor, label);
    const more = decodeGallery(encodeGallery(gallery.adding(entry)));
    expect([...more.extensions]).toEqual([...gallery.extensions]);
    expect(more.entries.at(-1)?.features[0]).toBeNull();
    expect(more.choose(1, first.descriptor, 9).sort()).toEqual([0, 2, 3]);
    expect(more.choose(0, first.descriptor, 9).sort()).toEqual([0, 1, 2]);
    expect(() => more.floats(0, 3)).toThrow(GalleryError);
    expect(Buffer.compare(encodeGallery(more.removing("f".repeat(64))), content)).toBe(0);
});

test("content is what Python says it is", async () => {
    for (const { name, content, described } of galleries) {
        const gallery = decodeGallery(content);
        expect(gallery.embedder, name).toBe(described.embedder);
        expect(Object.fromEntries(gallery.extensions)).toEqual(described.extensions);
        expect(gallery.sections.length).toBe(described.sections.length);
        for (const [i, section] of gallery.sections.entries()) {
            const expected = described.sections[i];
            expect([section.featureSpace, section.scale, section.lrSize, section.dtype]).toEqual([
                expected.feature_space,
                expected.scale,
                expected.lr_size,
                expected.dtype,
            ]);
            const maps = section.maps.map((map) => [map.name, map.size, map.parts.map((p) => [p.name, p.channels])]);
            expect(maps).toEqual(expected.maps);
            expect(section.codes.map((code) => [code.name, code.length])).toEqual(expected.codes);
            const steps = expected.feature_scales && Object.values(expected.feature_scales).map(Math.fround);
            expect(section.steps).toEqual(steps);
        }
        expect(gallery.entries.length).toBe(described.entries.length);
        for (const [i, expected] of described.entries.entries()) {
            const { label, features, descriptor } = gallery.entries[i];
            expect(label.photoSha256).toBe(expected.photo_sha256);
            expect(label.name).toBe(expected.name);
            for (const [measures, listed] of [
                [label.quality, expected.quality],
                [label.pose, expected.pose],
            ] as const) {
                expect(Object.fromEntries(measures)).toEqual(
                    Object.fromEntries(Object.entries(listed).map(([key, value]) => [key, thousandths(value)])),
                );
            }
            expect([...descriptor]).toEqual(expected.descriptor.map(Math.fround));
            for (const [section, held] of expected.features.entries()) {
                const stored = features[section];
                const hashes = stored && (await Promise.all(stored.map((one) => sha256Of(new Uint8Array(one)))));
                expect(hashes).toEqual(held?.stored_sha256 ?? null);
                if (held === null) continue;
                const floats = gallery.floats(section, i);
                const bytes = floats.map((one) => new Uint8Array(one.buffer as ArrayBuffer));
                expect(await Promise.all(bytes.map(sha256Of))).toEqual(held.floats_sha256);
                expect(pack(floats, gallery.sections[section]), `${name} ${section}`).toEqual(stored);
            }
        }
    }
});

test("features are stored as Python stores them", () => {
    const { values, parts: listed, steps, int8, fp16 } = web.features;
    const parts = listed.map(([name, channels]) => ({ name, channels }));
    const features = Float32Array.from(values);
    const stored = {
        int8: packFeatures(features, { parts, steps }),
        fp16: packFeatures(features, { parts, steps: null }),
    };
    expect(Buffer.compare(stored.int8, unpacked(int8))).toBe(0);
    expect(Buffer.compare(stored.fp16, unpacked(fp16))).toBe(0);
    const back = unpackFeatures(stored.fp16, { parts, steps: null });
    features.forEach((value, i) => {
        const kept = Math.sign(value) * Math.min(Math.abs(value), 65504);
        expect(Math.abs(back[i] - kept)).toBeLessThanOrEqual(Math.max(Math.abs(kept) / 2048, 2 ** -25));
    });
    features[5] = Number.NaN;
    expect(() => packFeatures(features, { parts, steps })).toThrow(GalleryError);
    expect(() => packFeatures(features, { parts, steps: null })).toThrow(GalleryError);
});

test("rounding is that of the format's example", () => {
    const gallery = decodeGallery(galleryNamed("example.gallery").content);
    const features = new Float32Array(32);
    features.set([0.25, -0.375, 0.75, 100]);
    const [section] = gallery.sections;
    expect(pack([features], section)).toEqual(gallery.entries[0].features[0]);
    expect(() => pack([new Float32Array(31)], section)).toThrow(GalleryError);
    expect([thousandths(0.8125), thousandths(-0.0001), thousandths(0.0015)]).toEqual([812, 0, 2]);
    expect(() => thousandths(Number.NaN)).toThrow(GalleryError);
    expect(() => thousandths(1e7)).toThrow(GalleryError);
});

test("halves are exact", () => {
    for (let bits = 0; bits < 65536; bits++) {
        if (((bits >> 10) & 31) !== 31 && floatToHalf(halfToFloat(bits)) !== bits) throw new Error(`${bits}`);
    }
    expect([1e9, -1e9, 1 + 1 / 2048, 1 + 3 / 2048, 2 ** -25, 3 * 2 ** -25].map(floatToHalf)).toEqual([
        0x7bff, 0xfbff, 0x3c00, 0x3c02, 0, 2,
    ]);
    expect(halfToFloat(0x7c00)).toBe(Number.POSITIVE_INFINITY);
    expect(halfToFloat(0x7e00)).toBeNaN();
});

test("adding a photo twice changes nothing, and removing one leaves no trace", () => {
    const gallery = decodeGallery(galleryNamed("hime-small-x4-int8.gallery").content);
    const [first] = gallery.entries;
    expect(gallery.adding(first)).toBe(gallery);
    const other = { ...first, label: { ...first.label, photoSha256: "f".repeat(64), name: 'Zoë "x".jpg' } };
    const more = decodeGallery(encodeGallery(gallery.adding(other)));
    expect(more.entries.length).toBe(gallery.entries.length + 1);
    expect(more.entries.at(-1)?.label.name).toBe('Zoë "x".jpg');
    const again = encodeGallery(more.removing("f".repeat(64)));
    expect(Buffer.compare(again, encodeGallery(gallery))).toBe(0);
    const empty = gallery.entries.reduce((left, { label }) => left.removing(label.photoSha256), gallery);
    expect(decodeGallery(encodeGallery(empty)).entries).toEqual([]);
});

test("a gallery chooses by its descriptors and sharpness", () => {
    const gallery = decodeGallery(galleryNamed("hime-small-x4-int8.gallery").content);
    for (const [i, { descriptor }] of gallery.entries.entries()) expect(gallery.choose(0, descriptor, 1)).toEqual([i]);
    expect(gallery.choose(0, gallery.entries[0].descriptor, 99).length).toBe(gallery.entries.length);
    expect(() =>
        decodeGallery(galleryNamed("example.gallery").content).choose(0, gallery.entries[0].descriptor, 1),
    ).toThrow(GalleryError);
});

test("what a reader would refuse is not written", () => {
    const gallery = decodeGallery(galleryNamed("tiny-fp16-embeddings.gallery").content);
    const [first, ...others] = gallery.entries;
    const refused = (changes: object) => {
        expect(() => encodeGallery(new Gallery(gallery, [{ ...first, ...changes }, ...others]))).toThrow(GalleryError);
    };
    refused({ descriptor: first.descriptor.slice(1) });
    refused({ descriptor: first.descriptor.map(() => Number.POSITIVE_INFINITY) });
    const [stored] = first.features[0] ?? [];
    refused({ features: [] });
    refused({ features: [[]] });
    refused({ features: [[stored.slice(1)]] });
    refused({ features: [[stored.map(() => 0x7c)]] });
    refused({ embedding: null });
    refused({ label: { ...first.label, name: "two\nlines" } });
    refused({ label: { ...first.label, name: "\ud800" } });
    refused({ label: { ...first.label, name: "é".repeat(101) } });
    refused({ label: { ...first.label, photoSha256: "A".repeat(64) } });
    refused({ label: { ...first.label, quality: new Map([["Sharpness", 1]]) } });
    refused({ label: { ...first.label, quality: new Map([["sharpness", 0.5]]) } });
    refused({ label: { ...first.label, pose: new Map([["yaw_deg", 1e9 + 1]]) } });
    expect(() => encodeGallery(new Gallery(gallery, [first, first]))).toThrow("twice");
    const [section] = gallery.sections;
    for (const sections of [
        [],
        [section, section],
        [{ ...section, scale: 3 }],
        [{ ...section, featureSpace: "" }],
        [{ ...section, codes: [{ name: "scales", length: 4 }] }],
        [{ ...section, steps: [1] }],
    ]) {
        const kind = { sections, embedder: null, extensions: new Map<string, string>() };
        expect(() => encodeGallery(new Gallery(kind, []))).toThrow(GalleryError);
    }
    for (const extensions of [new Map([["Booth", "x"]]), new Map([["booth", "two\nlines"]])]) {
        expect(() => encodeGallery(new Gallery({ ...gallery, extensions }, gallery.entries))).toThrow(GalleryError);
    }
});

test.each([
    ["hime-small-x4-int8", 0],
    ["toy-maps", 0],
    ["two-maps-and-a-code", 1],
])("Python reads what TypeScript wrote into %s", (name, which) => {
    const gallery = decodeGallery(galleryNamed(`${name}.gallery`).content);
    const quality: Quality = {
        sharpness: 0.51234,
        sizePx: 201.5,
        exposure: 0.4,
        yawDeg: -3.25,
        pitchDeg: 1,
        rollDeg: 0,
        refusals: [],
    };
    const section = gallery.sections[which];
    const features = countsOf(section).map((length) => Float32Array.from({ length }, (_, i) => Math.sin(i)));
    const descriptor = gallery.entries[0].descriptor.map((value) => value / 2);
    const label = labelOf("c".repeat(64), quality, "Grüße ☂.jpg");
    const entry = gallery.entryOf(which, pack(features, section), descriptor, label);
    const folder = mkdtempSync(join(tmpdir(), "booth-"));
    try {
        const file = join(folder, "typescript.gallery");
        writeFileSync(file, encodeGallery(gallery.adding(entry)), { mode: 0o600 });
        const edgesr = (...words: string[]) =>
            JSON.parse(
                execFileSync(python, ["-m", "edgesr.cli", "gallery", ...words, "--json"], {
                    cwd: repository,
                    encoding: "utf-8",
                }),
            );
        const facts = edgesr("inspect", file);
        expect(facts.ok).toBe(true);
        expect(facts.sections[which].feature_space).toBe(section.featureSpace);
        const { entries } = edgesr("list", file);
        expect(entries.length).toBe(gallery.entries.length + 1);
        expect(entries.at(-1)).toEqual({
            index: entries.length,
            photo_sha256: "c".repeat(64),
            quality: { exposure: 0.4, sharpness: 0.512, size_px: 201.5 },
            pose: { pitch_deg: 1, roll_deg: 0, yaw_deg: -3.25 },
            name: "Grüße ☂.jpg",
        });
        edgesr("remove", file, String(entries.length));
        expect(Buffer.compare(readFileSync(file), encodeGallery(gallery))).toBe(0); // Python wrote it anew
    } finally {
        rmSync(folder, { recursive: true });
    }
});
