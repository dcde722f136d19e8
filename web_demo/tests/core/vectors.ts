import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Affine, Point } from "../../src/core/alignment";
import { type Pixels, picture } from "../../src/core/pixels";

/** What Python computed (`web_demo/tools/vectors.py`), and the repository's own test files. */

const root = join(import.meta.dirname, "..", "..");
export const repository = join(root, "..");
export const testdata = join(root, "testdata");
/** The interpreter that has edgesr. */
export const python = process.env.EDGESR_PYTHON ?? join(repository, ".venv", "bin", "python");
const galleryFolder = join(repository, "tests", "data", "galleries");

if (!existsSync(join(testdata, "vectors.stamp"))) {
    throw new Error(
        "there is no test data: run .venv/bin/python web_demo/tools/vectors.py at the top of the repository",
    );
}

/** Bytes of a file of the test data. */
export function bytesOf(...path: string[]): Uint8Array<ArrayBuffer> {
    return new Uint8Array(readFileSync(join(testdata, ...path)));
}

/** The folder of the network's bundle in a precision. */
export const bundleOf = (precision: string) => join(testdata, `bundle-${precision}`);

interface FaceVector {
    box: [number, number, number, number];
    landmarks: [number, number][];
    score: number;
}

interface PhotoVector {
    detected: FaceVector[];
    refined: [number, number][];
    crop: number[];
    crop_sha256: string;
    crop_landmarks: [number, number][];
    quality: Record<string, number>;
    descriptor: number[];
    fingerprint: number[];
    crop_fingerprint: number[];
}

interface RestoredVector {
    native: number[];
    detailed: number[];
    pasted: number[];
    lr: number[];
    sr: number[];
    weights: number[];
    landmarks: [number, number][];
}

interface Vectors {
    alignment: {
        landmarks: [number, number][];
        centre: [number, number];
        side: number;
        photo_from_crop_128: number[][];
        crop_from_photo_128: number[][];
        crops: { size: number; pixels: [number, number, number, number, number][] }[];
    };
    bicubic: { in: number[]; out: number[] };
    photos: Record<string, PhotoVector>;
    choices: {
        gallery: number[][];
        sharpness: number[];
        queries: { query: number[]; chosen: number[]; without_sharpness: number[] }[];
    }[];
    duplicates: { one: number[]; other: number[]; difference: number; same: boolean }[];
    "restored-fp32": RestoredVector;
    "restored-int8"?: RestoredVector;
}

export interface Picture {
    size: [number, number];
    rgb: string;
}

export interface EnhancedVector {
    landmarks: [number, number][];
    native: Picture;
    lr: Picture;
    sr: Picture;
    chosen: number[];
    signal: number;
    detailed: Picture;
    /** A face of noise, and what is kept of it. */
    noisy: { native: Picture; signal: number; detailed: Picture };
    weights: number[];
    heatmap: Picture;
    factor: number;
    photo: Picture;
}

interface WebVectors {
    photos: Record<string, Picture>;
    resized: {
        noise: Picture;
        bicubic: Picture[];
        area: Picture[];
        even: Picture;
        area_of_even: Picture[];
        cubic: Picture[];
    };
    found: Record<string, FaceVector[]>;
    features: { values: number[]; parts: [string, number][]; steps: number[]; int8: string; fp16: string };
    enhanced: Record<string, EnhancedVector>;
}

const read = (name: string) => JSON.parse(readFileSync(join(testdata, name), "utf-8"));
export const vectors: Vectors = read("vectors.json");
export const web: WebVectors = read("web.json");

/** Names of the bundles that Python restored with: `fp32`, and `int8` where there is one. */
export const precisions = Object.keys(web.enhanced);

export function restoredBy(precision: string): RestoredVector {
    const found = vectors[`restored-${precision}` as "restored-fp32"];
    if (!found) throw new Error(`no vectors of ${precision}`);
    return found;
}

/** Bytes from base64. */
export function unpacked(text: string): Uint8Array<ArrayBuffer> {
    return new Uint8Array(Buffer.from(text, "base64"));
}

export function pixelsOf({ size: [width, height], rgb }: Picture): Pixels {
    return picture(width, height, unpacked(rgb));
}

/** A square picture from its list of levels. */
export function square(side: number, levels: number[]): Pixels {
    return picture(side, side, Uint8Array.from(levels));
}

export function points(listed: [number, number][]): Point[] {
    return listed.map(([x, y]) => ({ x, y }));
}

export function affine([[a, b, c], [d, e, f]]: number[][]): Affine {
    return { a, b, c, d, e, f };
}

/** Greatest distance of two lists of points. */
export function furthest(a: readonly Point[], b: readonly Point[]): number {
    return Math.max(...a.map((p, i) => Math.hypot(p.x - b[i].x, p.y - b[i].y)));
}

/** Greatest difference of two pictures, and how many levels differ at all. */
export function differences(a: Pixels, b: Pixels): { most: number; count: number } {
    if (a.width !== b.width || a.height !== b.height) throw new Error(`${a.width}x${a.height}, ${b.width}x${b.height}`);
    let [most, count] = [0, 0];
    a.rgb.forEach((level, i) => {
        most = Math.max(most, Math.abs(level - b.rgb[i]));
        if (level !== b.rgb[i]) count++;
    });
    return { most, count };
}

/** dB; 99 for equal pictures. */
export function psnr(a: Pixels, b: Pixels): number {
    const sum = a.rgb.reduce((total, level, i) => total + (level - b.rgb[i]) ** 2, 0);
    return sum === 0 ? 99 : 10 * Math.log10((255 * 255 * a.rgb.length) / sum);
}

export interface GalleryFile {
    name: string;
    path: string;
    content: Uint8Array<ArrayBuffer>;
    /** What Python says is in it. */
    described: {
        embedder: string | null;
        extensions: Record<string, string>;
        sections: {
            feature_space: string;
            scale: number;
            lr_size: number;
            dtype: string;
            maps: [string, number, [string, number][]][];
            codes: [string, number][];
            feature_scales: Record<string, number> | null;
        }[];
        entries: {
            photo_sha256: string;
            quality: Record<string, number>;
            pose: Record<string, number>;
            name: string | null;
            features: ({ stored_sha256: string[]; floats_sha256: string[] } | null)[];
            descriptor: number[];
        }[];
    };
}

const galleriesIn = (folder: string): GalleryFile[] =>
    readdirSync(folder)
        .filter((name) => name.endsWith(".gallery"))
        .map((name) => {
            const path = join(folder, name);
            const described = JSON.parse(
                readFileSync(join(galleryFolder, name.replace(/\.gallery$/, ".json")), "utf-8"),
            );
            return { name, path, content: new Uint8Array(readFileSync(path)), described };
        });

/** The committed galleries with what they decode to. */
export const galleries = galleriesIn(galleryFolder);

/** Those of version 1; each is upgraded to the one of its name among the others. */
export const oldGalleries = galleriesIn(join(galleryFolder, "v1"));

export function galleryNamed(name: string): GalleryFile {
    const found = galleries.find((one) => one.name === name);
    if (!found) throw new Error(`no ${name} in ${galleryFolder}`);
    return found;
}
