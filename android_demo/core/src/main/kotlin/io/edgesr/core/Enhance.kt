package io.edgesr.core

import kotlin.math.abs
import kotlin.math.ceil
import kotlin.math.floor
import kotlin.math.max
import kotlin.math.min
import kotlin.math.pow
import kotlin.math.sqrt

/** What happens to a face on its way out of a photo and back into it, as `edgesr enhance` does it. */
object Enhance {
    private const val BELIEVED = 1.022
    private const val NOT_BELIEVED = 1.04
    private const val LEAST_ERROR = 0.5
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

    /** [sr] as far as it explains [lr] as well as [none] does, the face restored without exemplars; and that share. */
    fun believe(sr: Pixels, none: Pixels, lr: Pixels): Pair<Pixels, Double> {
        val ratio = (error(sr, lr) + LEAST_ERROR) / (error(none, lr) + LEAST_ERROR)
        val share = ((NOT_BELIEVED - ratio) / (NOT_BELIEVED - BELIEVED)).coerceIn(0.0, 1.0)
        if (share == 1.0) return Pair(sr, share)
        val result = Pixels(sr.width, sr.height)
        for (i in result.rgb.indices) {
            val without = none.rgb[i].toInt() and 255
            result.rgb[i] = Math.rint(without + share * ((sr.rgb[i].toInt() and 255) - without)).toInt().toByte()
        }
        return Pair(result, share)
    }

    private fun error(face: Pixels, lr: Pixels): Double {
        val down = Bicubic.resize(floats(face), face.width, face.height, lr.width, lr.height)
        var sum = 0.0
        for (i in down.indices) sum += (down[i] - (lr.rgb[i].toInt() and 255)).toDouble().pow(2)
        return sqrt(sum / down.size)
    }

    /** SR + up(native - down(SR)): a face larger than the network's LR size lost detail on its way in; it comes back. */
    fun keepOwnDetail(sr: Pixels, native: Pixels): Pixels {
        val given = floats(sr)
        val missing = Bicubic.resize(given, sr.width, sr.height, native.width, native.height)
        for (i in missing.indices) missing[i] = (native.rgb[i].toInt() and 255) - missing[i]
        val back = Bicubic.resize(missing, native.width, native.height, sr.width, sr.height)
        val result = Pixels(sr.width, sr.height)
        for (i in back.indices) result.rgb[i] = Math.rint((given[i] + back[i]).coerceIn(0f, 255f).toDouble()).toInt().toByte()
        return result
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
