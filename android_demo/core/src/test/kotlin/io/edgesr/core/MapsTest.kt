package io.edgesr.core

import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import java.io.File

/** A network that keeps two maps of different sizes and a code of an exemplar (`tests/toy_maps`). */
class MapsTest {
    private val text = File(Vectors.galleries.parentFile, "toy-maps/manifest.json").readText()
    private val manifest = Manifest.decode(text.toByteArray())
    private val gallery = Gallery.decode(File(Vectors.galleries, "toy-maps.gallery").readBytes())

    @Test
    fun eachMapAndCodeIsATensorOfItsOwn() {
        assertEquals(listOf("features_deep", "features_fine", "features_tone"), manifest.kept)
        assertEquals(listOf(8 * 8 * 4, 16 * 16 * 5, 4), manifest.section.counts)
        assertEquals(listOf("lr") + manifest.kept + "valid", manifest.tensors("restore", "inputs").map { it.name })
        assertEquals(0, manifest.check(gallery))
        assertEquals(0, manifest.check(manifest.emptyGallery()))
    }

    @Test
    fun featuresComeAsTheArtifactLaysThemOut() {
        val golden = Safetensors.decode(File(Vectors.galleries.parentFile, "toy-maps/golden.safetensors").readBytes()).arrays
        for (spec in manifest.tensors("restore", "inputs")) {
            val values = golden.getValue("restore.in.${spec.name}")
            val given = spec.fromCanonical(values)
            assertEquals(spec.count, given.size)
            assertTrue(spec.name, values.contentEquals(spec.toCanonical(given)))
            if (spec.layout != "NCHW") continue
            val (n, c, h, w) = spec.shape
            for (b in 0 until n) for (k in 0 until c) for (y in 0 until h) for (x in 0 until w) {
                assertEquals(values[((b * h + y) * w + x) * c + k], given[((b * c + k) * h + y) * w + x], 0f)
            }
        }
    }

    @Test
    fun aGalleryWithoutOneOrWithTheirSizesChangedAboutIsRefusedByName() {
        val ours = manifest.section
        val (deep, fine) = ours.maps
        fun refused(says: String, maps: List<FeatureMap> = ours.maps, codes: List<Code> = ours.codes, steps: List<Float>? = ours.steps) {
            val other = Section(ours.featureSpace, ours.scale, ours.lrSize, maps, codes, ours.half, steps)
            val what = assertThrows(GalleryException::class.java) { manifest.check(Gallery(listOf(other))) }.what
            assertTrue(what, what.startsWith("the gallery $says"))
        }
        refused("has no fine of 16x16 pixels with detail 4 + gate 1 as the network toy-maps has", maps = listOf(deep))
        refused(
            "has deep of 16x16 pixels with deep 4, not of 8x8 pixels with deep 4",
            maps = listOf(deep.copy(size = fine.size), fine.copy(size = deep.size)),
        )
        refused("has no tone of 4 numbers", codes = emptyList())
        refused("has fine, deep, tone, not deep, fine, tone", maps = listOf(fine, deep))
        refused("has int8 steps", steps = ours.steps!!.map { 2 * it })
        val other = Gallery.decode(File(Vectors.galleries, "two-maps-and-a-code.gallery").readBytes())
        assertTrue("another network than toy-maps" in assertThrows(GalleryException::class.java) { manifest.check(other) }.what)
    }

    @Test
    fun aManifestWhoseTensorsAreOthersThanItsMapsIsRefused() {
        fun refused(old: String, new: String) {
            val changed = text.replace(Regex(old), new)
            assertTrue(old, changed != text)
            assertThrows(old, BundleException::class.java) { Manifest.decode(changed.toByteArray()) }
        }
        refused("\"name\": \"features_fine\"", "\"name\": \"features_other\"")
        refused("\"channels\": 4", "\"channels\": 5")
        refused("\"codes\": \\[", "\"codes\": [[\"age\", 1],")
        refused("\"maps\": \\[", "\"maps\": [3,")
        refused("\"name\": \"lr\"", "\"name\": \"other\"")
        refused("\"layout\": \"NHW\"", "\"layout\": \"NCHW\"")
        refused("\"int8_scale\": 0\\.01\\b", "\"int8_scale\": 0")
        refused("\"slots\": 2", "\"slots\": 2000000000")
        refused("\"outputs\"", "\"results\"")
    }
}
