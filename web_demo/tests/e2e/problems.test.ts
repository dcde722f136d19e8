import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Browser, BrowserContext } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launch, photo, TESTDATA, Visit } from "./browser";
import { ROOT, Server } from "./server";

/** Everything that can stand in the way: a title, a sentence, and a way out that leads out. */

let server: Server;
let browser: Browser;

beforeAll(async () => {
    [server, browser] = await Promise.all([Server.start(), launch()]);
});

afterAll(async () => {
    await browser?.close();
    await server?.stop();
});

/** Without a service worker, whose own requests no test can change. */
const options = { serviceWorkers: "block" } as const;
const start = (prepare?: (context: BrowserContext) => Promise<unknown>) =>
    Visit.start(browser, server.address, options, prepare);
/** Files that a test keeps from the page are reported by the browser as well. */
const KEPT_BACK = /Failed to load resource/;
/** Bytes of one photo's features in int8, without what a gallery says about them. */
const FEATURES = 32 * 32 * 128;

test.each([
    ["no-image.jpg", "This is no photo", "The file cannot be read as an image."],
    ["no-huge.jpg", "The photo is too large", "It has more than 64 megapixels"],
    ["no-too-large.jpg", "The photo is too large", "Scale it down, or choose another one."],
    ["no-face.jpg", "No face found", "A face has to be at least about ten pixels wide"],
])("%s: %s", async (name, title, text) => {
    const visit = await start();
    await visit.agree();
    await visit.give("Choose a photo", photo(name));
    await visit.heading(title).waitFor({ timeout: 60_000 });
    await visit.page.getByText(text).waitFor();
    await visit.give("Another photo", photo("small.jpg"));
    await visit.page.getByRole("slider", { name: "Before and after" }).waitFor({ state: "attached" });
    await visit.end();
});

test("a HEIC photo that this browser does not decode", async () => {
    const visit = await start();
    await visit.agree();
    const buffer = Buffer.from("0000001866747970686569630000000068656963", "hex");
    await visit.give("Choose a photo", { name: "phone.heic", mimeType: "image/heic", buffer });
    await visit.heading("HEIC is not read here").waitFor();
    await visit.page.goBack();
    await visit.heading(/Tiny face in/).waitFor();
    await visit.end();
});

test("a gallery that is damaged is deleted, and the booth starts again", async () => {
    const visit = await start();
    await visit.agree();
    await putGallery(visit, Buffer.from("no gallery at all"));
    await visit.page.goto(`${visit.address}#/gallery`);
    await visit.heading("Your gallery is damaged").waitFor();
    await visit.button("Delete and start again").click();
    await visit.heading("Nothing learned yet").waitFor();
    await visit.learn("portrait-0027_1.jpg");
    await visit.end();
});

test("a gallery of another network", async () => {
    const visit = await start();
    await visit.agree();
    const other = readFileSync(resolve(ROOT, "../tests/data/galleries/hime-small-x4-int8.gallery"));
    await putGallery(visit, other);
    await visit.page.goto(`${visit.address}#/gallery`);
    await visit.heading("Your gallery is from another network").waitFor();
    await visit.end();
});

test("a file that is no gallery leaves the one that is there", async () => {
    const visit = await start();
    await visit.agree();
    await visit.page.goto(`${visit.address}#/gallery`);
    await visit.give("Open a file", resolve(TESTDATA, "python-int8.gallery"));
    await visit.page.getByText("Photo 1").waitFor();
    await visit.give("Open a file", {
        name: "bad.gallery",
        mimeType: "application/octet-stream",
        buffer: Buffer.alloc(999),
    });
    await visit.button("Replace").click();
    await visit.heading("This is no gallery").waitFor();
    await visit.button("Back to the gallery").click();
    await visit.page.getByText("Photo 1").waitFor();
    const saved = await visit.download("Save as a file");
    expect(saved.content.equals(readFileSync(resolve(TESTDATA, "python-int8.gallery")))).toBe(true);
    await visit.end();
});

test("no WebAssembly", async () => {
    const visit = await start((context) =>
        context.addInitScript(() => Reflect.deleteProperty(globalThis, "WebAssembly")),
    );
    await visit.heading("This browser cannot run it").waitFor();
    await visit.button("Try again").waitFor();
    await visit.end();
});

test("an address that is not secure", async () => {
    const visit = await start((context) =>
        context.addInitScript(() => Object.defineProperty(globalThis, "isSecureContext", { get: () => false })),
    );
    await visit.heading("This address is not secure").waitFor();
    await visit.button("Try again").waitFor();
    await visit.end();
});

test("no IndexedDB: the booth goes on, and says that it keeps nothing", async () => {
    const visit = await start((context) =>
        context.addInitScript(() => Object.defineProperty(globalThis, "indexedDB", { get: () => undefined })),
    );
    await visit.heading("Nothing can be stored").waitFor();
    await visit.button("Go on without storing").click();
    await visit.agree();
    await visit.learn("portrait-0027_1.jpg");
    await visit.page.getByText("lasts until you close it").waitFor();
    await visit.restore("small.jpg");
    await visit.page.getByText("With the features of 1 photo of yours.").waitFor();
    await visit.end();
});

test("no storage left: nothing is changed", async () => {
    const visit = await start();
    const session = await visit.context.newCDPSession(visit.page);
    const { origin } = new URL(server.address);
    await visit.agree();
    // For up to 30 seconds IndexedDB goes by the room that it once found, without asking again; and what is in use
    // changes while the service worker is still putting the page away.
    const full = async () => {
        const { usage } = await session.send("Storage.getUsageAndQuota", { origin });
        // Room for what the page notes of its user, and too little for the features of one photo.
        await session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: usage + FEATURES * 0.75 });
        return refused(visit, FEATURES);
    };
    await expect.poll(full, { interval: 1000, timeout: 90_000 }).toBe(true);
    await visit.page.goto(`${visit.address}#/gallery`);
    await visit.give("Add photos", photo("portrait-0027_1.jpg"));
    await visit.heading("The storage is full").waitFor();
    await session.send("Storage.overrideQuotaForOrigin", { origin });
    await visit.button("Try again").click();
    await visit.heading("Nothing learned yet").waitFor();
    await visit.learn("portrait-0027_1.jpg");
    await visit.page.getByText("Photo 1").waitFor();
    await visit.end();
}, 240_000);

test.each([
    ["NotAllowedError", "The camera is off limits", "Choose a photo"],
    ["NotFoundError", "There is no camera", "Choose a photo"],
    ["NotReadableError", "The camera is busy", "Try again"],
])("camera: %s", async (name, title, way) => {
    const visit = await start((context) =>
        context.addInitScript((kind) => {
            navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", kind));
        }, name),
    );
    await visit.agree();
    await visit.button("Take a photo").click();
    await visit.heading(title).waitFor();
    await visit.button(way).waitFor();
    await visit.button("Back to the start").click();
    await visit.heading(/Tiny face in/).waitFor();
    await visit.end();
});

test("a model file that is missing", async () => {
    const visit = await start((context) =>
        context.route("**/models/int8/encode.onnx", (route) => route.fulfill({ status: 404 })),
    );
    await visit.agree();
    await visit.give("Choose a photo", photo("small.jpg"));
    await visit.heading("The network is missing").waitFor();
    await visit.button("Load again").waitFor();
    await visit.end(KEPT_BACK);
});

test("a model file that is not the one that was converted is never run", async () => {
    const visit = await start((context) =>
        context.route("**/models/int8/restore.onnx", async (route) => {
            const response = await route.fetch();
            const body = await response.body();
            body[body.length >> 1] ^= 1;
            await route.fulfill({ response, body });
        }),
    );
    await visit.agree();
    await visit.give("Choose a photo", photo("small.jpg"));
    await visit.heading("The network is damaged").waitFor();
    await visit.context.unrouteAll();
    await visit.button("Fetch everything again").click();
    await visit.heading(/Tiny face in/).waitFor();
    await visit.restore("small.jpg");
    await visit.end(KEPT_BACK);
});

test("a booth of another version", async () => {
    const visit = await start((context) =>
        context.route("**/booth.json", (route) =>
            route.fulfill({ json: { format: "edgesr-booth", format_version: 2 } }),
        ),
    );
    await visit.agree();
    await visit.give("Choose a photo", photo("small.jpg"));
    await visit.heading("The network does not fit").waitFor();
    await visit.end();
});

test("no connection before the first visit is complete", async () => {
    const visit = await start((context) =>
        context.route("**/models/**", (route) => route.abort("internetdisconnected")),
    );
    await visit.agree();
    await visit.give("Choose a photo", photo("small.jpg"));
    await visit.heading("No connection").waitFor();
    await visit.context.unrouteAll();
    await visit.button("Try again").click();
    await visit.page.getByRole("slider", { name: "Before and after" }).waitFor({ state: "attached" });
    await visit.end(KEPT_BACK);
});

test.each([
    [
        "This browser hides pixels",
        "Try again",
        "const read = OffscreenCanvasRenderingContext2D.prototype.getImageData;" +
            "OffscreenCanvasRenderingContext2D.prototype.getImageData = function (...a)" +
            "{ const d = read.apply(this, a); d.data[0] ^= 1; return d; };",
    ],
    ["Not enough memory", "Another photo", "OffscreenCanvas.prototype.getContext = () => null;"],
])("in the worker: %s", async (title, way, script) => {
    const visit = await start((context) =>
        context.route("**/assets/worker-*.js", async (route) => {
            const response = await route.fetch();
            await route.fulfill({ response, body: `{${script}};${await response.text()}` });
        }),
    );
    await visit.agree();
    await visit.give("Choose a photo", photo("small.jpg"));
    await visit.heading(title).waitFor();
    await visit.button(way).waitFor();
    await visit.end();
});

async function putGallery(visit: Visit, content: Buffer): Promise<void> {
    await visit.page.evaluate(async (bytes) => {
        const db = await new Promise<IDBDatabase>((answer, refuse) => {
            const request = indexedDB.open("edgesr-booth", 1);
            request.onsuccess = () => answer(request.result);
            request.onerror = () => refuse(request.error);
        });
        const change = db.transaction("galleries", "readwrite");
        change.objectStore("galleries").put(Uint8Array.from(bytes), "me");
        await new Promise((done) => {
            change.oncomplete = done;
        });
        db.close();
    }, Array.from(content));
}

/** Whether the browser has no room for so many bytes. They are taken back at once where it has. */
function refused(visit: Visit, bytes: number): Promise<boolean> {
    return visit.page.evaluate(async (size) => {
        const db = await new Promise<IDBDatabase>((answer, refuse) => {
            const request = indexedDB.open("edgesr-booth", 1);
            request.onsuccess = () => answer(request.result);
            request.onerror = () => refuse(request.error);
        });
        // Noise, which no browser stores in fewer bytes.
        const noise = new Uint8Array(size);
        for (let at = 0; at < size; at += 65_536) crypto.getRandomValues(noise.subarray(at, at + 65_536));
        const change = db.transaction("settings", "readwrite");
        change.objectStore("settings").put(noise, "room");
        change.objectStore("settings").delete("room");
        const full = await new Promise<boolean>((answer, refuse) => {
            change.oncomplete = () => answer(false);
            change.onabort = () => (change.error?.name === "QuotaExceededError" ? answer(true) : refuse(change.error));
        });
        db.close();
        return full;
    }, bytes);
}
