package io.edgesr.core

import kotlin.math.abs
import kotlin.math.max
import kotlin.math.min

/**
 * Finding faces in a whole photo, the tiny ones too: a look at all of it, then at its parts at full size, of small photos
 * enlarged. A face up to the parts' overlap lies whole in one of them; larger ones the first look finds.
 */
class FaceSearch(private val detector: FaceDetector) {
    /**
     * All faces, the largest first, with refined landmarks.
     *
     * @param tiny search the parts too; without, only faces that show in a picture as large as the network's are found.
     */
    fun faces(photo: Pixels, tiny: Boolean = true): List<Face> {
        var found = detector.detect(photo)
        val zoom = if (photo.width * photo.height <= Rules.Search.MOST_ZOOMED) Rules.Search.ZOOMED else 1
        if (tiny && (zoom > 1 || max(photo.width, photo.height) > detector.side)) found = found + inParts(photo, zoom)
        val kept = ArrayList<Face>()
        for (face in found.sortedByDescending { it.score }) {
            if (kept.none { overlap(face, it) >= Rules.Search.SAME }) kept += face
        }
        return kept.filter { face -> kept.none { within(face, it) } }.map { refined(photo, it) }
            .sortedByDescending { it.width * it.height }
    }

    /** The network takes pictures up to a size, so parts that are enlarged show less of the photo. */
    private fun inParts(photo: Pixels, zoom: Int): List<Face> {
        val tile = Rules.Search.TILE / zoom
        val tops = starts(photo.height, tile, Rules.Search.OVERLAP / zoom)
        val lefts = starts(photo.width, tile, Rules.Search.OVERLAP / zoom)
        return tops.flatMap { top ->
            lefts.flatMap { left ->
                val part = photo.region(left, top, min(tile, photo.width - left), min(tile, photo.height - top))
                val shown = if (zoom == 1) part else Bicubic.resize(part, part.width * zoom, part.height * zoom)
                detector.look(shown).map { it.scaled(1.0 / zoom).moved(left.toDouble(), top.toDouble()) }
            }
        }
    }

    private fun starts(length: Int, tile: Int, overlap: Int): List<Int> {
        if (length <= tile) return listOf(0)
        val step = tile - overlap
        val count = (length - overlap + step - 1) / step
        return List(count) { Math.rint(it.toDouble() * (length - tile) / (count - 1)).toInt() }
    }

    private fun refined(photo: Pixels, face: Face): Face = try {
        val refined = detector.refine(photo, face)
        val moved = refined.landmarks.zip(face.landmarks).maxOf { (a, b) -> max(abs(a.x - b.x), abs(a.y - b.y)) }
        // A look that ended on another face, or on none, is worse than the first one.
        if (moved < MOST_MOVED * face.alignment.side) refined else face
    } catch (error: FaceException) {
        face
    }

    private companion object {
        const val MOST_MOVED = 0.25

        fun area(face: Face) = face.width * face.height

        fun shared(a: Face, b: Face): Double {
            val across = min(a.left + a.width, b.left + b.width) - max(a.left, b.left)
            val down = min(a.top + a.height, b.top + b.height) - max(a.top, b.top)
            return max(across, 0.0) * max(down, 0.0)
        }

        fun overlap(a: Face, b: Face): Double {
            val both = shared(a, b)
            return both / max(area(a) + area(b) - both, Rules.Alignment.TOLERANCE)
        }

        /** A small face inside a much larger one is a mistake of the search at full size: an eye, a print on a shirt. */
        fun within(face: Face, other: Face) = area(other) > 4 * area(face) && shared(face, other) > 0.7 * area(face)
    }
}
