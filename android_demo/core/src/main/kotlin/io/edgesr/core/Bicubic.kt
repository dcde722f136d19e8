package io.edgesr.core

import kotlin.math.abs
import kotlin.math.floor
import kotlin.math.max
import kotlin.math.min

/**
 * The one bicubic kernel of edgesr: Keys with a = -0.5, antialiased going down, taps outside the picture left out and
 * the rest renormalised (as Pillow's BICUBIC and PyTorch's `antialias=True`).
 */
object Bicubic {
    /** The picture at another size; rounded to 8 bits after each of the two passes, as Pillow does. */
    fun resize(image: Pixels, width: Int, height: Int): Pixels {
        val floats = FloatArray(image.rgb.size) { (image.rgb[it].toInt() and 255).toFloat() }
        val result = Pixels(width, height)
        val values = resize(floats, image.width, image.height, width, height) { floor(it.coerceIn(0f, 255f) + 0.5f) }
        for (i in values.indices) result.rgb[i] = values[i].toInt().toByte()
        return result
    }

    /** Values [h, w, 3] at another size, neither clamped nor rounded; [after] is applied to the results of each pass. */
    fun resize(
        values: FloatArray, fromWidth: Int, fromHeight: Int, width: Int, height: Int, after: (Float) -> Float = { it },
    ): FloatArray {
        val columns = taps(fromWidth, width)
        val rows = taps(fromHeight, height)
        val wide = FloatArray(width * fromHeight * 3)
        for (y in 0 until fromHeight) for (x in 0 until width) for (c in 0..2) {
            var sum = 0.0
            val tap = columns[x]
            for (i in tap.weights.indices) sum += tap.weights[i] * values[(y * fromWidth + tap.first + i) * 3 + c]
            wide[(y * width + x) * 3 + c] = after(sum.toFloat())
        }
        val result = FloatArray(width * height * 3)
        for (y in 0 until height) for (at in 0 until width * 3) {
            var sum = 0.0
            val tap = rows[y]
            for (i in tap.weights.indices) sum += tap.weights[i] * wide[(tap.first + i) * width * 3 + at]
            result[y * width * 3 + at] = after(sum.toFloat())
        }
        return result
    }

    private class Taps(val first: Int, val weights: DoubleArray)

    private fun taps(from: Int, to: Int): List<Taps> {
        if (from == to) return List(to) { Taps(it, doubleArrayOf(1.0)) }
        val ratio = from.toDouble() / to
        val wide = max(ratio, 1.0)
        return List(to) { i ->
            val centre = (i + 0.5) * ratio
            val first = max(0, (centre - 2 * wide + 0.5).toInt())
            val last = min(from, (centre + 2 * wide + 0.5).toInt())
            val weights = DoubleArray(last - first) { k -> kernel((first + k + 0.5 - centre) / wide) }
            val sum = weights.sum()
            for (k in weights.indices) weights[k] /= sum
            Taps(first, weights)
        }
    }

    private fun kernel(distance: Double): Double {
        val t = abs(distance)
        return when {
            t < 1 -> (1.5 * t - 2.5) * t * t + 1
            t < 2 -> ((-0.5 * t + 2.5) * t - 4) * t + 2
            else -> 0.0
        }
    }
}
