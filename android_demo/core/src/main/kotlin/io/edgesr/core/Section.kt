package io.edgesr.core

import java.nio.ByteBuffer
import java.nio.ByteOrder

/** What a network keeps of an exemplar at each place of a square grid: `size` pixels a side, channels by [parts]. */
data class FeatureMap(val name: String, val size: Int, val parts: List<Pair<String, Int>>) {
    val channels: Int get() = parts.sumOf { it.second }
    val count: Int get() = size * size * channels

    /** For people: `32x32 pixels with f_ref 64 + g_ref 64`. */
    override fun toString(): String {
        val named = parts.joinToString(" + ") { (part, wide) -> "$part $wide" }
        return "${size}x$size pixels with $named"
    }
}

/** A vector that a network keeps of an exemplar, which is no map. */
data class Code(val name: String, val length: Int) {
    override fun toString() = "$length numbers"
}

/**
 * One network's share of a gallery: what its features mean. [steps] is the int8 step of each part of the maps, or null
 * for fp16. Features of one exemplar are its maps as stored (int8, or the bits of fp16), and behind them its codes.
 */
class Section(
    val featureSpace: String,
    val scale: Int,
    val lrSize: Int,
    val maps: List<FeatureMap>,
    val codes: List<Code>,
    val half: Boolean,
    val steps: List<Float>?,
) {
    /** What a section is found by. */
    val key: Triple<String, Int, Int> get() = Triple(featureSpace, scale, lrSize)

    val parts: List<Pair<String, Int>> get() = maps.flatMap { it.parts }

    /** Name, dtype and shape of what is stored of one exemplar, in order. */
    val tensors: List<Triple<String, String, List<Long>>>
        get() = maps.map { m ->
            val shape = listOf(m.size.toLong(), m.size.toLong(), m.channels.toLong())
            Triple(m.name, if (half) "F16" else "I8", shape)
        } + codes.map { Triple(it.name, "F32", listOf(it.length.toLong())) }

    /** Numbers of each map and code of one exemplar, in order. */
    val counts: List<Int> get() = maps.map { it.count } + codes.map { it.length }

    /** Map or code [which] of an exemplar as the network takes it, [h, w, C] or [length], written to [into] from [at]. */
    fun floats(features: List<ByteArray>, which: Int, into: FloatArray, at: Int) {
        val stored = features[which]
        if (which >= maps.size) {
            ByteBuffer.wrap(stored).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(into, at, counts[which])
            return
        }
        val map = maps[which]
        val step = if (half) null else stepOfChannel(which)
        for (i in 0 until map.count) {
            into[at + i] = if (step != null) {
                stored[i] * step[i % map.channels]
            } else {
                Half.toFloat((stored[2 * i].toInt() and 255) or ((stored[2 * i + 1].toInt() and 255) shl 8))
            }
        }
    }

    /** float32 maps [h, w, C] and codes [length] of one exemplar as they are stored. */
    fun pack(features: List<FloatArray>): List<ByteArray> {
        require(features.map { it.size } == counts) { "${features.map { it.size }} features for $counts" }
        if (features.any { values -> values.any { it.isNaN() || it.isInfinite() } }) {
            throw GalleryException("the features hold values that are not finite", "the model is damaged")
        }
        return features.mapIndexed { which, values -> if (which < maps.size) packMap(values, which) else packCode(values) }
    }

    private fun packCode(values: FloatArray): ByteArray =
        ByteBuffer.allocate(4 * values.size).order(ByteOrder.LITTLE_ENDIAN).also { values.forEach(it::putFloat) }.array()

    private fun packMap(features: FloatArray, which: Int): ByteArray {
        val map = maps[which]
        val step = if (half) null else stepOfChannel(which)
        val result = ByteArray(features.size * (if (half) 2 else 1))
        for (i in features.indices) {
            if (step != null) {
                val level = Math.rint((features[i] / step[i % map.channels]).toDouble())
                result[i] = level.coerceIn(-127.0, 127.0).toInt().toByte()
            } else {
                val bits = Half.fromFloat(features[i])
                result[2 * i] = bits.toByte()
                result[2 * i + 1] = (bits shr 8).toByte()
            }
        }
        return result
    }

    /** What follows on "the gallery" where this section does not hold what [other] of the same key describes; else null. */
    fun differs(other: Section): String? {
        val ours = (maps.map { Pair(it.name, it) } + codes.map { Pair(it.name, it) }).toMap<String, Any>()
        val wanted = (other.maps.map { Pair(it.name, it) } + other.codes.map { Pair(it.name, it) }).toMap<String, Any>()
        for ((name, one) in wanted) {
            if (name !in ours) return "has no $name of $one"
            if (ours[name] != one) return "has $name of ${ours[name]}, not of $one"
        }
        if (maps != other.maps || codes != other.codes) return "has ${ours.keys.joinToString()}, not ${wanted.keys.joinToString()}"
        return if (steps != null && steps != other.steps) "has int8 steps $steps, not ${other.steps ?: "none"}" else null
    }

    private fun stepOfChannel(which: Int): FloatArray {
        val before = maps.take(which).sumOf { it.parts.size }
        return maps[which].parts.flatMapIndexed { i, part -> List(part.second) { steps!![before + i] } }.toFloatArray()
    }
}
