import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launch, photo, TESTDATA, Visit } from "./browser";
import { agrees, decode, enhancedByPython, psnr } from "./compare";
import { exifOf, textOf } from "./metadata";
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

const NAMES = { int8: "int8", fp32: "float" } as const;

describe.each(["int8", "fp32"] as const)("%s", (precision) => {
    test("from a portrait to a downloaded face and photo that are Python's", async () => {
        const visit = await Visit.start(browser, server.address);
        await visit.agree();
        await visit.learn("portrait-0027_1.jpg");
        await visit.restore("small.jpg");
        if (precision === "fp32") {
            await visit.page.getByRole("radio", { name: NAMES[precision], exact: true }).click();
            await visit.page.getByRole("progressbar").waitFor({ state: "detached" });
            await visit.page.waitForFunction(() =>
                document.querySelector("main")?.textContent?.includes("WebAssembly, one run"),
            );
        }
        const python = enhancedByPython(precision);

        const face = await visit.download("Save the face");
        expect(face.name).toBe("small-face.png");
        agrees(psnr(await decode(visit.page, face.content, "image/png"), python.face), 40);
        expect(textOf(face.content)).toEqual({ Software: "edgesr 0.1.0", Comment: "faces enhanced by edgesr 0.1.0" });

        await visit.page.getByRole("radio", { name: "Photo", exact: true }).click();
        const whole = await visit.download("Save the photo");
        expect(whole.name).toBe("small-sharp.png");
        agrees(psnr(await decode(visit.page, whole.content, "image/png"), python.photo), 40);
        await visit.end();
    });

    test("from the same LR pixels the network gives Python's face", async () => {
        const visit = await Visit.start(browser, server.address);
        const python = enhancedByPython(precision);
        const gallery = readFileSync(resolve(TESTDATA, `python-${precision}.gallery`)).toString("base64");
        await visit.agree();
        await visit.page.waitForFunction(() =>
            performance.getEntriesByType("resource").some((entry) => /worker/.test(entry.name)),
        );
        const face = await visit.page.evaluate(
            async ({ width, height, rgb, base64, which }) => {
                const address = performance
                    .getEntriesByType("resource")
                    .find((entry) => /worker/.test(entry.name))!.name;
                const worker = new Worker(address, { type: "module" });
                let id = 0;
                const ask = (kind: string, args: unknown) =>
                    new Promise<{ face: { rgba: Uint8ClampedArray } }>((answer, refuse) => {
                        const mine = ++id;
                        worker.addEventListener("message", ({ data }) => {
                            if (data.id !== mine || data.progress) return;
                            if (data.ok) answer(data.value);
                            else refuse(new Error(data.message));
                        });
                        worker.postMessage({ id: mine, kind, args });
                    });
                const manifest = new URL("booth.json", document.baseURI).href;
                worker.postMessage({ configure: { manifest, lasting: false } });
                const content = new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))]);
                await ask("import", { content });
                const rgba = new Uint8ClampedArray(width * height * 4).fill(255);
                rgb.forEach((level, i) => {
                    rgba[Math.floor(i / 3) * 4 + (i % 3)] = level;
                });
                const { face: restored } = await ask("restoreAligned", {
                    lr: { width, height, rgba },
                    precision: which,
                });
                worker.terminate();
                return Array.from(restored.rgba).filter((_, i) => i % 4 < 3);
            },
            {
                width: python.lr.width,
                height: python.lr.height,
                rgb: Array.from(python.lr.rgb),
                base64: gallery,
                which: precision,
            },
        );
        const { width, height } = python.sr;
        agrees(psnr({ width, height, rgb: Uint8Array.from(face) }, python.sr), 50);
        await visit.end();
    });
});

test("a JPEG says what was done, in EXIF as edgesr enhance writes it", async () => {
    const visit = await Visit.start(browser, server.address);
    await visit.agree();
    await visit.restore("small.jpg");
    await visit.page.getByText("Restored without photos of this person.").waitFor();
    await visit.page.getByRole("radio", { name: "JPEG" }).click();
    const { name, content } = await visit.download("Save the face");
    expect(name).toBe("small-face.jpg");
    expect(exifOf(content)).toEqual({
        software: "edgesr 0.1.0",
        comment: "faces enhanced by edgesr 0.1.0",
        width: 128,
        height: 128,
    });
    await visit.end();
});

test("strength 0 saves the face as it was, and 50 % lies between", async () => {
    const visit = await Visit.start(browser, server.address);
    await visit.agree();
    await visit.restore("small.jpg");
    const full = await decode(visit.page, (await visit.download("Save the face")).content, "image/png");
    const strength = visit.page.getByRole("slider", { name: "Strength" });
    await strength.focus();
    await strength.press("Home");
    const none = await decode(visit.page, (await visit.download("Save the face")).content, "image/png");
    for (let i = 0; i < 10; i++) await strength.press("ArrowRight");
    const half = await decode(visit.page, (await visit.download("Save the face")).content, "image/png");
    expect(psnr(none, full)).toBeLessThan(40);
    const mean = { ...full, rgb: full.rgb.map((level, i) => Math.round((level + none.rgb[i]) / 2)) };
    expect(psnr(half, mean)).toBeGreaterThan(50);
    await visit.end();
});

test("photos are refused with a reason each, and asked about where several people are in them", async () => {
    const visit = await Visit.start(browser, server.address);
    await visit.agree();
    await visit.page.goto(`${visit.address}#/gallery`);
    const names = [
        "portrait-0027_1.jpg",
        "no-dark.jpg",
        "no-blurred.jpg",
        "no-face.jpg",
        "no-image.jpg",
        "no-huge.jpg",
        "portrait-0027_1.jpg",
        "ten.jpg",
    ];
    const heic = Buffer.from("0000001866747970686569630000000068656963", "hex");
    const chooser = visit.page.waitForEvent("filechooser");
    await visit.button("Add photos").click();
    const buffers = names.map((name, i) => ({
        name: `${i}-${name}`,
        mimeType: "image/jpeg",
        buffer: readFileSync(photo(name)),
    }));
    await (await chooser).setFiles([...buffers, { name: "phone.heic", mimeType: "image/heic", buffer: heic }]);
    const dialog = visit.page.getByRole("alertdialog", { name: "Who is it?" });
    await dialog.getByText("shows 10 people").waitFor();
    await dialog.getByRole("button", { name: "Face 3" }).click();
    // The portrait twice, and the face of the group: nobody but a person can say that it is the same.
    const alike = visit.page.getByRole("alertdialog", { name: "Is this one person?" });
    await alike.getByRole("button", { name: "7-ten.jpg", exact: true }).click();
    await alike.getByRole("button", { name: "Learn from 2 photos", exact: true }).click();
    await visit.added().waitFor({ state: "attached" });
    const refused = visit.page.getByRole("region", { name: "Not used" });
    const said = await refused.getByRole("listitem").allInnerTexts();
    expect(said.map((text) => text.replace(/\s+/g, " "))).toEqual([
        "1-no-dark.jpg It is too dark.",
        "2-no-blurred.jpg It is blurred.",
        "3-no-face.jpg No face was found in it.",
        "4-no-image.jpg It is no image that this browser can read.",
        "5-no-huge.jpg It has more than 64 megapixels.",
        "phone.heic It is a HEIC photo, which this browser does not read. Safari does; anywhere else save it as a JPEG first.",
        "6-portrait-0027_1.jpg The same picture has been learned already.",
        "7-ten.jpg It shows somebody else: you left it out.",
    ]);
    const kept = visit.page.getByRole("list", { name: "Remembered photos" }).getByRole("listitem");
    expect(await kept.count()).toBe(1);
    await visit.end();
});

test("whoever comes to a gallery is asked about, and only those who are the same person are learned", async () => {
    const visit = await Visit.start(browser, server.address);
    await visit.agree();
    await visit.learn("portrait-0027_1.jpg");
    const kept = visit.page.getByRole("list", { name: "Remembered photos" }).getByRole("listitem");
    const dialog = visit.page.getByRole("alertdialog", { name: "Is this one person?" });
    await visit.give("Add photos", photo("portrait-0036_1.jpg"));
    await dialog.getByText("not the person of the photo that is remembered").waitFor();
    await dialog.getByRole("button", { name: "Learn from none" }).click();
    await visit.page.getByText("It shows somebody else: you left it out.").waitFor();
    expect(await kept.count()).toBe(1);
    await visit.give(
        "Add photos",
        photo("portrait-0036_1.jpg"),
        photo("portrait-0027_2.jpg"),
        photo("portrait-0042_1.jpg"),
    );
    await dialog.getByRole("button", { name: "portrait-0036_1.jpg" }).click();
    await dialog.getByRole("button", { name: "portrait-0042_1.jpg" }).click();
    await dialog.getByRole("button", { name: "Learn from 1 photo", exact: true }).click();
    await visit.added().waitFor({ state: "attached" });
    expect(await kept.count()).toBe(2);
    // The same picture again is known for what it is, and nobody is asked.
    await visit.give("Add photos", photo("copy-0027_1.jpg"));
    await visit.page.getByText("The same picture has been learned already.").waitFor();
    await visit.end();
});

test("of several faces only the one that is said to be the person gets the gallery's features", async () => {
    const visit = await Visit.start(browser, server.address, { viewport: { width: 1280, height: 900 } });
    await visit.agree();
    await visit.learn("portrait-0027_1.jpg");
    await visit.page.goto(`${visit.address}#/`);
    await visit.give("Choose a photo", photo("ten.jpg"));
    await visit.heading("Whose face?").waitFor();
    const face = (name: string) => visit.page.getByRole("radio", { name, exact: true });
    const shown = async () => {
        await visit.page.getByRole("progressbar").waitFor({ state: "detached" });
        await visit.page.getByRole("slider", { name: "Before and after" }).waitFor({ state: "attached" });
    };
    const whose = async () => (await face("Of my photos").getAttribute("aria-checked")) === "true";
    await visit.page.getByRole("list", { name: "Faces in this photo" }).getByRole("button", { name: "Face 2" }).click();
    await shown();
    expect(await whose()).toBe(true);
    await face("Why").click();
    expect(await visit.page.getByText(/^Photo 1 ·/).count()).toBe(1);
    await face("Face").click();
    await face("Face 5").click();
    await face("Somebody else’s").and(visit.page.locator('[aria-checked="true"]')).waitFor();
    await shown();
    await face("Why").click();
    await visit.page.getByText("No photo took part.").waitFor();
    await face("Face").click();
    await face("Of my photos").click();
    await face("Of my photos").and(visit.page.locator('[aria-checked="true"]')).waitFor();
    await face("Face 2").click();
    await face("Somebody else’s").and(visit.page.locator('[aria-checked="true"]')).waitFor();
    await visit.end();
});

test("where none of several faces is the person, all are restored without the gallery", async () => {
    const visit = await Visit.start(browser, server.address);
    await visit.agree();
    await visit.learn("portrait-0027_1.jpg");
    await visit.page.goto(`${visit.address}#/`);
    await visit.give("Choose a photo", photo("ten.jpg"));
    await visit.button("None of them").click();
    await visit.page.getByRole("slider", { name: "Before and after" }).waitFor({ state: "attached" });
    await visit.page.getByRole("radio", { name: "Why", exact: true }).click();
    await visit.page.getByText("No photo took part.").waitFor();
    await visit.end();
});

test("what is about the booth is known after the page was loaded again", async () => {
    const visit = await Visit.start(browser, server.address);
    await visit.agree();
    await visit.page.goto(`${visit.address}#/about`);
    await visit.page.getByText("32 to 128 pixels").waitFor();
    await visit.page.reload();
    await visit.page.getByText("Getting the network ready").waitFor();
    expect(await visit.page.getByText("…").count()).toBe(0);
    await visit.page.getByText("32 to 128 pixels").waitFor();
    expect(await visit.page.getByText("Getting the network ready").count()).toBe(0);
    await visit.end();
});

test("every face of a group is found with its box, and one after the other can be restored", async () => {
    const visit = await Visit.start(browser, server.address, { viewport: { width: 1280, height: 900 } });
    await visit.agree();
    await visit.page.goto(`${visit.address}#/`);
    await visit.give("Choose a photo", photo("ten.jpg"));
    await visit.heading("Whose face?").waitFor();
    expect(await visit.page.locator(".seen__box").count()).toBe(10);
    const list = visit.page.getByRole("list", { name: "Faces in this photo" });
    expect(await list.getByRole("button").count()).toBe(10);
    await list.getByRole("button", { name: "Face 2", exact: true }).click();
    await visit.page.getByRole("slider", { name: "Before and after" }).waitFor({ state: "attached" });
    await visit.page.getByRole("radio", { name: "Face 5", exact: true }).click();
    await visit.page.getByRole("progressbar").waitFor({ state: "detached" });
    expect(await visit.page.getByRole("radio", { name: "Face 5", exact: true }).getAttribute("aria-checked")).toBe(
        "true",
    );
    await visit.end();
});

test("a photo that is to be shown turned comes upright", async () => {
    const visit = await Visit.start(browser, server.address);
    await visit.agree();
    await visit.restore("turned.jpg");
    await visit.page.getByText("This face is large in the photo already").waitFor();
    await visit.end();
});

test("the camera's picture goes the same way", async () => {
    const visit = await Visit.start(browser, server.address);
    await visit.agree();
    await visit.button("Take a photo").click();
    await visit.button("Take the photo").click();
    // The fake camera shows a pattern without a face: that is what the booth must say.
    await visit.heading("No face found").waitFor({ timeout: 90_000 });
    await visit.end();
});
