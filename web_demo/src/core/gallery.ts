import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { choose } from "./choice";
import { GalleryError } from "./errors";
import {
    dataSize,
    decodeHeader,
    encodeHeader,
    type GalleryHeader,
    HASH_AT,
    isCurrent,
    type Label,
    MOST_HEADER,
    withoutHash,
} from "./galleryHeader";
import { decodeOldHeader } from "./oldGalleryHeader";
import { RULES } from "./rules";
import { keyOf, partsOf, refuse, type Section, sizeOf, type Tensor, tensorsOf, unpack } from "./section";

/** One photo of the gallery's person. */
export interface Entry {
    /**
     * By section of the gallery what that network keeps of it: maps as stored (int8, or fp16 in little-endian order), then
     * codes; null where the network was not at hand when the photo was added.
     */
    readonly features: readonly (readonly Uint8Array[] | null)[];
    readonly descriptor: Float32Array;
    readonly label: Label;
    /** Of a face embedder, where the user asked for it; all entries have one or none has. */
    readonly embedding: Float32Array | null;
}

/** What a gallery says of itself beside its entries. */
export interface GalleryKind {
    readonly sections: readonly Section[];
    /** What made the embeddings; null where there are none. */
    readonly embedder: string | null;
    /** What other programs keep here; carried through every change. */
    readonly extensions: ReadonlyMap<string, string>;
}

/**
 * What a `.gallery` file holds: features of a person's photos for one network or several, never a photo. Equal galleries
 * are equal bytes, whichever language wrote them.
 */
export class Gallery implements GalleryKind {
    readonly sections: readonly Section[];
    readonly embedder: string | null;
    readonly extensions: ReadonlyMap<string, string>;

    constructor(
        kind: GalleryKind,
        readonly entries: readonly Entry[],
    ) {
        this.sections = kind.sections;
        this.embedder = kind.embedder;
        this.extensions = kind.extensions;
    }

    /** Which section holds the features of this one's network; -1 where none does. */
    indexOf(section: Section): number {
        return this.sections.findIndex((one) => keyOf(one) === keyOf(section));
    }

    /** Features of entry `index` as the network of a section takes them: maps [h, w, C], then codes [length]. */
    floats(section: number, index: number): Float32Array[] {
        const features = this.entries[index].features[section];
        if (!features) refuse(`photo ${index + 1} has no features for this network`);
        return unpack(features, this.sections[section]);
    }

    /** An entry that has features in one section alone. */
    entryOf(section: number, features: readonly Uint8Array[], descriptor: Float32Array, label: Label): Entry {
        const held = this.sections.map((_, i) => (i === section ? features : null));
        return { features: held, descriptor, label, embedding: null };
    }

    /** Whether the photo of this SHA-256 is there. */
    has(photoSha256: string): boolean {
        return this.entries.some((entry) => entry.label.photoSha256 === photoSha256);
    }

    /** With `entry` appended; a photo that is there already changes nothing. */
    adding(entry: Entry): Gallery {
        return this.has(entry.label.photoSha256) ? this : new Gallery(this, [...this.entries, entry]);
    }

    /** Without the photo of this SHA-256: nothing of it is left in what is encoded. */
    removing(photoSha256: string): Gallery {
        return new Gallery(
            this,
            this.entries.filter((entry) => entry.label.photoSha256 !== photoSha256),
        );
    }

    /**
     * The best `slots` exemplars of a section for a face described by `query`, the best first.
     *
     * @throws GalleryError where its descriptors are another version's.
     */
    choose(section: number, query: Float32Array, slots: number): number[] {
        const held = [...this.entries.keys()].filter((i) => this.entries[i].features[section] !== null);
        const entries = held.map((i) => this.entries[i]);
        const sharpness = entries.map((entry) => entry.label.quality.get("sharpness"));
        const known = sharpness.filter((value) => value !== undefined).map((value) => value / 1000);
        const descriptors = entries.map((entry) => entry.descriptor);
        const chosen = choose(descriptors, query, slots, known.length === sharpness.length ? known : null);
        return chosen.map((i) => held[i]);
    }
}

const LEAST_STEP = RULES.gallery.least_step;
const MOST_STEP = RULES.gallery.most_step;

/**
 * A gallery from the bytes of its file. Header and sizes are checked before anything is allocated.
 *
 * @throws GalleryError where the bytes are damaged, beyond a limit, or of another version.
 */
export function decodeGallery(content: Uint8Array): Gallery {
    const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
    const length = content.length < 8 ? -1 : Number(view.getBigUint64(0, true));
    if (length < 0 || length > MOST_HEADER || 8 + length > content.length) refuse("it is no gallery, or cut off");
    const written = content.subarray(8, 8 + length);
    const head = isCurrent(written) ? decodeHeader(written) : decodeOldHeader(written);
    const whole = 8 + length + dataSize(head);
    if (whole !== content.length) refuse(`it has ${content.length} bytes, and its header says ${whole}`);
    if (head.contentSha256 !== null && head.contentSha256 !== hashOf(content, length))
        refuse("it is damaged: its content is not what was written");
    let at = 8 + length;
    const floats = (name: string, columns: number, rows: number): Float32Array[] =>
        Array.from({ length: rows }, () => {
            const row = Float32Array.from({ length: columns }, (_, i) => view.getFloat32(at + 4 * i, true));
            if (!row.every(Number.isFinite)) refuse(`its ${name} hold values that are not finite`);
            at += 4 * columns;
            return row;
        });
    const n = head.labels.length;
    const descriptors = floats("descriptors", head.descriptorSize, n);
    const embeddings = head.embedder === null ? null : floats("embeddings", head.embeddingSize, n);
    const held: Map<number, Uint8Array[]>[] = [];
    const sections = head.sections.map((section, i) => {
        const steps = section.dtype === "int8" ? Array.from(floats("scales", partsOf(section).length, 1)[0]) : null;
        if (steps && !steps.every((step) => step >= LEAST_STEP && step <= MOST_STEP)) refuse(`its scales are ${steps}`);
        const rows = new Map(head.rows[i].map((row): [number, Uint8Array[]] => [row, []]));
        for (const [name, tensor] of tensorsOf(section)) {
            for (const row of head.rows[i]) {
                const stored = content.slice(at, at + sizeOf(tensor));
                at += stored.length;
                checkFinite(name, tensor, stored);
                rows.get(row)?.push(stored);
            }
        }
        held.push(rows);
        return { ...section, steps };
    });
    const entries = head.labels.map((label, i) => ({
        features: held.map((rows) => rows.get(i) ?? null),
        descriptor: descriptors[i],
        label,
        embedding: embeddings?.[i] ?? null,
    }));
    return new Gallery({ sections, embedder: head.embedder, extensions: head.extensions }, entries);
}

/** SHA-256 of a file of a header of `length` bytes, with zeros in place of the hash's own digits. */
function hashOf(content: Uint8Array, length: number): string {
    const digest = sha256.create().update(content.subarray(0, 8));
    digest.update(withoutHash(content.subarray(8, 8 + length))).update(content.subarray(8 + length));
    return bytesToHex(digest.digest());
}

function checkFinite(name: string, { dtype }: Tensor, stored: Uint8Array): void {
    if (dtype === "I8") {
        if (stored.includes(0x80)) refuse(`its ${name} hold -128`);
        return;
    }
    const view = new DataView(stored.buffer, stored.byteOffset, stored.byteLength);
    const finite =
        dtype === "F32"
            ? (i: number) => i % 4 !== 0 || Number.isFinite(view.getFloat32(i, true))
            : (i: number) => i % 2 === 0 || (stored[i] & 0x7c) !== 0x7c;
    for (let i = 0; i < stored.length; i++) if (!finite(i)) refuse(`its ${name} hold values that are not finite`);
}

/** The bytes of a gallery's file. @throws GalleryError where it breaks a limit of the format. */
export function encodeGallery(gallery: Gallery): Uint8Array<ArrayBuffer> {
    const { sections, entries, embedder, extensions } = gallery;
    if (!entries.every((entry) => (entry.embedding === null) === (embedder === null))) {
        throw new GalleryError("some photos have an embedding and some have none", "all have one or none has");
    }
    if (!entries.every((entry) => entry.features.length === sections.length)) {
        throw new GalleryError("a photo has features of other sections", "build the gallery again");
    }
    const embeddings = entries.flatMap(({ embedding }) => (embedding === null ? [] : [embedding]));
    const descriptors = entries.map((entry) => entry.descriptor);
    const rows = sections.map((_, i) => [...entries.keys()].filter((row) => entries[row].features[i] !== null));
    const header: GalleryHeader = {
        sections,
        rows,
        embedder,
        labels: entries.map((entry) => entry.label),
        descriptorSize: commonLength("descriptors", descriptors),
        embeddingSize: commonLength("embeddings", embeddings),
        extensions,
        contentSha256: null,
    };
    const head = encodeHeader(header);
    const result = new Uint8Array(8 + head.length + dataSize(header));
    const view = new DataView(result.buffer);
    view.setBigUint64(0, BigInt(head.length), true);
    result.set(head, 8);
    let at = 8 + head.length;
    const write = (values: Iterable<number>) => {
        for (const value of values) {
            view.setFloat32(at, value, true);
            at += 4;
        }
    };
    for (const vector of [...descriptors, ...embeddings]) write(vector);
    sections.forEach((section, i) => {
        const steps = section.steps ?? [];
        if (steps.length !== (section.dtype === "int8" ? partsOf(section).length : 0))
            refuse(`its scales are ${steps}`);
        write(steps);
        tensorsOf(section).forEach(([name, tensor], which) => {
            for (const row of rows[i]) {
                const stored = entries[row].features[i]?.[which];
                if (stored?.length !== sizeOf(tensor)) refuse(`its ${name} have different shapes`);
                result.set(stored, at);
                at += stored.length;
            }
        });
    });
    result.set(new TextEncoder().encode(hashOf(result, head.length)), 8 + HASH_AT);
    decodeGallery(result); // what a reader would refuse is not written
    return result;
}

function commonLength(what: string, vectors: readonly Float32Array[]): number {
    const lengths = new Set(vectors.map((vector) => vector.length));
    if (lengths.size > 1) refuse(`its ${what} have different shapes`);
    return vectors[0]?.length ?? 0;
}
