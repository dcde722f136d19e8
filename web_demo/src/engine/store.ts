import { type DBSchema, type IDBPDatabase, openDB } from "idb";
import { ProblemError } from "./problems";
import type { GalleryContent } from "./protocol";

/** Everything that the booth keeps of anybody lies here, and nowhere else. */
export const DATABASE = "edgesr-booth";
const MINE = "me";

interface Schema extends DBSchema {
    /** `.gallery` files by name. */
    galleries: { key: string; value: Uint8Array<ArrayBuffer> };
    settings: { key: string; value: unknown };
}

/** Where a gallery's bytes are kept. */
export interface GalleryStore {
    readonly lasting: boolean;
    read(): Promise<GalleryContent>;
    /** Replace it whole, or not at all. @throws ProblemError `storage-full`. */
    write(content: Uint8Array): Promise<void>;
    erase(): Promise<void>;
}

/** In IndexedDB: a transaction replaces the old bytes or leaves them. */
export class LastingStore implements GalleryStore {
    readonly lasting = true;

    async read(): Promise<GalleryContent> {
        return (await using((db) => db.get("galleries", MINE))) ?? null;
    }

    async write(content: Uint8Array): Promise<void> {
        const own = new Uint8Array(content);
        await using(async (db) => {
            const change = db.transaction("galleries", "readwrite", { durability: "strict" });
            // Both are awaited: a full disk may show in either.
            await Promise.all([change.store.put(own, MINE), change.done]);
        });
    }

    async erase(): Promise<void> {
        await using((db) => db.clear("galleries"));
    }
}

/** In this worker's memory, where the browser keeps nothing. */
export class PassingStore implements GalleryStore {
    readonly lasting = false;

    constructor(private content: GalleryContent = null) {}

    async read(): Promise<GalleryContent> {
        return this.content;
    }

    async write(content: Uint8Array): Promise<void> {
        this.content = new Uint8Array(content);
    }

    async erase(): Promise<void> {
        this.content = null;
    }
}

export async function readSetting(name: string): Promise<unknown> {
    return using((db) => db.get("settings", name));
}

export async function writeSetting(name: string, value: unknown): Promise<void> {
    await using((db) => db.put("settings", value, name));
}

/** Delete the database: galleries, settings, consent. @throws ProblemError where another tab holds on to it. */
export async function eraseDatabase(): Promise<void> {
    const request = indexedDB.deleteDatabase(DATABASE);
    await new Promise<void>((resolve, reject) => {
        request.onsuccess = () => resolve();
        // Connections are closed after each use, here and in other tabs: a block is over in a moment.
        request.onerror = () => reject(new ProblemError("no-storage", String(request.error), "close other tabs of it"));
    });
}

/** One connection for one use: none is left open that would block deletion from another tab. */
async function using<T>(use: (db: IDBPDatabase<Schema>) => Promise<T>): Promise<T> {
    if (typeof indexedDB === "undefined" || indexedDB === null) {
        throw new ProblemError(
            "no-storage",
            "this browser has no IndexedDB",
            "leave private browsing, or allow site data",
        );
    }
    let db: IDBPDatabase<Schema>;
    try {
        db = await openDB<Schema>(DATABASE, 1, {
            upgrade(fresh) {
                fresh.createObjectStore("galleries");
                fresh.createObjectStore("settings");
            },
        });
    } catch (error) {
        throw storageProblem(error);
    }
    try {
        return await use(db);
    } catch (error) {
        throw storageProblem(error);
    } finally {
        db.close();
    }
}

function storageProblem(error: unknown): Error {
    if (error instanceof ProblemError) return error;
    const name = error instanceof Error ? error.name : "";
    if (name === "QuotaExceededError")
        return new ProblemError("storage-full", "no storage is left", "free some space", { cause: error });
    return new ProblemError("no-storage", `IndexedDB refused: ${String(error)}`, "allow site data", { cause: error });
}
