import { beforeAll, expect, test } from "vitest";
import { FaceError } from "../../src/core/errors";
import { FaceDetector } from "../../src/core/faceDetector";
import { findFaces } from "../../src/core/faces";
import { picture } from "../../src/core/pixels";
import { decodeFaces, type FaceNetwork, yunetInput } from "../../src/core/yunet";
import { openDetector } from "./graph";
import { furthest, pixelsOf, points, vectors, web } from "./vectors";

/** YuNet's own graph in onnxruntime-web, as in the page, against YuNet on OpenCV. */

/** Pixels by which refined landmarks may differ: in Python, too, they move by 0.14 where their start moves by 0.0001. */
const SENSITIVE = 0.3;

let network: FaceNetwork;

beforeAll(async () => {
    network = await openDetector();
});

test("faces and landmarks are those of OpenCV", async () => {
    const detector = new FaceDetector(network);
    let [worstSeen, worstBox, worstRefined, count] = [0, 0, 0, 0];
    for (const [name, { detected, refined }] of Object.entries(vectors.photos)) {
        const photo = pixelsOf(web.photos[name]);
        const faces = await detector.detect(photo);
        expect(faces.length, name).toBe(detected.length);
        for (const { landmarks, box, score } of detected) {
            const nearest = faces.reduce((a, b) =>
                off(a.landmarks, landmarks) <= off(b.landmarks, landmarks) ? a : b,
            );
            worstSeen = Math.max(worstSeen, off(nearest.landmarks, landmarks));
            const got = [nearest.left, nearest.top, nearest.width, nearest.height];
            worstBox = Math.max(worstBox, ...got.map((value, i) => Math.abs(value - box[i])));
            expect(nearest.score).toBeCloseTo(score, 3);
        }
        const same = faces.find(({ landmarks }) => off(landmarks, detected[0].landmarks) < 1);
        if (!same) throw new Error(`${name}: the largest face is missing`);
        worstRefined = Math.max(worstRefined, off((await detector.refine(photo, same)).landmarks, refined));
        count++;
    }
    console.log(
        `landmarks of ${count} photos, pixels from OpenCV's: seen ${worstSeen}, refined ${worstRefined}; boxes ${worstBox}`,
    );
    expect(worstSeen).toBeLessThan(0.001);
    expect(worstBox).toBeLessThan(0.001);
    expect(worstRefined).toBeLessThan(SENSITIVE);
    expect(count).toBeGreaterThanOrEqual(13);
});

const off = (landmarks: Parameters<typeof furthest>[0], expected: [number, number][]) =>
    furthest(landmarks, points(expected));

test("tiny faces are found as Python finds them", async () => {
    const detector = new FaceDetector(network);
    for (const [name, expected] of Object.entries(web.found)) {
        const looks: number[] = [];
        const faces = await findFaces(pixelsOf(web.photos[name]), detector, { progress: (done) => looks.push(done) });
        expect(faces.length, name).toBe(expected.length);
        expect(looks.length).toBeGreaterThan(1);
        for (const { landmarks } of expected) {
            expect(Math.min(...faces.map((face) => off(face.landmarks, landmarks))), name).toBeLessThan(SENSITIVE);
        }
    }
});

test("a search can be ended, and nothing is found where nothing is", async () => {
    const detector = new FaceDetector(network);
    expect(await detector.detect(picture(3, 2))).toEqual([]);
    expect(await detector.detect(picture(40, 3000))).toEqual([]);
    const stop = () => {
        throw new Error("enough");
    };
    await expect(findFaces(picture(64, 64), detector, { progress: stop })).rejects.toThrow("enough");
});

test("a face outside the photo is refused", async () => {
    const detector = new FaceDetector(network);
    const [face] = vectors.photos["small.jpg"].detected;
    const landmarks = points(face.landmarks).map(({ x, y }) => ({ x: x + 5000, y: y + 5000 }));
    const away = { left: 0, top: 0, width: 1, height: 1, landmarks, score: 1 };
    await expect(detector.refine(pixelsOf(web.photos["small.jpg"]), away)).rejects.toThrow(FaceError);
});

test("pictures are padded with black to multiples of 32, in blue, green, red", () => {
    const { data, shape } = yunetInput(
        picture(
            33,
            2,
            Uint8Array.from({ length: 198 }, (_, i) => 1 + (i % 3)),
        ),
    );
    expect(shape).toEqual([1, 3, 32, 64]);
    const plane = 32 * 64;
    expect([data[0], data[plane], data[2 * plane], data[32], data[33], data[64], data[128]]).toEqual([
        3, 2, 1, 3, 0, 3, 0,
    ]);
});

test("outputs of another network are refused", () => {
    expect(() => decodeFaces({}, 32, 32, 0.6)).toThrow("gave no numbers");
    expect(() => decodeFaces({ cls_8: new Float32Array(3) }, 32, 32, 0.6)).toThrow("gave 3 numbers");
});
