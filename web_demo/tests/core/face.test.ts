import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { choose } from "../../src/core/choice";
import { DESCRIPTOR_SIZE, describe } from "../../src/core/descriptor";
import { FaceError, GalleryError } from "../../src/core/errors";
import { type Pixels, picture } from "../../src/core/pixels";
import { judge, pose } from "../../src/core/quality";
import { points, repository, square, vectors } from "./vectors";

const photos = Object.entries(vectors.photos).map(([name, seen]) => ({
    name,
    seen,
    crop: square(128, seen.crop),
    landmarks: points(seen.crop_landmarks),
}));

test("descriptors are Python's", () => {
    for (const { name, seen, crop, landmarks } of photos) {
        const descriptor = describe(crop, landmarks);
        expect(descriptor.length).toBe(DESCRIPTOR_SIZE);
        expect(seen.descriptor.length).toBe(DESCRIPTOR_SIZE);
        seen.descriptor.forEach((value, i) => {
            expect(Math.abs(descriptor[i] - value), `${name} ${i}`).toBeLessThanOrEqual(
                1e-6 * Math.max(1, Math.abs(value)),
            );
        });
    }
});

test("the descriptor is that of the document's example", () => {
    const text = readFileSync(join(repository, "docs", "gallery-format.md"), "utf-8");
    const example = JSON.parse(text.split("```json\n")[1].split("```")[0]);
    const image = picture(example.size, example.size);
    for (let p = 0; p < image.height; p++) {
        for (let q = 0; q < image.width; q++)
            image.rgb.set([8 * q, 9 * p, (3 * q + 5 * p) % 256], (p * image.width + q) * 3);
    }
    const descriptor = describe(image, points(example.landmarks));
    for (const [at, value] of Object.entries<number>(example.descriptor)) {
        expect(Math.abs(descriptor[Number(at)] - value), at).toBeLessThanOrEqual(1e-6);
    }
});

test("a descriptor needs a square and five points", () => {
    const face = picture(8, 8);
    expect([...describe(face, null)].every((value) => Number.isFinite(value))).toBe(true);
    expect(() => describe(picture(8, 9), null)).toThrow("8 x 9");
    expect(() => describe(face, [])).toThrow("five");
    expect(() => describe(face, new Array(5).fill({ x: Number.NaN, y: 1 }))).toThrow("finite");
});

test("quality is Python's", () => {
    for (const { name, seen, crop, landmarks } of photos) {
        const { quality } = seen;
        const judged = judge(crop, landmarks, quality.size_px);
        const got = {
            ...judged,
            size_px: judged.sizePx,
            yaw_deg: judged.yawDeg,
            pitch_deg: judged.pitchDeg,
            roll_deg: judged.rollDeg,
        };
        for (const key of ["sharpness", "size_px", "exposure", "yaw_deg", "pitch_deg", "roll_deg"] as const) {
            expect(got[key], `${name} ${key}`).toBeCloseTo(quality[key], 6);
        }
        expect(judged.refusals.length, name).toBe(quality.reasons);
    }
});

test("each way to be a bad photo is named", () => {
    const [{ crop, landmarks }] = photos.filter(({ seen }) => seen.quality.reasons === 0);
    const kinds = (image: Pixels, where = landmarks, size = 200) =>
        judge(image, where, size).refusals.map(({ kind }) => kind);
    const changed = (change: (level: number, i: number) => number) => picture(128, 128, crop.rgb.map(change));
    expect(kinds(crop)).toEqual([]);
    expect(kinds(crop, landmarks, 63)).toEqual(["too-small"]);
    expect(kinds(changed((level) => level * 0.15))).toContain("too-dark");
    expect(kinds(changed((level) => Math.min(255, level * 6)))).toContain("too-bright");
    expect(kinds(changed(() => 128))).toEqual(["blurred"]);
    const away = landmarks.map((p, i) => (i === 2 ? { x: p.x + 60, y: p.y } : p));
    expect(kinds(crop, away)).toEqual(["turned-away"]);
    const up = landmarks.map((p, i) => (i === 2 ? { x: p.x, y: p.y - 30 } : p));
    expect(judge(crop, up, 200).refusals[0].reason).toMatch(/^turned away: \d+ degrees up$/);
    expect(() => pose(new Array(5).fill({ x: 1, y: 1 }))).toThrow(FaceError);
});

test("exemplars are those that Python chooses", () => {
    let count = 0;
    for (const { gallery, sharpness, queries } of vectors.choices) {
        const everyone = gallery.map((one) => Float32Array.from(one));
        for (const { query, chosen, without_sharpness } of queries) {
            const face = Float32Array.from(query);
            expect(choose(everyone, face, 5, sharpness)).toEqual(chosen);
            expect(choose(everyone, face, 5)).toEqual(without_sharpness);
            count++;
        }
    }
    expect(count).toBeGreaterThanOrEqual(6);
});

test("descriptors of another version are refused, and there may be none", () => {
    const query = describe(picture(16, 16), null);
    expect(choose([], query, 3)).toEqual([]);
    expect(choose([query, query], query, 3)).toEqual([0, 1]);
    expect(choose([query], query, 0)).toEqual([]);
    expect(() => choose([new Float32Array(301)], query, 3)).toThrow(GalleryError);
    expect(() => choose([query.map(() => Number.NaN)], query, 3)).toThrow(GalleryError);
});
