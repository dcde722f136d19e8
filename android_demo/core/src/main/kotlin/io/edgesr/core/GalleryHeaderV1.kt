package io.edgesr.core

/** The header of a gallery of version 1, which had one network's features; it is read, and written no more. */
internal object GalleryHeaderV1 {
    private const val MAP = "features"
    private const val MOST_PARTS = Rules.Gallery.MOST_PARTS
    private const val MOST_CHANNELS = Rules.Gallery.MOST_CHANNELS.toLong()
    private val ORDER = listOf("descriptors", "embeddings", "scales", MAP)
    private val WHOLE = Regex("0|[1-9][0-9]{0,8}")
    private val REQUIRED = setOf("format", "format_version", "feature_space", "scale", "lr_size", "feature_parts", "entries")

    private fun refuse(what: String): Nothing = GalleryHeader.refuse(what)

    /** The header of this version that holds the same; its tensors lie in the same order. */
    fun decode(written: ByteArray): GalleryHeader {
        val fields = GalleryHeader.parse(written, "header") as? Map<*, *> ?: refuse("it is no edgesr gallery")
        val metadata = fields["__metadata__"] as? Map<*, *>
        if (metadata == null || metadata["format"] != Rules.Gallery.FORMAT) refuse("it is no edgesr gallery")
        if (metadata["format_version"] == "2") refuse("its header is not written as the format says")
        if (metadata["format_version"] != "1") {
            throw GalleryException("it has format version ${metadata["format_version"]}".take(80), "update the app")
        }
        for ((key, value) in metadata) {
            if (value !is String || (key !in REQUIRED && key != "embedder")) refuse("its header has a strange field $key")
        }
        REQUIRED.firstOrNull { it !in metadata }?.let { refuse("its header has no $it") }
        fun get(key: String) = metadata[key] as String
        fun number(key: String) = if (WHOLE.matches(get(key))) get(key).toInt() else refuse("its $key is ${get(key)}")
        fun inner(key: String) = GalleryHeader.parse(get(key).toByteArray(), key)
        val given = tensors(fields)
        val labels = GalleryHeader.labels(inner("entries"))
        val dtype = given[MAP]?.first
        if (dtype != "I8" && dtype != "F16") refuse("it has no features of dtype I8 or F16")
        val map = FeatureMap(MAP, number("lr_size"), parts(inner("feature_parts")))
        val section = Section(get("feature_space"), number("scale"), number("lr_size"), listOf(map), emptyList(), dtype == "F16", null)
        fun columns(name: String) = given[name]?.second?.takeIf { it.size == 2 }?.get(1) ?: 0
        val header = GalleryHeader(
            listOf(section), listOf(labels.indices.map { it.toLong() }), metadata["embedder"] as String?, labels,
            columns("descriptors"), columns("embeddings"),
        )
        header.check()
        val expected = header.tensors.mapKeys { it.key.removePrefix("0.") }
        if (expected != given) refuse("its tensors are ${given.entries.joinToString { it.key + it.value }}")
        return header
    }

    private fun parts(listed: Any?): List<Pair<String, Int>> {
        val parts = listed as? List<*> ?: refuse("its parts are no list")
        if (parts.size !in 1..MOST_PARTS) refuse("its features have ${parts.size} parts")
        return parts.map {
            val part = it as? List<*>
            val count = part?.getOrNull(1) as? Long
            if (part?.size != 2 || part[0] !is String || count == null || count !in 1..MOST_CHANNELS) refuse("a part is $it")
            Pair(part[0] as String, count.toInt())
        }
    }

    private fun tensors(fields: Map<*, *>): Map<String, Pair<String, List<Long>>> {
        fields.keys.firstOrNull { it != "__metadata__" && it !in ORDER }?.let { refuse("it has an unknown tensor $it") }
        val result = LinkedHashMap<String, Pair<String, List<Long>>>()
        var at = 0L
        for (name in ORDER) {
            if (name !in fields) continue
            val tensor = fields[name] as? Map<*, *>
            if (tensor?.keys != setOf("dtype", "shape", "data_offsets")) refuse("its tensor $name is not described")
            val dtype = tensor["dtype"]
            val shape = (tensor["shape"] as? List<*>)?.map { it as? Long ?: -1 }
            if (dtype !in GalleryHeader.ITEM || shape == null || shape.size > 4 || shape.any { it !in 0..GalleryHeader.MOST_DATA }) {
                refuse("its tensor $name has dtype $dtype and shape $shape")
            }
            val end = at + GalleryHeader.bytes(dtype as String, shape)
            if (tensor["data_offsets"] != listOf(at, end)) refuse("its tensor $name lies at ${tensor["data_offsets"]}")
            result[name] = Pair(dtype, shape)
            at = end
        }
        return result
    }
}
