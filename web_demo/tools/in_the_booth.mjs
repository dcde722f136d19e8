// Restores aligned faces in the booth's own page, in headless Chromium: node tools/in_the_booth.mjs ADDRESS JOB ANSWER.
// benchmarks/booth_restores.py calls it. JOB holds a gallery's file and LR faces, ANSWER gets what the page made of them.
import { readFileSync, writeFileSync } from "node:fs";
import { chromium } from "playwright-core";

const [address, job, answer] = process.argv.slice(2);
const { gallery, faces, side, precision, runs } = JSON.parse(readFileSync(job, "utf8"));
const executablePath = process.env.EDGESR_CHROMIUM ?? "/usr/bin/chromium";
const browser = await chromium.launch({ executablePath, headless: true, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
try {
    const page = await browser.newPage();
    page.setDefaultTimeout(120_000);
    const faults = [];
    page.on("pageerror", (error) => faults.push(error.message));
    await page.goto(address);
    await page.getByRole("button", { name: "I agree" }).click();
    await page.getByRole("heading", { name: /Tiny face in/ }).waitFor();
    await page.waitForFunction(() =>
        performance.getEntriesByType("resource").some((entry) => /worker/.test(entry.name)),
    );
    const found = await page.evaluate(
        async ({ gallery, faces, side, precision, runs }) => {
            const script = performance.getEntriesByType("resource").find((entry) => /worker/.test(entry.name)).name;
            const worker = new Worker(script, { type: "module" });
            let id = 0;
            const ask = (kind, args) =>
                new Promise((done, refuse) => {
                    const mine = ++id;
                    worker.addEventListener("message", ({ data }) => {
                        if (data.id !== mine || data.progress) return;
                        if (data.ok) done(data.value);
                        else refuse(new Error(data.message));
                    });
                    worker.postMessage({ id: mine, kind, args });
                });
            const manifest = new URL("booth.json", document.baseURI).href;
            worker.postMessage({ configure: { manifest, lasting: false } });
            const content = new Blob([Uint8Array.from(atob(gallery), (c) => c.charCodeAt(0))]);
            await ask("import", { content });
            const restored = [];
            for (const rgb of faces) {
                const rgba = new Uint8ClampedArray(side * side * 4).fill(255);
                rgb.forEach((level, i) => {
                    rgba[Math.floor(i / 3) * 4 + (i % 3)] = level;
                });
                const { face, exemplars } = await ask("restoreAligned", {
                    lr: { width: side, height: side, rgba },
                    precision,
                });
                restored.push({ exemplars, rgb: Array.from(face.rgba).filter((_, i) => i % 4 < 3) });
            }
            return { restored, measured: await ask("measure", { precision, runs }) };
        },
        { gallery, faces, side, precision, runs },
    );
    if (faults.length) throw new Error(faults.join("; "));
    writeFileSync(answer, JSON.stringify({ ...found, browser: browser.version() }));
} finally {
    await browser.close();
}
