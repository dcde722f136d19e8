/**
 * The parity gate's page: asks the server on the loopback interface for jobs, runs them through onnxruntime-web, and
 * posts back what came out. The server (edgesr.runtime.web) judges; nothing here knows what is right.
 */
import * as ort from "onnxruntime-web/wasm";
import { type Header, readFrame, writeFrame } from "./frame";

const NOTHING_YET = 204;
const sessions = new Map<string, Promise<ort.InferenceSession>>();

ort.env.wasm.wasmPaths = new URL("ort/", document.baseURI).href;
ort.env.wasm.numThreads = 1; // as in the booth: threads need headers that a static host seldom sends
ort.env.logLevel = "error";

function session(model: string): Promise<ort.InferenceSession> {
    let opened = sessions.get(model);
    if (opened === undefined) {
        opened = ort.InferenceSession.create(new URL(model, document.baseURI).href, { executionProviders: ["wasm"] });
        sessions.set(model, opened);
    }
    return opened;
}

/** Runs a job: once for its outputs, then `runs` times for the milliseconds; without inputs it only loads the graph. */
async function run(job: Header, tensors: Float32Array[]): Promise<[Header, Float32Array[]]> {
    const opened = await session(job.model!);
    if (job.inputs === undefined) return [{}, []];
    const feeds = Object.fromEntries(
        job.inputs.map(({ name, shape }, i) => [name, new ort.Tensor("float32", tensors[i]!, shape)]),
    );
    const results = await opened.run(feeds);
    const milliseconds: number[] = [];
    for (let i = 0; i < (job.runs ?? 0); i++) {
        const started = performance.now();
        await opened.run(feeds);
        milliseconds.push(performance.now() - started);
    }
    const outputs = opened.outputNames.map((name) => ({ name, shape: [...results[name]!.dims] }));
    return [{ outputs, milliseconds }, opened.outputNames.map((name) => results[name]!.data as Float32Array)];
}

async function post(body: Blob): Promise<void> {
    await fetch("verify/result", { method: "POST", body });
}

/** Until the server is gone or has no more jobs, which ends the fetch with an error or another status. */
async function work(): Promise<void> {
    for (;;) {
        const answer = await fetch("verify/job", { cache: "no-store" });
        if (answer.status === NOTHING_YET) continue;
        if (!answer.ok) return;
        const { header, tensors } = readFrame(await answer.arrayBuffer());
        try {
            await post(writeFrame(...(await run(header, tensors))));
        } catch (error) {
            await post(writeFrame({ error: String(error) }));
        }
    }
}

void work();
