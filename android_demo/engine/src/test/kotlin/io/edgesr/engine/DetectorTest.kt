package io.edgesr.engine

import io.edgesr.core.BundleException
import io.edgesr.core.FaceDetector
import io.edgesr.core.Vectors
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import java.io.File
import java.io.FileNotFoundException
import java.nio.ByteBuffer

/** YuNet on TFLite against YuNet on OpenCV. */
class DetectorTest {
    private val folder = File(Vectors.root, "app/src/main/assets/models/detector")

    @Test
    fun facesAndLandmarksAreThoseOfOpenCv() {
        TfliteFaceNetwork.open(FolderSource(folder)).use { network ->
            val detector = FaceDetector(network)
            var worstSeen = 0.0
            var worstRefined = 0.0
            var count = 0
            for ((name, value) in Vectors.map(Vectors.all["photos"])) {
                if (name == "turned.jpg") continue // turned by ImageDecoder on the phone, which the app's tests do
                val seen = Vectors.map(value)
                val photo = Vectors.decode(Vectors.photo(name as String))
                val faces = detector.detect(photo)
                val expected = (seen["detected"] as List<*>).map(Vectors::map)
                assertEquals(name, expected.size, faces.size)
                for (face in expected) {
                    val landmarks = Vectors.points(face["landmarks"])
                    worstSeen = maxOf(worstSeen, faces.minOf { Vectors.furthest(it.landmarks, landmarks) })
                }
                if (name == "ten.jpg") continue // faces of one size: which one is the largest is chance
                worstRefined = maxOf(worstRefined, Vectors.furthest(detector.refine(photo, faces[0]).landmarks, Vectors.points(seen["refined"])))
                count++
            }
            println("     landmarks of $count photos: detected within ${"%.3f".format(worstSeen)}, refined within ${"%.3f".format(worstRefined)} pixels of OpenCV's")
            assertTrue("detected $worstSeen", worstSeen <= 0.5)
            assertTrue("refined $worstRefined", worstRefined <= 0.5)
            assertTrue(count >= 12)
        }
    }

    @Test
    fun nothingIsFoundWhereNothingIs() {
        TfliteFaceNetwork.open(FolderSource(folder)).use {
            assertTrue(FaceDetector(it).detect(Vectors.decode(Vectors.photo("no-face.jpg"))).isEmpty())
        }
    }

    @Test
    fun aMissingOrDamagedDetectorIsRefused() {
        assertThrows(BundleException::class.java) { TfliteFaceNetwork.open(BundleSource { throw FileNotFoundException(it) }) }
        assertThrows(BundleException::class.java) {
            TfliteFaceNetwork.open(BundleSource { if (it == "detector.json") FolderSource(folder).open(it) else ByteBuffer.allocateDirect(64) })
        }
        val described = File(folder, "detector.json").readText()
        for (damaged in listOf("{", "[]", described.replace("\"signatures\"", "\"signature\""), described.replace("\"look\"", "\"peek\""))) {
            assertThrows(damaged, BundleException::class.java) {
                TfliteFaceNetwork.open(BundleSource { if (it == "detector.json") direct(damaged) else FolderSource(folder).open(it) })
            }
        }
    }

    private fun direct(text: String): ByteBuffer = text.toByteArray().let { ByteBuffer.allocateDirect(it.size).put(it).apply { rewind() } }
}
