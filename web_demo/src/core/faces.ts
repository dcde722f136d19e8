import { TOLERANCE } from "./alignment";
import { enlargeCubic } from "./cubicResize";
import { FaceError } from "./errors";
import { type FaceDetector, LONG_SIDE } from "./faceDetector";
import { type Pixels, region } from "./pixels";
import { roundHalfEven } from "./rounding";
import { RULES } from "./rules";
import { alignmentOf, type Face, scaledFace } from "./yunet";

/** Finding faces in a whole photo, the tiny ones too: a look at all of it, then at its parts at full size. */

/** Parts are squares of this many pixels; a face up to the overlap lies whole in one of them. */
const TILE = RULES.search.tile;
const OVERLAP = RULES.search.overlap;
/** Parts of photos up to so many pixels are looked at enlarged: YuNet's faces start at some 10 pixels. */
const ZOOMED = RULES.search.zoomed;
const MOST_ZOOMED = RULES.search.most_zoomed;
/** Intersection over union from which two boxes show one face. */
const SAME = RULES.search.same;

export interface FindOptions {
    /** Search at full size and enlarged too; without, only faces that show in a picture of 1024 pixels are found. */
    readonly tiny?: boolean;
    /** Told after each look how many of all looks are done; may throw to end the search. */
    readonly progress?: (done: number, all: number) => void;
}

/** All faces of a photo, the largest first, with refined landmarks. Memory does not grow with the photo. */
export async function findFaces(photo: Pixels, detector: FaceDetector, options: FindOptions = {}): Promise<Face[]> {
    const { tiny = true, progress } = options;
    const { width, height } = photo;
    const zoom = width * height <= MOST_ZOOMED ? ZOOMED : 1;
    const parts = tiny && (zoom > 1 || Math.max(width, height) > LONG_SIDE) ? partsOf(width, height) : [];
    const found = await detector.detect(photo);
    progress?.(1, parts.length + 1);
    for (const [i, { left, top }] of parts.entries()) {
        const part = region(photo, left, top, Math.min(TILE, width - left), Math.min(TILE, height - top));
        const large = zoom === 1 ? part : enlargeCubic(part, part.width * zoom, part.height * zoom);
        const faces = await detector.detect(large, null);
        found.push(...faces.map((face) => scaledFace(face, 1 / zoom, 1 / zoom, left, top)));
        progress?.(i + 2, parts.length + 1);
    }
    const kept: Face[] = [];
    for (const face of found.sort((a, b) => b.score - a.score)) {
        if (kept.every((other) => overlap(face, other) < SAME)) kept.push(face);
    }
    const whole = kept.filter((face) => !kept.some((other) => within(face, other)));
    const refined: Face[] = [];
    for (const face of whole) refined.push(await refinedFace(photo, face, detector));
    return refined.sort((a, b) => b.width * b.height - a.width * a.height);
}

function partsOf(width: number, height: number): { left: number; top: number }[] {
    return starts(height).flatMap((top) => starts(width).map((left) => ({ left, top })));
}

function starts(length: number): number[] {
    if (length <= TILE) return [0];
    const count = Math.ceil((length - OVERLAP) / (TILE - OVERLAP));
    return Array.from({ length: count }, (_, i) => roundHalfEven((i * (length - TILE)) / (count - 1)));
}

async function refinedFace(photo: Pixels, face: Face, detector: FaceDetector): Promise<Face> {
    try {
        const refined = await detector.refine(photo, face);
        const moved = refined.landmarks.map(({ x, y }, i) =>
            Math.max(Math.abs(x - face.landmarks[i].x), Math.abs(y - face.landmarks[i].y)),
        );
        // A look that ended on another face, or on none, is worse than the first one.
        return Math.max(...moved) < 0.25 * alignmentOf(face).side ? refined : face;
    } catch (error) {
        if (error instanceof FaceError) return face;
        throw error;
    }
}

/** Area that two boxes share. */
function shared(a: Face, b: Face): number {
    const across = Math.min(a.left + a.width, b.left + b.width) - Math.max(a.left, b.left);
    const down = Math.min(a.top + a.height, b.top + b.height) - Math.max(a.top, b.top);
    return Math.max(across, 0) * Math.max(down, 0);
}

const area = (face: Face) => face.width * face.height;

function overlap(a: Face, b: Face): number {
    return shared(a, b) / Math.max(area(a) + area(b) - shared(a, b), TOLERANCE);
}

/** A small face inside a much larger one is a mistake of the search at full size: an eye, a print on a shirt. */
function within(face: Face, other: Face): boolean {
    return area(other) > 4 * area(face) && shared(face, other) > 0.7 * area(face);
}
