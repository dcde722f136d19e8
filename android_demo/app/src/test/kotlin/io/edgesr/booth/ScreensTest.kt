package io.edgesr.booth

import android.Manifest
import android.content.Intent
import android.provider.MediaStore
import android.provider.Settings
import android.view.View
import io.edgesr.booth.ui.CompareView
import io.edgesr.core.Json
import io.edgesr.core.Vectors
import io.edgesr.engine.PhotoDecoder
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import org.robolectric.shadows.ShadowAlertDialog
import java.io.ByteArrayOutputStream

/** What each screen does when all goes well. */
@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@Config(sdk = [35], qualifiers = "w411dp-h891dp-xhdpi")
class ScreensTest {
    @Test
    fun nothingHappensBeforeConsent() {
        for (screen in listOf(HomeActivity::class.java, GalleryActivity::class.java, ResultActivity::class.java, CameraActivity::class.java)) {
            val activity = Robolectric.buildActivity(screen).create().get()
            assertEquals(OnboardingActivity::class.java.name, shadowOf(activity).nextStartedActivity.component!!.className)
            assertTrue(activity.isFinishing)
        }
        val onboarding = Robolectric.buildActivity(OnboardingActivity::class.java).setup().get()
        Stage.click(onboarding, R.id.accept)
        assertTrue(Stage.booth.consented)
        assertEquals(HomeActivity::class.java.name, shadowOf(onboarding).nextStartedActivity.component!!.className)
    }

    @Test
    fun homeLeadsEverywhere() {
        val home = Stage.open<HomeActivity>().get()
        fun leadsTo(screen: Class<*>) = assertEquals(screen.name, shadowOf(home).nextStartedActivity.component!!.className)
        Stage.click(home, R.id.camera)
        leadsTo(CameraActivity::class.java)
        Stage.click(home, R.id.gallery)
        leadsTo(GalleryActivity::class.java)
        home.findViewById<View>(R.id.version).performLongClick()
        leadsTo(MeasureActivity::class.java)
        Stage.click(home, R.id.choose)
        val asked = shadowOf(home).nextStartedActivityForResult.intent
        assertEquals(MediaStore.ACTION_PICK_IMAGES, asked.action)
        assertEquals("image/*", asked.type)
        assertEquals(home.getString(R.string.gallery_card_none), Stage.text(home, R.id.count))
    }

    @Test
    @Config(sdk = [35])
    fun severalPhotosAreLearnedAndOthersRefusedWithReasons() {
        val screen = Stage.learn("portrait-0027_1.jpg", "ten.jpg", "no-dark.jpg", "no-blurred.jpg", "no-face.jpg", "no-image.jpg", "no-too-large.jpg", "portrait-0027_2.jpg")
        // Of the ten in the group none is chosen.
        Stage.press(Stage.question(R.string.several_title)!!, android.content.DialogInterface.BUTTON_NEGATIVE)
        Stage.press(Stage.question(R.string.alike_title)!!, android.content.DialogInterface.BUTTON_POSITIVE)
        val gallery = screen.get()
        assertEquals(2, Stage.booth.galleryFile.read()!!.entries.size)
        val shown = Stage.views(gallery.findViewById(R.id.refused)).filterIsInstance<android.widget.TextView>().map { it.text.toString() }
        for (reason in listOf(R.string.why_several, R.string.why_dark, R.string.why_blurred, R.string.why_no_face, R.string.why_no_image, R.string.why_huge)) {
            assertTrue("${gallery.getString(reason)} in $shown", gallery.getString(reason) in shown)
        }
        assertNull(Stage.booth.galleryFile.read()!!.entries[0].label.name)
        val home = Stage.open<HomeActivity>().get()
        assertEquals("2 photos are remembered", Stage.text(home, R.id.count))
    }

    private fun reasons(gallery: GalleryActivity) =
        Stage.views(gallery.findViewById(R.id.refused)).filterIsInstance<android.widget.TextView>().map { it.text.toString() }

    @Test
    fun whoeverComesToAGalleryIsAskedAbout() {
        Stage.learn("portrait-0027_1.jpg") // alone and the first: nobody is asked
        assertEquals(1, Stage.booth.galleryFile.read()!!.entries.size)
        val screen = Stage.open<GalleryActivity>().get()
        fun add(vararg names: String): android.app.AlertDialog {
            Stage.click(screen, R.id.add)
            Stage.answer(screen, *names.map(Stage::photo).toTypedArray())
            return Stage.question(R.string.alike_title)!!
        }
        Stage.press(add("portrait-0036_1.jpg"), android.content.DialogInterface.BUTTON_NEGATIVE)
        assertEquals(1, Stage.booth.galleryFile.read()!!.entries.size)
        assertTrue(screen.getString(R.string.why_other) in reasons(screen))
        val three = add("portrait-0036_1.jpg", "portrait-0027_2.jpg", "portrait-0019_1.jpg")
        assertEquals(1, Stage.booth.galleryFile.read()!!.entries.size)
        Stage.pressFace(three, 0)
        Stage.pressFace(three, 2)
        Stage.press(three, android.content.DialogInterface.BUTTON_POSITIVE)
        val kept = listOf("portrait-0027_1.jpg", "portrait-0027_2.jpg").map { PhotoDecoder.sha256(Vectors.photo(it).readBytes()) }
        assertEquals(kept, Stage.booth.galleryFile.read()!!.entries.map { it.label.photoSha256 })
        assertEquals(2, reasons(screen).count { it == screen.getString(R.string.why_other) })
    }

    @Test
    fun ofSeveralPeopleTheChosenOneIsLearned() {
        val screen = Stage.open<GalleryActivity>()
        Stage.click(screen.get(), R.id.state_action)
        Stage.answer(screen.get(), Stage.photo("ten.jpg"))
        val asked = Stage.question(R.string.several_title)!!
        assertFalse(Stage.booth.galleryFile.file.exists())
        Stage.pressFace(asked, 2)
        assertEquals(1, Stage.booth.galleryFile.read()!!.entries.size)
        assertFalse(asked.isShowing)
    }

    @Test
    fun aTurnedScreenAsksAgain() {
        Stage.learn("portrait-0027_1.jpg")
        val screen = Stage.open<GalleryActivity>()
        Stage.click(screen.get(), R.id.add)
        Stage.answer(screen.get(), Stage.photo("portrait-0027_2.jpg"))
        RuntimeEnvironment.setQualifiers("+land")
        screen.recreate()
        Stage.settle()
        Stage.press(Stage.question(R.string.alike_title)!!, android.content.DialogInterface.BUTTON_POSITIVE)
        assertEquals(2, Stage.booth.galleryFile.read()!!.entries.size)
    }

    @Test
    fun ofSeveralFacesOnlyThePersonGetsTheGallery() {
        Stage.learn("portrait-0027_1.jpg")
        val result = Stage.restore("ten.jpg").get()
        assertNotNull(result.findViewById<View>(R.id.none))
        result.findViewById<android.widget.GridLayout>(R.id.faces).getChildAt(3).performClick()
        Stage.settle()
        assertEquals(1, result.outcome!!.face.exemplars.size)
        Stage.click(result, R.id.whose_other)
        assertTrue(result.outcome!!.face.exemplars.isEmpty())
        assertEquals(result.getString(R.string.used_other), Stage.text(result, R.id.caption))
        Stage.click(result, R.id.whose_mine)
        assertEquals(1, result.outcome!!.face.exemplars.size)
        val other = Stage.restore("ten.jpg").get()
        Stage.click(other, R.id.none)
        other.findViewById<android.widget.GridLayout>(R.id.faces).getChildAt(3).performClick()
        Stage.settle()
        assertTrue(other.outcome!!.face.exemplars.isEmpty())
    }

    @Test
    fun whereNothingRunsOnAPhoneNoTimeIsShown() {
        Stage.booth.timed = false
        val result = Stage.restore("small.jpg").get()
        assertNull(result.findViewById<View>(R.id.latency))
        val measure = Stage.open<MeasureActivity>().get()
        measure.runs = 1
        Stage.click(measure, R.id.measure)
        val shown = Stage.views(measure.findViewById(R.id.rows)).filterIsInstance<android.widget.TextView>().map { it.text.toString() }
        assertTrue(shown.contains(measure.getString(R.string.measure_untimed)))
        assertTrue("$shown", shown.none { " ms" in it })
    }

    @Test
    fun onePictureIsLearnedOnceAndOfItsCopiesTheBest() {
        val gallery = Stage.learn("copy-0027_1.jpg", "portrait-0027_1.jpg", "portrait-0027_1.jpg", "portrait-0027_2.jpg", "copy-0027_1.jpg").get()
        val best = PhotoDecoder.sha256(Vectors.photo("portrait-0027_1.jpg").readBytes())
        val other = PhotoDecoder.sha256(Vectors.photo("portrait-0027_2.jpg").readBytes())
        assertEquals(listOf(best, other), Stage.booth.galleryFile.read()!!.entries.map { it.label.photoSha256 })
        val shown = Stage.views(gallery.findViewById(R.id.refused)).filterIsInstance<android.widget.TextView>().map { it.text.toString() }
        assertEquals(2, shown.count { it == gallery.getString(R.string.why_known) }) // the same file, and the smaller copy
        // In another session there are no fingerprints: the copy is known by what is stored of the face.
        val later = Booth(Stage.application)
        for (known in listOf("copy-0027_1.jpg", "portrait-0027_2.jpg")) {
            assertEquals(R.string.why_known, (later.add(Stage.photo(known)) as Examined.Refused).reason)
        }
        assertTrue(later.add(Stage.photo("portrait-0036_1.jpg")) is Examined.Unsure)
        assertTrue(later.add(Stage.photo("portrait-0036_1.jpg"), sure = true) is Examined.Learned)
        assertEquals(3, Stage.booth.galleryFile.read()!!.entries.size)
    }

    @Test
    fun onePhotoIsForgottenAndEverythingIsDeleted() {
        val gallery = Stage.learn("portrait-0027_1.jpg", "portrait-0036_1.jpg").get()
        val kept = Stage.booth.galleryFile.read()!!.entries[1].label.photoSha256
        gallery.findViewById<android.widget.GridLayout>(R.id.grid).getChildAt(0).performClick()
        ShadowAlertDialog.getLatestAlertDialog().getButton(android.content.DialogInterface.BUTTON_POSITIVE).performClick()
        Stage.settle()
        assertEquals(listOf(kept), Stage.booth.galleryFile.read()!!.entries.map { it.label.photoSha256 })
        Stage.booth.take(Vectors.photo("small.jpg").readBytes())
        Stage.click(gallery, R.id.wipe)
        ShadowAlertDialog.getLatestAlertDialog().getButton(android.content.DialogInterface.BUTTON_POSITIVE).performClick()
        Stage.settle()
        assertFalse(Stage.booth.galleryFile.file.exists())
        assertFalse(Stage.booth.photoFile.exists())
        assertEquals(gallery.getString(R.string.empty_gallery), Stage.text(gallery, R.id.state_title))
    }

    @Test
    fun theResultShowsFacePhotoAndReasonAndIsShared() {
        Stage.learn("portrait-0027_1.jpg", "portrait-0036_1.jpg")
        val result = Stage.restore("small.jpg").get()
        val outcome = result.outcome!!
        assertTrue("exemplars count", outcome.face.exemplars.isNotEmpty())
        assertTrue("the face changes", Vectors.psnr(outcome.face.before, outcome.face.after) < 40)
        assertTrue("the photo changes in the face only", outcome.photo.before.at(2, 2, 0) == outcome.photo.after.at(2, 2, 0))
        assertTrue(Vectors.psnr(outcome.photo.before, outcome.photo.after) < 60)
        val compare = result.findViewById<CompareView>(R.id.compare)
        compare.split = 0.2f
        assertEquals("Before and after, the line is at 20 percent. Swipe to move it.", compare.contentDescription)
        Stage.click(result, R.id.view_why)
        assertNotNull(result.findViewById<View>(R.id.heatmaps))
        Stage.click(result, R.id.view_photo)
        Stage.click(result, R.id.share)
        val chooser = shadowOf(result).nextStartedActivity
        val sent = chooser.getParcelableExtra(Intent.EXTRA_INTENT, Intent::class.java)!!
        assertEquals("image/png", sent.type)
        val file = java.io.File(Stage.booth.shareFolder, "face.png")
        assertTrue(file.length() > 1000)
        Stage.click(result, R.id.save)
        val kept = ByteArrayOutputStream()
        val target = android.net.Uri.parse("content://documents/face.png")
        shadowOf(Stage.application.contentResolver).registerOutputStream(target, kept)
        val asked = shadowOf(result).nextStartedActivityForResult
        shadowOf(result).receiveResult(asked.intent, android.app.Activity.RESULT_OK, Intent().setData(target))
        Stage.settle()
        assertTrue("saved ${kept.size()} bytes", kept.size() > 1000)
    }

    @Test
    fun theSwitchOffersWhatTheBuildHas() {
        val result = Stage.restore("small.jpg").get()
        assertNotNull(result.outcome)
        if (Stage.booth.available.size < 2) {
            assertNull(result.findViewById<View>(R.id.precision_int8))
            return
        }
        val before = result.outcome!!
        Stage.click(result, if (before.precision == Precision.INT8) R.id.precision_float else R.id.precision_int8)
        assertFalse(before.precision == result.outcome!!.precision)
        assertTrue(Vectors.psnr(before.face.sr, result.outcome!!.face.sr) > 30)
    }

    @Test
    fun tenFacesAreAskedFor() {
        val result = Stage.restore("ten.jpg").get()
        val faces = result.findViewById<android.widget.GridLayout>(R.id.faces)
        assertEquals(10, (0 until faces.childCount).count { faces.getChildAt(it).isClickable })
        assertNull(result.outcome)
        faces.getChildAt(3).performClick()
        Stage.settle()
        assertNotNull(result.outcome)
    }

    @Test
    fun rotationAndProcessDeathKeepTheResult() {
        Stage.learn("portrait-0027_1.jpg")
        val controller = Stage.restore("small.jpg")
        Stage.click(controller.get(), R.id.view_photo)
        val before = controller.get().outcome!!.face.after
        RuntimeEnvironment.setQualifiers("+land")
        controller.recreate()
        Stage.settle()
        assertNotNull(controller.get().findViewById<View>(R.id.compare))
        assertTrue(controller.get().findViewById<View>(R.id.view_photo).isSelected)
        val state = android.os.Bundle()
        controller.saveInstanceState(state).pause().stop().destroy()
        val reborn = Robolectric.buildActivity(ResultActivity::class.java).create(state).start().restoreInstanceState(state).resume().visible()
        Stage.settle()
        assertEquals(before, reborn.get().outcome!!.face.after)
        assertTrue(reborn.get().findViewById<View>(R.id.view_photo).isSelected)
    }

    @Test
    fun measurementsAreExported() {
        val screen = Stage.open<MeasureActivity>().get()
        screen.runs = 3
        Stage.click(screen, R.id.measure)
        assertEquals(2 * Stage.booth.available.size, screen.rows.size)
        Stage.click(screen, R.id.export)
        val kept = ByteArrayOutputStream()
        val target = android.net.Uri.parse("content://documents/results.json")
        shadowOf(Stage.application.contentResolver).registerOutputStream(target, kept)
        val asked = shadowOf(screen).nextStartedActivityForResult
        shadowOf(screen).receiveResult(asked.intent, android.app.Activity.RESULT_OK, Intent().setData(target))
        Stage.settle()
        val written = Json.parse(kept.toByteArray()) as Map<*, *>
        assertEquals("edgesr-device-results", written["format"])
        for (row in (written["results"] as List<*>).map { it as Map<*, *> }) {
            assertTrue(row["graph"] in listOf("encode", "restore"))
            assertTrue((row["ms_p10"] as Number).toDouble() <= (row["ms_median"] as Number).toDouble())
            assertEquals(64, (row["checkpoint_sha256"] as String).length)
        }
        java.io.File(Vectors.testdata, "device-results.json").writeBytes(kept.toByteArray())
    }

    @Test
    fun theManifestAsksForNothingButTheCamera() {
        val asked = Stage.application.packageManager.getPackageInfo(Stage.application.packageName, android.content.pm.PackageManager.GET_PERMISSIONS)
        assertEquals(listOf(Manifest.permission.CAMERA), asked.requestedPermissions!!.toList())
        assertEquals(0, asked.applicationInfo!!.flags and android.content.pm.ApplicationInfo.FLAG_ALLOW_BACKUP)
        assertTrue(Stage.booth.galleryFile.file.path.startsWith(Stage.application.noBackupFilesDir.path))
    }
}
