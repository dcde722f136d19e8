package io.edgesr.core

import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test

class DuplicatesTest {
    private val photos = Vectors.map(Vectors.all["photos"]).mapValues { Vectors.map(it.value) }

    private companion object {
        /** One portrait: as it is, stored again smaller, and turned with an EXIF orientation that turns it back. */
        val ONE_PICTURE = setOf("portrait-0027_1.jpg", "copy-0027_1.jpg", "turned.jpg")
    }

    private fun floats(value: Any?) = Vectors.doubles(value).map { it.toFloat() }.toFloatArray()

    @Test
    fun fingerprintsAreThoseOfPython() {
        for ((name, seen) in photos) {
            val expected = Vectors.doubles(seen["crop_fingerprint"])
            val got = Duplicates.fingerprint(Vectors.pixels(128, seen["crop"]))
            assertEquals(256, got.size)
            for (i in expected.indices) assertEquals("$name $i", expected[i], got[i].toDouble(), 1e-5)
        }
    }

    @Test
    fun aPhotoIsKnownByItsFingerprintThroughAnotherDecoder() {
        for (name in photos.keys - "turned.jpg") { // the JVM's decoder does not turn it
            val decoded = Duplicates.fingerprint(Vectors.decode(Vectors.photo(name as String)))
            for ((other, theirs) in photos) {
                val same = name == other || (name in ONE_PICTURE && other in ONE_PICTURE)
                assertEquals("$name and $other", same, Duplicates.samePhoto(decoded, floats(theirs["fingerprint"])))
            }
        }
    }

    @Test
    fun facesAreComparedAsInPython() {
        var copies = 0
        for (pair in (Vectors.all["duplicates"] as List<*>).map(Vectors::map)) {
            val (one, other) = Pair(floats(pair["one"]), floats(pair["other"]))
            val expected = (pair["difference"] as Number).toDouble()
            assertEquals(expected, Duplicates.difference(one, other), 1e-6 + 1e-4 * expected)
            assertEquals(pair["same"], Duplicates.sameFace(one, other))
            if (pair["same"] == true) copies++
        }
        assertTrue("$copies copies", copies >= 3)
    }

    @Test
    fun blankPicturesAreNoNumbersThatAreNone() {
        val blank = Pixels(3, 5)
        assertTrue(Duplicates.fingerprint(blank).all { it == 0f })
        val plain = Descriptor.of(Pixels(8, 8), null)
        assertEquals(0.0, Duplicates.difference(plain, plain), 0.0)
        assertFalse(Duplicates.sameFace(plain, FloatArray(Descriptor.SIZE) { (it % 7).toFloat() }))
    }
}
