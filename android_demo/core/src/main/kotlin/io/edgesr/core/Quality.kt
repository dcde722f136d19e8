package io.edgesr.core

import kotlin.math.abs
import kotlin.math.atan
import kotlin.math.atan2
import kotlin.math.ceil
import kotlin.math.floor
import kotlin.math.hypot
import kotlin.math.max
import kotlin.math.sqrt

/** Why a photo does not become an exemplar. */
enum class Refusal { TOO_SMALL, TOO_DARK, TOO_BRIGHT, BLURRED, TURNED_AWAY }

/** Whether a photo is worth keeping as an exemplar; the same measures and limits as edgesr's on the desktop. */
data class Quality(
    val sharpness: Double,
    val sizePx: Double,
    val exposure: Double,
    val yawDeg: Double,
    val pitchDeg: Double,
    val rollDeg: Double,
    val refusals: List<Refusal>,
) {
    companion object {
        /** Pixels of the crop that faces are judged and described by, whichever size the network sees. */
        const val SIDE = Rules.Quality.SIDE
        private val LEFT = Rules.Quality.FACE[0]
        private val TOP = Rules.Quality.FACE[1]
        private val RIGHT = Rules.Quality.FACE[2]
        private val BOTTOM = Rules.Quality.FACE[3]
        private const val LEAST_SHARPNESS = Rules.Quality.LEAST_SHARPNESS
        private const val ONE_AXIS = Rules.Quality.ONE_AXIS
        /** Of the face's square, in photo pixels. */
        const val LEAST_SIZE = Rules.Quality.LEAST_SIZE
        private const val DARKEST = Rules.Quality.DARKEST
        private const val BRIGHT = Rules.Quality.BRIGHT
        private const val MOST_BRIGHT = Rules.Quality.MOST_BRIGHT
        private const val MOST_YAW = Rules.Quality.MOST_YAW
        private const val MOST_PITCH = Rules.Quality.MOST_PITCH
        private const val NOSE_DEPTH = Rules.Quality.NOSE_DEPTH
        private const val NOSE_HEIGHT = Rules.Quality.NOSE_HEIGHT
        private const val EYES_TO_MOUTH = Rules.Quality.EYES_TO_MOUTH

        /** Of an aligned crop, its [landmarks] in the crop's pixels, and the side of its square in the photo. */
        fun judge(face: Pixels, landmarks: List<Point>, sourceSizePx: Double): Quality {
            val side = face.width
            val full = DoubleArray(side * side) { i ->
                (0..2).sumOf { c -> (face.rgb[3 * i + c].toInt() and 255) * Descriptor.LUMA[c] } / 255
            }
            val luma = Descriptor.boxMeans(full, side, SIDE)
            val inner = ArrayList<Double>()
            for (y in TOP until BOTTOM) for (x in LEFT until RIGHT) inner += luma[y * SIDE + x]
            val (yaw, pitch, roll) = pose(landmarks)
            val sharp = sharpness(luma)
            val refusals = ArrayList<Refusal>()
            if (sourceSizePx < LEAST_SIZE) refusals += Refusal.TOO_SMALL
            if (percentile(inner, 0.95) < DARKEST) {
                refusals += Refusal.TOO_DARK
            } else if (inner.count { it >= BRIGHT }.toDouble() / inner.size > MOST_BRIGHT) {
                refusals += Refusal.TOO_BRIGHT
            }
            if (sharp < LEAST_SHARPNESS) refusals += Refusal.BLURRED
            if (abs(yaw) > MOST_YAW || abs(pitch) > MOST_PITCH) refusals += Refusal.TURNED_AWAY
            return Quality(sharp, sourceSizePx, inner.average(), yaw, pitch, roll, refusals)
        }

        private fun percentile(values: List<Double>, share: Double): Double {
            val sorted = values.sorted()
            val at = share * (sorted.size - 1)
            val low = sorted[floor(at).toInt()]
            return low + (sorted[ceil(at).toInt()] - low) * (at - floor(at))
        }

        /** Finest detail of a face against detail four times as coarse: along both axes, or along the one that has less. */
        private fun sharpness(luma: DoubleArray): Double =
            minOf(ratio(luma, true, true), ONE_AXIS * ratio(luma, true, false), ONE_AXIS * ratio(luma, false, true))

        private fun ratio(luma: DoubleArray, down: Boolean, across: Boolean): Double {
            val a = smooth(luma, 1, down, across)
            val b = smooth(a, 2, down, across)
            val c = smooth(b, 4, down, across)
            var fine = 0.0
            var coarse = 0.0
            for (y in TOP until BOTTOM) for (x in LEFT until RIGHT) {
                val i = y * SIDE + x
                fine += (luma[i] - a[i]) * (luma[i] - a[i])
                coarse += (b[i] - c[i]) * (b[i] - c[i])
            }
            val count = (BOTTOM - TOP) * (RIGHT - LEFT)
            return sqrt(fine / count) / max(sqrt(coarse / count), 1.0 / 255)
        }

        private fun smooth(image: DoubleArray, step: Int, down: Boolean, across: Boolean): DoubleArray {
            fun clamp(i: Int) = i.coerceIn(0, SIDE - 1)
            val rows = DoubleArray(image.size)
            val result = DoubleArray(image.size)
            for (y in 0 until SIDE) for (x in 0 until SIDE) {
                val i = y * SIDE + x
                rows[i] = if (!down) image[i] else (image[clamp(y - step) * SIDE + x] + 2 * image[i] + image[clamp(y + step) * SIDE + x]) / 4
            }
            for (y in 0 until SIDE) for (x in 0 until SIDE) {
                val i = y * SIDE + x
                result[i] = if (!across) rows[i] else (rows[y * SIDE + clamp(x - step)] + 2 * rows[i] + rows[y * SIDE + clamp(x + step)]) / 4
            }
            return result
        }

        /** Yaw, pitch and roll in degrees. */
        fun pose(p: List<Point>): Triple<Double, Double, Double> {
            val half = Alignment.of(p).half
            val length = hypot(half.x, half.y)
            val rx = half.x / length
            val ry = half.y / length
            val eyes = Point((p[0].x + p[1].x) / 2, (p[0].y + p[1].y) / 2)
            val v = Point((p[3].x + p[4].x) / 2 - eyes.x, (p[3].y + p[4].y) / 2 - eyes.y)
            val n = Point(p[2].x - eyes.x, p[2].y - eyes.y)
            val distance = abs((p[1].x - p[0].x) * rx + (p[1].y - p[0].y) * ry)
            val way = -v.x * ry + v.y * rx
            if (way <= 0 || distance <= 0) throw FaceException("these landmarks are no face", "the mouth is above the eyes")
            val t = (-n.x * ry + n.y * rx) / way
            val s = n.x * rx + n.y * ry - t * (v.x * rx + v.y * ry)
            return Triple(
                Math.toDegrees(atan(s / (distance * NOSE_DEPTH))),
                Math.toDegrees(atan((NOSE_HEIGHT - t) * EYES_TO_MOUTH / NOSE_DEPTH)),
                Math.toDegrees(atan2(p[1].y - p[0].y, p[1].x - p[0].x)),
            )
        }
    }
}
