package io.edgesr.engine

import io.edgesr.core.AreaResize
import io.edgesr.core.BundleException
import io.edgesr.core.FaceDetector
import io.edgesr.core.FaceSearch
import io.edgesr.core.Pixels
import io.edgesr.core.Point
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
    fun tinyFacesOfALargePhotoAreFound() {
        TfliteFaceNetwork.open(FolderSource(folder)).use { network ->
            val detector = FaceDetector(network)
            val portrait = Vectors.decode(Vectors.photo("portrait-0027_1.jpg"))
            val one = detector.detect(portrait)[0]
            val factor = one.alignment.side / 30
            val small = AreaResize.resize(portrait, (portrait.width / factor).toInt(), (portrait.height / factor).toInt())
            // Of 5 megapixels, whose parts are looked at as they are, and of 3, whose parts are enlarged.
            for ((width, height) in listOf(Pair(2500, 2000), Pair(2000, 1500))) {
                val photo = Pixels(width, height, ByteArray(width * height * 3) { 120 })
                val places = listOf(Pair(20, 30), Pair(width / 2 - 10, height / 2), Pair(width - small.width, height - small.height))
                for ((left, top) in places) {
                    for (y in 0 until small.height) System.arraycopy(small.rgb, y * small.width * 3, photo.rgb, ((top + y) * width + left) * 3, small.width * 3)
                }
                val search = FaceSearch(detector)
                assertTrue(search.faces(photo, tiny = false).size < places.size)
                val found = search.faces(photo)
                assertEquals(places.size, found.size)
                for ((left, top) in places) {
                    val expected = one.landmarks.map { Point(it.x * small.width / portrait.width + left, it.y * small.height / portrait.height + top) }
                    val away = found.minOf { Vectors.furthest(it.landmarks, expected) }
                    assertTrue("$away pixels away", away < 1.5)
                }
            }
        }
    }

    @Test
    fun nothingIsFoundWhereNothingIs() {
        TfliteFaceNetwork.open(FolderSource(folder)).use {
            assertTrue(FaceDetector(it).detect(Vectors.decode(Vectors.photo("no-face.jpg"))).isEmpty())
            assertTrue(FaceSearch(FaceDetector(it)).faces(Vectors.decode(Vectors.photo("no-face.jpg"))).isEmpty())
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
