package io.edgesr.core

import kotlin.math.ceil
import kotlin.math.floor
import kotlin.math.min

/** Scaling down by averaging what falls on each pixel, as OpenCV's INTER_AREA: what the detector's pictures are made by. */
object AreaResize {
    private class Part(val first: Int, val weights: FloatArray)

    /** The picture at a size no larger than its own. */
    fun resize(image: Pixels, width: Int, height: Int): Pixels {
        if (width == image.width && height == image.height) return image
        if (image.width == 2 * width && image.height == 2 * height) return halved(image)
        val columns = parts(image.width, width)
        val rows = parts(image.height, height)
        val result = Pixels(width, height)
        val sums = FloatArray(width * 3)
        val row = FloatArray(width * 3)
        for (y in 0 until height) {
            sums.fill(0f)
            for (k in rows[y].weights.indices) {
                shrinkRow(image, rows[y].first + k, columns, row)
                for (i in sums.indices) sums[i] += row[i] * rows[y].weights[k]
            }
            for (i in sums.indices) result.rgb[y * width * 3 + i] = Math.rint(sums[i].toDouble()).toInt().coerceIn(0, 255).toByte()
        }
        return result
    }

    /** OpenCV rounds this one case half up, all others half to even; landmarks move by it. */
    private fun halved(image: Pixels): Pixels {
        val result = Pixels(image.width / 2, image.height / 2)
        for (y in 0 until result.height) for (x in 0 until result.width) for (c in 0..2) {
            val sum = image.at(2 * x, 2 * y, c) + image.at(2 * x + 1, 2 * y, c) + image.at(2 * x, 2 * y + 1, c) + image.at(2 * x + 1, 2 * y + 1, c)
            result.rgb[(y * result.width + x) * 3 + c] = (sum + 2 shr 2).toByte()
        }
        return result
    }

    private fun shrinkRow(image: Pixels, y: Int, columns: List<Part>, into: FloatArray) {
        for (x in columns.indices) {
            var r = 0f
            var g = 0f
            var b = 0f
            var at = (y * image.width + columns[x].first) * 3
            for (weight in columns[x].weights) {
                r += weight * (image.rgb[at].toInt() and 255)
                g += weight * (image.rgb[at + 1].toInt() and 255)
                b += weight * (image.rgb[at + 2].toInt() and 255)
                at += 3
            }
            into[3 * x] = r
            into[3 * x + 1] = g
            into[3 * x + 2] = b
        }
    }

    private fun parts(from: Int, to: Int): List<Part> {
        val scale = from.toDouble() / to
        return List(to) { i ->
            val start = i * scale
            val end = start + scale
            val cell = min(scale, from - start)
            val last = min(floor(end).toInt(), from - 1)
            val whole = min(ceil(start).toInt(), last)
            val weights = ArrayList<Float>()
            val leads = whole - start > 1e-3
            if (leads) weights += ((whole - start) / cell).toFloat()
            repeat(last - whole) { weights += (1 / cell).toFloat() }
            if (end - last > 1e-3) weights += (min(min(end - last, 1.0), cell) / cell).toFloat()
            Part(if (leads) whole - 1 else whole, weights.toFloatArray())
        }
    }
}
