package io.edgesr.engine

import io.edgesr.core.Bicubic
import io.edgesr.core.Enhance
import io.edgesr.core.Face
import io.edgesr.core.Pixels
import io.edgesr.core.Regions

/** A restored [face] of a photo, and how it came about. */
class RestoredFace(
    val face: Face,
    /** What the network saw, `lrSize` pixels a side. */
    val lr: Pixels,
    /** The network's own result, `hrSize` pixels a side. */
    val sr: Pixels,
    /** The aligned face as it was, enlarged plainly, and as it is, with what detail of its own the photo has: to compare. */
    val before: Pixels,
    val after: Pixels,
    /** Indices into the gallery, the best first. */
    val exemplars: List<Int>,
    /** How much each of them counted at each LR pixel, [slots, h, w], 0 to 1. */
    val weights: FloatArray,
    /** Milliseconds that the network took. */
    val millis: Double,
) {
    /** Whether the face was so large in the photo that there was little to add. */
    val isLarge: Boolean get() = Regions.isLarge(Regions.sideOf(face.alignment), lr.width)
}

/** A photo with restored faces in it. */
class EnhancedPhoto(
    /** So many times as large as the photo. */
    val factor: Int,
    /** The photo enlarged plainly, and the same with the faces in it. Where no face gained both are the photo. */
    val before: Pixels,
    val after: Pixels,
    /** What was restored, in the order in which it was pasted. */
    val faces: List<RestoredFace>,
) {
    companion object {
        /** Unless told otherwise: those that [PhotoDecoder] decodes. On a desktop edgesr takes 50, which phones have no memory for. */
        const val MOST_MEGAPIXELS = 16.0

        /** [photo] so large that the restored [faces] show, up to so many [megapixels], with them pasted in. */
        fun of(photo: Pixels, faces: List<RestoredFace>, megapixels: Double = MOST_MEGAPIXELS): EnhancedPhoto {
            val sides = faces.map { Regions.sideOf(it.face.alignment) }
            val factor = if (faces.isEmpty()) 1 else Regions.factor(sides, faces[0].sr.width, photo.width, photo.height, megapixels)
            val before = if (factor == 1) photo else Bicubic.resize(photo, photo.width * factor, photo.height * factor)
            val after = faces.fold(before) { below, one -> Enhance.paste(below, one.after, one.face.alignment.scaled(factor.toDouble())) }
            return EnhancedPhoto(factor, before, after, faces)
        }
    }
}
