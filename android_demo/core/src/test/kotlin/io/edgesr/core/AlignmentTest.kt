package io.edgesr.core

import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class AlignmentTest {
    private val example = Vectors.map(Vectors.all["alignment"])
    private val landmarks = Vectors.points(example["landmarks"])

    @Test
    fun squareAndMapsAreThoseOfTheExample() {
        val square = Alignment.of(landmarks)
        val (cx, cy) = Vectors.doubles(example["centre"])
        assertEquals(cx, square.centre.x, 1e-6)
        assertEquals(cy, square.centre.y, 1e-6)
        assertEquals((example["side"] as Number).toDouble(), square.side, 1e-6)
        same("photo_from_crop_128", square.photoFromCrop(128))
        same("crop_from_photo_128", square.cropFromPhoto(128))
    }

    private fun same(name: String, map: Affine) {
        val expected = (example[name] as List<*>).flatMap(Vectors::doubles)
        for ((e, g) in expected.zip(listOf(map.a, map.b, map.c, map.d, map.e, map.f))) assertEquals(name, e, g, 1e-6)
    }

    @Test
    fun cropsAreThoseOfTheExample() {
        val photo = Pixels(200, 200)
        for (j in 0 until 200) for (i in 0 until 200) {
            val at = (j * 200 + i) * 3
            photo.rgb[at] = i.toByte()
            photo.rgb[at + 1] = j.toByte()
            photo.rgb[at + 2] = (3 * i + 5 * j).toByte()
        }
        val square = Alignment.of(landmarks)
        for (crop in example["crops"] as List<*>) {
            val size = (Vectors.map(crop)["size"] as Long).toInt()
            val made = square.crop(photo, size)
            for (pixel in Vectors.map(crop)["pixels"] as List<*>) {
                val (i, j, r, g, b) = Vectors.doubles(pixel).map { it.toInt() }
                assertEquals("$size at $i, $j", listOf(r, g, b), (0..2).map { made.at(i, j, it) })
            }
        }
    }

    @Test
    fun mapsAreInverse() {
        val square = Alignment.of(landmarks)
        for (size in listOf(16, 32, 128)) for (p in landmarks) {
            val back = square.photoFromCrop(size).map(square.cropFromPhoto(size).map(p))
            assertTrue(Vectors.furthest(listOf(p), listOf(back)) < 1e-9)
        }
    }

    @Test
    fun whatIsNoFaceIsRefused() {
        assertThrows(FaceException::class.java) { Alignment.of(List(5) { Point(3.0, 3.0) }) }
        assertThrows(FaceException::class.java) { Alignment.of(listOf(Point(Double.NaN, 0.0)) + landmarks.drop(1)) }
        assertThrows(FaceException::class.java) { Alignment.of(landmarks.take(4)) }
    }

    @Test
    fun beyondTheEdgesLiesTheMirrorImage() {
        assertEquals(listOf(2, 1, 0, 0, 1, 2, 2, 1, 0, 0), (-3L..6L).map { Sampler.mirror(it, 3) })
    }
}
