// The JavaScript of the package edgesr-web: node tools/library.mjs FOLDER. tools/library.py calls it.
// onnxruntime-web stays outside, a dependency of the package; what else is small is put in, so that a page without a
// bundler, whose worker knows no package by its name, can run it.
import { resolve } from "node:path";
import { build } from "rolldown";

const root = resolve(import.meta.dirname, "..");
const worker = '"./worker.ts"';

await build({
    cwd: root,
    input: { index: "src/library/index.ts", booth: "src/library/booth.ts", worker: "src/engine/worker.ts" },
    external: /^onnxruntime-/,
    platform: "browser",
    treeshake: { moduleSideEffects: false },
    plugins: [
        {
            // Bundlers of the package find the worker by `new URL("./worker.js", import.meta.url)`.
            name: "edgesr-worker",
            transform(code, id) {
                if (!id.endsWith("/src/engine/client.ts")) return null;
                if (code.split(worker).length !== 2) throw new Error(`client.ts names no ${worker}, or several`);
                return code.replace(worker, '"./worker.js"');
            },
        },
    ],
    output: {
        dir: resolve(process.argv[2]),
        format: "esm",
        minify: false,
        entryFileNames: "[name].js",
        chunkFileNames: "[name]-[hash].js",
        comments: { legal: true, annotation: true, jsdoc: false },
    },
    logLevel: "warn",
});
