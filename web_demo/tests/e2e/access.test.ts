import { createRequire } from "node:module";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launch, photo, Visit } from "./browser";
import { SCREENS } from "./screens";
import { Server } from "./server";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
let server: Server;
let browser: Browser;

beforeAll(async () => {
    [server, browser] = await Promise.all([Server.start(), launch()]);
});

afterAll(async () => {
    await browser?.close();
    await server?.stop();
});

/** What axe finds, in a line each. Its script comes through the debugger, so the page's policy stays as it is. */
async function violations(visit: Visit): Promise<string[]> {
    await visit.page.evaluate((await import("node:fs")).readFileSync(AXE, "utf8"));
    return visit.page.evaluate(async () => {
        // biome-ignore lint/suspicious/noExplicitAny: axe puts itself there
        const { violations } = await (globalThis as any).axe.run(document, { resultTypes: ["violations"] });
        return violations.map(
            (one: { id: string; impact: string; nodes: { target: string[] }[] }) =>
                `${one.impact} ${one.id}: ${one.nodes.map((node) => node.target.join(" ")).join(", ")}`,
        );
    });
}

test.each(["light", "dark"] as const)(
    "no screen has a serious fault that axe can find, %s",
    async (colorScheme) => {
        const visit = await Visit.start(browser, server.address, { colorScheme });
        await visit.heading("Before you start").waitFor();
        const found: Record<string, string[]> = {};
        found.onboarding = await violations(visit);
        await visit.agree();
        for (const { name, go } of SCREENS) {
            await go(visit);
            found[name] = await violations(visit);
        }
        expect(Object.entries(found).filter(([, list]) => list.length > 0)).toEqual([]);
        await visit.end();
    },
    300_000,
);

test("the whole way by keyboard alone", async () => {
    const visit = await Visit.start(browser, server.address);
    const { page } = visit;
    const press = async (name: string) => {
        for (let i = 0; i < 40; i++) {
            await page.keyboard.press("Tab");
            const focused = await page.evaluate(
                () => document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent,
            );
            if (focused === name) return;
        }
        throw new Error(`the Tab key does not come to ${name}`);
    };
    await visit.heading("Before you start").waitFor();
    await press("I agree");
    await page.keyboard.press("Enter");
    await visit.heading(/Tiny face in/).waitFor();
    expect(await page.evaluate(() => document.activeElement?.tagName)).toBe("MAIN");
    await press("Choose a photo");
    const chooser = page.waitForEvent("filechooser");
    await page.keyboard.press("Enter");
    await (await chooser).setFiles(photo("small.jpg"));
    const line = page.getByRole("slider", { name: "Before and after" });
    await line.waitFor({ state: "attached" });
    for (let i = 0; i < 40 && !(await line.evaluate((node) => node === document.activeElement)); i++)
        await page.keyboard.press("Tab");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    expect(await line.inputValue()).toBe("52");
    await press("Save the face");
    const download = page.waitForEvent("download");
    await page.keyboard.press("Enter");
    expect((await download).suggestedFilename()).toBe("small-face.png");
    await page.getByText("Saved. The file says").waitFor();
    await visit.end();
});

test("no width scrolls sideways", async () => {
    const visit = await Visit.start(browser, server.address);
    await visit.agree();
    for (const { go } of SCREENS.filter((screen) => ["home", "gallery-empty", "about"].includes(screen.name))) {
        await go(visit);
        for (const width of [320, 390, 820, 1280]) {
            await visit.page.setViewportSize({ width, height: 844 });
            expect(await visit.page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
        }
    }
    await visit.end();
});
