import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launch, Visit } from "./browser";
import { bundleFolder, PYTHON, Server } from "./server";

/** At most so many times as long as Python's onnxruntime, on one thread like the page's, takes for the same graph. */
const MOST = 6;
const ROUNDS = 5;

/** Prints the median milliseconds of ten runs of the restorer, each time a line comes in. */
const TIMER = `
import statistics, sys, time
import numpy as np, onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
options.log_severity_level = 3
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
random = np.random.default_rng(1)
feeds = {i.name: random.random(i.shape, np.float32) for i in session.get_inputs()}
feeds["valid"] = np.ones_like(feeds["valid"])
session.run(None, feeds)
for _ in sys.stdin:
    taken = []
    for _ in range(10):
        start = time.perf_counter()
        session.run(None, feeds)
        taken.append(1e3 * (time.perf_counter() - start))
    print(statistics.median(taken), flush=True)
`;

let server: Server;
let browser: Browser;
let python: ChildProcess;

beforeAll(async () => {
    python = spawn(PYTHON, ["-c", TIMER, `${bundleFolder()}/models/int8/restore.onnx`], {
        stdio: ["pipe", "pipe", "inherit"],
    });
    [server, browser] = await Promise.all([Server.start(), launch()]);
});

afterAll(async () => {
    python?.kill();
    await browser?.close();
    await server?.stop();
});

test(`restoring with three exemplars takes at most ${MOST} times what Python takes, in turns`, async () => {
    const lines = createInterface({ input: python.stdout! })[Symbol.asyncIterator]();
    const visit = await Visit.start(browser, server.address);
    await visit.agree();
    await visit.page.goto(`${visit.address}#/about`);
    const ratios: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
        python.stdin!.write("\n");
        const theirs = Number((await lines.next()).value);
        await visit.button("Measure").click();
        const measuring = visit.page.getByRole("progressbar", { name: "Measuring" });
        await measuring.waitFor();
        await measuring.waitFor({ state: "detached" });
        const row = visit.page.getByRole("row", { name: /int8, restore/ });
        const ours = Number.parseFloat((await row.getByRole("cell").textContent()) ?? "");
        ratios.push(ours / theirs);
    }
    ratios.sort((a, b) => a - b);
    console.info(`page / Python: ${ratios.map((ratio) => ratio.toFixed(2)).join(", ")}`);
    expect(ratios[Math.floor(ROUNDS / 2)]).toBeLessThanOrEqual(MOST);
    await visit.end();
}, 300_000);
