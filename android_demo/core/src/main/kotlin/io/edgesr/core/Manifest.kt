package io.edgesr.core

import java.security.MessageDigest

/** An input or output of a graph as the artifact has it. */
data class TensorSpec(val name: String, val fileName: String, val shape: List<Int>, val layout: String, val dtype: String) {
    val count: Int get() = shape.fold(1) { a, b -> a * b }

    /** Values in the canonical layout, channels last, as the artifact takes them. */
    fun fromCanonical(values: FloatArray): FloatArray = turned(values) { to, planes, pixels -> to[planes] = values[pixels] }

    /** The inverse of [fromCanonical]. */
    fun toCanonical(values: FloatArray): FloatArray = turned(values) { to, planes, pixels -> to[pixels] = values[planes] }

    private inline fun turned(values: FloatArray, move: (FloatArray, Int, Int) -> Unit): FloatArray {
        if (layout != "NCHW") return values
        val (n, c, h, w) = shape
        val result = FloatArray(values.size)
        for (b in 0 until n) for (k in 0 until c) for (i in 0 until h * w) move(result, (b * c + k) * h * w + i, (b * h * w + i) * c + k)
        return result
    }
}

/** A bundle's `manifest.json`: which network it is and how to feed it. */
class Manifest(
    val name: String,
    val target: String,
    val precision: String,
    val scale: Int,
    val lrSize: Int,
    val slots: Int,
    val featureSpace: String,
    /** What the network keeps of an exemplar, as galleries hold it. */
    val maps: List<FeatureMap>,
    val codes: List<Code>,
    /** int8 step of each part of the maps; null where the network came without, then galleries are fp16. */
    val steps: List<Float>?,
    val files: Map<String, String>,
    val sha256: Map<String, String>,
    val checkpointSha256: String,
    private val tensors: Map<String, List<TensorSpec>>,
) {
    val hrSize: Int get() = lrSize * scale

    /** The graphs' tensors of what is kept of an exemplar, in order: of its one map, or of each map and code. */
    val kept: List<String>
        get() = (maps.map { it.name } + codes.map { it.name }).let { names -> if (names.size == 1) listOf(FEATURES) else names.map { "${FEATURES}_$it" } }

    /** Of graph `encode` or `restore`, side `inputs` or `outputs`. */
    fun tensors(graph: String, side: String): List<TensorSpec> = tensors.getValue("$graph.$side")

    /** Check the bytes of a file of the bundle. @throws BundleException where they are not what was converted. */
    fun check(file: String, content: java.nio.ByteBuffer) {
        val expected = sha256[file] ?: throw BundleException("the bundle has no hash for $file")
        if (sha256Of(content) != expected) throw BundleException("$file is not the file that was converted", "it is damaged")
    }

    /** What this network's features are in a gallery. */
    val section = Section(featureSpace, scale, lrSize, maps, codes, steps == null, steps)

    /** An empty gallery of this network's features. */
    fun emptyGallery() = Gallery(listOf(section))

    /**
     * The section of a gallery that holds this network's features.
     * @throws GalleryException where there is none, or its features or descriptors mean something else here.
     */
    fun check(gallery: Gallery): Int {
        val found = gallery.indexOf(section)
        if (found < 0) throw GalleryException("the gallery was made with another network than $name", "build it again with this one")
        gallery.sections[found].differs(section)?.let { other ->
            throw GalleryException("the gallery $other as the network $name has", "it is damaged, or another network's: build it again")
        }
        if (gallery.entries.any { it.descriptor.size != Descriptor.SIZE }) {
            throw GalleryException("the gallery's descriptors are of another version", "build it again")
        }
        return found
    }

    companion object {
        private const val VERSION = 1L
        private const val FEATURES = "features"
        private const val MOST_SLOTS = 64

        /** @throws BundleException where [content] describes no bundle that can be used. */
        fun decode(content: ByteArray): Manifest {
            val fields = try {
                Json.parse(content) as? Map<*, *>
            } catch (error: IllegalArgumentException) {
                throw BundleException("manifest.json cannot be read", cause = error)
            }
            if (fields == null || fields["format"] != "edgesr-bundle") throw BundleException("this is no edgesr bundle")
            if (fields["format_version"] != VERSION) {
                throw BundleException("the bundle has format version ${fields["format_version"]}", "update the app")
            }
            try {
                return read(fields)
            } catch (error: RuntimeException) {
                throw BundleException("manifest.json is not complete: ${error.message}", cause = error)
            }
        }

        private fun read(fields: Map<*, *>): Manifest {
            fun text(key: String) = fields[key] as String
            fun number(key: String) = (fields[key] as Long).toInt()
            fun strings(key: String) = (fields[key] as Map<*, *>).entries.associate { (k, v) -> Pair(k as String, v as String) }
            val parts = ((fields["features"] as Map<*, *>)["parts"] as List<*>).map { it as Map<*, *> }
            val steps = parts.map { (it["int8_scale"] as Number?)?.toFloat() }
            require(steps.all { it == null || it in Gallery.STEP_MIN..Gallery.STEP_MAX }) { "its int8 steps are $steps" }
            val (maps, codes) = kept(fields["features"] as Map<*, *>, parts.map(::named), number("lr_size"))
            val tensors = (fields["tensors"] as Map<*, *>).entries.flatMap { (graph, sides) ->
                (sides as Map<*, *>).entries.map { (side, listed) -> Pair("$graph.$side", (listed as List<*>).map(::spec)) }
            }.toMap()
            val manifest = Manifest(
                text("name"), text("target"), text("precision"), number("scale"), number("lr_size"), number("slots"),
                text("feature_space"), maps, codes, if (null in steps) null else steps.map { it!! },
                strings("files"), strings("sha256"), text("checkpoint_sha256"), tensors,
            )
            GalleryHeader.checkSection(manifest.section)
            require(manifest.slots in 1..MOST_SLOTS) { "its slots are ${manifest.slots}" }
            for ((graph, exemplars) in listOf("encode" to 1, "restore" to manifest.slots)) {
                val shapes = shapes(manifest, exemplars)
                val listed = manifest.tensors(graph, "inputs") + manifest.tensors(graph, "outputs")
                listed.find { shapes[it.name]?.get(it.layout) != it.shape }?.let { throw IllegalArgumentException("it has no proper tensor: $it") }
            }
            for (side in listOf("encode.outputs", "restore.inputs")) {
                val names = tensors.getValue(side).map { it.name }
                require(names.containsAll(manifest.kept)) { "its $side are $names" }
            }
            return manifest
        }

        /** The shape of each tensor of a graph by its layout, as the network's sizes ask for it; [exemplars] are kept at once. */
        private fun shapes(manifest: Manifest, exemplars: Int): Map<String, Map<String, List<Int>>> {
            val (low, high, slots) = Triple(manifest.lrSize, manifest.hrSize, manifest.slots)
            fun image(side: Int) = mapOf("NCHW" to listOf(1, 3, side, side), "NHWC" to listOf(1, side, side, 3))
            val kept = manifest.kept.zip(manifest.section.tensors) { name, (_, _, long) ->
                val shape = long.map { it.toInt() }
                val (first, last) = Pair(shape.first(), shape.last())
                if (shape.size == 1) Pair(name, mapOf("NC" to listOf(exemplars, first)))
                else Pair(name, mapOf("NCHW" to listOf(exemplars, last, first, first), "NHWC" to listOf(exemplars, first, first, last)))
            }
            val others = mapOf(
                "exemplar" to image(high), "lr" to image(low), "sr" to image(high),
                "valid" to mapOf("N" to listOf(slots)), "weights" to mapOf("NHW" to listOf(slots, low, low)),
            )
            return others + kept
        }

        private fun named(part: Map<*, *>) = Pair(part["name"] as String, (part["channels"] as Long).toInt())

        /** Maps and codes; bundles that say nothing of them are of networks of one map of [lrSize] pixels. */
        private fun kept(features: Map<*, *>, parts: List<Pair<String, Int>>, lrSize: Int): Pair<List<FeatureMap>, List<Code>> {
            val listed = features["maps"] as List<*>? ?: return Pair(listOf(FeatureMap(FEATURES, lrSize, parts)), emptyList())
            fun named(pair: Any?) = (pair as List<*>).let { (name, count) -> Pair(name as String, (count as Long).toInt()) }
            val maps = listed.map { (it as List<*>).let { (name, size, own) -> FeatureMap(name as String, (size as Long).toInt(), (own as List<*>).map(::named)) } }
            require(maps.flatMap { it.parts } == parts) { "its maps have other parts than its features" }
            return Pair(maps, (features["codes"] as List<*>).map { named(it).let { (name, length) -> Code(name, length) } })
        }

        private fun spec(listed: Any?): TensorSpec {
            val fields = listed as Map<*, *>
            val name = fields["name"] as String
            return TensorSpec(
                name, fields["file_name"] as? String ?: name, (fields["shape"] as List<*>).map { (it as Long).toInt() },
                fields["layout"] as String, fields["dtype"] as? String ?: "float32",
            )
        }

        /** SHA-256 of the buffer's bytes, 64 lower-case hex digits. */
        fun sha256Of(content: java.nio.ByteBuffer): String {
            val digest = MessageDigest.getInstance("SHA-256").also { it.update(content.duplicate().rewind() as java.nio.ByteBuffer) }
            return digest.digest().joinToString("") { String.format("%02x", it) }
        }
    }
}
