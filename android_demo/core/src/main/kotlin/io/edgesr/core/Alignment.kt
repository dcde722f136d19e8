package io.edgesr.core

import kotlin.math.ceil
import kotlin.math.floor
import kotlin.math.hypot
import kotlin.math.max

/** A point in continuous coordinates: pixel (i, j) has its centre at (i + 0.5, j + 0.5). */
data class Point(val x: Double, val y: Double)

/** An affine map: (x, y) to (a x + b y + c, d x + e y + f). */
data class Affine(val a: Double, val b: Double, val c: Double, val d: Double, val e: Double, val f: Double) {
    fun map(x: Double, y: Double) = Point(a * x + b * y + c, d * x + e * y + f)

    fun map(point: Point) = map(point.x, point.y)
}

/**
 * A face's square in a photo, by the rule of `docs/alignment.md`: [centre] c, and [half] x, the vector from c to the
 * middle of its right edge.
 */
data class Alignment(val centre: Point, val half: Point) {
    /** The square's side in photo pixels. */
    val side: Double get() = 2 * hypot(half.x, half.y)

    /** From a crop's coordinates, 0 to [size], to the photo's. */
    fun photoFromCrop(size: Int): Affine {
        val sx = 2 * half.x / size
        val sy = 2 * half.y / size
        return Affine(sx, -sy, centre.x - half.x + half.y, sy, sx, centre.y - half.y - half.x)
    }

    /** The inverse of [photoFromCrop]. */
    fun cropFromPhoto(size: Int): Affine {
        val t = size / (2 * (half.x * half.x + half.y * half.y))
        val a = t * half.x
        val b = t * half.y
        return Affine(a, b, size / 2.0 - a * centre.x - b * centre.y, -b, a, size / 2.0 + b * centre.x - a * centre.y)
    }

    /** The same square in a photo that is [factor] times as large. */
    fun scaled(factor: Double) =
        Alignment(Point(centre.x * factor, centre.y * factor), Point(half.x * factor, half.y * factor))

    /**
     * The aligned crop of [size] pixels. Every crop pixel is the mean of k x k bilinear samples, k = ceil(side / size);
     * where the crop enlarges the photo it is one cubic sample. Beyond its edges the photo is mirrored.
     */
    fun crop(photo: Pixels, size: Int): Pixels {
        val map = photoFromCrop(size)
        val ratio = side / size
        val enlarges = ratio < 1 - TOLERANCE
        val k = max(1, ceil(ratio - TOLERANCE).toInt())
        val sampler = Sampler(photo, enlarges)
        val total = DoubleArray(3)
        val result = Pixels(size, size)
        for (j in 0 until size) for (i in 0 until size) {
            total.fill(0.0)
            for (b in 0 until k) for (a in 0 until k) {
                val u = i + (a + 0.5) / k
                val v = j + (b + 0.5) / k
                sampler.add(map.a * u + map.b * v + map.c - 0.5, map.d * u + map.e * v + map.f - 0.5, total)
            }
            for (c in 0..2) {
                val level = floor((total[c] / (k * k)).coerceIn(0.0, 255.0) + 0.5)
                result.rgb[(j * size + i) * 3 + c] = level.toInt().toByte()
            }
        }
        return result
    }

    companion object {
        private const val EYES_FACTOR = Rules.Alignment.EYES_FACTOR
        private const val FACE_FACTOR = Rules.Alignment.FACE_FACTOR
        private const val DROP = Rules.Alignment.DROP
        private const val TOLERANCE = Rules.Alignment.TOLERANCE

        /**
         * The square of a face from five [landmarks]: eyes, nose, mouth corners, image left first.
         *
         * @throws FaceException where they are not finite or fall into one point.
         */
        fun of(landmarks: List<Point>): Alignment {
            if (landmarks.size != 5) throw FaceException("${landmarks.size} landmarks", "five points are a face")
            val (e0, e1, _, m0, m1) = landmarks
            val eyes = Point((e0.x + e1.x) / 2, (e0.y + e1.y) / 2)
            val e = Point(e1.x - e0.x, e1.y - e0.y)
            val v = Point((m0.x + m1.x) / 2 - eyes.x, (m0.y + m1.y) / 2 - eyes.y)
            val x = e.x + v.y
            val y = e.y - v.x
            val length = hypot(x, y)
            val half = max(EYES_FACTOR * hypot(e.x, e.y), FACE_FACTOR * hypot(v.x, v.y))
            if (half.isNaN() || half.isInfinite() || !(length >= TOLERANCE) || half < TOLERANCE) {
                throw FaceException("these landmarks are no face", "eyes and mouth lie in one point or are not numbers")
            }
            return Alignment(
                Point(eyes.x + DROP * v.x, eyes.y + DROP * v.y),
                Point(x / length * half, y / length * half),
            )
        }
    }
}
