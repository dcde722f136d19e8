package io.edgesr.core

import kotlin.math.ceil
import kotlin.math.max

/** Which faces gain from a network, and how large the photo must be for it to show: the rules of `edgesr enhance`. */
object Regions {
    /** The side of a face's square in whole photo pixels, rounded up: what all rules go by. */
    fun sideOf(alignment: Alignment): Int = max(1, ceil(alignment.side - Rules.Alignment.TOLERANCE).toInt())

    /** Whether a face of [side] photo pixels gains from a network of this LR size. */
    fun gains(side: Int, lrSize: Int): Boolean = !isLarge(side, lrSize) && side >= Rules.Regions.LEAST * lrSize

    /** Whether a face of [side] photo pixels is so large that bicubic does as well with what the photo has. */
    fun isLarge(side: Int, lrSize: Int): Boolean = side > Rules.Regions.MOST * lrSize

    /**
     * How many times larger a photo of [width] x [height] is to become: the smallest factor at which each of its faces, by
     * their [sides] in the photo, shows 3/4 of [hrSize] pixels a side; at most 4, and no more than [megapixels] allow.
     */
    fun factor(sides: List<Int>, hrSize: Int, width: Int, height: Int, megapixels: Double): Int {
        val factors = Rules.Regions.FACTORS
        var factor = sides.maxOfOrNull { side -> factors.firstOrNull { it * side >= Rules.Regions.SHOWN * hrSize } ?: factors.last() } ?: 1
        while (factor > 1 && width.toDouble() * height * factor * factor > megapixels * 1e6) factor--
        return factor
    }
}
