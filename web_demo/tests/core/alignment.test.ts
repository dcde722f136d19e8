import { expect, test } from "vitest";
import { align, cropFace, cropLandmarks, mapPoint } from "../../src/core/alignment";
import { FaceError } from "../../src/core/errors";
import { sha256Of } from "../../src/core/manifest";
import { levelAt, picture } from "../../src/core/pixels";
import { mirror } from "../../src/core/sampler";
import { affine, differences, furthest, pixelsOf, points, square, vectors, web } from "./vectors";

const example = vectors.alignment;
const landmarks = points(example.landmarks);

test("square and maps are those of the document's example", () => {
    const found = align(landmarks);
    expect(found.centre.x).toBeCloseTo(example.centre[0], 6);
    expect(found.centre.y).toBeCloseTo(example.centre[1], 6);
    expect(found.side).toBeCloseTo(example.side, 6);
    for (const [map, expected] of [
        [found.photoFromCrop(128), affine(example.photo_from_crop_128)],
        [found.cropFromPhoto(128), affine(example.crop_from_photo_128)],
    ]) {
        for (const key of ["a", "b", "c", "d", "e", "f"] as const) expect(map[key], key).toBeCloseTo(expected[key], 6);
    }
});

test("crops are those of the document's example", () => {
    const photo = picture(200, 200);
    for (let j = 0; j < 200; j++) {
        for (let i = 0; i < 200; i++) photo.rgb.set([i, j, (3 * i + 5 * j) % 256], (j * 200 + i) * 3);
    }
    for (const { size, pixels } of example.crops) {
        const crop = cropFace(photo, align(landmarks), size);
        for (const [i, j, ...rgb] of pixels) {
            expect(
                [0, 1, 2].map((c) => levelAt(crop, i, j, c)),
                `${size} at ${i}, ${j}`,
            ).toEqual(rgb);
        }
    }
});

test("crops of photos are Python's to the byte", async () => {
    const names = Object.keys(vectors.photos);
    expect(names.length).toBeGreaterThanOrEqual(12);
    for (const name of names) {
        const seen = vectors.photos[name];
        const crop = cropFace(pixelsOf(web.photos[name]), align(points(seen.refined)), 128);
        expect(differences(crop, square(128, seen.crop)), name).toEqual({ most: 0, count: 0 });
        expect(await sha256Of(new Uint8Array(crop.rgb)), name).toBe(seen.crop_sha256);
        const inCrop = cropLandmarks(points(seen.refined), align(points(seen.refined)), 128);
        expect(furthest(inCrop, points(seen.crop_landmarks))).toBeLessThan(1e-9);
    }
});

test("the maps are inverse", () => {
    for (const size of [16, 32, 128]) {
        const found = align(landmarks);
        const back = landmarks.map((p) => mapPoint(found.photoFromCrop(size), mapPoint(found.cropFromPhoto(size), p)));
        expect(furthest(landmarks, back)).toBeLessThan(1e-9);
    }
    expect(align(landmarks).scaled(2).side).toBeCloseTo(2 * example.side, 6);
});

test("what is no face is refused", () => {
    expect(() => align(new Array(5).fill({ x: 3, y: 3 }))).toThrow(FaceError);
    expect(() => align([{ x: Number.NaN, y: 0 }, ...landmarks.slice(1)])).toThrow(FaceError);
    expect(() => align([{ x: Number.POSITIVE_INFINITY, y: 0 }, ...landmarks.slice(1)])).toThrow(FaceError);
    expect(() => align(landmarks.slice(1))).toThrow(FaceError);
});

test("beyond the edges lies the mirror image", () => {
    expect([-3, -2, -1, 0, 1, 2, 3, 4, 5, 6].map((i) => mirror(i, 3))).toEqual([2, 1, 0, 0, 1, 2, 2, 1, 0, 0]);
});
