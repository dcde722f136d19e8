import { BoothError, GalleryError } from "../core/errors";
import { decodeGallery, encodeGallery, type Gallery } from "../core/gallery";
import type { Manifest } from "../core/manifest";
import { bytesOf, toPicture } from "./decode";
import { remembered } from "./pictures";
import { ProblemError } from "./problems";
import type { GalleryContent, GalleryState } from "./protocol";
import { type GalleryStore, LastingStore, PassingStore } from "./store";

/** One gallery, this browser's or one that came with a question: read, replaced whole, opened from a file, erased. */
export class Galleries {
    private constructor(private store: GalleryStore) {}

    /** The one that is kept here: in the browser, or in this worker's memory. */
    static kept(lasting: boolean): Galleries {
        return new Galleries(lasting ? new LastingStore() : new PassingStore());
    }

    /** The one that somebody brings, and takes along again. */
    static brought(content: GalleryContent): Galleries {
        return new Galleries(new PassingStore(content));
    }

    get lasting(): boolean {
        return this.store.lasting;
    }

    set lasting(lasting: boolean) {
        if (lasting !== this.store.lasting) this.store = lasting ? new LastingStore() : new PassingStore();
    }

    /** The gallery, empty where there is none. @throws GalleryError, ProblemError where it cannot be used. */
    async read(manifest: Manifest): Promise<Gallery> {
        const stored = await this.store.read();
        if (!stored) return manifest.emptyGallery();
        const gallery = decodeGallery(stored);
        checkFits(manifest, gallery, "gallery-other");
        return gallery;
    }

    /** A gallery from a file that somebody chose. @throws ProblemError `import-damaged`, `import-other`. */
    async opened(content: Blob, manifest: Manifest): Promise<Gallery> {
        try {
            const gallery = decodeGallery(await bytesOf(content));
            checkFits(manifest, gallery, "import-other");
            return gallery;
        } catch (error) {
            if (!(error instanceof GalleryError)) throw error;
            throw new ProblemError("import-damaged", error.message, error.hint, { cause: error });
        }
    }

    /** @throws ProblemError `storage-full`, and then nothing was changed. */
    async keep(gallery: Gallery): Promise<GalleryState> {
        await this.store.write(encodeGallery(gallery));
        return this.state(gallery);
    }

    /** Its file. */
    content(): Promise<GalleryContent> {
        return this.store.read();
    }

    erase(): Promise<void> {
        return this.store.erase();
    }

    /** What the page shows of it. */
    state(gallery: Gallery): GalleryState {
        const photos = gallery.entries.map((entry) => ({
            picture: toPicture(remembered(entry.descriptor)),
            sharpness: (entry.label.quality.get("sharpness") ?? 0) / 1000,
        }));
        const bytes = gallery.entries.length === 0 ? 0 : encodeGallery(gallery).length;
        return { remembered: photos, bytes, lasting: this.store.lasting };
    }
}

function checkFits(manifest: Manifest, gallery: Gallery, problem: "gallery-other" | "import-other"): void {
    try {
        manifest.checkGallery(gallery);
    } catch (error) {
        if (!(error instanceof BoothError)) throw error;
        throw new ProblemError(problem, error.message, error.hint, { cause: error });
    }
}
