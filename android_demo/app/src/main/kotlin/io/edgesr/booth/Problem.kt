package io.edgesr.booth

import io.edgesr.core.BundleException
import io.edgesr.core.FaceException
import io.edgesr.core.GalleryException
import io.edgesr.engine.EngineException
import io.edgesr.engine.PhotoException
import java.io.IOException

/** What can stand in the way: each has a title, a sentence, and a way out. */
enum class Problem(val title: Int, val text: Int, val action: Int, val wayOut: WayOut) {
    MODEL_MISSING(R.string.p_model_missing, R.string.p_model_missing_text, R.string.back, WayOut.BACK),
    MODEL_DAMAGED(R.string.p_model_damaged, R.string.p_model_damaged_text, R.string.back, WayOut.BACK),
    MODEL_OTHER(R.string.p_model_other, R.string.p_model_other_text, R.string.back, WayOut.BACK),
    RUNTIME(R.string.p_runtime, R.string.p_runtime_text, R.string.back, WayOut.BACK),
    GALLERY_DAMAGED(R.string.p_gallery_damaged, R.string.p_gallery_damaged_text, R.string.p_gallery_action, WayOut.WIPE),
    GALLERY_OTHER(R.string.p_gallery_other, R.string.p_gallery_other_text, R.string.p_gallery_action, WayOut.WIPE),
    NO_FACE(R.string.p_no_face, R.string.p_no_face_text, R.string.again, WayOut.CHOOSE),
    NO_IMAGE(R.string.p_no_image, R.string.p_no_image_text, R.string.again, WayOut.CHOOSE),
    TOO_LARGE(R.string.p_too_large, R.string.p_too_large_text, R.string.again, WayOut.CHOOSE),
    STORAGE(R.string.p_storage, R.string.p_storage_text, R.string.try_again, WayOut.AGAIN),
    CAMERA_REFUSED(R.string.p_camera_refused, R.string.p_camera_refused_text, R.string.open_settings, WayOut.SETTINGS),
    CAMERA_USED(R.string.p_camera_used, R.string.p_camera_used_text, R.string.try_again, WayOut.AGAIN),
    CAMERA_NONE(R.string.p_camera_none, R.string.p_camera_none_text, R.string.choose_photo, WayOut.CHOOSE),
    UNKNOWN(R.string.p_unknown, R.string.p_unknown_text, R.string.back, WayOut.BACK),
    ;

    enum class WayOut { BACK, WIPE, CHOOSE, AGAIN, SETTINGS }

    companion object {
        /** What an error means to whoever holds the phone. */
        fun of(error: Throwable): Problem = when (error) {
            is ProblemException -> error.problem
            is PhotoException -> if (error.reason == PhotoException.Reason.TOO_LARGE) TOO_LARGE else NO_IMAGE
            is EngineException -> RUNTIME
            is BundleException -> when {
                "missing" in error.what -> MODEL_MISSING
                "for " in error.what || "version" in error.what -> MODEL_OTHER
                else -> MODEL_DAMAGED
            }
            is GalleryException -> if ("another network" in error.what || "another version" in error.what) GALLERY_OTHER else GALLERY_DAMAGED
            is FaceException -> NO_FACE
            is IOException -> STORAGE
            is OutOfMemoryError -> TOO_LARGE
            else -> UNKNOWN
        }
    }
}

/** A [problem] on its way to the screen. */
class ProblemException(val problem: Problem, cause: Throwable? = null) : Exception(problem.name, cause)
