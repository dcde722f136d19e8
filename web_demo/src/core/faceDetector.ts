import { type Affine, Alignment, align, mapPoint, type Point } from "./alignment";
import { resizeArea } from "./areaResize";
import { FaceError } from "./errors";
import { mirrored, type Pixels, region } from "./pixels";
import { roundHalfEven } from "./rounding";
import { RULES } from "./rules";
import { warpLinear } from "./warp";
import { type Face, type FaceNetwork, scaledFace, searchFaces } from "./yunet";

/** Photos are searched at this many pixels, then at half and a quarter of it where nothing was found. */
export const LONG_SIDE = RULES.detector.long_side;

/** A view shows the aligned face at this side in a square of so many pixels. */
const VIEW_SIDE = RULES.detector.view_side;
const VIEW_PIXELS = RULES.detector.view_pixels;
/** YuNet's finest grid; its landmarks wander by where a face lies on it. */
const STRIDE = RULES.detector.stride;
/** Views averaged in each round of `refine`; each round starts from the landmarks of the one before. */
const VIEWS = RULES.detector.views;
const MIRRORED = RULES.detector.mirrored;

/** Faces in photos, and landmarks sharpened by looking at each face many times (`docs/alignment.md`, Landmarks). */
export class FaceDetector {
    constructor(
        private readonly network: FaceNetwork,
        private readonly threshold = RULES.detector.least_score,
    ) {}

    /**
     * Faces of a photo, the largest first. `longSide` bounds what is searched: faces under about 10 pixels at that scale
     * are not found. null searches the photo as it is, where tiny faces matter more than time.
     */
    async detect(photo: Pixels, longSide: number | null = LONG_SIDE): Promise<Face[]> {
        const longest = Math.max(photo.width, photo.height);
        const most = Math.min(longest, longSide ?? longest);
        for (const limit of [most, Math.floor(most / 2), Math.floor(most / 4)]) {
            if (limit < 1) break;
            const scale = Math.min(1, limit / longest);
            const width = scaled(photo.width, scale);
            const height = scaled(photo.height, scale);
            const found = await searchFaces(this.network, resizeArea(photo, width, height), this.threshold);
            if (found.length > 0) {
                // Sides are rounded when a photo is scaled, so each axis has its own exact factor.
                const faces = found.map((face) => scaledFace(face, photo.width / width, photo.height / height));
                return faces.sort((a, b) => b.width * b.height - a.width * a.height);
            }
        }
        return [];
    }

    /**
     * The face with landmarks that hardly depend on its size, angle and place in the photo.
     *
     * @throws FaceError where the face lies outside the photo.
     */
    async refine(photo: Pixels, face: Face): Promise<Face> {
        let landmarks = face.landmarks;
        for (const views of VIEWS) {
            const { patch, toPhoto } = upright(photo, align(landmarks));
            const looks: Point[][] = [];
            for (let n = 0; n < views; n++) {
                const look = await this.look(patch, n, views);
                if (look) looks.push(look);
            }
            if (looks.length === 0) return face;
            landmarks = landmarks.map((_, n) =>
                mapPoint(toPhoto, { x: mean(looks.map((look) => look[n].x)), y: mean(looks.map((look) => look[n].y)) }),
            );
        }
        return { ...face, landmarks };
    }

    /** Landmarks in patch coordinates from view `n`, or null where the face is not seen. */
    private async look(patch: Pixels, n: number, views: number): Promise<Point[] | null> {
        // The fractions are those of a two-dimensional golden-ratio sequence: any number of views is spread evenly.
        const left = Math.trunc(((n * 0.7548776662 + 0.5 / views) % 1) * 2 * STRIDE);
        const top = Math.trunc(((n * 0.569840291 + 0.5 / views) % 1) * 2 * STRIDE);
        const view = region(patch, left, top, 2 * VIEW_PIXELS, 2 * VIEW_PIXELS);
        const flipped = n % 2 === 1;
        const small = resizeArea(flipped ? mirrored(view) : view, VIEW_PIXELS, VIEW_PIXELS);
        const faces = await searchFaces(this.network, small, this.threshold);
        if (faces.length === 0) return null;
        const offCentre = ({ landmarks }: Face) =>
            Math.hypot(
                mean(landmarks.map((p) => p.x)) - VIEW_PIXELS / 2,
                mean(landmarks.map((p) => p.y)) - VIEW_PIXELS / 2,
            );
        const nearest = faces.reduce((best, one) => (offCentre(one) < offCentre(best) ? one : best));
        const points = nearest.landmarks.map(({ x, y }) => ({ x: 2 * x, y: 2 * y }));
        const seen = flipped ? MIRRORED.map((i) => ({ x: 2 * VIEW_PIXELS - points[i].x, y: points[i].y })) : points;
        return seen.map(({ x, y }) => ({ x: x + left, y: y + top }));
    }
}

const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

const scaled = (length: number, scale: number) => Math.max(1, roundHalfEven(length * scale));

/** The face upright at twice the views' scale with room to shift, and the map from there to the photo. */
function upright(photo: Pixels, alignment: Alignment): { patch: Pixels; toPhoto: Affine } {
    const count = 2 * (VIEW_PIXELS + STRIDE);
    const wider = count / (2 * VIEW_SIDE);
    const wide = new Alignment(alignment.centre, { x: alignment.half.x * wider, y: alignment.half.y * wider });
    // Only the face's surroundings are touched, and a huge face is averaged down first: memory stays small.
    const reach = wide.side * 0.75;
    const left = Math.max(0, Math.floor(wide.centre.x - reach));
    const top = Math.max(0, Math.floor(wide.centre.y - reach));
    const right = Math.min(photo.width, Math.ceil(wide.centre.x + reach));
    const bottom = Math.min(photo.height, Math.ceil(wide.centre.y + reach));
    const factor = Math.max(1, Math.floor(alignment.side / (4 * VIEW_SIDE)));
    const columns = Math.floor((right - left) / factor);
    const rows = Math.floor((bottom - top) / factor);
    if (columns < 1 || rows < 1) throw new FaceError("the face lies outside the photo");
    const reduced = resizeArea(region(photo, left, top, columns * factor, rows * factor), columns, rows);
    const toPhoto = wide.photoFromCrop(count);
    const k = Math.max(1, Math.ceil(wide.side / factor / count));
    const scale = 1 / (factor * k);
    const [a, b, d, e] = [toPhoto.a, toPhoto.b, toPhoto.d, toPhoto.e].map((value) => value * scale);
    // OpenCV counts from the centre of the first pixel, on both sides.
    const c = (toPhoto.c - left) / factor + (a + b) / 2 - 0.5;
    const f = (toPhoto.f - top) / factor + (d + e) / 2 - 0.5;
    const fine = warpLinear(reduced, { a, b, c, d, e, f }, count * k);
    return { patch: resizeArea(fine, count, count), toPhoto };
}
