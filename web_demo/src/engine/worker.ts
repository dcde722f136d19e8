/// <reference lib="webworker" />
import { BoothError } from "../core/errors";
import { Booth } from "./booth";
import { CancelledError, problemOf } from "./problems";
import type { Configuration, FromWorker, Progress, Question, ToWorker } from "./protocol";

/** One thread on which everything slow happens, in the order in which it was asked for. */

const scope = self as unknown as DedicatedWorkerGlobalScope;
const controllers = new Map<number, AbortController>();
let booth: Booth | null = null;
let line: Promise<void> = Promise.resolve();

scope.onmessage = ({ data }: MessageEvent<ToWorker>) => {
    if ("configure" in data) {
        configure(data.configure);
    } else if ("cancel" in data) {
        controllers.get(data.cancel)?.abort();
    } else {
        const controller = new AbortController();
        controllers.set(data.id, controller);
        line = line.then(() => answer(data, controller.signal));
    }
};

function configure(configuration: Configuration): void {
    if (booth) booth.galleries.lasting = configuration.lasting;
    else booth = new Booth(configuration);
}

async function answer(question: Question, signal: AbortSignal): Promise<void> {
    const { id } = question;
    const progress = (now: Progress) => send({ id, progress: now });
    try {
        if (signal.aborted) throw new CancelledError();
        if (!booth) throw new Error("the worker was not configured");
        const { transfer, ...answer } = await booth.answer(question, { signal, progress });
        send({ id, ok: true, ...answer }, transfer);
    } catch (error) {
        if (error instanceof CancelledError) {
            send({ id, ok: false, problem: "cancelled", message: "", hint: "" });
        } else {
            const hint = error instanceof BoothError ? error.hint : "";
            send({
                id,
                ok: false,
                problem: problemOf(error),
                message: error instanceof Error ? error.message : String(error),
                hint,
            });
        }
    } finally {
        controllers.delete(id);
    }
}

function send(message: FromWorker, transfer: Transferable[] = []): void {
    scope.postMessage(message, transfer);
}
