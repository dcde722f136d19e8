import { rmSync } from "node:fs";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launch, Visit } from "./browser";
import { nextBundle, Server } from "./server";

let browser: Browser;
let server: Server;

beforeAll(async () => {
    browser = await launch();
});

afterAll(async () => {
    await browser?.close();
    await server?.stop();
});

const MEGABYTE = 1e6;

test("works with the server stopped after the first visit, and keeps what is used later", async () => {
    server = await Server.start();
    const visit = await Visit.start(browser, server.address);
    await visit.agree();
    await visit.page.getByText("Works offline").waitFor();
    await visit.learn("portrait-0027_1.jpg");
    const fetched = visit.requests.filter((url) => /webgpu|asyncify\.wasm|fp32/.test(url));
    expect(fetched).toEqual([]);

    await server.stop();
    await visit.page.goto(`${server.address}`);
    await visit.restore("small.jpg");
    await visit.page.getByText("With the features of 1 photo of yours.").waitFor();
    await visit.page.getByRole("radio", { name: "float" }).click();
    await visit.heading("No connection").waitFor();

    server = await Server.start(server.port);
    await visit.button("Try again").click();
    await visit.page.getByRole("slider", { name: "Before and after" }).waitFor({ state: "attached" });
    await server.stop();
    await visit.page.goto(`${server.address}`);
    await visit.restore("small.jpg");
    await visit.page.getByRole("radio", { name: "float", checked: true }).waitFor();
    await visit.end(/Failed to load resource|ERR_CONNECTION_REFUSED|Failed to update a ServiceWorker/);
});

test("a new build waits beside the old one until somebody lets it in; the gallery stays", async () => {
    server = await Server.start();
    const visit = await Visit.start(browser, server.address);
    await visit.agree();
    await visit.page.getByText("Works offline").waitFor();
    await visit.learn("portrait-0027_1.jpg");
    await server.stop();
    const folder = nextBundle();
    server = await Server.host(server.port, folder); // `edgesr booth` runs the installed page alone
    await visit.page.goto(`${server.address}#/about`);
    await visit.page.reload();
    await visit.page.getByText("A new version of this page is ready.").waitFor();
    expect(await visit.page.locator("body").getAttribute("data-version")).toBeNull();
    await visit.button("Load it").click();
    await visit.page.locator("body[data-version=next]").waitFor();
    await visit.page.goto(`${server.address}#/gallery`);
    await visit.page.getByText("Photo 1").waitFor();
    expect(await visit.page.evaluate(() => caches.keys())).toEqual(["edgesr-booth-0123456789abcdef"]);
    await visit.end(/Failed to load resource|ERR_CONNECTION_REFUSED/);
    await server.stop();
    rmSync(folder, { recursive: true });
});

test("a first visit fetches at most 6 MB, compressed", async () => {
    server = await Server.start();
    const visit = await Visit.start(browser, server.address);
    const session = await visit.context.newCDPSession(visit.page);
    await session.send("Network.enable");
    const index = await visit.page.evaluate(async () => (await fetch("booth.json")).json());
    let sum = 0;
    for (const file of index.first_visit) {
        const answer = await fetch(new URL(file, server.address), { headers: { "accept-encoding": "gzip" } });
        sum += Number(answer.headers.get("content-length"));
    }
    expect(sum).toBeGreaterThan(3 * MEGABYTE); // else not everything was counted
    expect(sum).toBeLessThanOrEqual(6 * MEGABYTE);
    expect(index.first_visit.filter((file: string) => /fp32|asyncify\.wasm|verify/.test(file))).toEqual([]);
    await visit.end();
    await server.stop();
});

test("delete everything leaves nothing: no gallery, no settings, no copies, no service worker", async () => {
    server = await Server.start();
    const visit = await Visit.start(browser, server.address);
    await visit.agree();
    await visit.page.getByText("Works offline").waitFor();
    await visit.learn("portrait-0027_1.jpg");
    await visit.button("Delete everything").click();
    await visit.page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
    await visit.heading("Everything is deleted").waitFor();
    const left = await visit.page.evaluate(async () => ({
        databases: (await indexedDB.databases()).length,
        caches: (await caches.keys()).length,
        workers: (await navigator.serviceWorker.getRegistrations()).length,
        local: localStorage.length + sessionStorage.length,
        cookies: document.cookie,
    }));
    expect(left).toEqual({ databases: 0, caches: 0, workers: 0, local: 0, cookies: "" });
    await visit.button("Start again").click();
    await visit.heading("Before you start").waitFor();
    await visit.end();
    await server.stop();
});

test("nothing of a photo is stored: the browser keeps the gallery's numbers, settings, and the page", async () => {
    server = await Server.start();
    const visit = await Visit.start(browser, server.address);
    await visit.agree();
    await visit.learn("portrait-0027_1.jpg");
    await visit.restore("small.jpg");
    const kept = await visit.page.evaluate(async () => {
        const db = await new Promise<IDBDatabase>((answer) => {
            const request = indexedDB.open("edgesr-booth");
            request.onsuccess = () => answer(request.result);
        });
        const all: Record<string, unknown[]> = {};
        for (const name of db.objectStoreNames) {
            all[name] = await new Promise((answer) => {
                const request = db.transaction(name).objectStore(name).getAllKeys();
                request.onsuccess = () => answer(request.result);
            });
        }
        db.close();
        return all;
    });
    expect(kept.galleries).toEqual(["me"]);
    expect(kept.settings.every((name) => /^(consented|precision|gpu-)/.test(String(name)))).toBe(true);
    await visit.end();
    await server.stop();
});

test("the installed page's manifest has what a browser asks of an app", async () => {
    server = await Server.start();
    const visit = await Visit.start(browser, server.address);
    const session = await visit.context.newCDPSession(visit.page);
    const { errors } = await session.send("Page.getAppManifest");
    expect(errors).toEqual([]);
    const { installabilityErrors } = await session.send("Page.getInstallabilityErrors");
    expect(installabilityErrors.filter(({ errorId }) => errorId !== "in-incognito")).toEqual([]);
    await visit.end();
    await server.stop();
});
