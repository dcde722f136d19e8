import { expect, test } from "vitest";
import { align, cropFace, cropLandmarks } from "../../src/core/alignment";
import { describe } from "../../src/core/descriptor";
import { keepOwnDetail, lrCrop, nativeCrop } from "../../src/core/enhance";
import { FaceDetector } from "../../src/core/faceDetector";
import { findFaces } from "../../src/core/faces";
import { decodeGallery } from "../../src/core/gallery";
import { labelOf } from "../../src/core/galleryHeader";
import { fromUnit, toUnit } from "../../src/core/pixels";
import { judge } from "../../src/core/quality";
import { pack } from "../../src/core/section";
import { openBundle, openDetector } from "./graph";
import { bundleOf, bytesOf, pixelsOf, precisions, psnr, square, vectors, web } from "./vectors";

/** The whole way in onnxruntime-web, against the whole way in Python, which has the same graphs. */

const PORTRAIT = "portrait-0027_1.jpg";

test.each(precisions)("a gallery is the one that Python builds: %s", async (precision) => {
    const { manifest, encode } = await openBundle(bundleOf(precision));
    const detector = new FaceDetector(await openDetector());
    const photo = pixelsOf(web.photos[PORTRAIT]);
    const face = await detector.refine(photo, (await detector.detect(photo))[0]);
    const place = align(face.landmarks);
    const crop = cropFace(photo, place, manifest.hrSize);
    const landmarks = cropLandmarks(face.landmarks, place, manifest.hrSize);
    const python = decodeGallery(bytesOf(`python-${precision}.gallery`));
    const [theirs] = python.entries;
    const label = labelOf(theirs.label.photoSha256, judge(crop, landmarks, place.side));
    for (const [key, value] of label.quality)
        expect(Math.abs(value - (theirs.label.quality.get(key) ?? 1e9)), key).toBeLessThan(200);
    const descriptor = describe(crop, landmarks);
    expect(Math.max(...descriptor.map((value, i) => Math.abs(value - theirs.descriptor[i])))).toBeLessThan(0.02);
    // From the same crop, so that only the runtimes differ.
    const crop128 = toUnit(square(manifest.hrSize, vectors.photos[PORTRAIT].crop));
    const [stored] = pack(await encode(crop128), manifest.section);
    const [expected] = theirs.features[0] ?? [];
    const off = stored.map((level, i) => Math.abs(((level << 24) >> 24) - ((expected[i] << 24) >> 24)));
    const [most, changed] = [
        off.reduce((a, b) => Math.max(a, b)),
        off.filter((steps) => steps > 0).length / off.length,
    ];
    console.log(
        `${precision}: ${(100 * changed).toFixed(2)} % of the stored features differ, by at most ${most} steps`,
    );
    expect(changed).toBeLessThan(precision === "fp32" ? 0.001 : 0.1);
});

test.each(precisions)("a face is the one that Python restores: %s", async (precision) => {
    const { manifest, restore } = await openBundle(bundleOf(precision));
    const expected = web.enhanced[precision];
    const gallery = decodeGallery(bytesOf(`python-${precision}.gallery`));
    const upscale = async (lr: ReturnType<typeof lrCrop>, exemplars: number[]) => {
        const { sr, weights } = await restore(
            toUnit(lr),
            exemplars.map((index) => gallery.floats(0, index)),
        );
        return { face: fromUnit(manifest.hrSize, manifest.hrSize, sr), weights };
    };
    const given = await upscale(pixelsOf(expected.lr), expected.chosen);
    const fromLr = psnr(given.face, pixelsOf(expected.sr));
    const weightsOff = Math.max(...expected.weights.map((value, i) => Math.abs(value - given.weights[i])));

    const photo = pixelsOf(web.photos["small.jpg"]);
    const [face] = await findFaces(photo, new FaceDetector(await openDetector()));
    const place = align(face.landmarks);
    const native = nativeCrop(photo, place);
    const lr = lrCrop(native, manifest.lrSize);
    const chosen = gallery.choose(
        0,
        describe(lr, cropLandmarks(face.landmarks, place, manifest.lrSize)),
        manifest.slots,
    );
    expect(chosen).toEqual(expected.chosen);
    const sr = await upscale(lr, chosen);
    const fromPhoto = psnr(keepOwnDetail(sr.face, native, manifest.lrSize), pixelsOf(expected.detailed));
    console.log(
        `${precision}: ${fromLr.toFixed(1)} dB from the same LR face, ${fromPhoto.toFixed(1)} dB from the same photo; weights off by ${weightsOff}`,
    );
    expect(fromLr).toBeGreaterThan(50);
    expect(fromPhoto).toBeGreaterThan(40);
});
