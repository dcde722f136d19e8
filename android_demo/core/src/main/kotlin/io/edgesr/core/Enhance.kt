package io.edgesr.core

import kotlin.math.abs
import kotlin.math.ceil
import kotlin.math.floor
import kotlin.math.max
import kotlin.math.min
import kotlin.math.pow

/** What happens to a face on its way out of a photo and back into it, as `edgesr enhance` does it. */
object Enhance {
    private const val GAUSSIAN = Rules.Noise.GAUSSIAN
    private const val FEATHER = Rules.Paste.FEATHER
    private const val ROUNDNESS = Rules.Paste.ROUNDNESS

    /** The aligned face at the size it has in the photo: one cubic sample a pixel. */
    fun nativeCrop(photo: Pixels, alignment: Alignment): Pixels {
        val size = max(1, ceil(alignment.side - Rules.Alignment.TOLERANCE).toInt())
        val map = alignment.photoFromCrop(size)
        val sampler = Sampler(photo, cubic = true)
        val result = Pixels(size, size)
        val sums = DoubleArray(3)
        for (j in 0 until size) for (i in 0 until size) {
            val p = map.map(i + 0.5, j + 0.5)
            sums.fill(0.0)
            sampler.add(p.x - 0.5, p.y - 0.5, sums)
            for (c in 0..2) result.rgb[(j * size + i) * 3 + c] = Math.rint(sums[c].coerceIn(0.0, 255.0)).toInt().toByte()
        }
        return result
    }

    /** A native crop at the network's LR size. */
    fun lrCrop(native: Pixels, lrSize: Int): Pixels = Bicubic.resize(native, lrSize, lrSize)

    /**
     * SR + w up(band(native - down(SR))): of what the photo shows of a face and the restored one has not, what [lrSize]
     * pixels cannot hold comes back. The rest the network saw, and changed for a reason. w is [signal].
     */
    fun keepOwnDetail(sr: Pixels, native: Pixels, lrSize: Int): Pixels {
        if (native.width <= lrSize) return sr
        val given = floats(sr)
        val missing = Bicubic.resize(given, sr.width, sr.height, native.width, native.height)
        for (i in missing.indices) missing[i] = (native.rgb[i].toInt() and 255) - missing[i]
        val back = Bicubic.resize(band(missing, native.width, lrSize), native.width, native.height, sr.width, sr.height)
        val weight = signal(native, lrSize).toFloat()
        val result = Pixels(sr.width, sr.height)
        for (i in back.indices) result.rgb[i] = Math.rint((given[i] + weight * back[i]).coerceIn(0f, 255f).toDouble()).toInt().toByte()
        return result
    }

    /** What a square of [side] pixels loses when it is scaled down to [lrSize] and up again. */
    private fun band(levels: FloatArray, side: Int, lrSize: Int): FloatArray {
        val low = Bicubic.resize(Bicubic.resize(levels, side, side, lrSize, lrSize), lrSize, lrSize, side, side)
        return FloatArray(levels.size) { levels[it] - low[it] }
    }

    /** Wiener's weight: the share of a face's detail beyond the LR size that is not noise, 0 to 1, by luminance. */
    fun signal(native: Pixels, lrSize: Int): Double {
        val levels = floats(native)
        val detail = luminance(band(levels, native.width, lrSize))
        val mean = detail.average()
        val power = detail.sumOf { (it - mean).pow(2) } / detail.size
        return if (power > 0) max(0.0, 1 - noiseOf(luminance(levels), native.width).pow(2) / power) else 0.0
    }

    /** Standard deviation of the noise of a square: Donoho and Johnstone's estimate from the diagonal Haar coefficients. */
    private fun noiseOf(plane: DoubleArray, side: Int): Double {
        val found = ArrayList<Double>()
        for (y in 0 until side - 1 step 2) for (x in 0 until side - 1 step 2) {
            val at = y * side + x
            found += abs(plane[at] - plane[at + side] - plane[at + 1] + plane[at + side + 1]) / 2
        }
        if (found.isEmpty()) return 0.0
        found.sort()
        val middle = found.size / 2
        return (if (found.size % 2 == 1) found[middle] else (found[middle - 1] + found[middle]) / 2) / GAUSSIAN
    }

    private fun luminance(rgb: FloatArray): DoubleArray {
        val (red, green, blue) = Rules.Noise.LUMINANCE
        return DoubleArray(rgb.size / 3) { red * rgb[3 * it] + green * rgb[3 * it + 1] + blue * rgb[3 * it + 2] }
    }

    /** How much of the restored face shows at (u, v), the square's own coordinates from -1 to 1: 1 inside, 0 outside. */
    fun feather(u: Double, v: Double): Double {
        val radius = (abs(u).pow(ROUNDNESS) + abs(v).pow(ROUNDNESS)).pow(1 / ROUNDNESS)
        val t = ((1 - radius) / FEATHER).coerceIn(0.0, 1.0)
        return t * t * t * (t * (6 * t - 15) + 10)
    }

    /** The photo with [face] blended in at its square; every pixel outside the square keeps its value. */
    fun paste(photo: Pixels, face: Pixels, alignment: Alignment): Pixels {
        val reach = abs(alignment.half.x) + abs(alignment.half.y)
        val left = max(0, floor(alignment.centre.x - reach).toInt())
        val top = max(0, floor(alignment.centre.y - reach).toInt())
        val right = min(photo.width, ceil(alignment.centre.x + reach).toInt())
        val bottom = min(photo.height, ceil(alignment.centre.y + reach).toInt())
        val result = Pixels(photo.width, photo.height, photo.rgb.clone())
        val side = min(face.width, max(1, ceil(alignment.side).toInt()))
        val small = if (side == face.width) face else Bicubic.resize(face, side, side)
        val map = alignment.cropFromPhoto(side)
        val sampler = Sampler(small, cubic = true)
        val sums = DoubleArray(3)
        for (y in top until bottom) for (x in left until right) {
            val p = map.map(x + 0.5, y + 0.5)
            val mask = feather(p.x / (side / 2.0) - 1, p.y / (side / 2.0) - 1)
            if (mask <= 0) continue
            sums.fill(0.0)
            sampler.add(p.x - 0.5, p.y - 0.5, sums)
            for (c in 0..2) {
                val before = photo.at(x, y, c)
                val level = before + mask * (sums[c].coerceIn(0.0, 255.0) - before)
                result.rgb[(y * photo.width + x) * 3 + c] = Math.rint(level).toInt().toByte()
            }
        }
        return result
    }

    private fun floats(image: Pixels) = FloatArray(image.rgb.size) { (image.rgb[it].toInt() and 255).toFloat() }
}
