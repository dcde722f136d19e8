package io.edgesr.core

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import kotlin.math.abs

class PixelsTest {
    @Test
    fun everyLevelBecomesPythonsFloat() {
        val image = Pixels(256, 1, ByteArray(768) { (it / 3).toByte() })
        val unit = image.toUnit()
        for (i in 0..767) assertEquals((i / 3).toFloat() / 255f, unit[i], 0f)
        assertEquals(image, Pixels.fromUnit(256, 1, unit))
    }

    @Test
    fun floatsAreClampedAndRoundedHalfToEven() {
        val image = Pixels.fromUnit(2, 1, floatArrayOf(-0.5f, 1.5f, 0.5f / 255f, 1.5f / 255f, 2.5f / 255f, 0.999f))
        assertArrayEquals(byteArrayOf(0, -1, 0, 2, 2, -1), image.rgb)
    }

    @Test
    fun argbGoesThereAndBackAndTransparencyBecomesWhite() {
        val image = Pixels(2, 2, ByteArray(12) { (it * 21).toByte() })
        assertEquals(image, Pixels.fromArgb(2, 2, image.toArgb()))
        assertArrayEquals(byteArrayOf(-1, -1, -1), Pixels.fromArgb(1, 1, intArrayOf(0x00123456)).rgb)
    }

    @Test
    fun bicubicIsThatOfTheNetworksTraining() {
        val example = Vectors.map(Vectors.all["bicubic"])
        val face = Vectors.pixels(128, example["in"])
        val floats = FloatArray(face.rgb.size) { (face.rgb[it].toInt() and 255).toFloat() }
        val small = Bicubic.resize(floats, 128, 128, 32, 32)
        val expected = Vectors.pixels(32, example["out"])
        for (i in small.indices) {
            val level = (expected.rgb[i].toInt() and 255).toFloat()
            assertTrue("value $i: ${small[i]} for $level", abs(small[i].coerceIn(0f, 255f) - level) <= 0.5001f)
        }
    }

    @Test
    fun bicubicKeepsConstantsAndSize() {
        val grey = Pixels(17, 9, ByteArray(17 * 9 * 3) { 77 })
        assertTrue(Bicubic.resize(grey, 5, 30).rgb.all { it == 77.toByte() })
        val face = Vectors.pixels(128, Vectors.map(Vectors.all["bicubic"])["in"])
        assertEquals(face, Bicubic.resize(face, 128, 128))
    }

    @Test
    fun areaResizeAverages() {
        val image = Pixels(4, 2, ByteArray(24) { (it / 3 * 10).toByte() })
        assertArrayEquals(byteArrayOf(25, 25, 25, 45, 45, 45), AreaResize.resize(image, 2, 1).rgb)
        val half = Pixels(2, 2, byteArrayOf(1, 1, 1, 0, 0, 0, 1, 1, 1, 0, 0, 0))
        assertArrayEquals("half up, as OpenCV", byteArrayOf(1, 1, 1), AreaResize.resize(half, 1, 1).rgb)
        assertEquals(3, AreaResize.resize(image, 3, 2).width)
    }
}
