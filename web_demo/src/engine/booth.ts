import { type Alignment, cropFace } from "../core/alignment";
import { describe } from "../core/descriptor";
import { blend, pasteInto, sideOf } from "../core/enhance";
import { FaceError } from "../core/errors";
import { findFaces } from "../core/faces";
import { encodeGallery, type Gallery } from "../core/gallery";
import { sha256Of } from "../core/manifest";
import { fromRgba, type Pixels } from "../core/pixels";
import { factorFor } from "../core/regions";
import { alignmentOf, type Face } from "../core/yunet";
import { bytesOf, checkPixels, decode, toPicture, toPreview } from "./decode";
import { encodePicture } from "./encode";
import { enlarge, MOST_SAVED } from "./enlarge";
import { Galleries } from "./galleries";
import { tryGpu } from "./gpu";
import { candidates, Learner } from "./learn";
import { measure } from "./measure";
import type { Network } from "./network";
import { type Asked, Networks } from "./networks";
import { heatmap } from "./pictures";
import { CancelledError, problemOf } from "./problems";
import type {
    Calls,
    Chosen,
    Configuration,
    FaceOutcome,
    GalleryContent,
    Kind,
    Learned,
    Looked,
    Outcome,
    Photo,
    Precision,
    Progress,
    Question,
    Refusal,
    SeenFace,
    Wanted,
} from "./protocol";
import { type RestoredFace, restoreFace } from "./restore";

export interface Answer {
    value: unknown;
    /** Of a question that came with one. */
    gallery?: GalleryContent;
    transfer: Transferable[];
}

/** Who asks, and which gallery it is about. */
interface Asking extends Asked {
    galleries: Galleries;
}

interface LookedAt {
    id: string;
    photo: Pixels;
    reduced: number;
    faces: Face[];
    thorough: boolean;
    /** The last restoration: saving needs it. */
    restored: { face: number; own: boolean; precision: Precision; result: RestoredFace } | null;
}

/** Longest side of the photo that a screen shows. */
const PREVIEW = 2048;
const TILE = 128;

/** What the booth does, without a screen. Lives in the worker; one question at a time. */
export class Booth {
    private readonly networks: Networks;
    private readonly learner = new Learner();
    private looked: LookedAt | null = null;
    readonly galleries: Galleries;

    constructor(configuration: Configuration) {
        this.networks = new Networks(configuration);
        this.galleries = Galleries.kept(configuration.lasting);
    }

    async answer(question: Question, asked: Asked): Promise<Answer> {
        const call = this.calls[question.kind] as (args: unknown, asked: Asking) => Promise<unknown>;
        const brought = question.gallery === undefined ? null : Galleries.brought(question.gallery);
        const value = await call(question.args, { ...asked, galleries: brought ?? this.galleries });
        await this.networks.releaseIdle();
        const transfer = transferable(value);
        return brought ? { value, transfer, gallery: await brought.content() } : { value, transfer };
    }

    private readonly calls: { [K in Kind]: (args: Calls[K]["args"], asked: Asking) => Promise<Calls[K]["answer"]> } = {
        open: async ({ precision }, asked) => {
            const network = await this.networks.get(precision, asked);
            await this.networks.faces(asked);
            const { name, lrSize, hrSize, slots } = network.manifest;
            const { available, index } = await this.networks.files(asked);
            return {
                version: index.version,
                name,
                available,
                precision: network.precision,
                provider: network.provider,
                lrSize,
                hrSize,
                slots,
            };
        },
        gallery: async (_, asked) => asked.galleries.state(await this.gallery(asked)),
        learn: (wanted, asked) => this.learn(wanted, asked),
        forget: async ({ index }, asked) => {
            const gallery = await this.gallery(asked);
            const entry = gallery.entries[index];
            return asked.galleries.keep(entry ? gallery.removing(entry.label.photoSha256) : gallery);
        },
        export: async (_, asked) =>
            new Blob([encodeGallery(await this.gallery(asked))], { type: "application/octet-stream" }),
        import: async ({ content }, asked) =>
            asked.galleries.keep(await asked.galleries.opened(content, await this.networks.described(asked))),
        wipe: async (_, asked) => {
            this.looked = null;
            await asked.galleries.erase();
            return null;
        },
        look: ({ photo, thorough }, asked) => this.look(photo, thorough, asked),
        restore: (wanted, asked) => this.restore(wanted, asked),
        restoreFace: async (wanted, asked) => {
            const looked = await this.lookedAt(wanted.photo, wanted.thorough, asked);
            const { result, network } = await this.restored(looked, wanted, asked);
            return this.outcome(looked, wanted, result, network, asked);
        },
        enhance: (wanted, asked) => this.enhance(wanted, asked),
        save: (wanted, asked) => this.save(wanted, asked),
        restoreAligned: async ({ lr, precision }, asked) => {
            const gallery = await this.gallery(asked);
            const network = await this.networks.get(precision, asked);
            const pixels = fromRgba(lr.width, lr.height, lr.rgba);
            const section = network.manifest.checkGallery(gallery);
            const exemplars = gallery.choose(section, describe(pixels, null), network.manifest.slots);
            const { face } = (await network.restore(pixels, gallery, exemplars)).value;
            return { face: toPicture(face), exemplars };
        },
        tryGpu: async ({ precision, again }, asked) => {
            const bundle = await this.networks.files(asked);
            const fitting = bundle.fitting(precision);
            asked.progress({ stage: "gpu", share: -1 });
            const wasm = await this.networks.on(fitting, "wasm", asked);
            const trial = await tryGpu(bundle, wasm, fitting, { again, remember: this.galleries.lasting });
            this.networks.useGpu(fitting, trial.used);
            return trial;
        },
        measure: async ({ precision, runs }, asked) => {
            const network = await this.networks.get(precision, asked);
            return measure(network, runs, async (share) => this.step("measure", share, asked));
        },
    };

    private async learn({ photo, face: which, sure }: Calls["learn"]["args"], asked: Asking): Promise<Learned> {
        const gallery = await this.gallery(asked);
        const network = await this.networks.get((await this.networks.files(asked)).index.defaultPrecision, asked);
        const detector = await this.networks.faces(asked);
        let pixels: Pixels;
        try {
            checkPixels();
            pixels = (await decode(photo.content)).pixels;
        } catch (error) {
            const reason = unreadable(error);
            if (!reason) throw error;
            return { kind: "refused", reason };
        }
        const hash = await sha256Of(await bytesOf(photo.content)); // its size was checked by now
        if (gallery.has(hash)) return { kind: "refused", reason: "duplicate" };
        await this.step("faces", -1, asked);
        const found = candidates(await detector.detect(pixels));
        if (found.length === 0) return { kind: "refused", reason: "no-face" };
        if (found.length > 1 && which === undefined)
            return { kind: "whose", faces: found.map((face) => seen(pixels, face)) };
        const face = found[which ?? 0] ?? found[0];
        const candidate = await this.learner.examine(pixels, hash, face, gallery, detector, network.manifest.hrSize);
        await this.step("faces", 1, asked);
        if (typeof candidate === "string") return { kind: "refused", reason: candidate };
        // A copy of a picture that was learned shows whom that one shows.
        if (!sure && !candidate.twin) return { kind: "unsure", face: toPicture(candidate.crop) };
        const grown = await this.learner.take(candidate, gallery, network);
        return { kind: "learned", gallery: await asked.galleries.keep(grown) };
    }

    private async look(photo: Photo, thorough: boolean, asked: Asked): Promise<Looked> {
        const looked = await this.lookedAt(photo, thorough, asked);
        const { width, height } = looked.photo;
        const preview = await toPreview(looked.photo, PREVIEW);
        const faces = looked.faces.map((face) => seen(looked.photo, face));
        return { width, height, reduced: looked.reduced, preview, thorough: looked.thorough, faces };
    }

    private async lookedAt(photo: Photo, thorough: boolean, asked: Asked): Promise<LookedAt> {
        const before = this.looked?.id === photo.id ? this.looked : null;
        if (before && (before.thorough || !thorough)) return before;
        asked.progress({ stage: "photo", share: -1 });
        checkPixels();
        const { pixels, reduced } = before
            ? { pixels: before.photo, reduced: before.reduced }
            : await decode(photo.content);
        const detector = await this.networks.faces(asked);
        const find = (tiny: boolean) => {
            const progress = (done: number, all: number) => {
                if (asked.signal.aborted) throw new CancelledError();
                asked.progress({ stage: "faces", share: done / (all + 1) });
            };
            return findFaces(pixels, detector, { tiny, progress });
        };
        let searched = thorough;
        let faces = await find(thorough);
        if (faces.length === 0 && !thorough) {
            searched = true;
            faces = await find(true);
        }
        if (faces.length === 0) throw new FaceError("no face was found", "choose another photo");
        this.looked = { id: photo.id, photo: pixels, reduced, faces, thorough: searched, restored: null };
        return this.looked;
    }

    private async restored(
        looked: LookedAt,
        { face, own, precision }: Chosen & { precision: Precision },
        asked: Asking,
    ): Promise<{ result: RestoredFace; network: Network }> {
        if (!looked.faces[face])
            throw new FaceError(
                `there is no face ${face} of ${looked.faces.length}`,
                "count those that were found from 0",
            );
        const gallery = await this.gallery(asked);
        const network = await this.networks.get(precision, asked);
        const result = await restoreFace(looked.photo, looked.faces[face], gallery, own, network, () =>
            this.step("restore", -1, asked),
        );
        looked.restored = { face, own, precision, result };
        return { result, network };
    }

    private async restore(wanted: Wanted, asked: Asking): Promise<Outcome> {
        const looked = await this.lookedAt(wanted.photo, wanted.thorough, asked);
        const { result, network } = await this.restored(looked, wanted, asked);
        const square = alignmentOf(looked.faces[wanted.face]);
        const factor = factorOf(looked.photo, [square], network.manifest.hrSize);
        const large = await enlarge(looked.photo, factor, () => this.step("restore", -1, asked));
        const photoBefore = await toPreview(large, PREVIEW);
        pasteInto(large, result.after, square.scaled(factor));
        const photoAfter = await toPreview(large, PREVIEW);
        const face = await this.outcome(looked, wanted, result, network, asked);
        return { ...face, photoBefore, photoAfter, photoWidth: large.width, photoHeight: large.height };
    }

    private async outcome(
        looked: LookedAt,
        { face, own }: Chosen,
        result: RestoredFace,
        network: Network,
        asked: Asked,
    ): Promise<FaceOutcome> {
        const heatmaps = result.exemplars.map((exemplar, slot) => {
            const { map, share } = heatmap(
                result.after,
                result.weights,
                slot,
                network.manifest.lrSize,
                result.exemplars.length,
            );
            return { exemplar, share, picture: toPicture(map) };
        });
        const { median, runs } = network.latency.restore;
        return {
            face,
            own,
            precision: network.precision,
            available: (await this.networks.files(asked)).available,
            provider: network.provider,
            before: toPicture(result.before),
            after: toPicture(result.after),
            heatmaps,
            side: alignmentOf(looked.faces[face]).side,
            lrSize: network.manifest.lrSize,
            millis: result.millis,
            medianMillis: median,
            runs,
        };
    }

    private async save(wanted: Calls["save"]["args"], asked: Asking): Promise<Blob> {
        const { photo, thorough, face, own, precision, what, type, strength } = wanted;
        const looked = await this.lookedAt(photo, thorough, asked);
        const last = looked.restored;
        const fits = last && last.face === face && last.own === own && last.precision === precision;
        const result = fits ? last.result : (await this.restored(looked, wanted, asked)).result;
        const version = (await this.networks.files(asked)).index.version;
        if (what === "face") return encodePicture(blend(result.before, result.after, strength), type, version);
        return encodePicture(await this.pasted(looked, [{ face, result }], strength, asked), type, version);
    }

    private async enhance(wanted: Calls["enhance"]["args"], asked: Asking): Promise<Blob> {
        const looked = await this.lookedAt(wanted.photo, wanted.thorough, asked);
        const done: { face: number; result: RestoredFace }[] = [];
        for (const { face, own } of wanted.faces) {
            const { result } = await this.restored(looked, { face, own, precision: wanted.precision }, asked);
            done.push({ face, result });
        }
        const large = await this.pasted(looked, done, wanted.strength, asked);
        return encodePicture(large, wanted.type, (await this.networks.files(asked)).index.version);
    }

    /** The photo, as much larger as the faces need, with them in it. */
    private async pasted(
        { photo, faces }: LookedAt,
        done: readonly { face: number; result: RestoredFace }[],
        strength: number,
        asked: Asked,
    ): Promise<Pixels> {
        const squares = done.map(({ face }) => alignmentOf(faces[face]));
        const factor = factorOf(photo, squares, done[0]?.result.after.width ?? 0);
        const large = await enlarge(photo, factor, (share) => this.step("save", share, asked));
        for (const [i, { result }] of done.entries()) {
            pasteInto(large, result.after, squares[i].scaled(factor), strength);
        }
        return large;
    }

    /** Say how far it is, and let a cancellation in. */
    private async step(stage: Progress["stage"], share: number, { signal, progress }: Asked): Promise<void> {
        progress({ stage, share });
        await new Promise((resolve) => setTimeout(resolve, 0));
        if (signal.aborted) throw new CancelledError();
    }

    private async gallery(asked: Asking): Promise<Gallery> {
        return asked.galleries.read(await this.networks.described(asked));
    }
}

/** How many times larger the photo is saved, so that the restored faces show. */
function factorOf({ width, height }: Pixels, squares: readonly Alignment[], restored: number): number {
    const faces = squares.map((square) => ({ side: sideOf(square), restored }));
    return factorFor(faces, width, height, MOST_SAVED).factor;
}

/** Why a photo cannot be read, or null where the photo is not to blame. */
function unreadable(error: unknown): Refusal | null {
    const reasons: Record<string, Refusal> = { "no-image": "no-image", heic: "heic", "too-large": "huge" };
    return reasons[problemOf(error)] ?? null;
}

function seen(photo: Pixels, face: Face): SeenFace {
    const square = alignmentOf(face);
    const box = {
        left: face.left / photo.width,
        top: face.top / photo.height,
        width: face.width / photo.width,
        height: face.height / photo.height,
    };
    return { box, side: square.side, tile: toPicture(cropFace(photo, square, TILE)) };
}

/** Pictures go to the page without being copied. */
function transferable(value: unknown, found: Transferable[] = []): Transferable[] {
    if (value instanceof Uint8ClampedArray) found.push(value.buffer as ArrayBuffer);
    else if (value instanceof ImageBitmap) found.push(value);
    else if (typeof value === "object" && value !== null && !(value instanceof Blob)) {
        for (const part of Object.values(value)) transferable(part, found);
    }
    return found;
}
