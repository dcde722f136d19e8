import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Browser } from "playwright-core";
import { build, type PreviewServer, preview } from "vite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launch, photo, TESTDATA, Visit } from "./browser";
import { agrees, decode, enhancedByPython, psnr } from "./compare";
import type { tour } from "./consumer/main";
import { textOf } from "./metadata";
import { ROOT } from "./server";

/** The package as others get it: installed from its file, in a folder that knows nothing of this one. */
const LIBRARIES = process.env.EDGESR_LIBRARIES ?? resolve(ROOT, "../dist/libraries");
const CONSUMER = resolve(import.meta.dirname, "consumer");
const app = mkdtempSync(join(tmpdir(), "edgesr-app-"));
const installed = join(app, "node_modules", "edgesr-web");

let host: PreviewServer;
let browser: Browser;

beforeAll(async () => {
    const packed = existsSync(LIBRARIES)
        ? readdirSync(LIBRARIES).filter((name) => /^edgesr-web-.*\.tgz$/.test(name))
        : [];
    if (packed.length !== 1)
        throw new Error(`${packed.length} packages in ${LIBRARIES}: python web_demo/tools/library.py`);
    writeFileSync(join(app, "package.json"), JSON.stringify({ private: true, type: "module" }));
    const options = ["--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline"];
    execFileSync("npm", ["install", ...options, join(LIBRARIES, packed[0])], { cwd: app, stdio: "pipe" });
    cpSync(join(ROOT, "example"), app, { recursive: true });
    cpSync(CONSUMER, join(app, "consumer"), { recursive: true });
    cpSync(resolve(TESTDATA, "bundle-int8"), join(app, "models"), { recursive: true });
    mkdirSync(join(app, "photos"));
    for (const name of ["portrait-0027_1.jpg", "no-face.jpg", "ten.jpg", "small.jpg"])
        cpSync(photo(name), join(app, "photos", name));
    // Files as they lie: no page is transformed on its way.
    const quiet = { configFile: false, logLevel: "silent", appType: "mpa" } as const;
    host = await preview({ root: app, ...quiet, build: { outDir: "." }, preview: { host: "127.0.0.1", port: 0 } });
    browser = await launch();
});

afterAll(async () => {
    await browser?.close();
    await host?.close();
    rmSync(app, { recursive: true });
});

const address = (page: string) => `${host.resolvedUrls!.local[0]}${page}`;

test("the example, as it stands and without a bundler, makes Python's face", async () => {
    const visit = await Visit.start(browser, address("index.html"));
    const { page } = visit;
    await page.waitForFunction(() => document.querySelector<HTMLInputElement>("#tiny")?.onchange);
    await page.locator("#mine").setInputFiles(photo("portrait-0027_1.jpg"));
    await page.getByText("remembered: 1").waitFor();
    await page.locator("#tiny").setInputFiles(photo("small.jpg"));
    await page.waitForFunction(() => document.querySelector("canvas")?.width === 128);
    const rgb = await page.evaluate(() => {
        const { data } = document.querySelector("canvas")!.getContext("2d")!.getImageData(0, 0, 128, 128);
        return Array.from(data.filter((_, i) => i % 4 < 3));
    });
    agrees(psnr({ width: 128, height: 128, rgb: Uint8Array.from(rgb) }, enhancedByPython("int8").face), 40);
    await visit.end(/favicon|404/);
});

test("a TypeScript app takes it, type-checked and bundled, and every call keeps its promise", async () => {
    const tsc = (...options: string[]) =>
        execFileSync(join(ROOT, "node_modules", ".bin", "tsc"), ["-p", join(app, "consumer"), ...options], {
            encoding: "utf8",
        });
    expect(tsc()).toBe("");
    expect(tsc("--module", "nodenext", "--moduleResolution", "nodenext")).toBe("");
    const root = join(app, "consumer");
    await build({ root, base: "./", configFile: false, logLevel: "error", build: { reportCompressedSize: false } });
    const visit = await Visit.start(browser, address("consumer/dist/index.html"));
    await visit.page.waitForFunction(() => "tour" in globalThis);
    const { after, enhanced, gallery, ...said } = await visit.page.evaluate(() =>
        (globalThis as unknown as { tour: typeof tour }).tour(),
    );
    const python = enhancedByPython("int8");
    agrees(psnr({ width: 128, height: 128, rgb: Uint8Array.from(after) }, python.face), 40);
    agrees(psnr(await decode(visit.page, Buffer.from(enhanced), "image/png"), python.photo), 40);
    expect(textOf(Buffer.from(enhanced)).Software).toMatch(/^edgesr \d+\.\d+\.\d+/);
    expect(gallery.length).toBeGreaterThan(100_000);
    expect(said).toEqual({
        network: expect.objectContaining({ lrSize: 32, hrSize: 128, slots: 5, precision: "int8", provider: "wasm" }),
        learned: [0],
        refused: [
            { photo: 1, reason: "no-face" },
            { photo: 2, reason: "several-faces" },
        ],
        remembered: 2,
        forgotten: true,
        faces: 1,
        thorough: false,
        exemplars: [0],
        stages: ["faces"],
        aborted: "AbortError",
        damaged: "gallery-damaged: hint",
        beyond: "no-face: hint",
        disposed: ["AbortError", "AbortError"],
        nowhere: "model-missing: hint",
    });
    await visit.end(/favicon|404/);
});

test("what the package says of itself is there, and it asks for nothing else", () => {
    const said = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
    const release = readFileSync(resolve(ROOT, "../edgesr/release.py"), "utf8");
    expect(said.version).toBe(/__version__ = "(.*)"/.exec(release)![1]);
    const own = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
    expect(said.dependencies).toEqual({ "onnxruntime-web": own.dependencies["onnxruntime-web"] });
    const places = Object.values(said.exports).flatMap((one) =>
        typeof one === "string" ? [one] : Object.values(one!),
    );
    expect(places.filter((place) => !existsSync(join(installed, place as string)))).toEqual([]);
    const scripts = readdirSync(join(installed, "dist")).filter((name) => name.endsWith(".js"));
    const asked = scripts.flatMap((name) =>
        [...readFileSync(join(installed, "dist", name), "utf8").matchAll(/(?:from|import\() ?"([^."][^"]*)"/g)].map(
            ([, one]) => one,
        ),
    );
    expect(new Set(asked)).toEqual(new Set(["onnxruntime-web/wasm", "onnxruntime-web/webgpu"]));
    expect(readFileSync(join(installed, "NOTICES.txt"), "utf8")).toMatch(/YuNet.*@noble\/hashes.*idb/s);
    expect(existsSync(join(installed, "LICENSE"))).toBe(true);
});
