/// <reference lib="webworker" />

/**
 * Keeps the files of a first visit, and what is fetched later (the float network, WebGPU's runtime), so that the page
 * works without a connection. Its address says which build it keeps: another build is another cache, whole or not at
 * all, and takes over when the page asks for it or when no page is open.
 */

const scope = self as unknown as ServiceWorkerGlobalScope;
const PREFIX = "edgesr-booth-";
const BUILD = new URL(scope.location.href).searchParams.get("build") ?? "none";
const CACHE = PREFIX + BUILD;
const INDEX = "booth.json";
const PAGE = "index.html";
/** The parity gate's page is for `edgesr verify`, which wants the host's files. */
const NOT_KEPT = /^verify\.html$|^assets\/verify-|^sw\.js$/;

scope.addEventListener("install", (event) => event.waitUntil(install()));

async function install(): Promise<void> {
    const index = await fetch(new Request(INDEX, { cache: "no-store" }));
    const described = await index.clone().json();
    if (described.build_id !== BUILD) throw new Error("the host has another build by now");
    const cache = await caches.open(CACHE);
    const files: string[] = described.first_visit.filter((file: string) => !NOT_KEPT.test(file) && file !== INDEX);
    await cache.addAll(files.map((file) => new Request(file, { cache: "no-cache" })));
    await cache.put(INDEX, index); // the last one: without it the copy is not whole
}

scope.addEventListener("activate", (event) => event.waitUntil(activate()));

async function activate(): Promise<void> {
    const names = await caches.keys();
    await Promise.all(
        names.filter((name) => name.startsWith(PREFIX) && name !== CACHE).map((name) => caches.delete(name)),
    );
    await scope.clients.claim();
}

scope.addEventListener("message", (event) => {
    if (event.data === "take over") event.waitUntil(scope.skipWaiting());
});

scope.addEventListener("fetch", (event) => {
    const { request } = event;
    const base = scope.registration.scope;
    const url = new URL(request.url);
    if (request.method !== "GET" || !url.href.startsWith(base) || url.search) return;
    const file = url.href.slice(base.length).replace(/#.*$/, "") || PAGE;
    if (NOT_KEPT.test(file)) return;
    event.respondWith(answer(request, file));
});

async function answer(request: Request, file: string): Promise<Response> {
    const kept = await caches.match(file, { cacheName: CACHE, ignoreVary: true });
    if (kept) return kept;
    const response = await fetch(request);
    // What was deleted with everything else must not come back by a page that is still open.
    if (response.ok && (await caches.has(CACHE))) await keep(file, response.clone());
    return response;
}

/** A full disk is no reason to answer less. */
async function keep(file: string, response: Response): Promise<void> {
    try {
        await (await caches.open(CACHE)).put(file, response);
    } catch (error) {
        console.warn(`${file} is not kept: ${error}`);
    }
}
