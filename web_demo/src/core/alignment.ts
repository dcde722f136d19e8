import { FaceError } from "./errors";
import { type Pixels, picture } from "./pixels";
import { clamp } from "./rounding";
import { RULES } from "./rules";
import { Sampler } from "./sampler";

/** A point in continuous coordinates: pixel (i, j) has its centre at (i + 0.5, j + 0.5), x to the right, y down. */
export interface Point {
    readonly x: number;
    readonly y: number;
}

/** An affine map: (x, y) to (a x + b y + c, d x + e y + f). */
export interface Affine {
    readonly a: number;
    readonly b: number;
    readonly c: number;
    readonly d: number;
    readonly e: number;
    readonly f: number;
}

export function mapPoint(map: Affine, { x, y }: Point): Point {
    return { x: map.a * x + map.b * y + map.c, y: map.d * x + map.e * y + map.f };
}

const EYES_FACTOR = RULES.alignment.eyes_factor;
const FACE_FACTOR = RULES.alignment.face_factor;
const DROP = RULES.alignment.drop;
/** A side this close above a multiple of the size counts as that multiple: rounding must not double the samples. */
export const TOLERANCE = RULES.alignment.tolerance;

/**
 * A face's square in a photo, by the rule of `docs/alignment.md`: `centre` c, and `half` x, the vector from c to the
 * middle of its right edge.
 */
export class Alignment {
    constructor(
        readonly centre: Point,
        readonly half: Point,
    ) {}

    /** The square's side in photo pixels. */
    get side(): number {
        return 2 * Math.hypot(this.half.x, this.half.y);
    }

    /** From a crop's coordinates, 0 to `size`, to the photo's. */
    photoFromCrop(size: number): Affine {
        const { centre, half } = this;
        const sx = (2 * half.x) / size;
        const sy = (2 * half.y) / size;
        return { a: sx, b: -sy, c: centre.x - half.x + half.y, d: sy, e: sx, f: centre.y - half.y - half.x };
    }

    /** The inverse of `photoFromCrop`. */
    cropFromPhoto(size: number): Affine {
        const { centre, half } = this;
        const t = size / (2 * (half.x * half.x + half.y * half.y));
        const a = t * half.x;
        const b = t * half.y;
        const c = size / 2 - a * centre.x - b * centre.y;
        return { a, b, c, d: -b, e: a, f: size / 2 + b * centre.x - a * centre.y };
    }

    /** The same square in a photo that is `factor` times as large. */
    scaled(factor: number): Alignment {
        const times = ({ x, y }: Point) => ({ x: x * factor, y: y * factor });
        return new Alignment(times(this.centre), times(this.half));
    }
}

/**
 * The square of a face from five `landmarks`: eyes, nose, mouth corners, image left first.
 *
 * @throws FaceError where they are not finite or fall into one point.
 */
export function align(landmarks: readonly Point[]): Alignment {
    if (landmarks.length !== 5)
        throw new FaceError(`a face has ${landmarks.length} landmarks`, "five points are a face");
    const [e0, e1, , m0, m1] = landmarks;
    const eyes = { x: (e0.x + e1.x) / 2, y: (e0.y + e1.y) / 2 };
    const e = { x: e1.x - e0.x, y: e1.y - e0.y };
    const v = { x: (m0.x + m1.x) / 2 - eyes.x, y: (m0.y + m1.y) / 2 - eyes.y };
    const x = e.x + v.y; // e - (-v.y, v.x): the eyes' line and the upright of the face count alike
    const y = e.y - v.x;
    const length = Math.hypot(x, y);
    const half = Math.max(EYES_FACTOR * Math.hypot(e.x, e.y), FACE_FACTOR * Math.hypot(v.x, v.y));
    if (!Number.isFinite(half) || !(length >= TOLERANCE) || half < TOLERANCE) {
        throw new FaceError("these landmarks are no face", "eyes and mouth lie in one point or are not numbers");
    }
    const centre = { x: eyes.x + DROP * v.x, y: eyes.y + DROP * v.y };
    return new Alignment(centre, { x: (x / length) * half, y: (y / length) * half });
}

/**
 * The aligned crop of `size` pixels. Every crop pixel is the mean of k x k bilinear samples, k = ceil(side / size);
 * where the crop enlarges the photo it is one cubic sample. Beyond its edges the photo is mirrored.
 */
export function cropFace(photo: Pixels, alignment: Alignment, size: number): Pixels {
    const map = alignment.photoFromCrop(size);
    const ratio = alignment.side / size;
    const k = Math.max(1, Math.ceil(ratio - TOLERANCE));
    const sampler = new Sampler({ ...photo, values: photo.rgb }, ratio < 1 - TOLERANCE);
    const total = new Float64Array(3);
    const result = picture(size, size);
    for (let j = 0; j < size; j++) {
        for (let i = 0; i < size; i++) {
            total.fill(0);
            for (let b = 0; b < k; b++) {
                for (let a = 0; a < k; a++) {
                    const u = i + (a + 0.5) / k;
                    const v = j + (b + 0.5) / k;
                    sampler.add(map.a * u + map.b * v + map.c - 0.5, map.d * u + map.e * v + map.f - 0.5, total);
                }
            }
            for (let c = 0; c < 3; c++) {
                result.rgb[(j * size + i) * 3 + c] = Math.floor(clamp(total[c] / (k * k), 0, 255) + 0.5);
            }
        }
    }
    return result;
}

/** A face's landmarks in the pixels of its crop. */
export function cropLandmarks(landmarks: readonly Point[], alignment: Alignment, size: number): Point[] {
    const map = alignment.cropFromPhoto(size);
    return landmarks.map((point) => mapPoint(map, point));
}
