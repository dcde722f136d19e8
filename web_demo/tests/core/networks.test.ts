import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { GalleryError } from "../../src/core/errors";
import { decodeGallery } from "../../src/core/gallery";
import { fromUnit, picture, toUnit } from "../../src/core/pixels";
import { openBundle } from "./graph";
import { psnr, testdata } from "./vectors";

/** HIME-large, which keeps one map of three parts, and PWAve, which keeps two maps of different sizes. */

const folder = join(testdata, "networks");
const NETWORKS = { large: ["features"], pwave: ["features_f1", "features_f2"] };
const galleryOf = (network: string) =>
    decodeGallery(new Uint8Array(readFileSync(join(folder, network, "fp32.gallery"))));

describe.each(Object.entries(NETWORKS))("%s", (network, kept) => {
    // In int8 a value that lies between two steps becomes one or the other, and what follows makes more of it.
    test.each([
        ["fp32", 55],
        ["int8-ptq", 45],
    ])("in %s restores a face with a gallery as Python does", async (precision, least) => {
        const { manifest, encode, restore } = await openBundle(join(folder, network, precision));
        const said = JSON.parse(readFileSync(join(folder, network, `${precision}.json`), "utf-8"));
        const gallery = decodeGallery(new Uint8Array(readFileSync(join(folder, network, `${precision}.gallery`))));
        expect(manifest.kept).toEqual(kept);
        const section = manifest.checkGallery(gallery);
        expect(gallery.sections[section]).toEqual(manifest.section);
        const size = manifest.hrSize;
        const [lr, expected] = [picture(manifest.lrSize, manifest.lrSize), picture(size, size)];
        lr.rgb.set(said.lr);
        expected.rgb.set(said.sr);
        const features = said.exemplars.map((index: number) => gallery.floats(section, index));
        const { sr, weights } = await restore(toUnit(lr), features);
        expect(psnr(fromUnit(size, size, sr), expected)).toBeGreaterThan(least);
        expect(weights.length).toBe(said.weights.length);
        // Its own encoder gives what a gallery of it takes.
        const own = await encode(new Float32Array(size * size * 3).fill(0.5));
        expect(own.map(({ length }) => length)).toEqual(features[0].map(({ length }: Float32Array) => length));
        // With other exemplars it is another face: what is taken from the gallery counts.
        const other = await restore(toUnit(lr), []);
        expect(psnr(fromUnit(size, size, other.sr), expected)).toBeLessThan(least - 10);
    });
});

test("neither takes a gallery of the other", async () => {
    for (const [network, other] of [
        ["large", "pwave"],
        ["pwave", "large"],
    ]) {
        const { manifest } = await openBundle(join(folder, network, "fp32"));
        expect(() => manifest.checkGallery(galleryOf(other))).toThrow(GalleryError);
    }
});
