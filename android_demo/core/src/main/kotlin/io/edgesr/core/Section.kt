package io.edgesr.core

/** What a network keeps of an exemplar at each place of a square grid: `size` pixels a side, channels by [parts]. */
data class FeatureMap(val name: String, val size: Int, val parts: List<Pair<String, Int>>) {
    val channels: Int get() = parts.sumOf { it.second }
    val count: Int get() = size * size * channels
}

/** A vector that a network keeps of an exemplar, which is no map. */
data class Code(val name: String, val length: Int)

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

    /** The first map of an exemplar as the network takes it, [h, w, C], written to [into] from [at]. */
    fun floats(features: List<ByteArray>, into: FloatArray, at: Int) {
        val map = maps[0]
        val stored = features[0]
        val step = if (half) null else stepOfChannel(0)
        for (i in 0 until map.count) {
            into[at + i] = if (step != null) {
                stored[i] * step[i % map.channels]
            } else {
                Half.toFloat((stored[2 * i].toInt() and 255) or ((stored[2 * i + 1].toInt() and 255) shl 8))
            }
        }
    }

    /** float32 features [h, w, C] of a network of one map as they are stored. */
    fun pack(features: FloatArray): List<ByteArray> {
        val map = maps.single()
        require(features.size == map.count && codes.isEmpty()) { "${features.size} features" }
        if (features.any { it.isNaN() || it.isInfinite() }) {
            throw GalleryException("the features hold values that are not finite", "the model is damaged")
        }
        val step = if (half) null else stepOfChannel(0)
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
        return listOf(result)
    }

    private fun stepOfChannel(which: Int): FloatArray {
        val before = maps.take(which).sumOf { it.parts.size }
        return maps[which].parts.flatMapIndexed { i, part -> List(part.second) { steps!![before + i] } }.toFloatArray()
    }
}
