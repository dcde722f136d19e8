package io.edgesr.core

import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import kotlin.math.abs

class FaceTest {
    @Test
    fun descriptorsAndQualityAreThoseOfPython() {
        for ((name, value) in Vectors.map(Vectors.all["photos"])) {
            val seen = Vectors.map(value)
            val crop = Vectors.pixels(128, seen["crop"])
            val landmarks = Vectors.points(seen["crop_landmarks"])
            val descriptor = Descriptor.of(crop, landmarks)
            val expected = Vectors.doubles(seen["descriptor"])
            assertEquals(Descriptor.SIZE, expected.size)
            for (i in expected.indices) assertEquals("$name $i", expected[i], descriptor[i].toDouble(), 1e-5)
            val quality = Vectors.map(seen["quality"])
            val judged = Quality.judge(crop, landmarks, (quality["size_px"] as Number).toDouble())
            fun same(key: String, got: Double) = assertEquals("$name $key", (quality[key] as Number).toDouble(), got, 1e-6)
            same("sharpness", judged.sharpness)
            same("exposure", judged.exposure)
            same("yaw_deg", judged.yawDeg)
            same("pitch_deg", judged.pitchDeg)
            same("roll_deg", judged.rollDeg)
            assertEquals(name as String, quality["reasons"], judged.refusals.size.toLong())
        }
    }

    @Test
    fun facesComeOutOfPhotosAndGoBackAsInPython() {
        for (precision in Vectors.precisions) {
            val expected = Vectors.map(Vectors.all["restored-$precision"])
            val photo = Vectors.decode(Vectors.photo("small.jpg"))
            val square = Alignment.of(Vectors.points(expected["landmarks"]))
            val side = kotlin.math.ceil(square.side).toInt()
            val native = Vectors.pixels(side, expected["native"])
            assertTrue("native ${Vectors.psnr(native, Enhance.nativeCrop(photo, square))}", Vectors.psnr(native, Enhance.nativeCrop(photo, square)) > 45)
            val lr = Vectors.square(expected["lr"])
            val made = Enhance.lrCrop(native, lr.width)
            assertTrue(made.rgb.indices.all { abs(made.rgb[it] - lr.rgb[it]) <= 1 || abs(made.rgb[it] - lr.rgb[it]) >= 255 })
            val sr = Vectors.square(expected["sr"])
            val detailed = Vectors.square(expected["detailed"])
            assertTrue("detail", Vectors.psnr(detailed, Enhance.keepOwnDetail(sr, native, lr.width)) > 55)
            val pasted = Vectors.pixels(photo.width, expected["pasted"])
            val got = Enhance.paste(photo, sr, square)
            assertTrue("paste ${Vectors.psnr(pasted, got)}", Vectors.psnr(pasted, got) > 42)
            assertEquals(photo.at(0, 0, 0), got.at(0, 0, 0))
        }
    }

    @Test
    fun theMaskEndsBeforeTheSquareDoes() {
        assertEquals(1.0, Enhance.feather(0.0, 0.0), 0.0)
        assertEquals(1.0, Enhance.feather(0.6, 0.0), 0.0)
        assertEquals(0.0, Enhance.feather(1.0, 0.0), 0.0)
        assertEquals(0.0, Enhance.feather(0.9, 0.9), 0.0)
        assertTrue(Enhance.feather(0.8, 0.1) in 0.01..0.99)
    }

    @Test
    fun whatTheNetworkSawIsNotPutBack() {
        val restored = Vectors.map(Vectors.all["restored-float"])
        val face = Vectors.square(restored["sr"])
        val side = Vectors.square(restored["lr"]).width
        assertEquals(face, Enhance.keepOwnDetail(face, Enhance.lrCrop(face, side), side))
        assertEquals(face, Enhance.keepOwnDetail(face, Enhance.lrCrop(face.mirrored(), side * 5 / 8), side))
    }

    @Test
    fun noiseIsNoDetail() {
        val restored = Vectors.map(Vectors.all["restored-float"])
        val side = Vectors.square(restored["lr"]).width
        val clean = Enhance.lrCrop(Vectors.square(restored["sr"]), side * 3 / 2)
        val random = java.util.Random(3)
        val noisy = Pixels(clean.width, clean.height, ByteArray(clean.rgb.size) { ((clean.rgb[it].toInt() and 255) + random.nextGaussian() * 40).coerceIn(0.0, 255.0).toInt().toByte() })
        assertTrue("clean ${Enhance.signal(clean, side)}", Enhance.signal(clean, side) > 0.5)
        assertTrue("noisy ${Enhance.signal(noisy, side)}", Enhance.signal(noisy, side) < 0.3)
        assertEquals(0.0, Enhance.signal(Pixels(clean.width, clean.height), side), 0.0)
    }
}
