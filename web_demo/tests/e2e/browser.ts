import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { expect } from "vitest";
import { ROOT } from "./server";

const FLAGS = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
];

/** WebGPU by software: the only adapter that a machine without a GPU has. */
export const SOFTWARE_GPU = [
    "--enable-unsafe-webgpu",
    "--use-webgpu-adapter=swiftshader",
    "--enable-features=Vulkan",
    "--use-vulkan=swiftshader",
    "--enable-dawn-features=allow_unsafe_apis",
];

export function launch(more: string[] = []): Promise<Browser> {
    const executablePath = process.env.EDGESR_CHROMIUM ?? "/usr/bin/chromium";
    return chromium.launch({ executablePath, headless: true, args: [...FLAGS, ...more] });
}

/** A page that is watched: nothing may leave its origin, break its policy, or go wrong unseen. */
export class Visit {
    readonly requests: string[] = [];
    readonly faults: string[] = [];

    private constructor(
        readonly context: BrowserContext,
        readonly page: Page,
        readonly address: string,
    ) {}

    static async start(
        browser: Browser,
        address: string,
        options: BrowserContextOptions = {},
        prepare?: (context: BrowserContext) => Promise<unknown>,
    ): Promise<Visit> {
        const context = await browser.newContext({
            acceptDownloads: true,
            reducedMotion: "reduce",
            viewport: { width: 390, height: 844 },
            ...options,
        });
        context.setDefaultTimeout(60_000);
        await prepare?.(context);
        const page = await context.newPage();
        const visit = new Visit(context, page, address);
        context.on("request", (request) => visit.requests.push(request.url()));
        page.on("pageerror", (error) => visit.faults.push(`error: ${error.message}`));
        page.on("console", (message) => {
            const text = message.text();
            if (/Content Security Policy|violates the following/i.test(text) || message.type() === "error")
                visit.faults.push(text);
        });
        // Playwright sees a file dialog only once somebody listens, which takes a moment.
        page.on("filechooser", () => undefined);
        await page.goto(address);
        return visit;
    }

    /** Everything that was asked for lies at the page's own origin, and no fault was seen but those expected. */
    check(expected: RegExp | null = null): void {
        const origin = new URL(this.address).origin;
        expect(
            this.requests.filter((url) => !url.startsWith(`${origin}/`) && !url.startsWith(`blob:${origin}/`)),
        ).toEqual([]);
        expect(this.faults.filter((fault) => !expected?.test(fault))).toEqual([]);
    }

    async end(expected: RegExp | null = null): Promise<void> {
        await this.context.close();
        this.check(expected);
    }

    button(name: string | RegExp) {
        return this.page.getByRole("button", { name, exact: typeof name === "string" });
    }

    heading(name: string | RegExp) {
        return this.page.getByRole("heading", { name });
    }

    async agree(): Promise<void> {
        await this.button("I agree").click();
        await this.heading(/Tiny face in/).waitFor();
    }

    /** Choose files where a button asks for them. */
    async give(
        button: string,
        ...files: (string | { name: string; mimeType: string; buffer: Buffer })[]
    ): Promise<void> {
        const chooser = this.page.waitForEvent("filechooser");
        await this.button(button).click();
        // biome-ignore lint/suspicious/noExplicitAny: paths or payloads, whichever all of them are
        await (await chooser).setFiles(files as any);
    }

    /** Learn from photos, all of one person as far as the booth is told, and wait until that is done. */
    async learn(...names: string[]): Promise<void> {
        await this.page.goto(`${this.address}#/gallery`);
        await this.give("Add photos", ...names.map(photo));
        const asked = this.button(/^Learn from \d+ photo/);
        await this.added().or(asked).first().waitFor({ state: "attached" });
        if (await asked.isVisible()) await asked.click();
        await this.added().waitFor({ state: "attached" });
    }

    added() {
        return this.page.getByText(/^(1 photo was|\d+ photos were) added$/);
    }

    /** Restore the face of a photo that has one. */
    async restore(name: string): Promise<void> {
        await this.page.goto(`${this.address}#/`);
        await this.give("Choose a photo", photo(name));
        await this.page.getByRole("slider", { name: "Before and after" }).waitFor({ state: "attached" });
    }

    async download(button: string): Promise<{ name: string; content: Buffer }> {
        const coming = this.page.waitForEvent("download");
        await this.button(button).click();
        const download = await coming;
        return { name: download.suggestedFilename(), content: readFileSync(await download.path()) };
    }
}

export const TESTDATA = process.env.EDGESR_BOOTH_TESTDATA ?? resolve(ROOT, "testdata");
export const photo = (name: string) => resolve(TESTDATA, "photos", name);
