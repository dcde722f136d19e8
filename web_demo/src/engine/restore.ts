import { cropLandmarks } from "../core/alignment";
import { resizeBicubic } from "../core/bicubic";
import { describe } from "../core/descriptor";
import { keepOwnDetail, lrCrop, nativeCrop } from "../core/enhance";
import type { Gallery } from "../core/gallery";
import type { Pixels } from "../core/pixels";
import { alignmentOf, type Face } from "../core/yunet";
import type { Network } from "./network";

/** A face between its photo and its place in it. */
export interface RestoredFace {
    lr: Pixels;
    /** As it was, enlarged plainly, and restored. */
    before: Pixels;
    after: Pixels;
    /** Indices into the gallery, the best first, and CoFA's weights of each, [slots, h, w]. */
    exemplars: number[];
    weights: Float32Array;
    millis: number;
}

/**
 * As `edgesr enhance` does it, and with what the photo shows beyond the network's LR size kept.
 * `own`: whether the face is the gallery's person; without exemplars otherwise.
 */
export async function restoreFace(
    photo: Pixels,
    face: Face,
    gallery: Gallery,
    own: boolean,
    network: Network,
    step: () => Promise<void>,
): Promise<RestoredFace> {
    const { lrSize, hrSize, slots } = network.manifest;
    const square = alignmentOf(face);
    const native = nativeCrop(photo, square);
    const lr = lrCrop(native, lrSize);
    const described = describe(lr, cropLandmarks(face.landmarks, square, lrSize));
    const exemplars = own ? gallery.choose(network.manifest.checkGallery(gallery), described, slots) : [];
    await step();
    const { value, millis } = await network.restore(lr, gallery, exemplars);
    const before = resizeBicubic(native, hrSize, hrSize);
    const after = keepOwnDetail(value.face, native, lrSize);
    return { lr, before, after, exemplars, weights: value.weights, millis };
}
