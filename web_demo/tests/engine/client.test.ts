import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { BoothClient } from "../../src/engine/client";
import { CancelledError, ProblemError } from "../../src/engine/problems";
import type { FromWorker, Progress, ToWorker } from "../../src/engine/protocol";

/** A worker of which the test is the other end. */
class FakeWorker {
    onmessage: ((event: { data: FromWorker }) => void) | null = null;
    onerror: ((event: { preventDefault(): void; message: string }) => void) | null = null;
    readonly heard: ToWorker[] = [];
    ended = false;

    postMessage(message: ToWorker): void {
        this.heard.push(message);
    }

    terminate(): void {
        this.ended = true;
    }

    say(message: FromWorker): void {
        this.onmessage?.({ data: message });
    }
}

let workers: FakeWorker[];
const client = (lasting = true) =>
    new BoothClient({ manifest: "https://example.test/booth.json", lasting }, () => {
        workers.push(new FakeWorker());
        return workers[workers.length - 1] as unknown as Worker;
    });

beforeEach(() => {
    workers = [];
    vi.useFakeTimers();
});

afterEach(() => {
    vi.useRealTimers();
});

test("answers find their questions in any order, progress on the way", async () => {
    const booth = client();
    const seen: Progress[] = [];
    const first = booth.ask("gallery", {}, { progress: (now) => seen.push(now) });
    const second = booth.ask("export", {});
    const [worker] = workers;
    expect(workers.length).toBe(1);
    expect(worker.heard[0]).toEqual({ configure: { manifest: "https://example.test/booth.json", lasting: true } });
    worker.say({ id: 2, ok: true, value: "two" });
    worker.say({ id: 1, progress: { stage: "network", share: -1 } });
    worker.say({ id: 1, ok: true, value: "one" });
    expect(await Promise.all([first, second])).toEqual(["one", "two"]);
    expect(seen).toEqual([{ stage: "network", share: -1 }]);
});

test("a problem comes as itself", async () => {
    const asked = client().ask("gallery", {});
    workers[0].say({ id: 1, ok: false, problem: "gallery-damaged", message: "cut off", hint: "again" });
    await expect(asked).rejects.toMatchObject({ problem: "gallery-damaged", message: "cut off", hint: "again" });
});

test("a cancelled question tells the worker, and a late answer is not heard", async () => {
    const controller = new AbortController();
    const asked = client().ask("gallery", {}, { signal: controller.signal });
    controller.abort();
    await expect(asked).rejects.toBeInstanceOf(CancelledError);
    expect(workers[0].heard.at(-1)).toEqual({ cancel: 1 });
    expect(() => workers[0].say({ id: 1, ok: true, value: null })).not.toThrow();
});

test("a worker that breaks fails what waits, and the next question starts another", async () => {
    const booth = client();
    const asked = booth.ask("gallery", {});
    workers[0].onerror?.({ preventDefault: () => undefined, message: "no module" });
    await expect(asked).rejects.toBeInstanceOf(ProblemError);
    void booth.ask("gallery", {});
    expect(workers.length).toBe(2);
});

test("hidden for a minute the worker is ended, shown again the next question starts another", async () => {
    const booth = client();
    const asked = booth.ask("gallery", {});
    workers[0].say({ id: 1, ok: true, value: null });
    await asked;
    booth.shown(false);
    vi.advanceTimersByTime(59_000);
    booth.shown(true);
    vi.advanceTimersByTime(120_000);
    expect(workers[0].ended).toBe(false);
    booth.shown(false);
    vi.advanceTimersByTime(61_000);
    expect(workers[0].ended).toBe(true);
    void booth.ask("gallery", {});
    expect(workers.length).toBe(2);
});

test("while it works, or holds the only gallery, a hidden page keeps its worker", async () => {
    const busy = client();
    void busy.ask("gallery", {});
    busy.shown(false);
    const passing = client(false);
    const asked = passing.ask("gallery", {});
    workers[1].say({ id: 1, ok: true, value: null });
    await asked;
    passing.shown(false);
    vi.advanceTimersByTime(120_000);
    expect(workers.map((worker) => worker.ended)).toEqual([false, false]);
});
