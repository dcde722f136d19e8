package io.edgesr.engine

import io.edgesr.core.Gallery
import io.edgesr.core.Json
import io.edgesr.core.Pixels
import io.edgesr.core.Safetensors
import io.edgesr.core.Vectors
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import java.io.File
import kotlin.math.abs

/** The engine on a network that keeps two maps of different sizes and a code of an exemplar (`tests/toy_maps`). */
class MapsEngineTest {
    private val data = Vectors.galleries.parentFile
    private val folder = File(data, "tflite/toy-maps")
    private val golden = Safetensors.decode(File(folder, "golden.safetensors").readBytes()).arrays

    private fun worst(a: FloatArray, b: FloatArray): Float {
        assertEquals(a.size, b.size)
        return a.indices.maxOf { abs(a[it] - b[it]) }
    }

    @Test
    fun eachMapAndCodeIsFedAndReadByItsName() {
        TfliteEngine.open(FolderSource(folder)).use { engine ->
            assertEquals(listOf("features_deep", "features_fine", "features_tone"), engine.manifest.kept)
            fun inputs(graph: String) = engine.manifest.tensors(graph, "inputs").associate { Pair(it.name, golden.getValue("$graph.in.${it.name}")) }
            for (graph in listOf("encode", "restore")) for ((output, got) in engine.runRaw(graph, inputs(graph))) {
                val off = worst(golden.getValue("$graph.out.$output"), got)
                assertTrue("$graph $output $off", off <= 1e-5f)
            }
            // None of the three is left out, nor is one given for another: each changes the face.
            for (name in engine.manifest.kept) {
                val less = inputs("restore").mapValues { (key, values) -> if (key == name) FloatArray(values.size) else values }
                val off = worst(golden.getValue("restore.out.sr"), engine.runRaw("restore", less).getValue("sr"))
                assertTrue("$name $off", off > 1e-4f)
            }
        }
    }

    @Test
    fun aFaceIsRestoredWithAGalleryAsInPython() {
        val said = Vectors.map(Json.parse(File(data, "toy-maps.json").readBytes()))
        val gallery = Gallery.decode(File(Vectors.galleries, "toy-maps.gallery").readBytes())
        TfliteEngine.open(FolderSource(folder)).use { engine ->
            val exemplars = Vectors.doubles(said["exemplars"]).map { it.toInt() }
            val restored = engine.restore(Vectors.pixels(engine.manifest.lrSize, said["lr"]), gallery, exemplars).value
            val expected = Vectors.pixels(engine.manifest.hrSize, said["sr"])
            assertEquals(expected.rgb.size, restored.face.rgb.size)
            val off = expected.rgb.indices.maxOf { abs((expected.rgb[it].toInt() and 255) - (restored.face.rgb[it].toInt() and 255)) }
            assertTrue("$off levels", off <= 1)
            val weights = Vectors.doubles(said["weights"])
            assertEquals(weights.size, restored.weights.size)
            assertTrue(weights.indices.all { abs(weights[it] - restored.weights[it]) <= 1e-5 })
            // The order of the exemplars is none of their means; one of them alone is another face.
            val one = engine.restore(Vectors.pixels(engine.manifest.lrSize, said["lr"]), gallery, exemplars.take(1)).value
            assertTrue("another face", Vectors.psnr(one.face, restored.face) < 99)
        }
    }

    @Test
    fun featuresComeInTheOrderInWhichAGalleryKeepsThem() {
        TfliteEngine.open(FolderSource(folder)).use { engine ->
            val manifest = engine.manifest
            val face = Pixels.fromUnit(manifest.hrSize, manifest.hrSize, golden.getValue("encode.in.exemplar"))
            val raw = engine.runRaw("encode", mapOf("exemplar" to face.toUnit(FloatArray(face.rgb.size))))
            val encoded = engine.encode(face).value
            assertEquals(manifest.section.counts, encoded.map { it.size })
            manifest.kept.forEachIndexed { i, name -> assertEquals(name, 0f, worst(raw.getValue(name), encoded[i])) }
        }
    }
}
