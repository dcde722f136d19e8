import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Page } from "playwright-core";
import { expect } from "vitest";
import { TESTDATA } from "./browser";

export interface Raster {
    width: number;
    height: number;
    rgb: Uint8Array;
}

/** dB between two pictures of one size, peak 255. */
export function psnr(a: Raster, b: Raster): number {
    if (a.width !== b.width || a.height !== b.height) {
        throw new Error(`${a.width} x ${a.height} and ${b.width} x ${b.height} pixels`);
    }
    const squares = a.rgb.reduce((sum, level, i) => sum + (level - b.rgb[i]) ** 2, 0);
    return squares === 0 ? 120 : 10 * Math.log10(255 ** 2 / (squares / a.rgb.length));
}

/** The figure is printed as well: how far above the floor it lies says more than that it does. */
export function agrees(decibels: number, least: number): void {
    console.info(`${expect.getState().currentTestName}: ${decibels.toFixed(1)} dB`);
    expect(decibels).toBeGreaterThanOrEqual(least);
}

/** A picture's file, decoded by the browser. */
export async function decode(page: Page, content: Buffer, type: string): Promise<Raster> {
    const { width, height, rgb } = await page.evaluate(
        async ([base64, mime]) => {
            const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
            const bitmap = await createImageBitmap(new Blob([bytes], { type: mime }));
            const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
            const context = canvas.getContext("2d")!;
            context.drawImage(bitmap, 0, 0);
            const rgba = context.getImageData(0, 0, bitmap.width, bitmap.height).data;
            return { width: bitmap.width, height: bitmap.height, rgb: Array.from(rgba.filter((_, i) => i % 4 < 3)) };
        },
        [content.toString("base64"), type],
    );
    return { width, height, rgb: Uint8Array.from(rgb) };
}

interface Listed {
    size: [number, number];
    rgb: string;
}

/** What `edgesr enhance` made of small.jpg with the gallery beside it (web_demo/tools/vectors.py). */
export interface Enhanced {
    lr: Raster;
    sr: Raster;
    photo: Raster;
    /** The face as it is pasted back, with the photo's own detail. */
    face: Raster;
    factor: number;
}

export function enhancedByPython(precision: "int8" | "fp32"): Enhanced {
    const one = read("web.json").enhanced[precision];
    const face = Uint8Array.from(read("vectors.json")[`restored-${precision}`].detailed as number[]);
    const side = Math.sqrt(face.length / 3);
    return {
        lr: raster(one.lr),
        sr: raster(one.sr),
        photo: raster(one.photo),
        face: { width: side, height: side, rgb: face },
        factor: one.factor,
    };
}

function raster({ size: [width, height], rgb }: Listed): Raster {
    return { width, height, rgb: Uint8Array.from(Buffer.from(rgb, "base64")) };
}

const files = new Map<string, unknown>();

// biome-ignore lint/suspicious/noExplicitAny: JSON that Python wrote
function read(name: string): any {
    if (!files.has(name)) files.set(name, JSON.parse(readFileSync(resolve(TESTDATA, name), "utf8")));
    return files.get(name);
}
