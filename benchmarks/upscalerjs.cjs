// LR faces through @upscalerjs/esrgan-thick on TensorFlow.js' WebAssembly backend, as a page would run it, in Node.
//
//     node upscalerjs.cjs FOLDER < LR > SR        FOLDER holds node_modules; numbers are float32 in [0, 1]
//
// LR is [n, 32, 32, 3], SR [n, 128, 128, 3]; each face's milliseconds of CPU go to stderr, a line each.
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const { createRequire } = require("node:module");

const folder = path.resolve(process.argv[2], "node_modules");
const load = createRequire(path.join(folder, "index.js"));
const core = load("@tensorflow/tfjs-core");
const layers = load("@tensorflow/tfjs-layers");
const wasm = load("@tensorflow/tfjs-backend-wasm");
const SIDE = 32;

async function main() {
  wasm.setWasmPaths(path.join(folder, "@tensorflow/tfjs-backend-wasm/dist/"));
  wasm.setThreadsCount(1);
  await core.setBackend("wasm");
  const home = path.join(folder, "@upscalerjs/esrgan-thick");
  load("@upscalerjs/esrgan-thick").x4.setup({ ...core, ...layers });
  const { modelTopology, weightsManifest } = JSON.parse(fs.readFileSync(path.join(home, "models/x4/model.json")));
  const shards = weightsManifest.flatMap((group) => group.paths);
  const weights = Buffer.concat(shards.map((name) => fs.readFileSync(path.join(home, "models/x4", name))));
  const weightData = weights.buffer.slice(weights.byteOffset, weights.byteOffset + weights.length);
  const weightSpecs = weightsManifest.flatMap((group) => group.weights);
  const model = await layers.loadLayersModel(core.io.fromMemory({ modelTopology, weightSpecs, weightData }));
  const given = fs.readFileSync(0);
  const bytes = SIDE * SIDE * 3 * 4;
  for (let at = 0; at < given.length; at += bytes) {
    const face = new Float32Array(given.buffer.slice(given.byteOffset + at, given.byteOffset + at + bytes));
    const start = process.cpuUsage();
    const restored = core.tidy(() => model.predict(core.tensor(face, [1, SIDE, SIDE, 3])));
    const found = await restored.data();
    const used = process.cpuUsage(start);
    restored.dispose();
    fs.writeSync(2, `${(used.user + used.system) / 1e3}\n`);
    fs.writeSync(1, Buffer.from(found.buffer, found.byteOffset, found.byteLength));
  }
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
