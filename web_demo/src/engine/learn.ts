import { cropFace, cropLandmarks } from "../core/alignment";
import { describe } from "../core/descriptor";
import { fingerprint, sameFace, samePhoto } from "../core/duplicates";
import type { FaceDetector } from "../core/faceDetector";
import type { Entry, Gallery } from "../core/gallery";
import { type Label, labelOf } from "../core/galleryHeader";
import type { Pixels } from "../core/pixels";
import { judge, type Refusal as PoorQuality } from "../core/quality";
import { alignmentOf, type Face } from "../core/yunet";
import type { Network } from "./network";

/** Faces at least so large beside the largest leave it open whose photo it is. */
const AMBIGUOUS = 0.6;

/** Those of the faces, the largest first, that may be the one the photo is of. */
export function candidates(faces: Face[]): Face[] {
    const most = Math.max(...faces.map((face) => Math.max(face.width, face.height)));
    return faces.filter((face) => Math.max(face.width, face.height) >= AMBIGUOUS * most);
}

/** Learns from photos, and remembers for this visit what they looked like, to tell copies of one photo. */
export class Learner {
    /** Of the whole photos that this visit learned from; never stored. */
    private readonly fingerprints = new Map<string, Float32Array>();

    /** The gallery with a face of the photo in it, or why it is not. */
    async learn(
        photo: Pixels,
        photoSha256: string,
        found: Face,
        gallery: Gallery,
        detector: FaceDetector,
        network: Network,
    ): Promise<Gallery | PoorQuality | "duplicate"> {
        const face = await detector.refine(photo, found);
        const square = alignmentOf(face);
        const size = network.manifest.hrSize;
        const crop = cropFace(photo, square, size);
        const landmarks = cropLandmarks(face.landmarks, square, size);
        const quality = judge(crop, landmarks, square.side);
        if (quality.refusals.length > 0) return quality.refusals[0].kind;
        const label = labelOf(photoSha256, quality);
        const descriptor = describe(crop, landmarks);
        const print = fingerprint(photo);
        const twin = gallery.entries.find((entry) => this.same(entry, descriptor, print));
        // What was learned in an earlier visit stays; of copies that come together the better one does.
        const older = twin && !this.fingerprints.has(twin.label.photoSha256);
        if (twin && (older || worth(twin.label) >= worth(label))) return "duplicate";
        const rest = twin ? gallery.removing(twin.label.photoSha256) : gallery;
        const features = gallery.pack((await network.encode(crop)).value);
        this.fingerprints.set(photoSha256, print);
        return rest.adding({ features, descriptor, label, embedding: null });
    }

    private same(entry: Entry, descriptor: Float32Array, print: Float32Array): boolean {
        const known = this.fingerprints.get(entry.label.photoSha256);
        return known ? samePhoto(known, print) : sameFace(entry.descriptor, descriptor);
    }
}

/** Ranks copies of one photo: the larger first, by steps of 40 %, then the sharper. */
function worth({ quality }: Label): number {
    const side = (quality.get("size_px") ?? 0) / 1000;
    const sharpness = (quality.get("sharpness") ?? 0) / 1000;
    return Math.round(2 * Math.log2(Math.max(side, 1))) + Math.min(sharpness, 0.99);
}
