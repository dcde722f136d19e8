import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { BundleError, GalleryError } from "../../src/core/errors";
import { decodeGallery, Gallery } from "../../src/core/gallery";
import { decodeManifest, sha256Of } from "../../src/core/manifest";
import { fromUnit, picture, toUnit } from "../../src/core/pixels";
import { decodeSafetensors } from "../../src/core/safetensors";
import { channelsOf, type Section } from "../../src/core/section";
import { openBundle } from "./graph";
import { differences, galleryNamed, repository } from "./vectors";

/** A network that keeps two maps of different sizes and a code of an exemplar (`tests/toy_maps`). */

const data = join(repository, "tests", "data");
const folder = join(data, "toy-maps");
const NAMES = ["features_deep", "features_fine", "features_tone"];
const text = readFileSync(join(folder, "manifest.json"), "utf-8");

test("each map and code is a tensor of its own, and comes out as in Python", async () => {
    const { manifest, encode, restore } = await openBundle(folder);
    expect(manifest.kept).toEqual(NAMES);
    const golden = decodeSafetensors(new Uint8Array(readFileSync(join(folder, "golden.safetensors"))));
    const values = (name: string) => golden.get(name)?.values ?? new Float32Array();
    const off = (a: Float32Array, b: Float32Array) => Math.max(...a.map((value, i) => Math.abs(value - b[i])));
    const features = await encode(values("encode.in.exemplar"));
    expect(features.map(({ length }) => length)).toEqual([8 * 8 * 4, 16 * 16 * 5, 4]);
    features.forEach((one, i) => {
        expect(off(one, values(`encode.out.${NAMES[i]}`)), NAMES[i]).toBeLessThan(1e-5);
    });
    const exemplars = [0, 1].map((slot) =>
        NAMES.map((name, i) =>
            values(`restore.in.${name}`)
                .slice(slot * features[i].length)
                .slice(0, features[i].length),
        ),
    );
    const { sr, weights } = await restore(values("restore.in.lr"), exemplars);
    expect(off(sr, values("restore.out.sr"))).toBeLessThan(1e-5);
    expect(off(weights, values("restore.out.weights"))).toBeLessThan(1e-5);
});

test("a face is restored with a gallery as in Python", async () => {
    const { manifest, restore } = await openBundle(folder);
    const said = JSON.parse(readFileSync(join(data, "toy-maps.json"), "utf-8"));
    const gallery = decodeGallery(galleryNamed("toy-maps.gallery").content);
    const section = manifest.checkGallery(gallery);
    expect(gallery.sections[section]).toEqual(manifest.section);
    const [lr, expected] = [picture(8, 8), picture(32, 32)];
    lr.rgb.set(said.lr);
    expected.rgb.set(said.sr);
    const features = said.exemplars.map((index: number) => gallery.floats(section, index));
    const { sr } = await restore(toUnit(lr), features);
    expect(differences(fromUnit(32, 32, sr), expected).most).toBeLessThanOrEqual(1);
});

test("a gallery without one of them, or with their sizes changed about, is refused by name", () => {
    const manifest = decodeManifest(new TextEncoder().encode(text));
    const [deep, fine] = manifest.section.maps;
    const refused = (changes: Partial<Section>, says: string) => {
        const sections = [{ ...manifest.section, ...changes }];
        const gallery = new Gallery({ sections, embedder: null, extensions: new Map() }, []);
        expect(() => manifest.checkGallery(gallery)).toThrow(GalleryError);
        expect(() => manifest.checkGallery(gallery)).toThrow(says);
    };
    refused({ maps: [deep] }, "has no fine of 16x16 pixels with detail 4 + gate 1 as the network toy-maps has");
    refused(
        {
            maps: [
                { ...deep, size: fine.size },
                { ...fine, size: deep.size },
            ],
        },
        "has deep of 16x16 pixels with deep 4, not of 8x8 pixels with deep 4",
    );
    refused({ codes: [] }, "has no tone of 4 numbers");
    refused({ maps: [fine, deep] }, "has fine,deep,tone, not deep,fine,tone");
    refused({ steps: [1, 1, 1] }, "has int8 steps 1,1,1, not ");
    refused({ featureSpace: "another" }, "features of another");
});

test.each<[string, (features: { maps: unknown; codes: unknown; parts: { channels: number }[] }) => unknown]>([
    [
        "a code that is no tensor",
        (features) =>
            Object.assign(features, {
                codes: [
                    ["age", 1],
                    ["tone", 4],
                ],
            }),
    ],
    ["no code", (features) => Object.assign(features, { codes: [] })],
    ["a map of another size", (features) => Object.assign(features, { maps: [["deep", 9, [["deep", 4]]]] })],
    ["maps that are none", (features) => Object.assign(features, { maps: "deep" })],
    ["other parts than its maps", (features) => Object.assign(features.parts[0], { channels: 5 })],
])("a manifest with %s is refused", (_, damage) => {
    const fields = JSON.parse(text);
    damage(fields.features);
    expect(() => decodeManifest(new TextEncoder().encode(JSON.stringify(fields)))).toThrow(BundleError);
});

test("channels are bounded map by map, as in a gallery", () => {
    const changes = [
        ['["deep",4]', '["deep",600]'],
        ['["detail",4]', '["detail",600]'],
        ['"deep","channels":4', '"deep","channels":600'],
        ['"detail","channels":4', '"detail","channels":600'],
        ["4,8,8]", "600,8,8]"],
        ["5,16,16]", "601,16,16]"],
    ];
    const wide = changes.reduce(
        (all, [old, wider]) => {
            expect(all).toContain(old);
            return all.replaceAll(old, wider);
        },
        text.replace(/\s/g, ""),
    );
    const maps = decodeManifest(new TextEncoder().encode(wide)).section.maps;
    expect(maps.map(({ parts }) => channelsOf(parts))).toEqual([600, 601]);
});

test("files are those of the manifest", async () => {
    const manifest = decodeManifest(new TextEncoder().encode(text));
    for (const role of ["encode", "restore"]) {
        const file = manifest.file(role);
        const content = new Uint8Array(readFileSync(join(folder, file)));
        expect(await sha256Of(content)).toBe(manifest.sha256.get(file));
    }
});
