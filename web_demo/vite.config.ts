import { copyFileSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

/** onnxruntime-web's WASM, which it loads itself at run time: for the CPU, and (asyncify) for WebGPU. */
const RUNTIME = ["ort-wasm-simd-threaded", "ort-wasm-simd-threaded.asyncify"].flatMap((name) => [
    `${name}.mjs`,
    `${name}.wasm`,
]);

/** Puts onnxruntime-web's WASM into `ort/`, on the page's own origin. */
function runtimeFiles(): Plugin {
    return {
        name: "edgesr-runtime-files",
        apply: "build",
        writeBundle({ dir }) {
            const from = dirname(createRequire(import.meta.url).resolve("onnxruntime-web/wasm"));
            const to = join(dir!, "ort");
            mkdirSync(to, { recursive: true });
            for (const file of RUNTIME) copyFileSync(join(from, file), join(to, file));
        },
    };
}

export default defineConfig({
    base: "./",
    plugins: [react(), runtimeFiles()],
    // The builds of onnxruntime-web that fetch their WASM from `ort/` instead of having Vite copy it once more.
    resolve: {
        conditions: ["onnxruntime-web-use-extern-wasm", "module", "browser", "development|production"],
        // The page uses the library as anybody does, by its name; tools/library.py makes the package of the same sources.
        alias: { "edgesr-web/booth": resolve(import.meta.dirname, "src/library/booth.ts") },
    },
    worker: { format: "es" },
    build: {
        target: "es2023",
        // A source map would be fetched by nobody and doubles the folder; inlined assets need data: in the policy.
        assetsInlineLimit: 0,
        modulePreload: { polyfill: false },
        rolldownOptions: {
            input: {
                index: resolve(import.meta.dirname, "index.html"),
                verify: resolve(import.meta.dirname, "verify.html"),
                sw: resolve(import.meta.dirname, "src/sw.ts"),
            },
            output: {
                // A service worker's name must stay, and its folder is what it may serve.
                entryFileNames: ({ name }) => (name === "sw" ? "sw.js" : "assets/[name]-[hash].js"),
            },
        },
    },
});
