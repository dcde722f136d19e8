package io.edgesr.booth

import android.app.Activity
import android.content.Intent
import android.os.Build
import android.os.Bundle
import android.provider.MediaStore
import android.provider.Settings
import android.view.View
import io.edgesr.booth.ui.StateView
import io.edgesr.booth.ui.screen
import io.edgesr.engine.PhotoDecoder

/** What all screens share: asking the picker, and showing a problem with its way out. */
abstract class BoothActivity : Activity() {
    /** The problem on the screen, if any. */
    var problem: Problem? = null
        private set

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        if (!booth.consented && this !is OnboardingActivity) {
            startActivity(Intent(this, OnboardingActivity::class.java))
            finish()
        }
    }

    /** The screen's title in the bar. */
    protected abstract val title: Int

    /** Show [problem] in place of the screen's content; [again] is what trying again means here. */
    protected fun show(problem: Problem, again: () -> Unit) {
        this.problem = problem
        val icon = when (problem) {
            Problem.CAMERA_REFUSED -> R.drawable.ic_lock
            Problem.CAMERA_NONE, Problem.CAMERA_USED -> R.drawable.ic_camera
            Problem.NO_FACE -> R.drawable.ic_face
            Problem.NO_IMAGE, Problem.TOO_LARGE -> R.drawable.ic_photos
            else -> R.drawable.ic_alert
        }
        val other = if (problem == Problem.CAMERA_REFUSED || problem == Problem.CAMERA_USED) Pair(R.string.choose_photo, { choose() }) else null
        screen(title, StateView(this, icon, problem.title, problem.text, problem.action, other) { leave(problem, again) })
    }

    /** The screen has content again. */
    protected fun clearProblem() {
        problem = null
    }

    private fun leave(problem: Problem, again: () -> Unit) {
        when (problem.wayOut) {
            Problem.WayOut.BACK -> finish()
            Problem.WayOut.CHOOSE -> choose()
            Problem.WayOut.AGAIN -> again()
            Problem.WayOut.SETTINGS -> startActivity(
                Intent(Settings.ACTION_APPLICATION_DETAILS_SETTINGS, android.net.Uri.fromParts("package", packageName, null)),
            )
            Problem.WayOut.WIPE -> work({ booth.wipe() }) { again() }
        }
    }

    /** Do [task] on the worker and give its result to [done], unless the screen is gone; errors become problems. */
    protected fun <T> work(task: () -> T, failed: (Problem) -> Unit = { show(it) { recreate() } }, done: (T) -> Unit) {
        booth.worker.submit(booth.main, task) { result ->
            if (isDestroyed || isFinishing) return@submit
            val error = result.exceptionOrNull()
            if (error == null) {
                @Suppress("UNCHECKED_CAST")
                done(result.getOrNull() as T)
            } else {
                android.util.Log.w("edgesr", "a task failed", error)
                failed(Problem.of(error))
            }
        }
    }

    /** Ask the system's photo picker for one photo. */
    protected fun choose() = startActivityForResult(picker(1), PICK)

    @Deprecated("the platform's way")
    override fun onActivityResult(request: Int, result: Int, data: Intent?) {
        super.onActivityResult(request, result, data)
        val uri = data?.data
        if (request != PICK || result != RESULT_OK || uri == null) return
        work({ booth.take(PhotoDecoder.read(contentResolver, uri)) }) {
            startActivity(Intent(this, ResultActivity::class.java).putExtra(ResultActivity.NEW, true))
            if (this is ResultActivity || this is CameraActivity) finish()
        }
    }

    protected fun heading(view: View): View = view.also { it.isAccessibilityHeading = true }

    companion object {
        const val PICK = 1

        /** The photo picker; where there is none, the file picker. Neither needs a permission. */
        fun picker(most: Int): Intent {
            if (Build.VERSION.SDK_INT >= 33) {
                val intent = Intent(MediaStore.ACTION_PICK_IMAGES).setType("image/*")
                return if (most > 1) intent.putExtra(MediaStore.EXTRA_PICK_IMAGES_MAX, most) else intent
            }
            return Intent(Intent.ACTION_OPEN_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE).setType("image/*")
                .putExtra(Intent.EXTRA_ALLOW_MULTIPLE, most > 1)
        }
    }
}
