import { mkdirSync } from "node:fs";
import { resolve } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launch, Visit } from "./browser";
import { SCREENS } from "./screens";
import { ROOT, Server } from "./server";

/** Pictures of every screen, for people to look at; EDGESR_SCREENSHOTS names the folder. */
const FOLDER = resolve(process.env.EDGESR_SCREENSHOTS ?? resolve(ROOT, "testdata/screenshots"));
const WIDTHS = [
    { width: 390, height: 844 },
    { width: 820, height: 1180 },
    { width: 1280, height: 800 },
];
const SCHEMES = ["light", "dark"] as const;

let server: Server;
let browser: Browser;

beforeAll(async () => {
    mkdirSync(FOLDER, { recursive: true });
    [server, browser] = await Promise.all([Server.start(), launch()]);
});

afterAll(async () => {
    await browser?.close();
    await server?.stop();
});

test("every screen at three widths, light and dark", async () => {
    const visit = await Visit.start(browser, server.address);
    const shoot = async (name: string) => {
        for (const size of WIDTHS) {
            await visit.page.setViewportSize(size);
            for (const colorScheme of SCHEMES) {
                await visit.page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
                await visit.page.mouse.move(0, 0);
                await visit.page.evaluate(() => document.fonts.ready);
                const path = resolve(FOLDER, `${name}-${size.width}-${colorScheme}.png`);
                await visit.page.screenshot({ path });
                expect(await visit.page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(
                    size.width,
                );
            }
        }
    };
    await visit.heading("Before you start").waitFor();
    await shoot("onboarding");
    await visit.agree();
    for (const { name, go } of SCREENS) {
        await go(visit);
        await shoot(name);
    }
    await visit.end();
}, 600_000);
