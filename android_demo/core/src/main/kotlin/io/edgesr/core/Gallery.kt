package io.edgesr.core

import java.nio.ByteBuffer
import java.nio.ByteOrder

/** One photo of the gallery's person: [features] as stored (int8, or the bits of fp16), [descriptor], [label]. */
class Entry(val features: ByteArray, val descriptor: FloatArray, val label: Label, val embedding: FloatArray? = null)

/**
 * What a `.gallery` file holds: features of a person's photos, never a photo. Equal galleries are equal bytes,
 * whichever language wrote them.
 */
class Gallery(
    val featureSpace: String,
    val scale: Int,
    val lrSize: Int,
    val parts: List<Pair<String, Int>>,
    /** int8 step of each part, or null for fp16. */
    val steps: List<Float>?,
    val entries: List<Entry>,
    val embedder: String? = null,
) {
    val channels: Int get() = parts.sumOf { it.second }

    private val itemSize get() = if (steps == null) 2 else 1

    /** Features of entry [index] as the network takes them, [h, w, C], written to [into] from [at]. */
    fun floats(index: Int, into: FloatArray, at: Int) {
        val stored = entries[index].features
        val step = steps?.let(::stepOfChannel)
        val count = lrSize * lrSize * channels
        for (i in 0 until count) {
            into[at + i] = if (step != null) {
                stored[i] * step[i % channels]
            } else {
                Half.toFloat((stored[2 * i].toInt() and 255) or ((stored[2 * i + 1].toInt() and 255) shl 8))
            }
        }
    }

    /** float32 features [h, w, C] as they are stored. */
    fun pack(features: FloatArray): ByteArray {
        require(features.size == lrSize * lrSize * channels) { "${features.size} features" }
        if (features.any { it.isNaN() || it.isInfinite() }) {
            throw GalleryException("the features hold values that are not finite", "the model is damaged")
        }
        val step = steps?.let(::stepOfChannel)
        val result = ByteArray(features.size * itemSize)
        for (i in features.indices) {
            if (step != null) {
                val level = Math.rint((features[i] / step[i % channels]).toDouble())
                result[i] = level.coerceIn(-127.0, 127.0).toInt().toByte()
            } else {
                val bits = Half.fromFloat(features[i])
                result[2 * i] = bits.toByte()
                result[2 * i + 1] = (bits shr 8).toByte()
            }
        }
        return result
    }

    private fun stepOfChannel(steps: List<Float>): FloatArray {
        val result = FloatArray(channels)
        var at = 0
        for ((i, part) in parts.withIndex()) repeat(part.second) { result[at++] = steps[i] }
        return result
    }

    fun with(entries: List<Entry>) = Gallery(featureSpace, scale, lrSize, parts, steps, entries, embedder)

    /** With [entry] appended, or in the place of the entry of the same photo. */
    fun adding(entry: Entry): Gallery {
        val place = entries.indexOfFirst { it.label.photoSha256 == entry.label.photoSha256 }
        if (place < 0) return with(entries + entry)
        return with(entries.mapIndexed { i, old -> if (i == place) entry else old })
    }

    /** The best [slots] exemplars for a face described by [query], the best first. */
    fun choose(query: FloatArray, slots: Int): List<Int> {
        val sharpness = entries.map { it.label.quality["sharpness"] }
        val known = if (null in sharpness) null else DoubleArray(entries.size) { sharpness[it]!! / 1000.0 }
        return Choice.choose(entries.map { it.descriptor }, query, slots, known)
    }

    /** The bytes of the file. */
    fun encode(): ByteArray {
        val n = entries.size.toLong()
        val shapes = LinkedHashMap<String, Pair<String, List<Long>>>()
        shapes["descriptors"] = Pair("F32", listOf(n, common("descriptors") { it.descriptor.size }))
        if (embedder != null) shapes["embeddings"] = Pair("F32", listOf(n, common("embeddings") { it.embedding?.size ?: -1 }))
        if (steps != null) shapes["scales"] = Pair("F32", listOf(steps.size.toLong()))
        val side = lrSize.toLong()
        shapes["features"] = Pair(if (steps != null) "I8" else "F16", listOf(n, side, side, channels.toLong()))
        if (entries.any { it.features.size != lrSize * lrSize * channels * itemSize }) {
            throw GalleryException("the features have different shapes")
        }
        val head = GalleryHeader(featureSpace, scale, lrSize, parts, embedder, entries.map { it.label }, shapes)
        val start = head.encode()
        val out = ByteBuffer.allocate(start.size + head.dataSize.toInt()).order(ByteOrder.LITTLE_ENDIAN)
        out.put(start)
        entries.forEach { e -> e.descriptor.forEach(out::putFloat) }
        if (embedder != null) entries.forEach { e -> e.embedding!!.forEach(out::putFloat) }
        steps?.forEach(out::putFloat)
        entries.forEach { out.put(it.features) }
        decode(out.array())  // what a reader would refuse is not written
        return out.array()
    }

    private fun common(what: String, length: (Entry) -> Int): Long {
        val lengths = entries.map(length).toSet()
        if (lengths.size > 1) throw GalleryException("its $what have different shapes")
        return (lengths.firstOrNull() ?: 0).toLong()
    }

    companion object {
        /** @throws GalleryException where the bytes are damaged, beyond a limit, or of another version. */
        fun decode(content: ByteArray): Gallery {
            val data = ByteBuffer.wrap(content).order(ByteOrder.LITTLE_ENDIAN)
            val length = if (content.size < 8) -1 else data.long
            if (length < 0 || length > GalleryHeader.MOST_HEADER || 8 + length > content.size) {
                throw GalleryException("it is no gallery, or cut off")
            }
            val head = GalleryHeader.decode(content.copyOfRange(8, 8 + length.toInt()))
            if (8 + length + head.dataSize != content.size.toLong()) {
                throw GalleryException("it has ${content.size} bytes", "its header says ${8 + length + head.dataSize}")
            }
            data.position(8 + length.toInt())
            fun floats(name: String, rows: Int): List<FloatArray> = List(rows) {
                FloatArray(head.shapes.getValue(name).second.last().toInt()) { data.float }.also { row ->
                    if (row.any { it.isNaN() || it.isInfinite() }) throw GalleryException("its $name hold values that are not finite")
                }
            }
            val n = head.labels.size
            val descriptors = floats("descriptors", n)
            val embeddings = if ("embeddings" in head.shapes) floats("embeddings", n) else null
            val steps = if ("scales" in head.shapes) floats("scales", 1)[0].toList() else null
            if (steps != null && steps.any { it < STEP_MIN || it > STEP_MAX }) throw GalleryException("its scales are $steps".take(100))
            val size = head.lrSize * head.lrSize * head.channels * (if (steps == null) 2 else 1)
            val entries = List(n) { i ->
                val features = ByteArray(size).also(data::get)
                checkFeatures(features, steps == null)
                Entry(features, descriptors[i], head.labels[i], embeddings?.get(i))
            }
            return Gallery(head.featureSpace, head.scale, head.lrSize, head.parts, steps, entries, head.embedder)
        }

        private const val STEP_MIN = 1f / (1L shl 40)
        private const val STEP_MAX = (1L shl 40).toFloat()

        private fun checkFeatures(stored: ByteArray, half: Boolean) {
            if (!half) {
                if (stored.any { it == Byte.MIN_VALUE }) throw GalleryException("its features hold -128")
                return
            }
            for (i in 1 until stored.size step 2) {
                if (stored[i].toInt() and 0x7c == 0x7c) throw GalleryException("its features hold values that are not finite")
            }
        }
    }
}
