package io.edgesr.core

import kotlin.math.max
import kotlin.math.min
import kotlin.math.sqrt

/** What a face looks like and where it turns, in 109 numbers (`docs/gallery-format.md`, Descriptor). */
object Descriptor {
    const val GRID = Rules.Descriptor.GRID
    private const val CHROMA_GRID = Rules.Descriptor.CHROMA_GRID
    const val MEAN = GRID * GRID
    const val CONTRAST = MEAN + 1
    private const val CHROMA = CONTRAST + 1
    const val LANDMARKS = CHROMA + 2 * CHROMA_GRID * CHROMA_GRID
    const val HAS_LANDMARKS = LANDMARKS + 10
    const val SIZE = HAS_LANDMARKS + 1
    val LUMA = Rules.Descriptor.LUMA
    private const val LEAST_CONTRAST = Rules.Descriptor.LEAST_CONTRAST
    private val TEMPLATE = Rules.Descriptor.TEMPLATE.map { Point(it[0], it[1]) }

    /** Of an aligned square crop, LR or HR; [landmarks] in the crop's pixels where they are known. */
    fun of(face: Pixels, landmarks: List<Point>?): FloatArray {
        require(face.width == face.height) { "a face is square" }
        val side = face.width
        val luma = DoubleArray(side * side)
        val red = DoubleArray(side * side)
        val blue = DoubleArray(side * side)
        for (i in luma.indices) {
            val r = (face.rgb[3 * i].toInt() and 255) / 255.0
            val g = (face.rgb[3 * i + 1].toInt() and 255) / 255.0
            val b = (face.rgb[3 * i + 2].toInt() and 255) / 255.0
            luma[i] = r * LUMA[0] + g * LUMA[1] + b * LUMA[2]
            red[i] = r - luma[i]
            blue[i] = b - luma[i]
        }
        val cells = boxMeans(luma, side, GRID)
        val mean = cells.average()
        val contrast = sqrt(cells.sumOf { (it - mean) * (it - mean) } / cells.size)
        val result = FloatArray(SIZE)
        for (i in cells.indices) result[i] = ((cells[i] - mean) / max(contrast, LEAST_CONTRAST)).toFloat()
        result[MEAN] = mean.toFloat()
        result[CONTRAST] = contrast.toFloat()
        val count = CHROMA_GRID * CHROMA_GRID
        boxMeans(red, side, CHROMA_GRID).forEachIndexed { i, v -> result[CHROMA + i] = v.toFloat() }
        boxMeans(blue, side, CHROMA_GRID).forEachIndexed { i, v -> result[CHROMA + count + i] = v.toFloat() }
        if (landmarks != null) {
            landmarks.forEachIndexed { i, p ->
                result[LANDMARKS + 2 * i] = (p.x / side - TEMPLATE[i].x).toFloat()
                result[LANDMARKS + 2 * i + 1] = (p.y / side - TEMPLATE[i].y).toFloat()
            }
            result[HAS_LANDMARKS] = 1f
        }
        return result
    }

    /** Exact means over a grid of [cells] a side: pixel p counts by the length it shares with the cell. */
    fun boxMeans(image: DoubleArray, side: Int, cells: Int): DoubleArray {
        val rows = DoubleArray(cells * side)
        val weights = overlaps(side, cells)
        for (i in 0 until cells) for (p in 0 until side) {
            val weight = weights[i * side + p]
            if (weight > 0) for (x in 0 until side) rows[i * side + x] += weight * image[p * side + x]
        }
        val result = DoubleArray(cells * cells)
        for (i in 0 until cells) for (j in 0 until cells) {
            var sum = 0.0
            for (q in 0 until side) sum += weights[j * side + q] * rows[i * side + q]
            result[i * cells + j] = sum
        }
        return result
    }

    private fun overlaps(side: Int, cells: Int): DoubleArray {
        val result = DoubleArray(cells * side)
        for (cell in 0 until cells) for (pixel in 0 until side) {
            val shared = min(pixel * cells + cells, cell * side + side) - max(pixel * cells, cell * side)
            result[cell * side + pixel] = max(shared, 0).toDouble() / side
        }
        return result
    }
}
