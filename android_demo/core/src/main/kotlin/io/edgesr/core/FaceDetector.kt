package io.edgesr.core

import kotlin.math.ceil
import kotlin.math.floor
import kotlin.math.hypot
import kotlin.math.max
import kotlin.math.min

/** Faces in photos, and landmarks sharpened by looking at each face many times (`docs/alignment.md`, Landmarks). */
class FaceDetector(private val network: FaceNetwork, private val threshold: Double = Rules.Detector.LEAST_SCORE) {
    /** Side in pixels of the largest picture that is looked at as it is. */
    val side: Int get() = network.side("detect")

    /** Faces of a picture of at most [side] a side, seen as it is. */
    internal fun look(picture: Pixels): List<Face> = search("detect", picture)

    /** Faces of a photo, the largest first. Where none is found the photo is searched at half and a quarter, too. */
    fun detect(photo: Pixels): List<Face> {
        val longest = max(photo.width, photo.height)
        val most = min(longest, side)
        var found = emptyList<Face>()
        for (limit in intArrayOf(most, most / 2, most / 4)) {
            if (limit < 1) break
            val scale = min(1.0, limit.toDouble() / longest)
            val width = scaled(photo.width, scale)
            val height = scaled(photo.height, scale)
            found = search("detect", AreaResize.resize(photo, width, height))
                .map { it.scaled(photo.width.toDouble() / width, photo.height.toDouble() / height) }
            if (found.isNotEmpty()) break
        }
        return found.sortedByDescending { it.width * it.height }
    }

    /** The face with landmarks that hardly depend on its size, angle and place in the photo. */
    fun refine(photo: Pixels, face: Face): Face {
        var landmarks = face.landmarks
        for (views in VIEWS) {
            val (patch, toPhoto) = upright(photo, Alignment.of(landmarks))
            val looks = (0 until views).mapNotNull { look(patch, it, views) }
            if (looks.isEmpty()) return face
            landmarks = List(5) { n -> toPhoto.map(looks.sumOf { it[n].x } / looks.size, looks.sumOf { it[n].y } / looks.size) }
        }
        return face.with(landmarks)
    }

    private fun search(signature: String, picture: Pixels): List<Face> =
        Yunet.decode(network.run(signature, picture), network.side(signature), picture.width, picture.height, threshold)

    /** Landmarks in patch coordinates from view [n], or null where the face is not seen. */
    private fun look(patch: Pixels, n: Int, views: Int): List<Point>? {
        val left = ((n * 0.7548776662 + 0.5 / views) % 1 * 2 * STRIDE).toInt()
        val top = ((n * 0.5698402910 + 0.5 / views) % 1 * 2 * STRIDE).toInt()
        val view = patch.region(left, top, 2 * VIEW_PIXELS, 2 * VIEW_PIXELS)
        val flipped = n % 2 == 1
        val faces = search("look", AreaResize.resize(if (flipped) view.mirrored() else view, VIEW_PIXELS, VIEW_PIXELS))
        val nearest = faces.minByOrNull { face ->
            hypot(face.landmarks.sumOf { it.x } / 5 - VIEW_PIXELS / 2, face.landmarks.sumOf { it.y } / 5 - VIEW_PIXELS / 2)
        } ?: return null
        val points = nearest.landmarks.map { Point(2 * it.x, 2 * it.y) }
        val seen = if (flipped) MIRRORED.map { Point(2 * VIEW_PIXELS - points[it].x, points[it].y) } else points
        return seen.map { Point(it.x + left, it.y + top) }
    }

    /** The face upright at twice the views' scale with room to shift, and the map from there to the photo. */
    private fun upright(photo: Pixels, alignment: Alignment): Pair<Pixels, Affine> {
        val count = 2 * (VIEW_PIXELS + STRIDE)
        val wider = count / (2.0 * VIEW_SIDE)
        val wide = Alignment(alignment.centre, Point(alignment.half.x * wider, alignment.half.y * wider))
        val reach = wide.side * 0.75
        val left = max(0, floor(wide.centre.x - reach).toInt())
        val top = max(0, floor(wide.centre.y - reach).toInt())
        val right = min(photo.width, ceil(wide.centre.x + reach).toInt())
        val bottom = min(photo.height, ceil(wide.centre.y + reach).toInt())
        val factor = max(1, floor(alignment.side / (4 * VIEW_SIDE)).toInt())
        val columns = (right - left) / factor
        val rows = (bottom - top) / factor
        if (columns < 1 || rows < 1) throw FaceException("the face lies outside the photo")
        val region = photo.region(left, top, columns * factor, rows * factor)
        val reduced = AreaResize.resize(region, columns, rows)
        val toPhoto = wide.photoFromCrop(count)
        val k = max(1, ceil(wide.side / factor / count).toInt())
        val fine = Pixels(count * k, count * k)
        val sampler = Sampler(reduced, cubic = false)
        val sums = DoubleArray(3)
        for (y in 0 until count * k) for (x in 0 until count * k) {
            val p = toPhoto.map((x + 0.5) / k, (y + 0.5) / k)
            sums.fill(0.0)
            sampler.add((p.x - left) / factor - 0.5, (p.y - top) / factor - 0.5, sums)
            for (c in 0..2) fine.rgb[(y * count * k + x) * 3 + c] = Math.rint(sums[c]).toInt().coerceIn(0, 255).toByte()
        }
        return Pair(AreaResize.resize(fine, count, count), toPhoto)
    }

    private companion object {
        const val VIEW_SIDE = Rules.Detector.VIEW_SIDE
        const val VIEW_PIXELS = Rules.Detector.VIEW_PIXELS
        const val STRIDE = Rules.Detector.STRIDE
        val VIEWS = Rules.Detector.VIEWS
        val MIRRORED = Rules.Detector.MIRRORED

        fun scaled(length: Int, scale: Double) = max(1, Math.rint(length * scale).toInt())
    }
}
