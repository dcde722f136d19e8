package io.edgesr.core

import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.security.MessageDigest

/**
 * One photo of the gallery's person. [features] are, by section of the gallery, what that network keeps of it (its maps as
 * stored, then its codes), or null where the network was not at hand when the photo was added.
 */
class Entry(
    val features: List<List<ByteArray>?>,
    val descriptor: FloatArray,
    val label: Label,
    val embedding: FloatArray? = null,
)

/**
 * What a `.gallery` file holds: features of a person's photos for one network or several, never a photo. Equal galleries
 * are equal bytes, whichever language wrote them.
 */
class Gallery(
    val sections: List<Section>,
    val entries: List<Entry> = emptyList(),
    val embedder: String? = null,
    /** What other programs keep here; carried through every change. */
    val extensions: Map<String, String> = emptyMap(),
) {
    /** The section of these features, or -1. */
    fun indexOf(section: Section): Int = sections.indexOfFirst { it.key == section.key }

    /** Map or code [tensor] of entry [index] in section [which] as the network takes it, written to [into] from [at]. */
    fun floats(which: Int, index: Int, tensor: Int, into: FloatArray, at: Int) {
        val features = entries[index].features[which] ?: throw GalleryException("entry ${index + 1} has no features for this network")
        sections[which].floats(features, tensor, into, at)
    }

    /** An entry that has features in section [which] alone. */
    fun entry(which: Int, features: List<ByteArray>, descriptor: FloatArray, label: Label) =
        Entry(List(sections.size) { if (it == which) features else null }, descriptor, label)

    fun with(entries: List<Entry>) = Gallery(sections, entries, embedder, extensions)

    /** With [entry] appended; a photo that is there already changes nothing. */
    fun adding(entry: Entry): Gallery =
        if (entries.any { it.label.photoSha256 == entry.label.photoSha256 }) this else with(entries + entry)

    /** The best [slots] exemplars of section [which] for a face described by [query], the best first. */
    fun choose(which: Int, query: FloatArray, slots: Int): List<Int> {
        val held = entries.indices.filter { entries[it].features[which] != null }
        val sharpness = held.map { entries[it].label.quality["sharpness"] }
        val known = if (null in sharpness) null else DoubleArray(held.size) { sharpness[it]!! / 1000.0 }
        return Choice.choose(held.map { entries[it].descriptor }, query, slots, known).map { held[it] }
    }

    /** The bytes of the file. */
    fun encode(): ByteArray {
        if (entries.any { it.features.size != sections.size }) throw GalleryException("an entry has other than ${sections.size} sections")
        val rows = sections.indices.map { i -> entries.indices.filter { entries[it].features[i] != null } }
        val head = GalleryHeader(
            sections, rows.map { held -> held.map { it.toLong() } }, embedder, entries.map { it.label },
            common("descriptors") { it.descriptor.size },
            if (embedder == null) 0 else common("embeddings") { it.embedding?.size ?: -1 }, extensions,
        )
        val start = head.encode()
        val out = ByteBuffer.allocate(8 + start.size + head.dataSize.toInt()).order(ByteOrder.LITTLE_ENDIAN)
        out.putLong(start.size.toLong()).put(start)
        entries.forEach { e -> e.descriptor.forEach(out::putFloat) }
        if (embedder != null) entries.forEach { e -> e.embedding!!.forEach(out::putFloat) }
        sections.forEachIndexed { i, section ->
            if ((section.steps?.size ?: 0) != (if (section.half) 0 else section.parts.size)) throw GalleryException("its scales are ${section.steps}")
            section.steps?.forEach(out::putFloat)
            section.tensors.forEachIndexed { at, (name, dtype, shape) ->
                for (row in rows[i]) {
                    val stored = entries[row].features[i]!!.getOrNull(at)
                    if (stored?.size?.toLong() != GalleryHeader.bytes(dtype, shape)) throw GalleryException("its $name have different shapes")
                    out.put(stored)
                }
            }
        }
        val content = out.array()
        hashOf(content, start.size).toByteArray().copyInto(content, 8 + GalleryHeader.HASH_AT)
        decode(content)  // what a reader would refuse is not written
        return content
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
            val written = content.copyOfRange(8, 8 + length.toInt())
            val head = if (GalleryHeader.isCurrent(written)) GalleryHeader.decode(written) else GalleryHeaderV1.decode(written)
            if (8 + length + head.dataSize != content.size.toLong()) {
                throw GalleryException("it has ${content.size} bytes", "its header says ${8 + length + head.dataSize}")
            }
            if (head.contentSha256 != null && head.contentSha256 != hashOf(content, length.toInt())) {
                throw GalleryException("it is damaged: its content is not what was written")
            }
            data.position(8 + length.toInt())
            fun floats(name: String, count: Int, rows: Int): List<FloatArray> = List(rows) {
                FloatArray(count) { data.float }.also { row ->
                    if (row.any { it.isNaN() || it.isInfinite() }) throw GalleryException("its $name hold values that are not finite")
                }
            }
            val n = head.labels.size
            val descriptors = floats("descriptors", head.descriptorSize.toInt(), n)
            val embeddings = if (head.embedder != null) floats("embeddings", head.embeddingSize.toInt(), n) else null
            val held = ArrayList<Map<Int, List<ByteArray>>>()
            val sections = head.sections.mapIndexed { i, section ->
                val steps = if (section.half) null else floats("scales", section.parts.size, 1)[0].toList()
                if (steps != null && steps.any { it < STEP_MIN || it > STEP_MAX }) throw GalleryException("its scales are $steps".take(100))
                val columns = section.tensors.map { (name, dtype, shape) ->
                    val size = GalleryHeader.bytes(dtype, shape).toInt()
                    head.rows[i].map { ByteArray(size).also(data::get).also { stored -> checkFinite(name, dtype, stored) } }
                }
                held += head.rows[i].indices.associate { row -> Pair(head.rows[i][row].toInt(), columns.map { it[row] }) }
                with(section) { Section(featureSpace, scale, lrSize, maps, codes, half, steps) }
            }
            val entries = List(n) { i -> Entry(held.map { it[i] }, descriptors[i], head.labels[i], embeddings?.get(i)) }
            return Gallery(sections, entries, head.embedder, head.extensions)
        }

        internal const val STEP_MIN = Rules.Gallery.LEAST_STEP.toFloat()
        internal const val STEP_MAX = Rules.Gallery.MOST_STEP.toFloat()

        /** SHA-256 of a whole file of a header of [length] bytes, with zeros in place of the hash's own digits. */
        private fun hashOf(content: ByteArray, length: Int): String {
            val digest = MessageDigest.getInstance("SHA-256")
            digest.update(content, 0, 8)
            digest.update(GalleryHeader.withoutHash(content.copyOfRange(8, 8 + length)))
            digest.update(content, 8 + length, content.size - 8 - length)
            return digest.digest().joinToString("") { "%02x".format(it) }
        }

        private fun checkFinite(name: String, dtype: String, stored: ByteArray) {
            val bad = when (dtype) {
                "I8" -> stored.any { it == Byte.MIN_VALUE }
                "F16" -> (1 until stored.size step 2).any { stored[it].toInt() and 0x7c == 0x7c }
                else -> ByteBuffer.wrap(stored).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().let { floats ->
                    (0 until floats.limit()).any { floats[it].isNaN() || floats[it].isInfinite() }
                }
            }
            if (bad) throw GalleryException("its $name hold values that are not finite, or -128")
        }
    }
}
