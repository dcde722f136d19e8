import { BoothError, BundleError, FaceError, GalleryError } from "../core/errors";

/** What can stand in the way; the page has a title, a sentence and a way out for each. */
export const PROBLEMS = [
    "model-missing",
    "model-damaged",
    "model-other",
    "offline",
    "no-wasm",
    "out-of-memory",
    "pixels-hidden",
    "no-storage",
    "storage-full",
    "gallery-damaged",
    "gallery-other",
    "import-damaged",
    "import-other",
    "no-face",
    "no-image",
    "heic",
    "too-large",
    "camera-refused",
    "camera-none",
    "camera-used",
    "insecure",
    "unknown",
] as const;

export type Problem = (typeof PROBLEMS)[number];

/** A problem on its way to the screen. */
export class ProblemError extends BoothError {
    constructor(
        readonly problem: Problem,
        message: string,
        hint = "",
        options?: ErrorOptions,
    ) {
        super(message, hint, options);
        this.name = "ProblemError"; // a bundler may have renamed the class
    }
}

/** Somebody no longer wants the answer. */
export class CancelledError extends Error {
    constructor() {
        super("cancelled");
        this.name = "CancelledError";
    }
}

/** What an error means to whoever sits before the page. */
export function problemOf(error: unknown): Problem {
    if (error instanceof ProblemError) return error.problem;
    if (error instanceof GalleryError)
        return /another network/.test(error.message) ? "gallery-other" : "gallery-damaged";
    if (error instanceof BundleError) return /missing/.test(error.message) ? "model-missing" : "model-damaged";
    if (error instanceof FaceError) return "no-face";
    if (error instanceof RangeError && /memory|allocation|array length/i.test(error.message)) return "out-of-memory";
    if (error instanceof Error && error.name === "QuotaExceededError") return "storage-full";
    if (error instanceof WebAssembly.RuntimeError || /out of memory|bad_alloc/i.test(String(error)))
        return "out-of-memory";
    return "unknown";
}
