package io.edgesr.core

/** What a gallery's header says of one entry; measures are kept in thousandths, as they are stored. */
data class Label(
    val photoSha256: String,
    val quality: Map<String, Long>,
    val pose: Map<String, Long>,
    val name: String? = null,
)

/** A gallery without its numbers; every rule of `docs/gallery-format.md` on the header is here. */
class GalleryHeader(
    /** Without their steps, which are numbers. */
    val sections: List<Section>,
    /** Of each section the entries that it has features of, ascending. */
    val rows: List<List<Long>>,
    val embedder: String?,
    val labels: List<Label>,
    val descriptorSize: Long,
    val embeddingSize: Long,
    val extensions: Map<String, String> = emptyMap(),
    /** As it was read; null in version 1. */
    val contentSha256: String? = null,
) {
    /** dtype and shape of everything that follows, in the file's order. */
    val tensors: LinkedHashMap<String, Pair<String, List<Long>>>
        get() {
            val n = labels.size.toLong()
            val result = linkedMapOf("descriptors" to Pair("F32", listOf(n, descriptorSize)))
            if (embedder != null) result["embeddings"] = Pair("F32", listOf(n, embeddingSize))
            sections.forEachIndexed { i, section ->
                if (!section.half) result["$i.$STEPS"] = Pair("F32", listOf(section.parts.size.toLong()))
                for ((name, dtype, shape) in section.tensors) result["$i.$name"] = Pair(dtype, listOf(rows[i].size.toLong()) + shape)
            }
            return result
        }

    val dataSize: Long get() = tensors.values.sumOf { bytes(it.first, it.second) }

    /** @throws GalleryException where a limit is broken. */
    fun check() {
        embedder?.let { text("embedder", it) }
        if (labels.size > MOST_ENTRIES) refuse("it has ${labels.size} entries")
        labels.forEach(::checkLabel)
        if (labels.map { it.photoSha256 }.toSet().size < labels.size) refuse("it holds one photo twice")
        if (sections.size !in 1..MOST_SECTIONS) refuse("it has ${sections.size} sections")
        for ((section, held) in sections.zip(rows)) {
            checkSection(section)
            if (held != held.filter { it in labels.indices }.toSortedSet().toList()) refuse("a section's entries are $held")
        }
        if (sections.map { it.key }.toSet().size < sections.size) refuse("it has two sections of one network")
        val least = if (labels.isEmpty()) 0L else 1L
        if (descriptorSize !in least..MOST_VECTOR) refuse("its descriptors have $descriptorSize numbers")
        if (embeddingSize !in (if (embedder == null) 0L else least)..MOST_VECTOR) refuse("its embeddings have $embeddingSize numbers")
        if (extensions.size > MOST_EXTENSIONS || !extensions.keys.all(KEY::matches)) refuse("its extensions are ${extensions.keys}")
        for ((key, value) in extensions) text("extension $key", value, MOST_EXTENSION)
        if (dataSize > MOST_DATA) refuse("it has $dataSize bytes")
    }

    /** The header's bytes, zeros in place of the content's hash, filled up to a multiple of 8. */
    fun encode(): ByteArray {
        check()
        val metadata = linkedMapOf<String, Any?>("format" to FORMAT, "format_version" to VERSION, "content_sha256" to ZEROS)
        if (embedder != null) metadata["embedder"] = embedder
        metadata["sections"] = Json.compact(sections.indices.map { toJson(sections[it], rows[it]) })
        metadata["entries"] = Json.compact(labels.map(::toJson))
        if (extensions.isNotEmpty()) metadata["extensions"] = Json.compact(LinkedHashMap(extensions.toSortedMap()))
        val fields = linkedMapOf<String, Any?>("__metadata__" to metadata)
        var at = 0L
        for ((name, tensor) in tensors) {
            val end = at + bytes(tensor.first, tensor.second)
            fields[name] = linkedMapOf("dtype" to tensor.first, "shape" to tensor.second, "data_offsets" to listOf(at, end))
            at = end
        }
        val written = Json.compact(fields).toByteArray()
        val length = (written.size + 7) / 8 * 8
        if (length > MOST_HEADER) refuse("its header has $length bytes")
        return written.copyOf(length).also { it.fill(' '.code.toByte(), written.size) }
    }

    companion object {
        const val MOST_HEADER = Rules.Gallery.MOST_HEADER
        const val STEPS = Rules.Gallery.STEPS
        private const val FORMAT = Rules.Gallery.FORMAT
        private val VERSION = Rules.Gallery.FORMAT_VERSION.toString()
        const val MOST_DATA = Rules.Gallery.MOST_DATA.toLong()
        private const val MOST_ENTRIES = Rules.Gallery.MOST_ENTRIES
        private const val MOST_SECTIONS = Rules.Gallery.MOST_SECTIONS
        private const val MOST_MAPS = Rules.Gallery.MOST_MAPS
        private const val MOST_CODES = Rules.Gallery.MOST_CODES
        private const val MOST_PARTS = Rules.Gallery.MOST_PARTS
        private const val MOST_CHANNELS = Rules.Gallery.MOST_CHANNELS
        private const val MOST_SIDE = Rules.Gallery.MOST_SIDE
        private const val MOST_VECTOR = Rules.Gallery.MOST_VECTOR.toLong()
        private const val MOST_MEASURES = Rules.Gallery.MOST_MEASURES
        private const val MOST_THOUSANDTHS = Rules.Gallery.MOST_THOUSANDTHS.toLong()
        private const val MOST_TEXT = Rules.Gallery.MOST_TEXT
        private const val MOST_EXTENSIONS = Rules.Gallery.MOST_EXTENSIONS
        private const val MOST_EXTENSION = Rules.Gallery.MOST_EXTENSION
        private val SCALES = Rules.Gallery.SCALES.toSet()
        val ITEM = mapOf("F32" to 4L, "F16" to 2L, "I8" to 1L)
        private val KEY = Regex("[a-z][a-z0-9_]{0,31}")
        private val HASH = Regex("[0-9a-f]{64}")
        private val ZEROS = "0".repeat(64)
        private val BEGINNING =
            "{\"__metadata__\":{\"format\":\"$FORMAT\",\"format_version\":\"$VERSION\",\"content_sha256\":\"".toByteArray()
        private val REQUIRED = setOf("format", "format_version", "content_sha256", "sections", "entries")
        private val OPTIONAL = setOf("embedder", "extensions")
        private val OF_SECTION = setOf("feature_space", "scale", "lr_size", "dtype", "maps", "codes", "entries")

        /** Where the digits of the content's hash lie in a header. */
        val HASH_AT = BEGINNING.size

        fun refuse(what: String): Nothing = throw GalleryException(what.take(160))

        fun bytes(dtype: String, shape: List<Long>): Long {
            var count = ITEM.getValue(dtype)
            for (n in shape) count = if (n == 0L) 0 else if (count > MOST_DATA * 4 / n) MOST_DATA * 8 else count * n
            return count
        }

        /** A measure as it is stored: times 1000, rounded half to even. */
        fun thousandths(value: Double): Long {
            if (value.isNaN() || value.isInfinite() || Math.abs(value) * 1000 > MOST_THOUSANDTHS) refuse("a measure is $value")
            return Math.rint(value * 1000).toLong()
        }

        /** A header with zeros in place of its hash: what the hash is computed over. */
        fun withoutHash(written: ByteArray): ByteArray =
            written.clone().also { ZEROS.toByteArray().copyInto(it, HASH_AT) }

        private fun text(what: String, value: String, most: Int = MOST_TEXT) {
            val whole = value.indices.all { i ->
                val c = value[i]
                when {
                    c.isHighSurrogate() -> i + 1 < value.length && value[i + 1].isLowSurrogate()
                    c.isLowSurrogate() -> i > 0 && value[i - 1].isHighSurrogate()
                    else -> c.code >= 32 && c.code != 127
                }
            }
            if (!whole || value.toByteArray().size !in 1..most) refuse("its $what is no line of 1 to $most bytes")
        }

        /** @throws GalleryException where a section breaks a limit. */
        fun checkSection(section: Section) {
            text("feature_space", section.featureSpace)
            if (section.scale !in SCALES) refuse("its scale is ${section.scale}")
            if (section.lrSize !in Rules.Gallery.LEAST_LR..Rules.Gallery.MOST_LR) refuse("its lr_size is ${section.lrSize}")
            if (section.maps.size !in 1..MOST_MAPS || section.codes.size > MOST_CODES) {
                refuse("a section has ${section.maps.size} maps and ${section.codes.size} codes")
            }
            val names = section.maps.map { it.name } + section.codes.map { it.name } + STEPS
            val parts = section.parts.map { it.first }
            for (called in listOf(names, parts)) {
                if (!called.all(KEY::matches) || called.toSet().size < called.size) refuse("its parts, maps and codes are called $called")
            }
            if (parts.size > MOST_PARTS) refuse("its features have ${parts.size} parts")
            for (map in section.maps) {
                if (map.parts.any { it.second !in 1..MOST_CHANNELS } || map.channels !in 1..MOST_CHANNELS) {
                    refuse("its features have ${map.channels} channels")
                }
                if (map.size !in 1..MOST_SIDE) refuse("a map has a side of ${map.size}")
            }
            section.codes.forEach { if (it.length !in 1..MOST_VECTOR) refuse("a code has ${it.length} numbers") }
        }

        private fun checkLabel(label: Label) {
            if (!HASH.matches(label.photoSha256)) refuse("an entry's photo_sha256 is ${label.photoSha256.take(80)}")
            label.name?.let { text("entry's name", it) }
            for (measures in listOf(label.quality, label.pose)) {
                if (measures.size > MOST_MEASURES || !measures.keys.all(KEY::matches)) refuse("an entry's measures are strange")
                if (measures.values.any { Math.abs(it) > MOST_THOUSANDTHS }) refuse("an entry's measure is too large")
            }
        }

        private fun toJson(section: Section, rows: List<Long>): Map<String, Any?> = linkedMapOf(
            "feature_space" to section.featureSpace,
            "scale" to section.scale,
            "lr_size" to section.lrSize,
            "dtype" to if (section.half) "fp16" else "int8",
            "maps" to section.maps.map { m -> listOf(m.name, m.size, m.parts.map { listOf(it.first, it.second) }) },
            "codes" to section.codes.map { listOf(it.name, it.length) },
            "entries" to rows,
        )

        private fun toJson(label: Label): Map<String, Any?> {
            val fields = linkedMapOf<String, Any?>("photo_sha256" to label.photoSha256)
            fields["quality"] = LinkedHashMap(label.quality.toSortedMap())
            fields["pose"] = LinkedHashMap(label.pose.toSortedMap())
            if (label.name != null) fields["name"] = label.name
            return fields
        }

        fun parse(written: ByteArray, what: String): Any? = try {
            Json.parse(written, wholeOnly = true)
        } catch (error: IllegalArgumentException) {
            throw GalleryException("its $what cannot be read: ${error.message?.take(100)}", cause = error)
        }

        /** Whether a header's bytes begin as this version's do, whatever else they are. */
        fun isCurrent(written: ByteArray) = written.size >= HASH_AT + 64 && written.copyOf(HASH_AT).contentEquals(BEGINNING)

        /** The header from its bytes, without their length before them, where [isCurrent]. */
        fun decode(written: ByteArray): GalleryHeader {
            val fields = parse(written, "header") as Map<*, *>
            val metadata = fields["__metadata__"] as Map<*, *>
            metadata.keys.firstOrNull { it !in REQUIRED && it !in OPTIONAL }?.let { refuse("its header has a strange field $it") }
            REQUIRED.firstOrNull { it !in metadata }?.let { refuse("its header has no $it") }
            if (metadata.values.any { it !is String }) refuse("a field of its header is no text")
            fun inner(key: String) = parse((metadata[key] as String).toByteArray(), key)
            val listed = inner("sections") as? List<*> ?: refuse("its sections are no list")
            val header = GalleryHeader(
                listed.map(::section), listed.map { whole((it as Map<*, *>)["entries"] as List<*>) },
                metadata["embedder"] as String?, labels(inner("entries")), columns(fields, "descriptors"),
                if ("embedder" in metadata) columns(fields, "embeddings") else 0,
                if ("extensions" in metadata) texts(inner("extensions")) else emptyMap(), metadata["content_sha256"] as String,
            )
            val again = header.encode()
            if (fields.keys != setOf<Any?>("__metadata__") + header.tensors.keys) refuse("its tensors are ${fields.keys}")
            // What a writer would not write is not read: no key, space or number too many.
            if (!withoutHash(written).contentEquals(again)) refuse("its header is not written as the format says")
            return header
        }

        private fun section(one: Any?): Section {
            val fields = one as? Map<*, *> ?: refuse("a section is $one")
            val (maps, codes) = listOf("maps", "codes").map { fields[it] as? List<*> ?: refuse("a section is $one") }
            val dtype = fields["dtype"]
            if (fields.keys != OF_SECTION || dtype !in setOf("int8", "fp16") || fields["entries"] !is List<*>) refuse("a section is $one")
            fun number(value: Any?): Int = (value as? Long)?.takeIf { it in 0..MOST_DATA }?.toInt() ?: refuse("a section is $one")
            fun name(value: Any?) = value as? String ?: refuse("a section is $one")
            fun row(value: Any?, count: Int) = (value as? List<*>)?.takeIf { it.size == count } ?: refuse("a section is $one")
            return Section(
                name(fields["feature_space"]), number(fields["scale"]), number(fields["lr_size"]),
                maps.map { row(it, 3) }.map { (map, size, parts) ->
                    val listed = parts as? List<*> ?: refuse("a section is $one")
                    if (listed.size !in 1..MOST_PARTS) refuse("a section is $one")
                    FeatureMap(name(map), number(size), listed.map { row(it, 2) }.map { (part, count) ->
                        Pair(name(part), number(count).coerceAtMost(MOST_CHANNELS + 1))
                    })
                },
                codes.map { row(it, 2) }.map { (code, length) -> Code(name(code), number(length)) }, dtype == "fp16", null,
            )
        }

        private fun whole(listed: List<*>): List<Long> = listed.map { it as? Long ?: refuse("a section's entries are $listed") }

        private fun texts(listed: Any?): Map<String, String> =
            (listed as? Map<*, *> ?: refuse("its extensions are no object")).entries.associateTo(LinkedHashMap()) { (key, value) ->
                Pair(key as String, value as? String ?: refuse("an extension is $value"))
            }

        private fun columns(fields: Map<*, *>, name: String): Long {
            val shape = (fields[name] as? Map<*, *>)?.get("shape") as? List<*>
            return shape?.takeIf { it.size == 2 }?.get(1) as? Long ?: refuse("its tensor $name is ${fields[name]}")
        }

        fun labels(listed: Any?): List<Label> {
            if (listed !is List<*> || listed.size > MOST_ENTRIES) refuse("its entries are no list")
            return listed.map { one ->
                val fields = one as? Map<*, *> ?: refuse("an entry is $one")
                val needed = setOf("photo_sha256", "quality", "pose")
                val hash = fields["photo_sha256"]
                val name = fields["name"]
                if (!fields.keys.containsAll(needed) || !(needed + "name").containsAll(fields.keys)) refuse("an entry is $one")
                if (hash !is String || ("name" in fields && name !is String)) refuse("an entry is $one")
                Label(hash, measures(fields["quality"]), measures(fields["pose"]), name as String?)
            }
        }

        private fun measures(listed: Any?): Map<String, Long> {
            if (listed !is Map<*, *> || listed.size > MOST_MEASURES) refuse("an entry's measures are $listed")
            return listed.entries.associateTo(LinkedHashMap()) { (key, value) ->
                Pair(key as String, value as? Long ?: refuse("an entry's measure is $value"))
            }
        }
    }
}
