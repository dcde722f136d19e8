import { cropLandmarks } from "../core/alignment";
import { resizeBicubic } from "../core/bicubic";
import { describe } from "../core/descriptor";
import { believe, keepOwnDetail, lrCrop, nativeCrop } from "../core/enhance";
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
    /** How far the exemplars were believed, 0 to 1. */
    share: number;
    millis: number;
}

/**
 * As `edgesr enhance` does it: with exemplars as far as they explain the photo, and with the photo's own detail kept.
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
    let [believed, share] = [value.face, 1];
    if (exemplars.length > 0) {
        await step();
        const none = (await network.restore(lr, gallery, [])).value.face;
        const judged = believe(value.face, none, lr);
        [believed, share] = [judged.face, judged.share];
    }
    const before = resizeBicubic(native, hrSize, hrSize);
    return { lr, before, after: keepOwnDetail(believed, native), exemplars, weights: value.weights, share, millis };
}
