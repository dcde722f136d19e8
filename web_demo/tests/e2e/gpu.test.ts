import { afterAll, beforeAll, expect, test } from "vitest";
import { launch, SOFTWARE_GPU, Visit } from "./browser";
import { Server } from "./server";

let server: Server;

beforeAll(async () => {
    server = await Server.start();
});

afterAll(async () => {
    await server?.stop();
});

test("without an adapter the booth says so, and fetches nothing of WebGPU's", async () => {
    const browser = await launch();
    const visit = await Visit.start(browser, server.address);
    await visit.agree();
    await visit.page.goto(`${visit.address}#/about`);
    await visit.button("Try WebGPU").click();
    await visit.page.getByText(/^no WebGPU/).waitFor();
    expect(visit.requests.filter((url) => /ort\/.*(asyncify)/.test(url))).toEqual([]);
    await visit.end();
    await browser.close();
});

test("with an adapter its output is held against WebAssembly's before it is trusted", async () => {
    const browser = await launch(SOFTWARE_GPU);
    const visit = await Visit.start(browser, server.address);
    await visit.agree();
    await visit.page.goto(`${visit.address}#/about`);
    await visit.button("Try WebGPU").click();
    const said = await visit.page.getByText(/^it (agrees|disagrees|does not)/).textContent({ timeout: 200_000 });
    console.info(said);
    expect(said).toMatch(/^it agrees/);
    const alike = Number(/(\d+) dB alike/.exec(said!)![1]);
    expect(alike).toBeGreaterThanOrEqual(50);
    await visit.end();
    await browser.close();
}, 240_000);
