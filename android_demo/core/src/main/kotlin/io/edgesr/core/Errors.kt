package io.edgesr.core

/** An error that says [what] is wrong and gives a [hint] at a way out. */
open class EdgesrException(val what: String, val hint: String = "", cause: Throwable? = null) :
    Exception(if (hint.isEmpty()) what else "$what: $hint", cause)

/** A gallery is damaged, beyond a limit of the format, or of another network. */
class GalleryException(what: String, hint: String = "build the gallery again", cause: Throwable? = null) :
    EdgesrException(what, hint, cause)

/** A bundle is missing, damaged, or not what this code can run. */
class BundleException(what: String, hint: String = "convert it again", cause: Throwable? = null) :
    EdgesrException(what, hint, cause)

/** Landmarks are no face. */
class FaceException(what: String, hint: String = "") : EdgesrException(what, hint)
