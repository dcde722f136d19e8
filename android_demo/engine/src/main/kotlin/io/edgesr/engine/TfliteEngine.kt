package io.edgesr.engine

import io.edgesr.core.BundleException
import io.edgesr.core.Gallery
import io.edgesr.core.Manifest
import io.edgesr.core.Pixels
import io.edgesr.core.TensorSpec
import org.tensorflow.lite.Interpreter
import java.nio.ByteBuffer
import java.nio.ByteOrder

/** Both signatures of a bundle's `model.tflite` on TFLite; every buffer is made once and used again. */
class TfliteEngine private constructor(override val manifest: Manifest, model: ByteBuffer, threads: Int) : Engine {
    override val runtime = "TFLite"

    private val interpreter = openInterpreter(model, threads)
    private val specs = listOf("encode", "restore").flatMap { graph ->
        listOf("inputs", "outputs").flatMap { side -> manifest.tensors(graph, side).map { Pair("$graph.${it.name}", it) } }
    }.toMap()
    private val buffers = specs.mapValues { buffer(it.value) }
    private val exemplar = FloatArray(manifest.hrSize * manifest.hrSize * 3)
    private val lr = FloatArray(manifest.lrSize * manifest.lrSize * 3)
    private val counts = manifest.section.counts
    private val features = counts.map { FloatArray(it * manifest.slots) }
    private val sr = FloatArray(manifest.hrSize * manifest.hrSize * 3)

    override fun encode(exemplar: Pixels): Timed<List<FloatArray>> {
        require(exemplar.width == manifest.hrSize && exemplar.height == manifest.hrSize) { "an exemplar has ${manifest.hrSize} pixels a side" }
        val start = System.nanoTime()
        put("encode.exemplar", exemplar.toUnit(this.exemplar))
        run("encode")
        val result = manifest.kept.mapIndexed { i, name -> get("encode.$name", FloatArray(counts[i])) }
        return Timed(result, (System.nanoTime() - start) / 1e6)
    }

    override fun restore(lr: Pixels, gallery: Gallery, exemplars: List<Int>): Timed<Restored> {
        require(lr.width == manifest.lrSize && lr.height == manifest.lrSize) { "an LR face has ${manifest.lrSize} pixels a side" }
        require(exemplars.size <= manifest.slots) { "${exemplars.size} exemplars for ${manifest.slots} slots" }
        val section = manifest.check(gallery)
        val start = System.nanoTime()
        put("restore.lr", lr.toUnit(this.lr))
        manifest.kept.forEachIndexed { which, name ->
            val slots = features[which].also { it.fill(0f) }
            exemplars.forEachIndexed { i, index -> gallery.floats(section, index, which, slots, i * counts[which]) }
            put("restore.$name", slots)
        }
        put("restore.valid", FloatArray(manifest.slots) { if (it < exemplars.size) 1f else 0f })
        run("restore")
        val face = Pixels.fromUnit(manifest.hrSize, manifest.hrSize, get("restore.sr", sr))
        val weights = get("restore.weights", FloatArray(manifest.slots * manifest.lrSize * manifest.lrSize))
        return Timed(Restored(face, weights), (System.nanoTime() - start) / 1e6)
    }

    /** Run a graph on arrays in the canonical layout, outputs in the manifest's order: golden vectors need it. */
    fun runRaw(graph: String, inputs: Map<String, FloatArray>): Map<String, FloatArray> {
        for ((name, values) in inputs) put("$graph.$name", values)
        run(graph)
        return manifest.tensors(graph, "outputs").associate { Pair(it.name, get("$graph.${it.name}", FloatArray(it.count))) }
    }

    override fun close() = interpreter.close()

    private fun run(graph: String) {
        fun side(name: String) = manifest.tensors(graph, name).associate { spec ->
            Pair<String, Any>(spec.fileName, buffers.getValue("$graph.${spec.name}").also { it.rewind() })
        }
        try {
            interpreter.runSignature(side("inputs"), side("outputs"), graph)
        } catch (error: IllegalArgumentException) {
            throw EngineException("TFLite refused to run $graph", "the model and its manifest do not fit each other", error)
        }
    }

    private fun put(name: String, values: FloatArray) {
        buffers.getValue(name).asFloatBufferFromStart().put(specs.getValue(name).fromCanonical(values))
    }

    private fun get(name: String, into: FloatArray): FloatArray {
        buffers.getValue(name).asFloatBufferFromStart().get(into)
        return specs.getValue(name).toCanonical(into)
    }

    private fun ByteBuffer.asFloatBufferFromStart() = also { it.rewind() }.asFloatBuffer()

    companion object {
        private fun buffer(spec: TensorSpec): ByteBuffer {
            if (spec.dtype != "float32") throw BundleException("${spec.name} is ${spec.dtype}", "this engine takes float32")
            return ByteBuffer.allocateDirect(4 * spec.count).order(ByteOrder.nativeOrder())
        }

        /**
         * Open a bundle after checking manifest and hash.
         *
         * @throws BundleException where it is missing, damaged or for another runtime.
         * @throws EngineException where TFLite does not run on this device, or refuses the model.
         */
        fun open(source: BundleSource, threads: Int = 2): TfliteEngine {
            val manifest = source.manifest()
            if (manifest.target != "tflite") throw BundleException("this bundle is for ${manifest.target}", "convert with --target tflite")
            val file = manifest.files["model"] ?: throw BundleException("the bundle has no model")
            val model = source.read(file)
            manifest.check(file, model)
            return TfliteEngine(manifest, model.order(ByteOrder.nativeOrder()), threads)
        }
    }
}

/** An interpreter on [model]. @throws EngineException where TFLite does not run here, or refuses the model. */
internal fun openInterpreter(model: ByteBuffer, threads: Int): Interpreter = try {
    Interpreter(model, Interpreter.Options().setNumThreads(threads))
} catch (error: LinkageError) {
    throw EngineException("TFLite has no code for this device's processor", "it needs 64-bit ARM or x86", error)
} catch (error: IllegalArgumentException) {
    throw EngineException("TFLite refused the model", "convert it for this version of TFLite", error)
}
