package io.edgesr.core

import java.security.MessageDigest

/** An input or output of a graph as the artifact has it. */
data class TensorSpec(val name: String, val fileName: String, val shape: List<Int>, val layout: String, val dtype: String) {
    val count: Int get() = shape.fold(1) { a, b -> a * b }
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
    val parts: List<Pair<String, Int>>,
    /** int8 steps of the stored features; null where the network came without, then galleries are fp16. */
    val steps: List<Float>?,
    val files: Map<String, String>,
    val sha256: Map<String, String>,
    val checkpointSha256: String,
    private val tensors: Map<String, List<TensorSpec>>,
) {
    val hrSize: Int get() = lrSize * scale
    val channels: Int get() = parts.sumOf { it.second }

    /** Of graph `encode` or `restore`, side `inputs` or `outputs`. */
    fun tensors(graph: String, side: String): List<TensorSpec> = tensors.getValue("$graph.$side")

    /** Check the bytes of a file of the bundle. @throws BundleException where they are not what was converted. */
    fun check(file: String, content: java.nio.ByteBuffer) {
        val expected = sha256[file] ?: throw BundleException("the bundle has no hash for $file")
        if (sha256Of(content) != expected) throw BundleException("$file is not the file that was converted", "it is damaged")
    }

    /** What this network's features are in a gallery. */
    val section = Section(featureSpace, scale, lrSize, listOf(FeatureMap("features", lrSize, parts)), emptyList(), steps == null, steps)

    /** An empty gallery of this network's features. */
    fun emptyGallery() = Gallery(listOf(section))

    /**
     * The section of a gallery that holds this network's features.
     * @throws GalleryException where there is none, or its features or descriptors mean something else here.
     */
    fun check(gallery: Gallery): Int {
        val found = gallery.indexOf(section)
        if (found < 0) throw GalleryException("the gallery was made with another network", "build it again with this one")
        val theirs = gallery.sections[found]
        if (theirs.maps != section.maps || theirs.codes != section.codes) {
            throw GalleryException("the gallery was made with another network", "its features have other parts: build it again")
        }
        if (theirs.steps != null && theirs.steps != steps) {
            throw GalleryException("the gallery's int8 steps are ${theirs.steps}, and this network's $steps", "it is damaged: build it again")
        }
        if (gallery.entries.any { it.descriptor.size != Descriptor.SIZE }) {
            throw GalleryException("the gallery's descriptors are of another version", "build it again")
        }
        return found
    }

    companion object {
        private const val VERSION = 1L

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
            val steps = parts.map { (it["int8_scale"] as? Number)?.toFloat() }
            val tensors = (fields["tensors"] as Map<*, *>).entries.flatMap { (graph, sides) ->
                (sides as Map<*, *>).entries.map { (side, listed) -> Pair("$graph.$side", (listed as List<*>).map(::spec)) }
            }.toMap()
            return Manifest(
                text("name"), text("target"), text("precision"), number("scale"), number("lr_size"), number("slots"),
                text("feature_space"), parts.map { Pair(it["name"] as String, (it["channels"] as Long).toInt()) },
                if (null in steps) null else steps.map { it!! }, strings("files"), strings("sha256"),
                text("checkpoint_sha256"), tensors,
            )
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
