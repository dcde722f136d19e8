import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { expect, test } from "vitest";

const SOURCES = join(import.meta.dirname, "..", "..", "src");

/** Every file of the sources, and which of them it imports, the types too. */
const imports = new Map(
    (readdirSync(SOURCES, { recursive: true }) as string[])
        .filter((file) => /\.tsx?$/.test(file))
        .map((file) => [file, imported(file)]),
);

function imported(file: string): string[] {
    const code = readFileSync(join(SOURCES, file), "utf8");
    const named = [...code.matchAll(/^(?:import|export)\s[^"']*?from "(\.[^"]*)"/gm)].map(([, name]) => {
        const path = join(dirname(join(SOURCES, file)), name);
        return [`${path}.ts`, `${path}.tsx`, join(path, "index.ts")].find((one) => existsSync(one)) ?? path;
    });
    return named.map((path) => relative(SOURCES, path));
}

/** Files that import themselves by way of others. */
function circles(graph: Map<string, string[]>): string[] {
    const rest = new Map(graph);
    for (;;) {
        const leaves = [...rest].filter(([, names]) => !names.some((name) => rest.has(name)));
        if (leaves.length === 0) return [...rest.keys()];
        for (const [name] of leaves) rest.delete(name);
    }
}

test("no file imports itself by way of others", () => {
    expect(imports.size).toBeGreaterThan(80);
    expect(circles(imports)).toEqual([]);
    expect(circles(new Map([...imports, ["a", ["b"]], ["b", ["a"]]]))).toEqual(["a", "b"]);
});

/** What each folder may import of the others; the page uses the library by its name, as anybody does. */
const STOREYS: Record<string, string[]> = {
    core: ["core"],
    engine: ["core", "engine"],
    library: ["core", "engine", "library"],
    app: ["app"],
    verify: ["verify"],
};

test("folders import what stands below them alone", () => {
    const folder = (file: string) => file.split("/")[0];
    const wrong = [...imports].flatMap(([file, names]) =>
        names.filter((name) => !STOREYS[folder(file)]?.includes(folder(name))).map((name) => `${file} -> ${name}`),
    );
    expect(wrong).toEqual([]);
    const page = [...imports.keys()].filter((file) => folder(file) === "app");
    const named = page.flatMap((file) => readFileSync(join(SOURCES, file), "utf8").match(/"edgesr-web[^"]*"/g) ?? []);
    expect(new Set(named)).toEqual(new Set(['"edgesr-web/booth"']));
});
