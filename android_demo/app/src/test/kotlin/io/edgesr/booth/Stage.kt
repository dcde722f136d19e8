package io.edgesr.booth

import android.Manifest
import android.app.Activity
import android.app.Application
import android.content.Intent
import android.content.res.Configuration
import android.graphics.Bitmap
import android.graphics.Canvas
import android.hardware.camera2.CameraCharacteristics
import android.hardware.camera2.CameraManager
import android.net.Uri
import android.os.Looper
import android.view.View
import android.view.ViewGroup
import android.widget.TextView
import io.edgesr.core.Vectors
import org.robolectric.Robolectric
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController
import org.robolectric.shadow.api.Shadow
import org.robolectric.shadows.ShadowCameraCharacteristics
import java.io.ByteArrayInputStream
import java.io.File
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit

/** Brings up screens, hands them photos, waits for the worker, looks at what they show, and takes pictures of them. */
object Stage {
    val application: Application get() = RuntimeEnvironment.getApplication()
    val booth: Booth get() = application.booth
    private val screenshots = File(System.getProperty("edgesr.screenshots"))

    /** A screen, after consent. */
    inline fun <reified T : Activity> open(): ActivityController<T> {
        booth.consented = true
        return Robolectric.buildActivity(T::class.java).setup().also { settle() }
    }

    /** Wait until the worker and the main thread have nothing more to do. */
    fun settle() {
        repeat(40) { // photos are learned from one after the other: each is a turn of both
            val done = CountDownLatch(1)
            booth.worker.execute { done.countDown() }
            check(done.await(120, TimeUnit.SECONDS)) { "the worker is stuck" }
            shadowOf(Looper.getMainLooper()).idle()
        }
        shadowOf(Looper.getMainLooper()).idleFor(2, TimeUnit.SECONDS)
    }

    /** An address from which the photo of this name can be read, as the picker gives it. */
    fun photo(name: String): Uri {
        val uri = Uri.parse("content://photos/$name")
        val content = Vectors.photo(name).readBytes()
        shadowOf(application.contentResolver).registerInputStreamSupplier(uri) { ByteArrayInputStream(content) }
        return uri
    }

    /** Answer the request that the screen made last with these photos. */
    fun answer(activity: Activity, vararg uris: Uri) {
        val asked = shadowOf(activity).nextStartedActivityForResult ?: error("nothing was asked for")
        val data = Intent()
        if (uris.size == 1) {
            data.data = uris[0]
        } else {
            data.clipData = android.content.ClipData.newRawUri("", uris[0]).also { clip -> uris.drop(1).forEach { clip.addItem(android.content.ClipData.Item(it)) } }
        }
        shadowOf(activity).receiveResult(asked.intent, Activity.RESULT_OK, data)
        settle()
    }

    /** Learn from photos. */
    fun learn(vararg names: String): ActivityController<GalleryActivity> {
        val screen = open<GalleryActivity>()
        click(screen.get(), if (screen.get().findViewById<View>(R.id.add) != null) R.id.add else R.id.state_action)
        answer(screen.get(), *names.map(::photo).toTypedArray())
        question(R.string.alike_title)?.let { press(it, android.content.DialogInterface.BUTTON_POSITIVE) }
        return screen
    }

    /** The question on the screen, if it has this title. */
    fun question(title: Int): android.app.AlertDialog? = org.robolectric.shadows.ShadowAlertDialog.getLatestAlertDialog()
        ?.takeIf { it.isShowing && shadowOf(it).title == application.getString(title) }

    fun press(dialog: android.app.AlertDialog, button: Int) {
        dialog.getButton(button).performClick()
        settle()
    }

    /** Press a face of a question. */
    fun pressFace(dialog: android.app.AlertDialog, index: Int) {
        dialog.findViewById<ViewGroup>(R.id.faces).getChildAt(index).performClick()
        settle()
    }

    /** The result screen of a photo. */
    fun restore(name: String): ActivityController<ResultActivity> {
        booth.consented = true
        booth.take(Vectors.photo(name).readBytes())
        return open()
    }

    fun grantCamera() = shadowOf(application).grantPermissions(Manifest.permission.CAMERA)

    fun addCamera(id: String, facing: Int) {
        val about = ShadowCameraCharacteristics.newCameraCharacteristics()
        Shadow.extract<ShadowCameraCharacteristics>(about).set(CameraCharacteristics.LENS_FACING, facing)
        shadowOf(application.getSystemService(CameraManager::class.java)).addCamera(id, about)
    }

    fun click(activity: Activity, id: Int) {
        val view = activity.findViewById<View>(id) ?: error("no ${application.resources.getResourceEntryName(id)} on the screen")
        check(view.isShown) { "${application.resources.getResourceEntryName(id)} is hidden" }
        view.performClick()
        settle()
    }

    fun text(activity: Activity, id: Int): String = (activity.findViewById<View>(id) as TextView).text.toString()

    /** All views of a screen. */
    fun views(root: View): List<View> = listOf(root) + ((root as? ViewGroup)?.let { g -> (0 until g.childCount).flatMap { views(g.getChildAt(it)) } } ?: emptyList())

    /** A picture of the screen, where the build wants them. */
    fun shoot(activity: Activity, name: String): Bitmap {
        val night = activity.resources.configuration.uiMode and Configuration.UI_MODE_NIGHT_MASK == Configuration.UI_MODE_NIGHT_YES
        val view = activity.window.decorView
        val bitmap = Bitmap.createBitmap(view.width, view.height, Bitmap.Config.ARGB_8888)
        view.draw(Canvas(bitmap))
        screenshots.mkdirs()
        val small = Bitmap.createScaledBitmap(bitmap, view.width * 5 / 8, view.height * 5 / 8, true)
        File(screenshots, "$name-${if (night) "dark" else "light"}.png").outputStream().use { small.compress(Bitmap.CompressFormat.PNG, 100, it) }
        return bitmap
    }
}
