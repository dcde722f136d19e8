package io.edgesr.core

import kotlin.math.floor

/** Values of a photo between its pixels: bilinear or cubic (Keys, a = -0.5), mirrored beyond the edges. */
class Sampler(private val photo: Pixels, cubic: Boolean) {
    private val count = if (cubic) 4 else 2
    private val first = 1 - count / 2
    private val wx = DoubleArray(count)
    private val wy = DoubleArray(count)
    private val columns = IntArray(count)

    /** Add red, green and blue at pixel index (x, y), where whole numbers are pixel centres, to [sums]. */
    fun add(x: Double, y: Double, sums: DoubleArray) {
        val left = floor(x)
        val top = floor(y)
        weights(x - left, wx)
        weights(y - top, wy)
        for (i in 0 until count) columns[i] = mirror(left.toLong() + first + i, photo.width)
        for (j in 0 until count) {
            val row = mirror(top.toLong() + first + j, photo.height) * photo.width
            for (i in 0 until count) {
                val weight = wx[i] * wy[j]
                val at = (row + columns[i]) * 3
                sums[0] += weight * (photo.rgb[at].toInt() and 255)
                sums[1] += weight * (photo.rgb[at + 1].toInt() and 255)
                sums[2] += weight * (photo.rgb[at + 2].toInt() and 255)
            }
        }
    }

    private fun weights(t: Double, into: DoubleArray) {
        if (count == 2) {
            into[0] = 1 - t
            into[1] = t
            return
        }
        into[0] = ((-0.5 * t + 1) * t - 0.5) * t
        into[1] = (1.5 * t - 2.5) * t * t + 1
        into[2] = ((-1.5 * t + 2) * t + 0.5) * t
        into[3] = (0.5 * t - 0.5) * t * t
    }

    companion object {
        /** Index into a row of [count] pixels that is mirrored at its edges: ... c b a | a b c | c b a ... */
        fun mirror(index: Long, count: Int): Int {
            if (index in 0 until count) return index.toInt()
            val i = Math.floorMod(index, 2L * count).toInt()
            return if (i < count) i else 2 * count - 1 - i
        }
    }
}
