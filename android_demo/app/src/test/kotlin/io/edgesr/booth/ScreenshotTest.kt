package io.edgesr.booth

import android.app.Activity
import android.graphics.Color
import android.hardware.camera2.CameraCharacteristics
import android.view.View
import android.view.ViewGroup
import android.widget.ImageView
import io.edgesr.booth.ui.CompareView
import io.edgesr.core.Vectors
import io.edgesr.engine.PhotoDecoder
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Robolectric
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

/** A picture of every screen in light and dark; what can be checked of a picture is. */
@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@Config(sdk = [35], qualifiers = "w411dp-h891dp-xhdpi")
class ScreenshotTest {
    private fun everyScreen() {
        Stage.booth.timed = false // another machine's milliseconds say nothing of a phone
        val onboarding = Robolectric.buildActivity(OnboardingActivity::class.java).setup()
        Stage.settle()
        picture(onboarding.get(), "onboarding")
        picture(Stage.open<GalleryActivity>().get(), "gallery-empty")
        val gallery = Stage.learn("portrait-0027_1.jpg", "portrait-0036_1.jpg", "portrait-0019_1.jpg", "no-dark.jpg")
        picture(gallery.get(), "gallery")
        picture(Stage.open<HomeActivity>().get(), "home")
        val result = Stage.restore("small.jpg")
        picture(result.get(), "result-face")
        Stage.click(result.get(), R.id.view_photo)
        picture(result.get(), "result-photo")
        Stage.click(result.get(), R.id.view_why)
        picture(result.get(), "result-why")
        picture(Stage.restore("ten.jpg").get(), "who")
        picture(Stage.restore("no-face.jpg").get(), "no-face")
        val camera = Stage.open<CameraActivity>()
        camera.get().onRequestPermissionsResult(4, arrayOf(android.Manifest.permission.CAMERA), intArrayOf(-1))
        Stage.settle()
        picture(camera.get(), "camera-refused")
        Stage.grantCamera()
        Stage.addCamera("0", CameraCharacteristics.LENS_FACING_FRONT)
        Stage.addCamera("1", CameraCharacteristics.LENS_FACING_BACK)
        val preview = Stage.open<CameraActivity>().get()
        // No camera runs here: a photo stands where its picture would be.
        val view = preview.findViewById<View>(R.id.preview)
        view.visibility = View.INVISIBLE
        val photo = ImageView(preview).apply { scaleType = ImageView.ScaleType.CENTER_CROP }
        photo.setImageBitmap(PhotoDecoder.toBitmap(PhotoDecoder.decode(Vectors.photo("portrait-0036_1.jpg").readBytes())))
        (view.parent as ViewGroup).addView(photo, 1, ViewGroup.LayoutParams(-1, -1))
        Stage.settle()
        picture(preview, "camera")
        val measure = Stage.open<MeasureActivity>()
        measure.get().runs = 3
        Stage.click(measure.get(), R.id.measure)
        picture(measure.get(), "measure")
    }

    private fun picture(activity: Activity, name: String) {
        val bitmap = Stage.shoot(activity, name)
        val colours = HashSet<Int>()
        for (y in 0 until bitmap.height step 7) for (x in 0 until bitmap.width step 7) colours += bitmap.getPixel(x, y)
        assertTrue("$name is blank", colours.size > 20)
        for (view in Stage.views(activity.window.decorView)) {
            if (!view.isClickable || !view.isShown || view.width == 0) continue
            val least = 48 * activity.resources.displayMetrics.density - 1
            assertTrue("$name: a target of ${view.width} x ${view.height}", view.width >= least && view.height >= least)
            val named = view.contentDescription != null || (view as? android.widget.TextView)?.text?.isNotEmpty() == true || Stage.views(view).any { it is android.widget.TextView }
            assertTrue("$name: TalkBack has no name for $view", named)
        }
        assertContrast(activity, name)
    }

    /** WCAG AA: texts have a contrast of 4.5 to the screen's ground, where they stand on it. */
    private fun assertContrast(activity: Activity, name: String) {
        fun light(colour: Int): Double = Color.luminance(colour).toDouble()
        val grounds = listOf(R.color.paper, R.color.surface).map { light(activity.getColor(it)) }
        for (ink in listOf(R.color.ink, R.color.ink_2, R.color.accent)) for (ground in grounds) {
            val a = light(activity.getColor(ink))
            val contrast = (maxOf(a, ground) + 0.05) / (minOf(a, ground) + 0.05)
            assertTrue("$name: contrast $contrast", contrast >= 4.5)
        }
    }

    @Test
    fun light() = everyScreen()

    @Test
    @Config(qualifiers = "w411dp-h891dp-night-xhdpi")
    fun dark() = everyScreen()

    @Test
    @Config(qualifiers = "w1280dp-h800dp-land-mdpi")
    fun tablet() {
        Stage.booth.timed = false
        Stage.learn("portrait-0027_1.jpg").get()
        val result = Stage.restore("small.jpg").get()
        val compare = result.findViewById<CompareView>(R.id.compare)
        assertTrue("beside each other", compare.width < result.window.decorView.width / 2)
        Stage.shoot(result, "tablet")
    }
}
