package io.edgesr.engine

import io.edgesr.core.AreaResize
import io.edgesr.core.BundleException
import io.edgesr.core.Gallery
import io.edgesr.core.GalleryException
import io.edgesr.core.Pixels
import io.edgesr.core.Vectors
import io.edgesr.engine.LearningException.Reason
import org.junit.AfterClass
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotEquals
import org.junit.Assert.assertSame
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import java.io.File
import java.io.FileNotFoundException
import java.util.concurrent.Callable
import java.util.concurrent.Executors

/** What an app gets: learning, restoring, and a reason for everything that is refused. */
class FaceRestorerTest {
    private fun learn(name: String, gallery: Gallery = restorer.emptyGallery()) =
        restorer.learn(Vectors.photo(name).readBytes(), photo(name), gallery)

    private fun refused(name: String, gallery: Gallery = restorer.emptyGallery()): LearningException =
        assertThrows(LearningException::class.java) { learn(name, gallery) }

    @Test
    fun whatIsNotLearnedHasAReason() {
        assertEquals(Reason.NO_FACE, refused("no-face.jpg").reason)
        assertEquals(Reason.TOO_DARK, refused("no-dark.jpg").reason)
        assertEquals(Reason.BLURRED, refused("no-blurred.jpg").reason)
        assertEquals(Reason.TOO_SMALL, refused("small.jpg").reason)
        assertEquals(Reason.KNOWN, refused("portrait-0027_1.jpg", mine).reason)
        assertEquals("a copy", Reason.KNOWN, refused("copy-0027_1.jpg", mine).reason)
        assertTrue(refused("no-face.jpg").message!!.contains("choose another photo"))
    }

    @Test
    fun ofSeveralPeopleSomebodySaysWhich() {
        val error = refused("ten.jpg")
        assertEquals(Reason.SEVERAL, error.reason)
        assertEquals(10, error.faces.size)
        val learned = restorer.learn(Vectors.photo("ten.jpg").readBytes(), photo("ten.jpg"), mine, error.faces[2])
        assertEquals(2, learned.entries.size)
        assertEquals("the gallery that was given stays as it was", 1, mine.entries.size)
    }

    @Test
    fun aPhotoIsEnlargedAndItsFaceRestoredWithTheGallery() {
        val small = photo("small.jpg")
        val enhanced = restorer.enhance(small, mine)
        // 96 pixels of the face are to show, and 192 where the network makes 256; it is enlarged four times at the most.
        val factor = mapOf(128 to 3, 256 to 4).getValue(restorer.engine.manifest.hrSize)
        assertEquals(factor, enhanced.factor)
        assertEquals(listOf(factor * small.width, factor * small.height), listOf(enhanced.after.width, enhanced.after.height))
        assertEquals(listOf(0), enhanced.faces.single().exemplars)
        assertTrue("the face", Vectors.psnr(enhanced.before, enhanced.after) < 50)
        assertEquals("and nothing else", enhanced.before.at(3, 3, 0), enhanced.after.at(3, 3, 0))
        assertEquals("no more than was allowed", 1, restorer.enhance(small, mine, megapixels = 0.1).factor)
    }

    @Test
    fun theGalleryServesItsPersonAlone() {
        val photo = photo("ten.jpg")
        // Faces of 64 pixels are large for a network of 16.
        val ten = if (restorer.engine.manifest.lrSize >= 32) photo else AreaResize.resize(photo, photo.width / 2, photo.height / 2)
        val faces = restorer.faces(ten)
        assertTrue("of several nobody is meant", restorer.enhance(ten, mine, faces).faces.all { it.exemplars.isEmpty() })
        val meant = restorer.enhance(ten, mine, faces, person = faces[2])
        assertEquals(10, meant.faces.size)
        for (one in meant.faces) assertEquals(if (one.face === faces[2]) listOf(0) else emptyList<Int>(), one.exemplars)
    }

    @Test
    fun aLargeFaceStaysAsItIs() {
        val large = photo("portrait-0036_1.jpg")
        val enhanced = restorer.enhance(large, mine)
        assertTrue(enhanced.faces.isEmpty())
        assertSame(large, enhanced.after)
        assertTrue("it can be restored all the same", restorer.restore(large, restorer.faces(large).single(), mine).isLarge)
    }

    @Test
    fun severalThreadsGetWhatOneGets() {
        val small = photo("small.jpg")
        val face = restorer.faces(small).single()
        val alone = restorer.restore(small, face, mine).after
        val without = restorer.restore(small, face).after
        assertNotEquals(alone, without)
        val pool = Executors.newFixedThreadPool(3)
        val asked = List(9) { i -> Callable { restorer.restore(small, face, if (i % 2 == 0) mine else null).after } }
        pool.invokeAll(asked).forEachIndexed { i, got -> assertEquals(if (i % 2 == 0) alone else without, got.get()) }
        pool.shutdown()
    }

    @Test
    fun aGalleryOfAnotherNetworkIsRefused() {
        val other = Gallery.decode(File(Vectors.galleries, "tiny-int8-names.gallery").readBytes())
        assertThrows(GalleryException::class.java) { learn("portrait-0027_1.jpg", other) }
        val small = photo("small.jpg")
        assertThrows(GalleryException::class.java) { restorer.restore(small, restorer.faces(small).single(), other) }
    }

    @Test
    fun whatIsMissingOrClosedSaysSo() {
        val nothing = BundleSource { throw FileNotFoundException(it) }
        assertThrows(BundleException::class.java) { FaceRestorer.open(nothing, detector) }
        assertThrows(BundleException::class.java) { FaceRestorer.open(network, nothing) }
        val closed = FaceRestorer.open(network, detector)
        closed.close()
        closed.close()
        assertThrows(IllegalStateException::class.java) { closed.faces(photo("small.jpg")) }
    }

    private companion object {
        val models = File(Vectors.root, "app/src/main/assets/models")
        val network = FolderSource(File(models, "float"))
        val detector = FolderSource(File(models, "detector"))
        val restorer = FaceRestorer.open(network, detector)
        val mine: Gallery = Vectors.photo("portrait-0027_1.jpg").let {
            restorer.learn(it.readBytes(), Vectors.decode(it), restorer.emptyGallery())
        }

        fun photo(name: String): Pixels = Vectors.decode(Vectors.photo(name))

        @JvmStatic
        @AfterClass
        fun close() = restorer.close()
    }
}
