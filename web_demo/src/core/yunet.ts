import { type Alignment, align, type Point } from "./alignment";
import { BoothError } from "./errors";
import type { Pixels } from "./pixels";
import { RULES } from "./rules";

/** A face: its box (left, top, width, height), five landmarks (eyes, nose, mouth corners, image left first), a score. */
export interface Face {
    readonly left: number;
    readonly top: number;
    readonly width: number;
    readonly height: number;
    readonly landmarks: readonly Point[];
    readonly score: number;
}

/** The face's square. @throws FaceError where its landmarks are none. */
export function alignmentOf(face: Face): Alignment {
    return align(face.landmarks);
}

/** The face in a picture that is `x` times as wide and `y` times as high, moved by `left` and `top` afterwards. */
export function scaledFace(face: Face, x: number, y = x, left = 0, top = 0): Face {
    return {
        left: face.left * x + left,
        top: face.top * y + top,
        width: face.width * x,
        height: face.height * y,
        landmarks: face.landmarks.map((p) => ({ x: p.x * x + left, y: p.y * y + top })),
        score: face.score,
    };
}

/** What YuNet's graph takes as `input`: BGR, 0 to 255, in planes, with sides that are multiples of 32. */
export interface YunetInput {
    readonly data: Float32Array;
    readonly shape: [1, 3, number, number];
}

/** Its outputs by their names: `cls_8`, `obj_8`, `bbox_8`, `kps_8`, and those of the strides 16 and 32. */
export type YunetOutputs = Readonly<Record<string, Float32Array>>;

/** Runs YuNet's original ONNX graph. */
export interface FaceNetwork {
    run(input: YunetInput): Promise<YunetOutputs>;
}

const STRIDES = [8, 16, 32];
const MULTIPLE = 32;
const OVERLAP = RULES.detector.most_overlap;
const MOST = RULES.detector.most_faces;

const padded = (length: number) => Math.ceil(length / MULTIPLE) * MULTIPLE;

/** A picture as YuNet takes it, with zeros to the right and below, as OpenCV's FaceDetectorYN pads. */
export function yunetInput(image: Pixels): YunetInput {
    const width = padded(image.width);
    const height = padded(image.height);
    const plane = width * height;
    const data = new Float32Array(3 * plane);
    for (let y = 0; y < image.height; y++) {
        for (let x = 0; x < image.width; x++) {
            const from = (y * image.width + x) * 3;
            const to = y * width + x;
            data[to] = image.rgb[from + 2];
            data[plane + to] = image.rgb[from + 1];
            data[2 * plane + to] = image.rgb[from];
        }
    }
    return { data, shape: [1, 3, height, width] };
}

/** Faces that a picture shows, the surest first. */
export async function searchFaces(network: FaceNetwork, image: Pixels, threshold: number): Promise<Face[]> {
    const input = yunetInput(image);
    return decodeFaces(await network.run(input), input.shape[3], input.shape[2], threshold);
}

/**
 * Faces with a score of `threshold` and above in what YuNet makes of a padded picture, the surest first, as OpenCV's
 * FaceDetectorYN decodes them: in float32.
 *
 * @throws BoothError where the outputs are not those of such a picture.
 */
export function decodeFaces(outputs: YunetOutputs, width: number, height: number, threshold: number): Face[] {
    const found: Face[] = [];
    const least = Math.fround(threshold);
    for (const stride of STRIDES) {
        const columns = width / stride;
        const rows = height / stride;
        const take = (name: string, each: number) => {
            const values = outputs[`${name}_${stride}`];
            if (values?.length !== columns * rows * each) {
                throw new BoothError(
                    `the face detector gave ${values?.length ?? "no"} numbers as ${name}_${stride}`,
                    "it is another network than YuNet",
                );
            }
            return values;
        };
        const [cls, obj, box, kps] = [take("cls", 1), take("obj", 1), take("bbox", 4), take("kps", 10)];
        for (let row = 0; row < rows; row++) {
            for (let column = 0; column < columns; column++) {
                const i = row * columns + column;
                const score = Math.fround(Math.sqrt(Math.fround(share(cls[i]) * share(obj[i]))));
                if (!(score > least)) continue;
                const place = (offset: number, cell: number) => Math.fround(Math.fround(cell + offset) * stride);
                const cx = place(box[4 * i], column);
                const cy = place(box[4 * i + 1], row);
                const w = Math.fround(Math.fround(Math.exp(box[4 * i + 2])) * stride);
                const h = Math.fround(Math.fround(Math.exp(box[4 * i + 3])) * stride);
                const landmarks = Array.from({ length: 5 }, (_, n) => ({
                    x: place(kps[10 * i + 2 * n], column),
                    y: place(kps[10 * i + 2 * n + 1], row),
                }));
                const [left, top] = [Math.fround(cx - w / 2), Math.fround(cy - h / 2)];
                found.push({ left, top, width: w, height: h, landmarks, score });
            }
        }
    }
    found.sort((a, b) => b.score - a.score); // a stable sort, as OpenCV's
    const kept: Face[] = [];
    for (const face of found.slice(0, MOST)) {
        if (kept.every((other) => wholeOverlap(other, face) <= OVERLAP)) kept.push(face);
    }
    return kept;
}

const share = (value: number) => Math.min(Math.max(value, 0), 1);

/** Intersection over union of two boxes in whole pixels. */
function wholeOverlap(a: Face, b: Face): number {
    const [p, q] = [a, b].map((f) => [f.left, f.top, f.width, f.height].map(Math.trunc));
    const across = Math.max(0, Math.min(p[0] + p[2], q[0] + q[2]) - Math.max(p[0], q[0]));
    const down = Math.max(0, Math.min(p[1] + p[3], q[1] + q[3]) - Math.max(p[1], q[1]));
    const both = p[2] * p[3] + q[2] * q[3];
    return both <= 0 ? 1 : (across * down) / (both - across * down);
}
