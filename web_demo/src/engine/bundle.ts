import { BundleError } from "../core/errors";
import { sha256Of } from "../core/manifest";
import { type BoothIndex, decodeIndex } from "./boothIndex";
import { indexOfOnnxBundle, isOnnxBundle } from "./onnxBundle";
import { CancelledError, ProblemError } from "./problems";
import { PRECISIONS, type Precision, type Sources } from "./protocol";

/** The files behind the page, each checked before anything else sees its bytes. */
export class Bundle {
    private constructor(
        private readonly base: string,
        readonly index: BoothIndex,
        /** Of onnxruntime-web's module, where no bundler has put it into the worker. */
        readonly runtimeModule: string | null,
    ) {}

    /** @throws ProblemError `offline`; @throws BundleError where there is no bundle, or another version's. */
    static async open({ manifest, detector, runtime }: Sources, signal?: AbortSignal): Promise<Bundle> {
        const content = await fetched(new URL(manifest), signal);
        const index = isOnnxBundle(content)
            ? await indexOfOnnxBundle(content, manifest, detector ?? null)
            : decodeIndex(content);
        return new Bundle(manifest, index, runtime ?? null);
    }

    get available(): Precision[] {
        return PRECISIONS.filter((precision) => this.index.models[precision]);
    }

    /** The precision, or the one that there is. */
    fitting(precision: Precision): Precision {
        return this.index.models[precision] ? precision : this.index.defaultPrecision;
    }

    url(name: string): string {
        return new URL(name, this.base).href;
    }

    /** @throws BundleError where the file is missing, or not the one that was converted. */
    async read(name: string, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
        const expected = this.index.sha256[name];
        if (!expected) throw new BundleError(`the bundle has no hash for ${name}`, "make it again: edgesr convert");
        const content = await fetched(new URL(name, this.base), signal);
        if ((await sha256Of(content)) !== expected) {
            throw new BundleError(`${name} is not the file that was converted`, "fetch it again");
        }
        return content;
    }
}

async function fetched(url: URL, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    const name = url.pathname.split("/").pop();
    let response: Response;
    try {
        response = await fetch(url, { cache: "no-cache", ...(signal && { signal }) });
        if (!response.ok) {
            if (response.status >= 500) throw new TypeError(`the server answered ${response.status}`);
            throw new BundleError(`the model is missing: no ${name}`, "edgesr convert makes it");
        }
        return new Uint8Array(await response.arrayBuffer());
    } catch (error) {
        if (signal?.aborted) throw new CancelledError();
        if (error instanceof BundleError) throw error;
        throw new ProblemError("offline", `${name} did not come: ${String(error)}`, "connect, and try again", {
            cause: error,
        });
    }
}
