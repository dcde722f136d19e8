package io.edgesr.core

import kotlin.math.max
import kotlin.math.sqrt

/**
 * Whether two photos are one picture, stored twice: as in edgesr, by a fingerprint of the whole photo where both are at
 * hand, else by their descriptors (`docs/personalization.md`, Duplicates). Fingerprints are never stored.
 */
object Duplicates {
    private const val CELLS = Rules.Duplicates.PRINT_GRID
    private const val SAME_PHOTO = Rules.Duplicates.SAME_PHOTO
    private const val SAME_FACE = Rules.Duplicates.SAME_FACE
    private const val GRID = Descriptor.GRID

    /** Luminance of the whole photo on 16 x 16 cells, less its mean, over its deviation. */
    fun fingerprint(photo: Pixels): FloatArray {
        val wide = photo.width
        val high = photo.height
        val narrow = IntArray(high * CELLS)
        val columns = boxes(wide)
        val luma = IntArray(wide) // a row at a time: a photo's luminance would take as much memory as the photo
        for (y in 0 until high) {
            for (x in 0 until wide) {
                // Pillow's luminance: 0.299, 0.587 and 0.114 in 16 binary digits, rounded.
                luma[x] = (photo.at(x, y, 0) * 19595 + photo.at(x, y, 1) * 38470 + photo.at(x, y, 2) * 7471 + 0x8000) shr 16
            }
            for (j in 0 until CELLS) narrow[y * CELLS + j] = mean(columns[j]) { luma[it] }
        }
        val cells = IntArray(CELLS * CELLS)
        boxes(high).forEachIndexed { i, box ->
            for (j in 0 until CELLS) cells[i * CELLS + j] = mean(box) { narrow[it * CELLS + j] }
        }
        val mean = cells.average()
        val deviation = max(sqrt(cells.sumOf { (it - mean) * (it - mean) } / cells.size), 1.0)
        return FloatArray(cells.size) { ((cells[it] - mean) / deviation).toFloat() }
    }

    /** Two [fingerprint]s of one photo, stored again with other compression or at another size. */
    fun samePhoto(one: FloatArray, other: FloatArray): Boolean =
        one.indices.sumOf { ((one[it] - other[it]).toDouble()).let { d -> d * d } } / one.size < SAME_PHOTO

    /** Two descriptors of one photo's face; errs a little more than fingerprints do. */
    fun sameFace(one: FloatArray, other: FloatArray): Boolean = difference(one, other) < SAME_FACE

    /**
     * Mean squared difference of two luminance grids after the best small shift, turn, zoom and change of light: crops of
     * one photo's copies are aligned a little differently.
     */
    fun difference(one: FloatArray, other: FloatArray): Double {
        val mean = DoubleArray(GRID * GRID) { (one[it].toDouble() + other[it]) / 2 }
        val inner = (1 until GRID - 1).flatMap { y -> (1 until GRID - 1).map { x -> y * GRID + x } }
        val right = inner.map { (mean[it + 1] - mean[it - 1]) / 2 }.toDoubleArray()
        val down = inner.map { (mean[it + GRID] - mean[it - GRID]) / 2 }.toDoubleArray()
        val x = inner.map { it % GRID / GRID.toDouble() - 0.5 }.toDoubleArray()
        val y = inner.map { it / GRID / GRID.toDouble() - 0.5 }.toDoubleArray()
        val count = inner.size
        val moves = listOf(
            right,
            down,
            DoubleArray(count) { right[it] * x[it] + down[it] * y[it] },
            DoubleArray(count) { right[it] * y[it] - down[it] * x[it] },
            inner.map { one[it].toDouble() }.toDoubleArray(),
            DoubleArray(count) { 1.0 },
        )
        val rest = inner.map { other[it].toDouble() }.toDoubleArray()
        withoutMoves(rest, moves)
        return rest.sumOf { it * it } / count
    }

    /** Takes from [rest] what [moves] can make of it: Gram-Schmidt, twice over for the digits that once leaves. */
    private fun withoutMoves(rest: DoubleArray, moves: List<DoubleArray>) {
        val basis = ArrayList<DoubleArray>()
        for (move in moves) {
            val direction = move.clone()
            val before = sqrt(direction.sumOf { it * it })
            repeat(2) { for (unit in basis) subtract(direction, unit) }
            val length = sqrt(direction.sumOf { it * it })
            // A move that the ones before it can make adds nothing, and its rounding errors are no direction.
            if (length > 1e-9 * before && length > 0) basis += DoubleArray(direction.size) { direction[it] / length }
        }
        repeat(2) { for (unit in basis) subtract(rest, unit) }
    }

    private fun subtract(from: DoubleArray, unit: DoubleArray) {
        val share = from.indices.sumOf { from[it] * unit[it] }
        for (i in from.indices) from[i] -= share * unit[i]
    }

    private class Box(val first: Int, val weights: IntArray)

    /** Pixels of each cell along a side of [length], and their weights as Pillow's box filter rounds them. */
    private fun boxes(length: Int): List<Box> {
        val scale = length / CELLS.toDouble()
        val stretch = max(scale, 1.0)
        return List(CELLS) { i ->
            val centre = (i + 0.5) * scale
            val first = max((centre - stretch / 2 + 0.5).toInt(), 0)
            val last = minOf((centre + stretch / 2 + 0.5).toInt(), length)
            val inside = DoubleArray(last - first) {
                val at = (it + first - centre + 0.5) / stretch
                if (at > -0.5 && at <= 0.5) 1.0 else 0.0
            }
            val sum = inside.sum()
            Box(first, IntArray(inside.size) { (0.5 + inside[it] / sum * (1 shl DIGITS)).toInt() })
        }
    }

    private const val DIGITS = 22

    private inline fun mean(box: Box, value: (Int) -> Int): Int {
        var sum = 1L shl (DIGITS - 1)
        for (k in box.weights.indices) sum += value(box.first + k).toLong() * box.weights[k]
        return (sum shr DIGITS).toInt().coerceIn(0, 255)
    }
}
