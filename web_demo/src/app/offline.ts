/** The page's copy that works without a connection: made by a service worker from `booth.json`'s list. */

export type OfflineState =
    | { kind: "unavailable" }
    | { kind: "waiting" }
    | { kind: "keeping" }
    | { kind: "ready" }
    /** Another build has come and waits until it is let in. */
    | { kind: "update"; load: () => void };

const PREFIX = "edgesr-booth-";

export class Offline {
    state: OfflineState = { kind: "serviceWorker" in navigator ? "waiting" : "unavailable" };
    private readonly watchers = new Set<(state: OfflineState) => void>();

    constructor(private readonly base: string) {}

    watch(watcher: (state: OfflineState) => void): () => void {
        this.watchers.add(watcher);
        watcher(this.state);
        return () => this.watchers.delete(watcher);
    }

    /** Keep the page, or look whether there is a newer one. Without a connection nothing changes. */
    async keep(): Promise<void> {
        if (this.state.kind === "unavailable" || this.state.kind === "keeping") return;
        if (navigator.serviceWorker.controller) this.become({ kind: "ready" });
        const build = await this.newestBuild();
        if (!build) return;
        try {
            if (!navigator.serviceWorker.controller) this.become({ kind: "keeping" });
            const registration = await navigator.serviceWorker.register(`sw.js?build=${build}`, {
                scope: this.base,
                updateViaCache: "none",
            });
            const arriving = registration.installing ?? registration.waiting;
            if (arriving && registration.active) this.offer(arriving);
            else await this.settle(arriving);
        } catch {
            this.become({ kind: "waiting" }); // no room, or a private window: the page works, online
        }
    }

    /** Delete every copy of the page. */
    async forget(): Promise<void> {
        if (!("serviceWorker" in navigator)) return;
        const registration = await navigator.serviceWorker.getRegistration(this.base);
        await registration?.unregister();
        const names = await caches.keys();
        await Promise.all(names.filter((name) => name.startsWith(PREFIX)).map((name) => caches.delete(name)));
        this.become({ kind: "waiting" });
    }

    /** The new build waits until no page is open. */
    later(): void {
        if (this.state.kind === "update") this.become({ kind: "ready" });
    }

    private async newestBuild(): Promise<string | null> {
        try {
            // The question mark leads past the service worker's copy, to the host's own.
            const response = await fetch(new URL("booth.json?newest", this.base), { cache: "no-store" });
            const id = response.ok ? (await response.json()).build_id : null;
            return typeof id === "string" ? id : null;
        } catch {
            return null;
        }
    }

    private async settle(arriving: ServiceWorker | null): Promise<void> {
        if (arriving) await reached(arriving, "activated");
        this.become({ kind: "ready" });
    }

    private async offer(arriving: ServiceWorker): Promise<void> {
        await reached(arriving, "installed");
        this.become({
            kind: "update",
            load: () => {
                navigator.serviceWorker.addEventListener("controllerchange", () => window.location.reload(), {
                    once: true,
                });
                arriving.postMessage("take over");
            },
        });
    }

    private become(state: OfflineState): void {
        this.state = state;
        for (const watcher of this.watchers) watcher(state);
    }
}

/** @throws Error where the service worker is given up instead. */
function reached(worker: ServiceWorker, state: ServiceWorkerState): Promise<void> {
    const order: ServiceWorkerState[] = ["parsed", "installing", "installed", "activating", "activated"];
    return new Promise((resolve, reject) => {
        const look = () => {
            if (worker.state === "redundant") reject(new Error("the service worker was given up"));
            else if (order.indexOf(worker.state) >= order.indexOf(state)) resolve();
        };
        worker.addEventListener("statechange", look);
        look();
    });
}
