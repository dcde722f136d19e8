package io.edgesr.engine

import io.edgesr.core.Gallery
import io.edgesr.core.Manifest
import io.edgesr.core.Pixels
import java.io.Closeable

/** What a graph gave, and the [millis] from pixels in to results out, readback included. */
class Timed<T>(val value: T, val millis: Double)

/** A restored face, and how much each exemplar counted at each LR pixel: [weights] is [slots, h, w] in [0, 1]. */
class Restored(val face: Pixels, val weights: FloatArray)

/** The two graphs of one network. Not for several threads at once: see [EngineWorker]. */
interface Engine : Closeable {
    val manifest: Manifest

    /** Of what runs the graphs, for people: `TFLite`, `ExecuTorch`. */
    val runtime: String

    /** What is kept of an aligned sharp face of `hrSize` pixels: maps [h, w, C], then codes, as `Section.pack` takes them. */
    fun encode(exemplar: Pixels): Timed<List<FloatArray>>

    /** The sharp face from an aligned LR face of `lrSize` pixels, with the [exemplars] of a gallery, the best first. */
    fun restore(lr: Pixels, gallery: Gallery, exemplars: List<Int>): Timed<Restored>
}

/** The device lacks what the runtime needs, or the runtime refused the model. */
class EngineException(what: String, hint: String, cause: Throwable? = null) :
    io.edgesr.core.EdgesrException(what, hint, cause)
