package io.edgesr.core

/** A picture of 8-bit RGB: [rgb] holds red, green, blue of each pixel, row by row from the upper left. */
class Pixels(val width: Int, val height: Int, val rgb: ByteArray = ByteArray(width * height * 3)) {
    init {
        require(width > 0 && height > 0 && rgb.size == width * height * 3) { "$width x $height pixels in ${rgb.size} bytes" }
    }

    /** One channel (0 red, 1 green, 2 blue) of pixel (x, y), 0 to 255. */
    fun at(x: Int, y: Int, channel: Int): Int = rgb[(y * width + x) * 3 + channel].toInt() and 255

    /** float32 in [0, 1], [height, width, 3] in row-major order: what the networks take. */
    fun toUnit(into: FloatArray = FloatArray(rgb.size)): FloatArray {
        for (i in rgb.indices) into[i] = (rgb[i].toInt() and 255) / 255f
        return into
    }

    /** Android's packed pixels, opaque. */
    fun toArgb(into: IntArray = IntArray(width * height)): IntArray {
        for (i in into.indices) {
            val at = 3 * i
            into[i] = -0x1000000 or ((rgb[at].toInt() and 255) shl 16) or ((rgb[at + 1].toInt() and 255) shl 8) or
                (rgb[at + 2].toInt() and 255)
        }
        return into
    }

    /** The rectangle from ([left], [top]), [columns] x [rows], which lies inside. */
    fun region(left: Int, top: Int, columns: Int, rows: Int): Pixels {
        val result = Pixels(columns, rows)
        for (y in 0 until rows) {
            System.arraycopy(rgb, ((top + y) * width + left) * 3, result.rgb, y * columns * 3, columns * 3)
        }
        return result
    }

    /** The picture with left and right exchanged. */
    fun mirrored(): Pixels {
        val result = Pixels(width, height)
        for (y in 0 until height) for (x in 0 until width) {
            System.arraycopy(rgb, (y * width + x) * 3, result.rgb, (y * width + width - 1 - x) * 3, 3)
        }
        return result
    }

    override fun equals(other: Any?): Boolean = other is Pixels && width == other.width && rgb.contentEquals(other.rgb)

    override fun hashCode(): Int = 31 * width + rgb.contentHashCode()

    companion object {
        /** From float32 [height, width, 3] in [0, 1]: clamped, times 255, rounded half to even. */
        fun fromUnit(width: Int, height: Int, unit: FloatArray): Pixels {
            val result = Pixels(width, height)
            for (i in result.rgb.indices) {
                val level = Math.rint((unit[i].coerceIn(0f, 1f) * 255f).toDouble())
                result.rgb[i] = level.toInt().toByte()
            }
            return result
        }

        /** From Android's packed pixels; transparency is laid over white, as edgesr does. */
        fun fromArgb(width: Int, height: Int, argb: IntArray): Pixels {
            val result = Pixels(width, height)
            for (i in 0 until width * height) {
                val p = argb[i]
                val alpha = p ushr 24
                for (c in 0..2) {
                    val level = p shr (16 - 8 * c) and 255
                    result.rgb[3 * i + c] = (if (alpha == 255) level else (level * alpha + 255 * (255 - alpha) + 127) / 255).toByte()
                }
            }
            return result
        }
    }
}
