package io.edgesr.core

/** IEEE 754 half precision, 2 bytes. */
object Half {
    const val LARGEST = 65504f

    /** The value of 16 bits. */
    fun toFloat(bits: Int): Float {
        val sign = if (bits and 0x8000 != 0) -1f else 1f
        val exponent = bits shr 10 and 31
        val fraction = bits and 1023
        return when (exponent) {
            0 -> sign * fraction * SMALLEST
            31 -> if (fraction == 0) sign * Float.POSITIVE_INFINITY else Float.NaN
            else -> sign * Float.fromBits((exponent + 112 shl 23) or (fraction shl 13))
        }
    }

    /** The nearest half of a finite value, of two equally near the even one; beyond the range the largest. */
    fun fromFloat(value: Float): Int {
        val x = value.coerceIn(-LARGEST, LARGEST)
        val bits = x.toRawBits()
        val sign = bits ushr 16 and 0x8000
        val magnitude = Math.abs(x)
        if (magnitude < 6.1035156e-5f) return sign or Math.rint((magnitude / SMALLEST).toDouble()).toInt()
        val rest = bits and 0x7fffffff
        val rounded = rest + 0xfff + (rest shr 13 and 1)
        return sign or ((rounded shr 13) - (112 shl 10))
    }

    private const val SMALLEST = 5.9604645e-8f
}
