package io.edgesr.engine

import io.edgesr.core.Descriptor
import io.edgesr.core.Duplicates
import io.edgesr.core.EdgesrException
import io.edgesr.core.Entry
import io.edgesr.core.Face
import io.edgesr.core.Gallery
import io.edgesr.core.GalleryHeader
import io.edgesr.core.Label
import io.edgesr.core.Manifest
import io.edgesr.core.Pixels
import io.edgesr.core.Quality
import io.edgesr.core.Refusal
import java.nio.ByteBuffer

/** Nothing is learned from a photo: [reason] says why, and of [Reason.SEVERAL] people [faces] are those to choose from. */
class LearningException(val reason: Reason, val faces: List<Face> = emptyList()) : EdgesrException(reason.what, reason.hint) {
    enum class Reason(internal val what: String, internal val hint: String = "choose another photo") {
        NO_FACE("no face was found in the photo"),
        SEVERAL("the photo shows several people", "say which is the person"),
        KNOWN("the same picture has been learned already", ""),
        TOO_SMALL("the face is too small"),
        TOO_DARK("the face is too dark"),
        TOO_BRIGHT("most of the face is white"),
        BLURRED("the face is blurred"),
        TURNED_AWAY("the face is turned away from the camera"),
    }
}

/** A face that can be learned from, and what is known of it before the network sees it. */
class Portrait private constructor(
    /** Aligned, `hrSize` pixels a side. */
    val face: Pixels,
    /** What a gallery says of its photo. */
    val label: Label,
    /** What exemplars are chosen by. */
    val descriptor: FloatArray,
    /** Of the whole photo, to tell copies of one picture ([Duplicates]). A picture in effect: never to be stored. */
    val fingerprint: FloatArray,
) {
    /**
     * Whether [entry] came from a copy of the same picture: by the whole photo where its [fingerprint] is known, else by the
     * face.
     */
    fun isOf(entry: Entry, fingerprint: FloatArray? = null): Boolean =
        if (fingerprint != null) Duplicates.samePhoto(fingerprint, this.fingerprint) else Duplicates.sameFace(entry.descriptor, descriptor)

    companion object {
        /** Pixels of a face's square at first sight: at a closer look it may turn out larger. */
        internal const val FIRST_LOOK = 0.75 * Quality.LEAST_SIZE

        /** Whether a gallery has learned from this file. */
        fun known(content: ByteArray, gallery: Gallery): Boolean = sha256(content).let { hash -> gallery.entries.any { it.label.photoSha256 == hash } }

        /** Ranks copies of one picture: the larger first, by steps of 40 %, then the sharper. */
        fun worth(label: Label): Double {
            val side = (label.quality["size_px"] ?: 0) / 1000.0
            return Math.rint(2 * Math.log(maxOf(side, 1.0)) / Math.log(2.0)) + minOf((label.quality["sharpness"] ?: 0) / 1000.0, 0.99)
        }

        internal fun of(content: ByteArray, photo: Pixels, face: Face, size: Int): Portrait {
            val square = face.alignment
            // Judged and described at one size, as in Python, whatever the network's: entries of all networks compare.
            val seen = square.crop(photo, Quality.SIDE)
            val landmarks = face.landmarks.map(square.cropFromPhoto(Quality.SIDE)::map)
            val quality = Quality.judge(seen, landmarks, square.side)
            quality.refusals.firstOrNull()?.let { throw LearningException(reason(it)) }
            val label = Label(
                sha256(content),
                stored("sharpness" to quality.sharpness, "size_px" to quality.sizePx, "exposure" to quality.exposure),
                stored("yaw_deg" to quality.yawDeg, "pitch_deg" to quality.pitchDeg, "roll_deg" to quality.rollDeg),
            )
            val crop = if (size == seen.width) seen else square.crop(photo, size)
            return Portrait(crop, label, Descriptor.of(seen, landmarks), Duplicates.fingerprint(photo))
        }

        private fun stored(vararg measures: Pair<String, Double>) = mapOf(*measures).mapValues { GalleryHeader.thousandths(it.value) }

        private fun sha256(content: ByteArray) = Manifest.sha256Of(ByteBuffer.wrap(content))

        private fun reason(refusal: Refusal) = when (refusal) {
            Refusal.TOO_SMALL -> LearningException.Reason.TOO_SMALL
            Refusal.TOO_DARK -> LearningException.Reason.TOO_DARK
            Refusal.TOO_BRIGHT -> LearningException.Reason.TOO_BRIGHT
            Refusal.BLURRED -> LearningException.Reason.BLURRED
            Refusal.TURNED_AWAY -> LearningException.Reason.TURNED_AWAY
        }
    }
}
