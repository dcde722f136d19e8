import { expect, test } from "vitest";
import { DESCRIPTOR_SIZE } from "../../src/core/descriptor";
import { faceDifference, fingerprint, sameFace, samePhoto } from "../../src/core/duplicates";
import { mirrored, picture } from "../../src/core/pixels";
import { pixelsOf, square, vectors, web } from "./vectors";

test("fingerprints are Python's", () => {
    for (const [name, seen] of Object.entries(vectors.photos)) {
        for (const [image, expected] of [
            [pixelsOf(web.photos[name]), seen.fingerprint],
            [square(128, seen.crop), seen.crop_fingerprint],
        ] as const) {
            const got = fingerprint(image);
            expect(Math.max(...got.map((value, i) => Math.abs(value - expected[i]))), name).toBeLessThan(1e-5);
        }
    }
});

test("a copy is the photo, and no two of the others are", () => {
    const prints = Object.entries(web.photos)
        .filter(([name]) => name !== "turned.jpg" && name !== "no-face.jpg")
        .map(([name, photo]) => ({ name, print: fingerprint(pixelsOf(photo)) }));
    const copies: string[] = [];
    prints.forEach((one, i) => {
        for (const other of prints.slice(i + 1))
            if (samePhoto(one.print, other.print)) copies.push(`${one.name} ${other.name}`);
    });
    expect(copies).toEqual(["copy-0027_1.jpg portrait-0027_1.jpg"]);
    const portrait = pixelsOf(web.photos["portrait-0019_1.jpg"]);
    expect(samePhoto(fingerprint(portrait), fingerprint(mirrored(portrait)))).toBe(false);
    expect(fingerprint(picture(1, 3)).every((value) => value === 0)).toBe(true);
});

test("faces of one photo are told by their descriptors as in Python", () => {
    expect(vectors.duplicates.length).toBeGreaterThanOrEqual(12);
    for (const { one, other, difference, same } of vectors.duplicates) {
        const [a, b] = [one, other].map((listed) => Float32Array.from(listed));
        expect(faceDifference(a, b)).toBeCloseTo(difference, 8);
        expect(sameFace(a, b)).toBe(same);
    }
    expect(new Set(vectors.duplicates.map(({ same }) => same)).size).toBe(2);
    const blank = new Float32Array(DESCRIPTOR_SIZE);
    expect(faceDifference(blank, blank)).toBe(0);
});
