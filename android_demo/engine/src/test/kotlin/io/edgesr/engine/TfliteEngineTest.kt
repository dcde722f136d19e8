package io.edgesr.engine

import io.edgesr.core.BundleException
import io.edgesr.core.Entry
import io.edgesr.core.Gallery
import io.edgesr.core.GalleryException
import io.edgesr.core.Safetensors
import io.edgesr.core.Vectors
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import java.io.File
import kotlin.math.abs
import kotlin.math.log10

/** The engine on the shipped networks, run by TFLite 2.18 for Linux. */
class TfliteEngineTest {
    @get:Rule
    val temporary = TemporaryFolder()

    private fun bundle(name: String) = File(Vectors.testdata, if (name == "float") "bundle-fp16" else "bundle-int8")

    @Test
    fun goldenVectorsComeOut() {
        for (name in Vectors.precisions) TfliteEngine.open(FolderSource(bundle(name))).use { engine ->
            val golden = Safetensors.decode(File(bundle(name), "golden.safetensors").readBytes()).arrays
            fun inputs(graph: String) = engine.manifest.tensors(graph, "inputs").associate { Pair(it.name, golden.getValue("$graph.in.${it.name}")) }
            for (graph in listOf("encode", "restore")) for ((output, got) in engine.runRaw(graph, inputs(graph))) {
                val expected = golden.getValue("$graph.out.$output")
                assertEquals(expected.size, got.size)
                val worst = expected.indices.maxOf { abs(expected[it] - got[it]) }
                val peak = maxOf(1f, expected.maxOf { abs(it) })
                val psnr = -10 * log10(expected.indices.sumOf { ((expected[it] - got[it]) / peak).toDouble().let { d -> d * d } } / expected.size)
                println("     $name $graph $output: max abs error $worst, PSNR ${"%.1f".format(psnr)} dB (TFLite 2.18, C library)")
                assertTrue("$graph $output $psnr dB", psnr >= if (name == "float") 50 else 35)
            }
        }
    }

    @Test
    fun aFaceIsRestoredAsInPython() {
        for (name in Vectors.precisions) TfliteEngine.open(FolderSource(bundle(name))).use { engine ->
            val expected = Vectors.map(Vectors.all["restored-$name"])
            val gallery = Gallery.decode(File(Vectors.testdata, "python-$name.gallery").readBytes())
            val lr = Vectors.square(expected["lr"])
            val restored = engine.restore(lr, gallery, listOf(0))
            val psnr = Vectors.psnr(Vectors.square(expected["sr"]), restored.value.face)
            println("     $name from identical LR pixels: ${"%.1f".format(psnr)} dB to Python")
            assertTrue("$name $psnr", psnr >= Vectors.leastToPython(engine.manifest))
            assertTrue(restored.millis > 0)
            val weights = Vectors.doubles(expected["weights"])
            val off = weights.indices.map { abs(weights[it] - restored.value.weights[it]) }
            // int8 as the parity gate judges it: a last bit rounded otherwise may move a single weight far.
            val weightsPsnr = -10 * log10(off.sumOf { it * it } / off.size)
            if (name == "float") assertTrue("weights ${off.max()}", off.max() <= 1e-3) else assertTrue("weights $weightsPsnr dB", weightsPsnr >= 35)
            assertTrue("empty slots count nothing", restored.value.weights.drop(weights.size).all { it == 0f })
        }
    }

    @Test
    fun buffersAreUsedAgainWithoutATrace() {
        TfliteEngine.open(FolderSource(bundle("float"))).use { engine ->
            val expected = Vectors.map(Vectors.all["restored-float"])
            val gallery = Gallery.decode(File(Vectors.testdata, "python-float.gallery").readBytes())
            val lr = Vectors.square(expected["lr"])
            val without = engine.restore(lr, gallery, emptyList()).value.face
            val with = engine.restore(lr, gallery, listOf(0)).value.face
            assertEquals(without, engine.restore(lr, gallery, emptyList()).value.face)
            assertTrue("exemplars change the face", Vectors.psnr(with, without) < 60)
        }
    }

    @Test
    fun aGalleryOfAnotherNetworkOrVersionIsRefused() {
        TfliteEngine.open(FolderSource(bundle("float"))).use { engine ->
            val gallery = Gallery.decode(File(Vectors.testdata, "python-float.gallery").readBytes())
            engine.manifest.check(gallery)
            val one = gallery.entries[0]
            val longer = gallery.with(listOf(Entry(one.features, FloatArray(301), one.label))) // as the grid was once
            assertTrue("version" in assertThrows(GalleryException::class.java) { engine.manifest.check(longer) }.what)
            val other = Gallery.decode(File(Vectors.galleries, "tiny-int8-names.gallery").readBytes())
            assertTrue("network" in assertThrows(GalleryException::class.java) { engine.manifest.check(other) }.what)
        }
    }

    @Test
    fun whatIsNotTheConvertedBundleIsRefused() {
        val folder = temporary.newFolder()
        bundle("float").copyRecursively(folder, overwrite = true)
        fun refused(change: () -> Unit): String {
            change()
            val error = assertThrows(BundleException::class.java) { TfliteEngine.open(FolderSource(folder)) }
            bundle("float").copyRecursively(folder, overwrite = true)
            return error.what
        }
        val manifest = File(folder, "manifest.json")
        val model = File(folder, "model.tflite")
        assertTrue("missing" in refused { model.delete() })
        assertTrue("missing" in refused { manifest.delete() })
        assertTrue("not the file" in refused { model.writeBytes(model.readBytes().also { it[it.size / 2] = (it[it.size / 2] + 1).toByte() }) })
        assertTrue("for onnx" in refused { manifest.writeText(manifest.readText().replace("\"target\": \"tflite\"", "\"target\": \"onnx\"")) })
        assertTrue("version" in refused { manifest.writeText(manifest.readText().replace("\"format_version\": 1", "\"format_version\": 9")) })
        refused { manifest.writeText("{") }
        refused { manifest.writeText(manifest.readText().replace("\"tensors\"", "\"tensor\"")) }
    }

    @Test
    fun aModelThatTfliteRefusesIsAnEngineError() {
        val folder = temporary.newFolder()
        bundle("float").copyRecursively(folder, overwrite = true)
        val model = File(folder, "model.tflite")
        val before = io.edgesr.core.Manifest.sha256Of(java.nio.ByteBuffer.wrap(model.readBytes()))
        model.writeBytes(ByteArray(4096))
        val after = io.edgesr.core.Manifest.sha256Of(java.nio.ByteBuffer.wrap(model.readBytes()))
        File(folder, "manifest.json").let { it.writeText(it.readText().replace(before, after)) }
        assertThrows(EngineException::class.java) { TfliteEngine.open(FolderSource(folder)) }
    }
}
