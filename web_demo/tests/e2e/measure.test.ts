import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launch, Visit } from "./browser";
import { Server } from "./server";

let server: Server;
let browser: Browser;

beforeAll(async () => {
    [server, browser] = await Promise.all([Server.start(), launch()]);
});

afterAll(async () => {
    await browser?.close();
    await server?.stop();
});

// How the page compares with Python's runtime is benchmarks/web_vs_onnxruntime.py's affair: nothing here is timed.
test("measuring says how long restoring takes, each time it is asked", async () => {
    const visit = await Visit.start(browser, server.address);
    await visit.agree();
    await visit.page.goto(`${visit.address}#/about`);
    for (let round = 0; round < 2; round++) {
        await visit.button("Measure").click();
        const measuring = visit.page.getByRole("progressbar", { name: "Measuring" });
        await measuring.waitFor();
        await measuring.waitFor({ state: "detached" });
        const row = visit.page.getByRole("row", { name: /int8, restore/ });
        expect(Number.parseFloat((await row.getByRole("cell").textContent()) ?? "")).toBeGreaterThan(0);
    }
    await visit.end();
}, 300_000);
