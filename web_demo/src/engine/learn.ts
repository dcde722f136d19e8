import { cropFace, cropLandmarks } from "../core/alignment";
import { describe } from "../core/descriptor";
import { fingerprint, sameFace, samePhoto } from "../core/duplicates";
import type { FaceDetector } from "../core/faceDetector";
import type { Entry, Gallery } from "../core/gallery";
import { type Label, labelOf } from "../core/galleryHeader";
import type { Pixels } from "../core/pixels";
import { judge, LEAST_SIZE, type Refusal as PoorQuality, SIDE } from "../core/quality";
import { pack } from "../core/section";
import { alignmentOf, type Face } from "../core/yunet";
import type { Network } from "./network";

/** A face may turn out so much larger at a closer look. */
const FIRST_LOOK = 0.75;

/** Those of the faces, the largest first, that can be learned from; where none can, the largest, to be told why. */
export function candidates(faces: Face[]): Face[] {
    const large = faces.filter((face) => alignmentOf(face).side >= FIRST_LOOK * LEAST_SIZE);
    return large.length > 0 ? large : faces.slice(0, 1);
}

/** A face that can be learned from, and what will be known of it. */
export interface Candidate {
    crop: Pixels;
    label: Label;
    descriptor: Float32Array;
    print: Float32Array;
    /** What was learned from another copy of the same picture, which is not as good. */
    twin: Entry | undefined;
}

/** Learns from photos, and remembers for this visit what they looked like, to tell copies of one photo. */
export class Learner {
    /** Of the whole photos that this visit learned from; never stored. */
    private readonly fingerprints = new Map<string, Float32Array>();

    /** A face of the photo as it would be learned, or why it is not. */
    async examine(
        photo: Pixels,
        photoSha256: string,
        found: Face,
        gallery: Gallery,
        detector: FaceDetector,
        size: number,
    ): Promise<Candidate | PoorQuality | "duplicate"> {
        const face = await detector.refine(photo, found);
        const square = alignmentOf(face);
        // Judged and described at one size, as in Python, whatever the network's: entries of all networks compare.
        const seen = cropFace(photo, square, SIDE);
        const landmarks = cropLandmarks(face.landmarks, square, SIDE);
        const quality = judge(seen, landmarks, square.side);
        if (quality.refusals.length > 0) return quality.refusals[0].kind;
        const label = labelOf(photoSha256, quality);
        const descriptor = describe(seen, landmarks);
        const print = fingerprint(photo);
        const twin = gallery.entries.find((entry) => this.same(entry, descriptor, print));
        // What was learned in an earlier visit stays; of copies that come together the better one does.
        const older = twin && !this.fingerprints.has(twin.label.photoSha256);
        if (twin && (older || worth(twin.label) >= worth(label))) return "duplicate";
        const crop = size === SIDE ? seen : cropFace(photo, square, size);
        return { crop, label, descriptor, print, twin };
    }

    /** The gallery with the face in it. */
    async take(
        { crop, label, descriptor, print, twin }: Candidate,
        gallery: Gallery,
        network: Network,
    ): Promise<Gallery> {
        const rest = twin ? gallery.removing(twin.label.photoSha256) : gallery;
        const section = network.manifest.checkGallery(rest);
        const features = pack((await network.encode(crop)).value, rest.sections[section]);
        this.fingerprints.set(label.photoSha256, print);
        return rest.adding(rest.entryOf(section, features, descriptor, label));
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
