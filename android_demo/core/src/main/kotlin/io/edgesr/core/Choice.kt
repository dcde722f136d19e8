package io.edgesr.core

import kotlin.math.exp
import kotlin.math.max
import kotlin.math.pow
import kotlin.math.sqrt

/** Which exemplars serve an LR face best, by their descriptors alone (`docs/gallery-format.md`). */
object Choice {
    private const val LEAST_DIFFERENCE = Rules.Choice.LEAST_DIFFERENCE
    private const val LEAST_TURN = Rules.Choice.LEAST_TURN
    private const val SHARPNESS_POWER = Rules.Choice.SHARPNESS_POWER
    private const val GRID = Descriptor.GRID
    private val WEIGHTS = DoubleArray(GRID * GRID) { i ->
        val x = (i % GRID - Rules.Choice.CENTRE[0]) / Rules.Choice.SPREAD[0]
        val y = (i / GRID - Rules.Choice.CENTRE[1]) / Rules.Choice.SPREAD[1]
        exp(-x * x - y * y)
    }

    /** Indices of the best [slots] exemplars, the best first; of equals the first. [sharpness] where all are known. */
    fun choose(gallery: List<FloatArray>, query: FloatArray, slots: Int, sharpness: DoubleArray? = null): List<Int> {
        val distances = distances(gallery, query, sharpness)
        return distances.indices.sortedBy { distances[it] }.take(max(slots, 0))
    }

    /** (A + a)(E + a) sqrt(P + p) / sharpness^(1/4) of each exemplar; lower is better. */
    fun distances(gallery: List<FloatArray>, query: FloatArray, sharpness: DoubleArray? = null): DoubleArray {
        val turns = turns(gallery, query)
        return DoubleArray(gallery.size) { n ->
            val (appearance, edges) = difference(gallery[n], query)
            val distance = (appearance + LEAST_DIFFERENCE) * (edges + LEAST_DIFFERENCE) * sqrt(turns[n])
            if (sharpness == null) distance else distance / max(sharpness[n], LEAST_DIFFERENCE).pow(SHARPNESS_POWER)
        }
    }

    private fun difference(one: FloatArray, other: FloatArray): Pair<Double, Double> {
        val off = DoubleArray(GRID * GRID) { one[it].toDouble() - other[it].toDouble() }
        var appearance = 0.0
        var edges = 0.0
        var inner = 0.0
        for (y in 0 until GRID) for (x in 0 until GRID) {
            val i = y * GRID + x
            appearance += off[i] * off[i] * WEIGHTS[i]
            if (x < GRID - 1 && y < GRID - 1) {
                val right = off[i + 1] - off[i]
                val below = off[i + GRID] - off[i]
                edges += (right * right + below * below) * WEIGHTS[i]
                inner += WEIGHTS[i]
            }
        }
        return Pair(appearance / WEIGHTS.sum(), edges / inner)
    }

    private fun turns(gallery: List<FloatArray>, query: FloatArray): DoubleArray {
        val known = gallery.map { it[Descriptor.HAS_LANDMARKS] > 0 }
        if (query[Descriptor.HAS_LANDMARKS] <= 0 || true !in known) return DoubleArray(gallery.size) { 1.0 }
        val off = gallery.map { one ->
            (0 until 10).sumOf { i ->
                val d = one[Descriptor.LANDMARKS + i].toDouble() - query[Descriptor.LANDMARKS + i].toDouble()
                d * d
            } / 10
        }
        val usual = off.filterIndexed { i, _ -> known[i] }.average()
        return DoubleArray(gallery.size) { (if (known[it]) off[it] else usual) + LEAST_TURN }
    }
}
