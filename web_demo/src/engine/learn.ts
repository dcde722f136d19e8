import { cropFace, cropLandmarks } from "../core/alignment";
import { describe } from "../core/descriptor";
import type { FaceDetector } from "../core/faceDetector";
import type { Entry, Gallery } from "../core/gallery";
import { labelOf } from "../core/galleryHeader";
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

/** An entry of the gallery from a face of a photo, or why there is none. */
export async function learnFrom(
    photo: Pixels,
    photoSha256: string,
    found: Face,
    gallery: Gallery,
    detector: FaceDetector,
    network: Network,
): Promise<Entry | PoorQuality> {
    const face = await detector.refine(photo, found);
    const square = alignmentOf(face);
    const size = network.manifest.hrSize;
    const crop = cropFace(photo, square, size);
    const landmarks = cropLandmarks(face.landmarks, square, size);
    const quality = judge(crop, landmarks, square.side);
    if (quality.refusals.length > 0) return quality.refusals[0].kind;
    const features = gallery.pack((await network.encode(crop)).value);
    return { features, descriptor: describe(crop, landmarks), label: labelOf(photoSha256, quality), embedding: null };
}
