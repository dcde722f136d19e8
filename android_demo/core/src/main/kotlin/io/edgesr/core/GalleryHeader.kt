package io.edgesr.core

/** What a gallery's header says of one entry; measures are kept in thousandths, as they are stored. */
data class Label(
    val photoSha256: String,
    val quality: Map<String, Long>,
    val pose: Map<String, Long>,
    val name: String? = null,
)

/** A gallery without its numbers; every rule of `docs/gallery-format.md` on the header is here. */
data class GalleryHeader(
    val featureSpace: String,
    val scale: Int,
    val lrSize: Int,
    val parts: List<Pair<String, Int>>,
    val embedder: String?,
    val labels: List<Label>,
    /** dtype and shape of each tensor, in the file's order. */
    val shapes: LinkedHashMap<String, Pair<String, List<Long>>>,
) {
    val channels: Int get() = parts.sumOf { it.second }
    val dataSize: Long get() = shapes.values.sumOf { bytes(it.first, it.second) }

    /** @throws GalleryException where a limit is broken. */
    fun check() {
        text("feature_space", featureSpace)
        embedder?.let { text("embedder", it) }
        if (scale !in SCALES) refuse("its scale is $scale")
        if (lrSize !in 4..256) refuse("its lr_size is $lrSize")
        if (parts.size !in 1..8) refuse("its features have ${parts.size} parts")
        if (parts.any { !KEY.matches(it.first) } || parts.map { it.first }.toSet().size < parts.size) {
            refuse("its feature parts have strange names")
        }
        if (parts.any { it.second !in 1..MOST_CHANNELS } || channels > MOST_CHANNELS) refuse("it has $channels channels")
        if (labels.size > MOST_ENTRIES) refuse("it has ${labels.size} entries")
        labels.forEach(::checkLabel)
        if (labels.map { it.photoSha256 }.toSet().size < labels.size) refuse("it holds one photo twice")
        checkShapes()
        if (dataSize > MOST_DATA) refuse("it has $dataSize bytes")
    }

    private fun checkShapes() {
        val n = labels.size.toLong()
        val dtype = shapes["features"]?.first
        if (dtype != "I8" && dtype != "F16") refuse("it has no features of dtype I8 or F16")
        val expected = HashMap<String, Pair<String, List<Long>>>()
        expected["features"] = Pair(dtype!!, listOf(n, lrSize.toLong(), lrSize.toLong(), channels.toLong()))
        if (dtype == "I8") expected["scales"] = Pair("F32", listOf(parts.size.toLong()))
        for (name in listOf("descriptors", "embeddings")) {
            if (name == "embeddings" && embedder == null) continue
            val shape = shapes[name]?.second.orEmpty()
            val length = if (shape.size == 2) shape[1] else -1
            if (length !in (if (n > 0) 1L else 0L)..MOST_VECTOR) refuse("its $name have shape $shape")
            expected[name] = Pair("F32", listOf(n, length))
        }
        if (expected != HashMap(shapes)) refuse("its tensors are ${shapes.entries.joinToString { it.key + it.value }}")
    }

    /** The header's bytes with their length before them. */
    fun encode(): ByteArray {
        check()
        val metadata = LinkedHashMap<String, Any?>()
        metadata["format"] = FORMAT
        metadata["format_version"] = VERSION
        metadata["feature_space"] = featureSpace
        metadata["scale"] = scale.toString()
        metadata["lr_size"] = lrSize.toString()
        metadata["feature_parts"] = Json.compact(parts.map { listOf(it.first, it.second) })
        if (embedder != null) metadata["embedder"] = embedder
        metadata["entries"] = Json.compact(labels.map(::toJson))
        val fields = linkedMapOf<String, Any?>("__metadata__" to metadata)
        var at = 0L
        for ((name, tensor) in shapes) {
            val end = at + bytes(tensor.first, tensor.second)
            fields[name] = linkedMapOf("dtype" to tensor.first, "shape" to tensor.second, "data_offsets" to listOf(at, end))
            at = end
        }
        val written = Json.compact(fields).toByteArray()
        val length = (written.size + 7) / 8 * 8
        if (length > MOST_HEADER) refuse("its header has $length bytes")
        val result = ByteArray(8 + length) { ' '.code.toByte() }
        for (i in 0..7) result[i] = (length.toLong() shr 8 * i).toByte()
        System.arraycopy(written, 0, result, 8, written.size)
        return result
    }

    companion object {
        const val MOST_HEADER = 1 shl 20
        private const val FORMAT = "edgesr-gallery"
        private const val VERSION = "1"
        private const val MOST_DATA = 1L shl 29
        private const val MOST_ENTRIES = 1000
        private const val MOST_CHANNELS = 1024
        private const val MOST_VECTOR = 4096L
        private const val MOST_MEASURES = 16
        private const val MOST_THOUSANDTHS = 1_000_000_000L
        private val SCALES = setOf(2, 4, 8, 16)
        private val TENSORS = listOf("descriptors", "embeddings", "scales", "features")
        private val ITEM = mapOf("F32" to 4L, "F16" to 2L, "I8" to 1L)
        private val KEY = Regex("[a-z][a-z0-9_]{0,31}")
        private val HASH = Regex("[0-9a-f]{64}")
        private val WHOLE = Regex("0|[1-9][0-9]{0,8}")
        private val REQUIRED = setOf("format", "format_version", "feature_space", "scale", "lr_size", "feature_parts", "entries")

        private fun refuse(what: String): Nothing = throw GalleryException(what.take(160))

        private fun bytes(dtype: String, shape: List<Long>): Long {
            var count = ITEM.getValue(dtype)
            for (n in shape) count = if (n == 0L) 0 else if (count > MOST_DATA * 4 / n) MOST_DATA * 8 else count * n
            return count
        }

        /** A measure as it is stored: times 1000, rounded half to even. */
        fun thousandths(value: Double): Long {
            if (value.isNaN() || value.isInfinite() || Math.abs(value) * 1000 > MOST_THOUSANDTHS) refuse("a measure is $value")
            return Math.rint(value * 1000).toLong()
        }

        private fun text(what: String, value: String) {
            val whole = value.indices.all { i ->
                val c = value[i]
                when {
                    c.isHighSurrogate() -> i + 1 < value.length && value[i + 1].isLowSurrogate()
                    c.isLowSurrogate() -> i > 0 && value[i - 1].isHighSurrogate()
                    else -> c.code >= 32 && c.code != 127
                }
            }
            if (!whole || value.toByteArray().size !in 1..200) refuse("its $what is no line of 1 to 200 bytes")
        }

        private fun checkLabel(label: Label) {
            if (!HASH.matches(label.photoSha256)) refuse("an entry's photo_sha256 is ${label.photoSha256.take(80)}")
            label.name?.let { text("entry's name", it) }
            for (measures in listOf(label.quality, label.pose)) {
                if (measures.size > MOST_MEASURES || !measures.keys.all(KEY::matches)) refuse("an entry's measures are strange")
                if (measures.values.any { Math.abs(it) > MOST_THOUSANDTHS }) refuse("an entry's measure is too large")
            }
        }

        private fun toJson(label: Label): Map<String, Any?> {
            val fields = linkedMapOf<String, Any?>("photo_sha256" to label.photoSha256)
            fields["quality"] = LinkedHashMap(label.quality.toSortedMap())
            fields["pose"] = LinkedHashMap(label.pose.toSortedMap())
            if (label.name != null) fields["name"] = label.name
            return fields
        }

        private fun parse(written: ByteArray, what: String): Any? = try {
            Json.parse(written, wholeOnly = true)
        } catch (error: IllegalArgumentException) {
            throw GalleryException("its $what cannot be read: ${error.message?.take(100)}", cause = error)
        }

        /** The header from its bytes, without their length before them. */
        fun decode(written: ByteArray): GalleryHeader {
            val fields = parse(written, "header") as? Map<*, *> ?: refuse("it is no edgesr gallery")
            val metadata = fields["__metadata__"] as? Map<*, *>
            if (metadata == null || metadata["format"] != FORMAT) refuse("it is no edgesr gallery")
            if (metadata["format_version"] != VERSION) {
                throw GalleryException("it has format version ${metadata["format_version"]}".take(80), "update the app")
            }
            for ((key, value) in metadata) {
                if (value !is String || (key !in REQUIRED && key != "embedder")) refuse("its header has a strange field $key")
            }
            REQUIRED.firstOrNull { it !in metadata }?.let { refuse("its header has no $it") }
            fun get(key: String) = metadata[key] as String
            fun number(key: String) = if (WHOLE.matches(get(key))) get(key).toInt() else refuse("its $key is ${get(key)}")
            return GalleryHeader(
                get("feature_space"), number("scale"), number("lr_size"),
                parts(parse(get("feature_parts").toByteArray(), "feature_parts")), metadata["embedder"] as String?,
                labels(parse(get("entries").toByteArray(), "entries")), shapes(fields),
            ).also { it.check() }
        }

        private fun parts(listed: Any?): List<Pair<String, Int>> = (listed as? List<*> ?: refuse("its parts are no list")).map {
            val part = it as? List<*>
            val count = part?.getOrNull(1) as? Long
            if (part?.size != 2 || part[0] !is String || count == null || count !in 1..MOST_CHANNELS) refuse("a part is $it")
            Pair(part[0] as String, count.toInt())
        }

        private fun labels(listed: Any?): List<Label> {
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

        private fun shapes(fields: Map<*, *>): LinkedHashMap<String, Pair<String, List<Long>>> {
            fields.keys.firstOrNull { it != "__metadata__" && it !in TENSORS }?.let { refuse("it has an unknown tensor $it") }
            val result = LinkedHashMap<String, Pair<String, List<Long>>>()
            var at = 0L
            for (name in TENSORS) {
                if (name !in fields) continue
                val tensor = fields[name] as? Map<*, *>
                if (tensor?.keys != setOf("dtype", "shape", "data_offsets")) refuse("its tensor $name is not described")
                val dtype = tensor["dtype"]
                val shape = (tensor["shape"] as? List<*>)?.map { it as? Long ?: -1 }
                if (dtype !in ITEM || shape == null || shape.size > 4 || shape.any { it !in 0..MOST_DATA }) {
                    refuse("its tensor $name has dtype $dtype and shape $shape")
                }
                val end = at + bytes(dtype as String, shape)
                if (tensor["data_offsets"] != listOf(at, end)) refuse("its tensor $name lies at ${tensor["data_offsets"]}")
                result[name] = Pair(dtype, shape)
                at = end
            }
            return result
        }
    }
}
