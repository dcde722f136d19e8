package io.edgesr.engine.executorch

import io.edgesr.core.BundleException
import io.edgesr.core.Gallery
import io.edgesr.core.Manifest
import io.edgesr.core.Pixels
import io.edgesr.engine.BundleSource
import io.edgesr.engine.Engine
import io.edgesr.engine.EngineException
import io.edgesr.engine.Restored
import io.edgesr.engine.Timed
import org.pytorch.executorch.EValue
import org.pytorch.executorch.Module
import org.pytorch.executorch.Tensor
import java.io.File
import java.io.FileOutputStream

/**
 * Both methods of a bundle's `.pte` on ExecuTorch: the twin of `TfliteEngine`, for an app that prefers that runtime.
 *
 * Where this was written its library could not be had: it is checked against the API's published names only, and has
 * never been compiled or run.
 */
class ExecutorchEngine private constructor(override val manifest: Manifest, private val module: Module) : Engine {
    override val runtime = "ExecuTorch"

    private val counts = manifest.section.counts
    private val exemplar = FloatArray(manifest.hrSize * manifest.hrSize * 3)
    private val lr = FloatArray(manifest.lrSize * manifest.lrSize * 3)
    private val features = counts.map { FloatArray(it * manifest.slots) }

    override fun encode(exemplar: Pixels): Timed<List<FloatArray>> {
        require(exemplar.width == manifest.hrSize && exemplar.height == manifest.hrSize) { "an exemplar has ${manifest.hrSize} pixels a side" }
        val start = System.nanoTime()
        val outputs = run("encode", mapOf("exemplar" to exemplar.toUnit(this.exemplar)))
        return Timed(manifest.kept.map(outputs::getValue), (System.nanoTime() - start) / 1e6)
    }

    override fun restore(lr: Pixels, gallery: Gallery, exemplars: List<Int>): Timed<Restored> {
        require(lr.width == manifest.lrSize && lr.height == manifest.lrSize) { "an LR face has ${manifest.lrSize} pixels a side" }
        require(exemplars.size <= manifest.slots) { "${exemplars.size} exemplars for ${manifest.slots} slots" }
        val section = manifest.check(gallery)
        val start = System.nanoTime()
        features.forEachIndexed { which, slots ->
            slots.fill(0f)
            exemplars.forEachIndexed { i, index -> gallery.floats(section, index, which, slots, i * counts[which]) }
        }
        val valid = FloatArray(manifest.slots) { if (it < exemplars.size) 1f else 0f }
        val outputs = run("restore", manifest.kept.zip(features).toMap() + mapOf("lr" to lr.toUnit(this.lr), "valid" to valid))
        val face = Pixels.fromUnit(manifest.hrSize, manifest.hrSize, outputs.getValue("sr"))
        return Timed(Restored(face, outputs.getValue("weights")), (System.nanoTime() - start) / 1e6)
    }

    override fun close() = module.destroy()

    /** Arrays in the canonical layout (channels last) in and out; the artifact may have channels first. */
    private fun run(method: String, inputs: Map<String, FloatArray>): Map<String, FloatArray> {
        val given = manifest.tensors(method, "inputs").map { spec ->
            val shape = spec.shape.map { it.toLong() }.toLongArray()
            EValue.from(Tensor.fromBlob(spec.fromCanonical(inputs.getValue(spec.name)), shape))
        }
        val results: Array<EValue> = module.execute(method, *given.toTypedArray())
        return manifest.tensors(method, "outputs").zip(results).associate { (spec, value) ->
            Pair(spec.name, spec.toCanonical(value.toTensor().dataAsFloatArray))
        }
    }

    companion object {
        /**
         * Open a bundle after checking manifest and hash. ExecuTorch loads files only: the model is copied to [folder].
         *
         * @throws BundleException where it is missing, damaged or for another runtime.
         * @throws EngineException where ExecuTorch does not run on this device.
         */
        fun open(source: BundleSource, folder: File): ExecutorchEngine {
            val manifest = source.manifest()
            if (manifest.target != "executorch") throw BundleException("this bundle is for ${manifest.target}", "convert with --target executorch")
            val name = manifest.files["model"] ?: throw BundleException("the bundle has no model")
            val content = source.read(name)
            manifest.check(name, content)
            val file = File(folder, "${manifest.sha256.getValue(name)}.pte")
            if (file.length() != content.remaining().toLong()) FileOutputStream(file).channel.use { it.write(content) }
            try {
                return ExecutorchEngine(manifest, Module.load(file.path))
            } catch (error: LinkageError) {
                throw EngineException("ExecuTorch has no code for this device's processor", "it needs 64-bit ARM or x86", error)
            }
        }
    }
}
