package io.edgesr.booth

import io.edgesr.core.Gallery
import io.edgesr.core.Vectors
import io.edgesr.engine.PhotoDecoder
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import java.io.File

/** A real face through the whole app: decoding, detection, alignment, resampling, restoring, inside the Activity. */
@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@Config(sdk = [35], qualifiers = "w411dp-h891dp-xhdpi")
class InferenceTest {
    private fun name(precision: Precision) = if (precision == Precision.INT8) "int8" else "float"

    @Test
    fun aPickedJpegIsRestoredAsInPython() {
        for (precision in Stage.booth.available) {
            Stage.booth.precision = precision
            val expected = Vectors.map(Vectors.all["restored-${name(precision)}"])
            File(Vectors.testdata, "python-${name(precision)}.gallery").copyTo(Stage.booth.galleryFile.file, overwrite = true)
            val home = Stage.open<HomeActivity>().get()
            Stage.click(home, R.id.choose)
            Stage.answer(home, Stage.photo("small.jpg"))
            val activity = Stage.open<ResultActivity>().get()
            val outcome = activity.outcome ?: error("problem ${activity.problem}")
            val lr = Vectors.psnr(Vectors.square(expected["lr"]), outcome.face.lr)
            val sr = Vectors.psnr(Vectors.square(expected["sr"]), outcome.face.sr)
            println("     ${name(precision)} from the JPEG: LR ${"%.1f".format(lr)} dB, restored ${"%.1f".format(sr)} dB to Python (TFLite 2.18)")
            assertTrue("restored $sr dB", sr >= 40)
            assertEquals(listOf(0), outcome.face.exemplars)
            assertTrue("the text of the latency", Regex("[0-9]").containsMatchIn(Stage.text(activity, R.id.latency)))
        }
    }

    @Test
    fun identicalLrPixelsGiveThePythonResultInsideTheActivity() {
        for (precision in Stage.booth.available) {
            val expected = Vectors.map(Vectors.all["restored-${name(precision)}"])
            val gallery = Gallery.decode(File(Vectors.testdata, "python-${name(precision)}.gallery").readBytes())
            val activity = Stage.open<HomeActivity>().get()
            val engine = activity.booth.engine(precision)
            val restored = engine.restore(Vectors.square(expected["lr"]), gallery, listOf(0)).value.face
            val psnr = Vectors.psnr(Vectors.square(expected["sr"]), restored)
            println("     ${name(precision)} from identical LR pixels: ${"%.1f".format(psnr)} dB to Python (TFLite 2.18)")
            assertTrue("$psnr dB", psnr >= Vectors.leastToPython(engine.manifest))
        }
    }

    @Test
    fun whatTheAppLearnsIsWhatPythonLearns() {
        Stage.learn("portrait-0027_1.jpg")
        val ours = Stage.booth.galleryFile.read()!!
        val theirs = Gallery.decode(File(Vectors.testdata, "python-${name(Stage.booth.precision)}.gallery").readBytes())
        val (a, b) = Pair(ours.entries[0], theirs.entries[0])
        assertEquals(b.label.photoSha256, a.label.photoSha256)
        val (mine, pythons) = listOf(a, b).map { entry -> entry.features.single()!!.reduce { maps, next -> maps + next } }
        val off = mine.indices.map { Math.abs(mine[it] - pythons[it]) }
        println("     features of one photo: ${off.count { it > 1 } * 100.0 / off.size} % differ by more than one step from Python's")
        assertTrue("mean ${off.average()}", off.average() < 1.0)
        assertEquals(b.label.quality["sharpness"]!! / 1000.0, a.label.quality["sharpness"]!! / 1000.0, 0.02)
        for (i in a.descriptor.indices) assertEquals(b.descriptor[i], a.descriptor[i], 0.08f)
        File(Vectors.testdata, "kotlin.gallery").writeBytes(ours.encode())
        assertArrayEquals(ours.encode(), Stage.booth.galleryFile.file.readBytes())
    }

    @Test
    fun aTurnedPhotoIsTurnedBack() {
        val turned = PhotoDecoder.decode(Vectors.photo("turned.jpg").readBytes())
        val upright = PhotoDecoder.decode(Vectors.photo("portrait-0027_1.jpg").readBytes())
        assertTrue("${Vectors.psnr(turned, upright)}", Vectors.psnr(turned, upright) > 30)
    }
}
