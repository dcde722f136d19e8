import { expect, test } from "vitest";
import { align } from "../../src/core/alignment";
import { resizeBicubic } from "../../src/core/bicubic";
import {
    blend,
    feather,
    keepOwnDetail,
    lrCrop,
    nativeCrop,
    paste,
    pasteInto,
    sideOf,
    signal,
} from "../../src/core/enhance";
import { heatmap, jet } from "../../src/core/heatmap";
import { samePixels } from "../../src/core/pixels";
import { factorFor, gain } from "../../src/core/regions";
import { differences, pixelsOf, points, precisions, psnr, restoredBy, square, web } from "./vectors";

const photo = pixelsOf(web.photos["small.jpg"]);

test.each(precisions)("a face comes out of a photo and goes back as in Python: %s", (precision) => {
    const expected = restoredBy(precision);
    const place = align(points(expected.landmarks));
    const side = sideOf(place);
    const native = square(side, expected.native);
    const cropped = differences(nativeCrop(photo, place), native);
    expect(cropped.most).toBeLessThanOrEqual(1);
    expect(cropped.count / native.rgb.length).toBeLessThan(0.001); // Python samples in float32
    expect(differences(lrCrop(native, 32), square(32, expected.lr))).toEqual({ most: 0, count: 0 });
    const sr = square(128, expected.sr);
    expect(differences(keepOwnDetail(sr, native, 32), square(128, expected.detailed)).most).toBeLessThanOrEqual(1);
    const pasted = { ...photo, rgb: Uint8Array.from(expected.pasted) };
    const got = paste(photo, sr, place);
    expect(psnr(got, pasted)).toBeGreaterThan(70);
    expect(differences(got, pasted).most).toBeLessThanOrEqual(1);
    expect(samePixels(photo, got)).toBe(false);
});

test.each(precisions)("a whole photo becomes what edgesr enhance makes of it: %s", (precision) => {
    const expected = web.enhanced[precision];
    const place = align(points(expected.landmarks));
    const native = nativeCrop(photo, place);
    const lr = lrCrop(native, 32);
    expect(psnr(lr, pixelsOf(expected.lr))).toBeGreaterThan(60);
    const face = keepOwnDetail(pixelsOf(expected.sr), native, 32);
    expect(psnr(face, pixelsOf(expected.detailed))).toBeGreaterThan(60);
    const { factor, limited } = factorFor([{ side: sideOf(place), restored: 128 }], photo.width, photo.height);
    expect({ factor, limited }).toEqual({ factor: expected.factor, limited: false });
    const large = resizeBicubic(photo, photo.width * factor, photo.height * factor);
    pasteInto(large, face, place.scaled(factor));
    expect(psnr(large, pixelsOf(expected.photo))).toBeGreaterThan(60);
});

test.each(precisions)("of a face's own detail as much is kept as is no noise: %s", (precision) => {
    const { sr, native, detailed, signal: share, noisy } = web.enhanced[precision];
    for (const one of [{ native, detailed, signal: share }, noisy]) {
        const [face, own] = [pixelsOf(sr), pixelsOf(one.native)];
        expect(signal(own, 32)).toBeCloseTo(one.signal, 6);
        const { most, count } = differences(keepOwnDetail(face, own, 32), pixelsOf(one.detailed));
        expect(most).toBeLessThanOrEqual(1);
        expect(count).toBeLessThan(5);
    }
    expect(noisy.signal).toBeLessThan(1);
    expect(noisy.signal).toBeGreaterThan(0);
    const face = pixelsOf(sr);
    expect(keepOwnDetail(face, lrCrop(face, 32), 32)).toBe(face);
});

test.each(precisions)("heatmaps have Python's colours: %s", (precision) => {
    const { sr, weights, heatmap: expected } = web.enhanced[precision];
    const got = heatmap(pixelsOf(sr), Float32Array.from(weights), 32, 3);
    expect(differences(got, pixelsOf(expected)).most).toBeLessThanOrEqual(1);
    expect([jet(0), jet(0.5), jet(1)]).toEqual([
        [0, 0, 0.5],
        [0.5, 1, 0.5],
        [0.5, 0, 0],
    ]);
});

test("the mask ends before the square does", () => {
    expect([feather(0, 0), feather(0.6, 0), feather(1, 0), feather(0.9, 0.9)]).toEqual([1, 1, 0, 0]);
    expect(feather(0.8, 0.1)).toBeGreaterThan(0.01);
    expect(feather(0.8, 0.1)).toBeLessThan(0.99);
});

test("strength goes from the photo to the face, and nothing outside the square changes", () => {
    const expected = restoredBy(precisions[0]);
    const place = align(points(expected.landmarks));
    const sr = square(128, expected.sr);
    const [none, half, full] = [0, 0.5, 1].map((strength) => paste(photo, sr, place, strength));
    expect(samePixels(none, photo)).toBe(true);
    expect(differences(half, blend(photo, full, 0.5)).most).toBeLessThanOrEqual(1);
    const reach = Math.abs(place.half.x) + Math.abs(place.half.y);
    full.rgb.forEach((level, i) => {
        const [x, y] = [Math.floor(i / 3) % photo.width, Math.floor(i / 3 / photo.width)];
        const outside =
            Math.abs(x + 0.5 - place.centre.x) > reach + 1 || Math.abs(y + 0.5 - place.centre.y) > reach + 1;
        if (outside && level !== photo.rgb[i]) throw new Error(`${x}, ${y} changed`);
    });
});

test("which faces gain, and how large the output is", () => {
    expect([19, 20, 32, 96, 97].map((side) => gain(side, 32))).toEqual([
        "too-small",
        "gains",
        "gains",
        "gains",
        "large-enough",
    ]);
    expect(factorFor([], 100, 100)).toEqual({ factor: 1, limited: false });
    expect(factorFor([{ side: 20, restored: 128 }], 100, 100)).toEqual({ factor: 4, limited: false });
    expect(factorFor([{ side: 48, restored: 128 }], 100, 100)).toEqual({ factor: 2, limited: false });
    expect(factorFor([{ side: 24, restored: 128 }], 4000, 3000)).toEqual({ factor: 2, limited: true });
});
