import { expect, test } from "vitest";
import { resizeArea } from "../../src/core/areaResize";
import { resizeBicubic, resizeLevels } from "../../src/core/bicubic";
import { enlargeCubic } from "../../src/core/cubicResize";
import {
    fromPlanes,
    fromRgba,
    fromUnit,
    mirrored,
    picture,
    region,
    samePixels,
    toLevels,
    toPlanes,
    toRgba,
    toUnit,
} from "../../src/core/pixels";
import { roundHalfEven } from "../../src/core/rounding";
import { differences, pixelsOf, square, vectors, web } from "./vectors";

test("every level becomes Python's float, and comes back", () => {
    const image = picture(
        256,
        1,
        Uint8Array.from({ length: 768 }, (_, i) => Math.floor(i / 3)),
    );
    const unit = toUnit(image);
    for (let i = 0; i < 768; i++) expect(unit[i]).toBe(Math.fround(Math.floor(i / 3) / 255));
    expect(samePixels(fromUnit(256, 1, unit), image)).toBe(true);
});

test("floats are clamped and rounded half to even", () => {
    const unit = Float32Array.of(-0.5, 1.5, 0.5 / 255, 1.5 / 255, 2.5 / 255, 0.999);
    expect([...fromUnit(2, 1, unit).rgb]).toEqual([0, 255, 0, 2, 2, 255]);
    expect([0.5, 1.5, -0.5, -1.5, 2.5, 2.4999, -2.6].map(roundHalfEven)).toEqual([0, 2, -0, -2, 2, 2, -3]);
});

test("a canvas's pixels go there and back, and transparency lies over white", () => {
    const image = picture(
        2,
        2,
        Uint8Array.from({ length: 12 }, (_, i) => i * 21),
    );
    expect(samePixels(fromRgba(2, 2, toRgba(image)), image)).toBe(true);
    expect([...fromRgba(3, 1, Uint8Array.of(9, 9, 9, 0, 0, 100, 200, 128, 0, 0, 0, 254)).rgb]).toEqual([
        255, 255, 255, 127, 177, 227, 1, 1, 1,
    ]);
    expect(() => fromRgba(2, 2, new Uint8Array(12))).toThrow("12 bytes");
    expect(() => picture(2, 2, new Uint8Array(3))).toThrow("3 bytes");
});

test("planes are an ONNX graph's order, there and back", () => {
    const values = Float32Array.of(1, 2, 3, 4, 5, 6);
    expect([...toPlanes(values, 3)]).toEqual([1, 4, 2, 5, 3, 6]);
    expect(fromPlanes(toPlanes(values, 3), 3)).toEqual(values);
});

test("regions and mirrors", () => {
    const image = picture(
        3,
        2,
        Uint8Array.from({ length: 18 }, (_, i) => i),
    );
    expect([...region(image, 1, 1, 2, 1).rgb]).toEqual([12, 13, 14, 15, 16, 17]);
    expect([...mirrored(image).rgb.subarray(0, 3)]).toEqual([6, 7, 8]);
    expect(samePixels(mirrored(mirrored(image)), image)).toBe(true);
});

test("bicubic is Pillow's to the byte", () => {
    for (const expected of web.resized.bicubic.map(pixelsOf)) {
        const got = resizeBicubic(pixelsOf(web.resized.noise), expected.width, expected.height);
        expect(differences(got, expected), `${expected.width}x${expected.height}`).toEqual({ most: 0, count: 0 });
    }
});

test("bicubic is that of the network's training", () => {
    const face = square(128, vectors.bicubic.in);
    const small = resizeLevels(toLevels(face), 128, 128, 32, 32);
    vectors.bicubic.out.forEach((level, i) => {
        expect(Math.abs(Math.min(Math.max(small[i], 0), 255) - level)).toBeLessThanOrEqual(0.5001);
    });
});

test("bicubic keeps constants and size", () => {
    const grey = picture(17, 9, new Uint8Array(17 * 9 * 3).fill(77));
    expect(resizeBicubic(grey, 5, 30).rgb.every((level) => level === 77)).toBe(true);
    const face = square(128, vectors.bicubic.in);
    const same = resizeBicubic(face, 128, 128);
    expect(samePixels(same, face)).toBe(true);
    expect(same.rgb).not.toBe(face.rgb);
});

test("averaging down is OpenCV's to the byte", () => {
    const { noise, even, area, area_of_even } = web.resized;
    for (const [source, results] of [
        [noise, area],
        [even, area_of_even],
    ] as const) {
        for (const expected of results.map(pixelsOf)) {
            const got = resizeArea(pixelsOf(source), expected.width, expected.height);
            expect(differences(got, expected), `${expected.width}x${expected.height}`).toEqual({ most: 0, count: 0 });
        }
    }
});

test("enlarging before the search is OpenCV's", () => {
    const [expected] = web.resized.cubic.map(pixelsOf);
    const { most, count } = differences(enlargeCubic(pixelsOf(web.resized.noise), 122, 94), expected);
    expect(most).toBeLessThanOrEqual(1);
    expect(count / expected.rgb.length).toBeLessThan(0.001);
});
