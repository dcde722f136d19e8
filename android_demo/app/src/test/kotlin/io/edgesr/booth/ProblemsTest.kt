package io.edgesr.booth

import android.Manifest
import android.app.Activity
import android.graphics.SurfaceTexture
import android.hardware.camera2.CameraCharacteristics
import android.hardware.camera2.CameraManager
import android.provider.MediaStore
import android.provider.Settings
import android.view.View
import io.edgesr.core.Vectors
import io.edgesr.engine.BundleSource
import io.edgesr.engine.FolderSource
import io.edgesr.engine.PhotoDecoder
import io.edgesr.engine.PhotoException
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import java.io.File
import java.io.FileNotFoundException
import java.nio.ByteBuffer

/** Everything that can stand in the way: a state with a sentence and a way out. */
@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@Config(sdk = [35], qualifiers = "w411dp-h891dp-xhdpi")
class ProblemsTest {
    @get:Rule
    val temporary = TemporaryFolder()

    private fun shows(activity: Activity, problem: Problem) {
        assertEquals(problem, (activity as BoothActivity).problem)
        assertEquals(activity.getString(problem.title), Stage.text(activity, R.id.state_title))
        assertEquals(activity.getString(problem.text), Stage.text(activity, R.id.state_text))
        assertTrue(activity.findViewById<View>(R.id.state_action).isShown)
    }

    @Test
    fun everyProblemSaysWhatIsTheCaseAndWhatToDo() {
        for (problem in Problem.values()) {
            assertTrue(Stage.application.getString(problem.title).length in 8..50)
            assertTrue(Stage.application.getString(problem.text).endsWith("."))
            assertTrue(Stage.application.getString(problem.action).isNotEmpty())
        }
    }

    @Test
    fun bundleMissingForAnotherRuntimeOrDamaged() {
        val shipped = Stage.booth.sources
        fun with(source: (String) -> BundleSource): ResultActivity {
            Stage.booth.sources = { if (it == "detector") shipped(it) else source(it) }
            return Stage.restore("small.jpg").get()
        }
        shows(with { BundleSource { name -> throw FileNotFoundException(name) } }, Problem.MODEL_MISSING)
        val folder = temporary.newFolder()
        File(Vectors.testdata, "bundle-fp16").copyRecursively(folder, overwrite = true)
        val manifest = File(folder, "manifest.json")
        val good = manifest.readText()
        manifest.writeText(good.replace("\"target\": \"tflite\"", "\"target\": \"coreml\""))
        shows(with { FolderSource(folder) }, Problem.MODEL_OTHER)
        manifest.writeText(good)
        File(folder, "model.tflite").let { it.writeBytes(it.readBytes().also { b -> b[b.size / 2] = (b[b.size / 2] + 1).toByte() }) }
        val last = with { FolderSource(folder) }
        shows(last, Problem.MODEL_DAMAGED)
        Stage.click(last, R.id.state_action)
        assertTrue(last.isFinishing)
    }

    @Test
    fun detectorMissingOrDamaged() {
        val shipped = Stage.booth.sources
        Stage.booth.sources = { if (it == "detector") BundleSource { name -> throw FileNotFoundException(name) } else shipped(it) }
        shows(Stage.restore("small.jpg").get(), Problem.MODEL_MISSING)
        Stage.booth.sources = { which -> if (which != "detector") shipped(which) else BundleSource { name -> if (name.endsWith("json")) shipped(which).open(name) else ByteBuffer.allocateDirect(99) } }
        shows(Stage.restore("small.jpg").get(), Problem.MODEL_DAMAGED)
    }

    @Test
    fun theDeviceLacksWhatTheRuntimeNeeds() {
        Stage.booth.sources = { BundleSource { throw io.edgesr.engine.EngineException("no code for this processor", "") } }
        shows(Stage.restore("small.jpg").get(), Problem.RUNTIME)
    }

    @Test
    fun galleryDamagedOrFromAnotherNetwork() {
        Stage.booth.galleryFile.file.parentFile!!.mkdirs()
        Stage.booth.galleryFile.file.writeBytes(ByteArray(100))
        val screen = Stage.open<GalleryActivity>().get()
        shows(screen, Problem.GALLERY_DAMAGED)
        assertEquals(screen.getString(Problem.GALLERY_DAMAGED.title), Stage.text(Stage.open<HomeActivity>().get(), R.id.count))
        shows(Stage.restore("small.jpg").get(), Problem.GALLERY_DAMAGED)
        File(Vectors.galleries, "example.gallery").copyTo(Stage.booth.galleryFile.file, overwrite = true)
        val other = Stage.open<GalleryActivity>().get()
        shows(other, Problem.GALLERY_OTHER)
        Stage.click(other, R.id.state_action)
        assertFalse(Stage.booth.galleryFile.file.exists())
        assertEquals(other.getString(R.string.empty_gallery), Stage.text(other, R.id.state_title))
    }

    @Test
    fun photosThatCannotBeUsed() {
        shows(Stage.restore("no-face.jpg").get(), Problem.NO_FACE)
        shows(Stage.restore("no-image.jpg").get(), Problem.NO_IMAGE)
        val large = Stage.restore("no-too-large.jpg").get()
        shows(large, Problem.TOO_LARGE)
        Stage.click(large, R.id.state_action)
        assertEquals(MediaStore.ACTION_PICK_IMAGES, shadowOf(large).nextStartedActivityForResult.intent.action)
    }

    @Test
    fun aStreamWithoutEndIsLeft() {
        val endless = object : java.io.InputStream() {
            override fun read() = 1
        }
        val error = assertThrows(PhotoException::class.java) { PhotoDecoder.bounded(endless, most = 1 shl 20) }
        assertEquals(PhotoException.Reason.TOO_LARGE, error.reason)
        assertEquals(70_000, PhotoDecoder.bounded(java.io.ByteArrayInputStream(ByteArray(70_000)), most = 1 shl 20).size)
    }

    @Test
    fun aHundredMegapixelsAreDecodedSmaller() {
        val photo = PhotoDecoder.decode(Vectors.photo("no-huge.jpg").readBytes())
        assertTrue("${photo.width}", photo.width.toLong() * photo.height in 4_000_000..PhotoDecoder.MOST_DECODED)
        shows(Stage.restore("no-huge.jpg").get(), Problem.NO_FACE)
    }

    @Test
    fun thePhoneIsFull() {
        Stage.booth.freeBytes = { 1000L }
        val gallery = Stage.learn("portrait-0027_1.jpg").get()
        shows(gallery, Problem.STORAGE)
        assertFalse(Stage.booth.galleryFile.file.exists())
        val home = Stage.open<HomeActivity>().get()
        Stage.click(home, R.id.choose)
        Stage.answer(home, Stage.photo("small.jpg"))
        shows(home, Problem.STORAGE)
        Stage.booth.freeBytes = { 1L shl 40 }
        Stage.click(gallery, R.id.state_action)
        assertEquals(gallery.getString(R.string.empty_gallery), Stage.text(gallery, R.id.state_title))
    }

    @Test
    fun cameraRefusedAndAllowedLater() {
        val controller = Stage.open<CameraActivity>()
        val camera = controller.get()
        assertEquals(listOf(Manifest.permission.CAMERA), shadowOf(camera).lastRequestedPermission.requestedPermissions.toList())
        camera.onRequestPermissionsResult(shadowOf(camera).lastRequestedPermission.requestCode, arrayOf(Manifest.permission.CAMERA), intArrayOf(-1))
        shows(camera, Problem.CAMERA_REFUSED)
        Stage.click(camera, R.id.state_action)
        assertEquals(Settings.ACTION_APPLICATION_DETAILS_SETTINGS, shadowOf(camera).nextStartedActivity.action)
        Stage.click(camera, R.id.choose)
        assertEquals(MediaStore.ACTION_PICK_IMAGES, shadowOf(camera).nextStartedActivityForResult.intent.action)
        grant()
        addCamera("0", CameraCharacteristics.LENS_FACING_FRONT)
        controller.pause().resume()
        Stage.settle()
        assertNotNull(camera.findViewById<View>(R.id.shutter))
        revoke()
        controller.pause().resume()
        Stage.settle()
        shows(camera, Problem.CAMERA_REFUSED)
    }

    @Test
    fun noCamera() {
        grant()
        val camera = Stage.open<CameraActivity>().get()
        shows(camera, Problem.CAMERA_NONE)
        Stage.click(camera, R.id.state_action)
        assertEquals(MediaStore.ACTION_PICK_IMAGES, shadowOf(camera).nextStartedActivityForResult.intent.action)
    }

    @Test
    fun cameraTakenByAnotherApp() {
        grant()
        addCamera("0", CameraCharacteristics.LENS_FACING_FRONT)
        addCamera("1", CameraCharacteristics.LENS_FACING_BACK)
        val camera = Stage.open<CameraActivity>().get()
        assertNotNull(camera.findViewById<View>(R.id.flip))
        camera.onSurfaceTextureAvailable(SurfaceTexture(7), 400, 800)
        Stage.settle()
        shadowOf(Stage.application.getSystemService(CameraManager::class.java)).triggerDisconnect()
        Stage.settle()
        shows(camera, Problem.CAMERA_USED)
        Stage.click(camera, R.id.state_action)
        assertNotNull(camera.findViewById<View>(R.id.shutter))
    }

    @Test
    fun aPhotoFromTheCameraGoesToTheResult() {
        grant()
        addCamera("0", CameraCharacteristics.LENS_FACING_FRONT)
        val camera = Stage.open<CameraActivity>().get()
        camera.taken(Vectors.photo("small.jpg").readBytes())
        Stage.settle()
        assertEquals(ResultActivity::class.java.name, shadowOf(camera).nextStartedActivity.component!!.className)
        assertTrue(camera.isFinishing)
    }

    private fun grant() = Stage.grantCamera()

    private fun revoke() = shadowOf(Stage.application).denyPermissions(Manifest.permission.CAMERA)

    private fun addCamera(id: String, facing: Int) = Stage.addCamera(id, facing)
}
