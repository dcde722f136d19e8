import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const folder = join(import.meta.dirname, "..", "..", "src", "core");

/** Its own files, and SHA-256: the browser's is asynchronous, and missing where a page is not served securely. */
const KNOWN = /^"(\.\/[A-Za-z]+|@noble\/hashes\/[a-z0-9]+\.js)"$/;

test("the core imports nothing but itself and arithmetic, and knows neither page nor Node", () => {
    const files = readdirSync(folder);
    expect(files.length).toBeGreaterThan(20);
    for (const file of files) {
        const code = readFileSync(join(folder, file), "utf-8").replaceAll(
            /\/\*[\s\S]*?\*\/|\/\/.*|"[^"\n]*"|`[^`]*`/g,
            (part) => (part.startsWith('"') ? part : ""),
        );
        for (const [, from] of code.matchAll(/\bfrom (".*?")/g)) expect(from, file).toMatch(KNOWN);
        const words = code.replaceAll(/"[^"\n]*"/g, "");
        expect(words, file).not.toMatch(/\b(document|window|navigator|process|Buffer|require|fetch|indexedDB|self)\b/);
    }
});
