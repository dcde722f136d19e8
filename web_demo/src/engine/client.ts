import type { BoothError } from "../core/errors";
import { CancelledError, ProblemError } from "./problems";
import type { Calls, Configuration, FromWorker, GalleryContent, Kind, Progress, ToWorker } from "./protocol";

interface Waiting {
    resolve(answer: { value: unknown; gallery: GalleryContent }): void;
    reject(error: Error): void;
    progress: ((progress: Progress) => void) | undefined;
}

export interface AskOptions {
    signal?: AbortSignal | undefined;
    progress?: ((progress: Progress) => void) | undefined;
}

/** How long a hidden page keeps its worker, and with it the networks' memory. */
const KEPT_HIDDEN = 60_000;

/**
 * The page's end of the worker: questions in, promises out. The worker is started by the first question, let go when
 * the page is hidden for long and nothing is asked, and started again by the next one.
 */
export class BoothClient {
    private worker: Worker | null = null;
    private next = 1;
    private readonly waiting = new Map<number, Waiting>();
    private hiddenSince: ReturnType<typeof setTimeout> | null = null;

    constructor(
        private configuration: Configuration,
        private readonly start: () => Worker = startWorker,
    ) {}

    /** @throws ProblemError what went wrong; @throws CancelledError where `signal` said so. */
    async ask<K extends Kind>(kind: K, args: Calls[K]["args"], options: AskOptions = {}): Promise<Calls[K]["answer"]> {
        return (await this.send(kind, args, undefined, options)).value;
    }

    /** `ask` about a gallery of one's own, which comes back as it is afterwards. */
    askWith<K extends Kind>(
        gallery: GalleryContent,
        kind: K,
        args: Calls[K]["args"],
        options: AskOptions = {},
    ): Promise<{ value: Calls[K]["answer"]; gallery: GalleryContent }> {
        return this.send(kind, args, gallery, options);
    }

    private send<K extends Kind>(
        kind: K,
        args: Calls[K]["args"],
        gallery: GalleryContent | undefined,
        { signal, progress }: AskOptions,
    ): Promise<{ value: Calls[K]["answer"]; gallery: GalleryContent }> {
        if (signal?.aborted) return Promise.reject(new CancelledError());
        const id = this.next++;
        return new Promise((resolve, reject) => {
            const cancel = () => {
                if (!this.waiting.delete(id)) return;
                this.worker?.postMessage({ cancel: id } satisfies ToWorker);
                reject(new CancelledError());
            };
            const done = () => signal?.removeEventListener("abort", cancel);
            signal?.addEventListener("abort", cancel);
            this.waiting.set(id, {
                resolve: ({ value, gallery: after }) => {
                    done();
                    resolve({ value: value as Calls[K]["answer"], gallery: after });
                },
                reject: (error) => {
                    done();
                    reject(error);
                },
                progress,
            });
            this.running().postMessage({ id, kind, args, ...(gallery !== undefined && { gallery }) } as ToWorker);
        });
    }

    /** Keep galleries in this visit's memory alone from now on, or in the browser again. */
    configure(change: Partial<Configuration>): void {
        this.configuration = { ...this.configuration, ...change };
        this.worker?.postMessage({ configure: this.configuration } satisfies ToWorker);
    }

    /** End the worker: every network and photo that it holds is gone. Questions without an answer are cancelled. */
    close(): void {
        this.worker?.terminate();
        this.worker = null;
        for (const one of this.waiting.values()) one.reject(new CancelledError());
        this.waiting.clear();
    }

    /** Call when the page is hidden or shown. */
    shown(visible: boolean): void {
        if (this.hiddenSince !== null) clearTimeout(this.hiddenSince);
        this.hiddenSince = visible ? null : setTimeout(() => this.letGo(), KEPT_HIDDEN);
    }

    private letGo(): void {
        // A gallery that lives in the worker's memory alone would go with it.
        if (this.waiting.size === 0 && this.configuration.lasting) this.close();
    }

    private running(): Worker {
        if (this.worker) return this.worker;
        const worker = this.start();
        worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.hear(data);
        worker.onerror = (event) => {
            event.preventDefault();
            this.fail(new ProblemError("unknown", event.message || "the worker did not start", "load the page again"));
        };
        worker.postMessage({ configure: this.configuration } satisfies ToWorker);
        this.worker = worker;
        return worker;
    }

    private hear(message: FromWorker): void {
        const one = this.waiting.get(message.id);
        if (!one) return;
        if ("progress" in message) {
            one.progress?.(message.progress);
            return;
        }
        this.waiting.delete(message.id);
        if (message.ok) one.resolve({ value: message.value, gallery: message.gallery ?? null });
        else if (message.problem === "cancelled") one.reject(new CancelledError());
        else one.reject(new ProblemError(message.problem, message.message, message.hint));
    }

    private fail(error: BoothError): void {
        this.worker?.terminate();
        this.worker = null;
        const all = [...this.waiting.values()];
        this.waiting.clear();
        for (const one of all) one.reject(error);
    }
}

function startWorker(): Worker {
    return new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: "edgesr" });
}

/** A module of four instructions of WebAssembly's SIMD: onnxruntime's needs them. */
const SIMD = new Uint8Array([
    0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
]);

/** @throws ProblemError where this browser cannot run the booth at all. */
export function checkBrowser(): void {
    if (!isSecureContext) throw new ProblemError("insecure", "neither https nor localhost", "open it by https");
    if (typeof WebAssembly !== "object" || !WebAssembly.validate(SIMD)) {
        throw new ProblemError("no-wasm", "no WebAssembly with SIMD", "use another browser, or turn it on");
    }
    if (typeof Worker !== "function" || typeof OffscreenCanvas !== "function") {
        throw new ProblemError("no-wasm", "no module workers or no OffscreenCanvas", "update the browser");
    }
}
