import { align, type Point } from "./alignment";
import { average, boxMeans, luma } from "./descriptor";
import { BoothError, FaceError } from "./errors";
import type { Pixels } from "./pixels";
import { clamp } from "./rounding";
import { RULES } from "./rules";

/** Why a photo does not become an exemplar. */
export type Refusal = "too-small" | "too-dark" | "too-bright" | "blurred" | "turned-away";

/**
 * Whether a photo is worth keeping as an exemplar; the same measures and limits as edgesr's on the desktop.
 *
 * `sharpness`: finest detail against coarser, 0 (none) to about 1. `sizePx`: side of the face's square in its photo.
 * `exposure`: mean luminance of the face, 0 to 1. Angles in degrees as seen in the crop: `yawDeg` > 0 where the face looks
 * to the image's right, `pitchDeg` > 0 up, `rollDeg` > 0 turned clockwise. `refusals` is empty where the photo is good.
 */
export interface Quality {
    readonly sharpness: number;
    readonly sizePx: number;
    readonly exposure: number;
    readonly yawDeg: number;
    readonly pitchDeg: number;
    readonly rollDeg: number;
    /** `reason` is what edgesr says on the desktop, in English; the page may say it in its own words by `kind`. */
    readonly refusals: readonly { readonly kind: Refusal; readonly reason: string }[];
}

/** Faces are judged and described at this size, whichever the network sees, and judged within the face itself: left, top, right, bottom. */
export const SIDE = RULES.quality.side;
const [LEFT, TOP, RIGHT, BOTTOM] = RULES.quality.face;
const LEAST_SHARPNESS = RULES.quality.least_sharpness;
/** Detail along one axis is measured by so much less in a photo that is as sharp. */
const ONE_AXIS = RULES.quality.one_axis;
/** Of the face's square, in photo pixels. */
export const LEAST_SIZE = RULES.quality.least_size;
/** 95th percentile of the face's luminance; not its mean, since dark skin is no fault of a photo. */
const DARKEST = RULES.quality.darkest;
const BRIGHT = RULES.quality.bright;
const MOST_BRIGHT = RULES.quality.most_bright;
const MOST_YAW = RULES.quality.most_yaw;
const MOST_PITCH = RULES.quality.most_pitch;
/** How far the nose stands out and where it lies, in eye distances: an adult's. */
const NOSE_DEPTH = RULES.quality.nose_depth;
const NOSE_HEIGHT = RULES.quality.nose_height;
const EYES_TO_MOUTH = RULES.quality.eyes_to_mouth;

/**
 * The quality of an aligned crop with its `landmarks` in the crop's pixels, and the side of its square in the photo.
 *
 * @throws FaceError where the landmarks are no face. @throws BoothError where the crop is not square.
 */
export function judge(face: Pixels, landmarks: readonly Point[], sourceSizePx: number): Quality {
    const side = face.width;
    if (side !== face.height) throw new BoothError(`a face of ${side} x ${face.height} pixels`, "it is square");
    const { rgb } = face;
    const full = Float64Array.from(
        { length: side * side },
        (_, i) => luma(rgb[3 * i], rgb[3 * i + 1], rgb[3 * i + 2]) / 255,
    );
    const light = boxMeans(full, side, SIDE);
    const inner = new Float64Array((BOTTOM - TOP) * (RIGHT - LEFT));
    for (let y = TOP; y < BOTTOM; y++) {
        inner.set(light.subarray(y * SIDE + LEFT, y * SIDE + RIGHT), (y - TOP) * (RIGHT - LEFT));
    }
    const { yawDeg, pitchDeg, rollDeg } = pose(landmarks);
    const sharp = sharpness(light);
    const refusals: { kind: Refusal; reason: string }[] = [];
    const refuse = (kind: Refusal, reason: string) => refusals.push({ kind, reason });
    if (sourceSizePx < LEAST_SIZE) {
        refuse("too-small", `too small: the face is ${sourceSizePx.toFixed()} pixels wide, ${LEAST_SIZE} are needed`);
    }
    const bright = inner.filter((level) => level >= BRIGHT).length / inner.length;
    if (percentile(inner, 0.95) < DARKEST) refuse("too-dark", "too dark");
    else if (bright > MOST_BRIGHT)
        refuse("too-bright", `too bright: ${(100 * bright).toFixed()}% of the face is white`);
    if (sharp < LEAST_SHARPNESS) {
        refuse("blurred", `blurred: sharpness ${sharp.toFixed(2)}, ${LEAST_SHARPNESS.toFixed(2)} is needed`);
    }
    if (Math.abs(yawDeg) > MOST_YAW) {
        refuse("turned-away", `turned away: ${Math.abs(yawDeg).toFixed()} degrees to the side`);
    }
    if (Math.abs(pitchDeg) > MOST_PITCH) {
        const way = pitchDeg > 0 ? "up" : "down";
        refuse("turned-away", `turned away: ${Math.abs(pitchDeg).toFixed()} degrees ${way}`);
    }
    return { sharpness: sharp, sizePx: sourceSizePx, exposure: average(inner), yawDeg, pitchDeg, rollDeg, refusals };
}

function percentile(values: Float64Array, share: number): number {
    const sorted = values.slice().sort();
    const at = share * (sorted.length - 1);
    const low = sorted[Math.floor(at)];
    return low + (sorted[Math.ceil(at)] - low) * (at - Math.floor(at));
}

/** Finest detail of a face against detail four times as coarse: along both axes, or along the one that has less. */
function sharpness(light: Float64Array): number {
    const [both, down, across] = [ratio(light, true, true), ratio(light, true, false), ratio(light, false, true)];
    return Math.min(both, ONE_AXIS * down, ONE_AXIS * across);
}

function ratio(light: Float64Array, down: boolean, across: boolean): number {
    const a = smooth(light, 1, down, across);
    const b = smooth(a, 2, down, across);
    const c = smooth(b, 4, down, across);
    let [fine, coarse] = [0, 0];
    for (let y = TOP; y < BOTTOM; y++) {
        for (let i = y * SIDE + LEFT; i < y * SIDE + RIGHT; i++) {
            fine += (light[i] - a[i]) ** 2;
            coarse += (b[i] - c[i]) ** 2;
        }
    }
    const count = (BOTTOM - TOP) * (RIGHT - LEFT);
    return Math.sqrt(fine / count) / Math.max(Math.sqrt(coarse / count), 1 / 255);
}

/** (1, 2, 1) / 4 with taps `step` apart, edges repeated. */
function smooth(image: Float64Array, step: number, down: boolean, across: boolean): Float64Array {
    const inside = (i: number) => clamp(i, 0, SIDE - 1);
    const along = (
        from: Float64Array,
        before: (x: number, y: number) => number,
        after: (x: number, y: number) => number,
    ) =>
        from.map((value, i) => {
            const [x, y] = [i % SIDE, Math.floor(i / SIDE)];
            return (from[before(x, y)] + 2 * value + from[after(x, y)]) / 4;
        });
    let now = image;
    if (down)
        now = along(
            now,
            (x, y) => inside(y - step) * SIDE + x,
            (x, y) => inside(y + step) * SIDE + x,
        );
    if (across)
        now = along(
            now,
            (x, y) => y * SIDE + inside(x - step),
            (x, y) => y * SIDE + inside(x + step),
        );
    return now;
}

/** Where a face looks, from five landmarks. @throws FaceError where they are none. */
export function pose(p: readonly Point[]): { yawDeg: number; pitchDeg: number; rollDeg: number } {
    const { half } = align(p);
    const length = Math.hypot(half.x, half.y);
    const right = { x: half.x / length, y: half.y / length };
    const along = (v: Point) => v.x * right.x + v.y * right.y;
    const downwards = (v: Point) => -v.x * right.y + v.y * right.x;
    const eyes = { x: (p[0].x + p[1].x) / 2, y: (p[0].y + p[1].y) / 2 };
    const v = { x: (p[3].x + p[4].x) / 2 - eyes.x, y: (p[3].y + p[4].y) / 2 - eyes.y };
    const nose = { x: p[2].x - eyes.x, y: p[2].y - eyes.y };
    const e = { x: p[1].x - p[0].x, y: p[1].y - p[0].y };
    const distance = Math.abs(along(e));
    const way = downwards(v);
    if (way <= 0 || distance <= 0) throw new FaceError("these landmarks are no face", "the mouth lies above the eyes");
    const t = downwards(nose) / way;
    const s = along(nose) - t * along(v);
    return {
        yawDeg: degrees(Math.atan(s / (distance * NOSE_DEPTH))),
        pitchDeg: degrees(Math.atan(((NOSE_HEIGHT - t) * EYES_TO_MOUTH) / NOSE_DEPTH)),
        rollDeg: degrees(Math.atan2(e.y, e.x)),
    };
}

const degrees = (radians: number) => (radians * 180) / Math.PI;
