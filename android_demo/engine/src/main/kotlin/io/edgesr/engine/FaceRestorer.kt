package io.edgesr.engine

import android.content.res.AssetManager
import io.edgesr.core.Bicubic
import io.edgesr.core.Descriptor
import io.edgesr.core.Enhance
import io.edgesr.core.Face
import io.edgesr.core.FaceDetector
import io.edgesr.core.FaceSearch
import io.edgesr.core.Gallery
import io.edgesr.core.Pixels
import io.edgesr.core.Regions
import java.io.Closeable
import java.util.concurrent.atomic.AtomicBoolean

/**
 * A network and a face detector, loaded once: makes the tiny faces of photos sharp with a person's own features.
 *
 * Every call blocks, for milliseconds to seconds, and belongs on a thread of its own ([EngineWorker] is one), never on
 * the main one. Several threads may call at once; restorers with one detector take turns. What can go wrong in the
 * world is an [io.edgesr.core.EdgesrException] of a kind that each function names; anything else is a fault of the caller.
 */
class FaceRestorer private constructor(val engine: Engine, private val detector: FaceDetector, private val owned: List<Closeable>) :
    Closeable {
    private val closed = AtomicBoolean()

    /** With an engine and a detector of one's own, which stay one's own to close. */
    constructor(engine: Engine, detector: FaceDetector) : this(engine, detector, emptyList())

    /** A gallery of this network's features, with nobody in it. */
    fun emptyGallery(): Gallery = engine.manifest.emptyGallery()

    /**
     * Faces of a photo, the largest first, with landmarks as exact as those that the network was trained with.
     *
     * @param tiny search the photo's parts too, up to some twenty more looks in one of 12 megapixels; without, only faces
     * that show in a picture of 1024 pixels are found.
     * @throws EngineException where the detector does not run.
     */
    fun faces(photo: Pixels, tiny: Boolean = true): List<Face> = alone { FaceSearch(detector).faces(photo, tiny) }

    /**
     * Faces of a photo that are large enough to learn from, the largest first; where none is, the largest alone, of which
     * [portrait] says why not.
     *
     * @throws EngineException where the detector does not run.
     */
    fun candidates(photo: Pixels): List<Face> = alone {
        val found = detector.detect(photo)
        found.filter { it.alignment.side >= Portrait.FIRST_LOOK }.ifEmpty { found.take(1) }
    }

    /**
     * A face that [candidates] or [faces] found, aligned and judged: what can be learned from. [content] is the photo's
     * file, by whose SHA-256 a gallery knows the photo.
     *
     * @throws LearningException where the face is too small, dark, bright, blurred or turned away.
     */
    fun portrait(content: ByteArray, photo: Pixels, face: Face): Portrait =
        alone { Portrait.of(content, photo, detector.refine(photo, face), engine.manifest.hrSize) }

    /**
     * [gallery] with [portrait] in it: what the network keeps of the face, never the photo. A photo that is there already
     * changes nothing.
     *
     * @throws io.edgesr.core.GalleryException where the gallery is another network's.
     * @throws EngineException where the network does not run.
     */
    fun learn(portrait: Portrait, gallery: Gallery): Gallery = alone {
        val section = engine.manifest.check(gallery)
        val features = gallery.sections[section].pack(engine.encode(portrait.face).value)
        gallery.adding(gallery.entry(section, features, portrait.descriptor, portrait.label))
    }

    /**
     * [gallery] with a photo more of its person. Nothing here can tell people apart: that the photo shows the gallery's
     * person is for a person to say, and where it shows several, which [face] it is.
     *
     * @param content the photo's file, by whose SHA-256 a gallery knows it.
     * @param photo the same decoded: [PhotoDecoder] does it on Android.
     * @throws LearningException where nothing is learned, with the reason; of several people with their faces.
     * @throws io.edgesr.core.GalleryException where the gallery is another network's.
     * @throws EngineException where the network or the detector does not run.
     */
    fun learn(content: ByteArray, photo: Pixels, gallery: Gallery, face: Face? = null): Gallery = alone {
        engine.manifest.check(gallery)
        if (Portrait.known(content, gallery)) throw LearningException(LearningException.Reason.KNOWN)
        val found = if (face != null) listOf(face) else candidates(photo)
        if (found.isEmpty()) throw LearningException(LearningException.Reason.NO_FACE)
        if (found.size > 1) throw LearningException(LearningException.Reason.SEVERAL, found)
        val portrait = portrait(content, photo, found[0])
        if (gallery.entries.any(portrait::isOf)) throw LearningException(LearningException.Reason.KNOWN)
        learn(portrait, gallery)
    }

    /**
     * One face of a photo restored, whatever its size; the photo stays as it is.
     *
     * @param gallery of the face's own person: the exemplars that serve it best are chosen. Without one, or with nobody in
     * it, the network has the tiny face alone.
     * @throws io.edgesr.core.GalleryException where the gallery is another network's.
     * @throws io.edgesr.core.FaceException where the landmarks are no face.
     * @throws EngineException where the network does not run.
     */
    fun restore(photo: Pixels, face: Face, gallery: Gallery? = null): RestoredFace = alone {
        val manifest = engine.manifest
        val square = face.alignment
        val native = Enhance.nativeCrop(photo, square)
        val lr = Enhance.lrCrop(native, manifest.lrSize)
        val from = gallery ?: emptyGallery()
        val landmarks = face.landmarks.map(square.cropFromPhoto(manifest.lrSize)::map)
        val chosen = from.choose(manifest.check(from), Descriptor.of(lr, landmarks), manifest.slots)
        val restored = engine.restore(lr, from, chosen)
        val sr = restored.value.face
        RestoredFace(
            face, lr, sr, Bicubic.resize(native, manifest.hrSize, manifest.hrSize), Enhance.keepOwnDetail(sr, native, manifest.lrSize),
            chosen, restored.value.weights, restored.millis,
        )
    }

    /**
     * A photo with every face restored that gains from it, by the rules of `edgesr enhance`.
     *
     * A face that is alone in the photo is taken for the gallery's person. Of several none gets the gallery unless
     * [person] says which: on somebody else's face it would change who it is.
     *
     * @param gallery of one person's photos; without it faces are restored from the photo alone.
     * @param faces of the photo, where they are known already.
     * @param person which of [faces] is the gallery's person.
     * @param megapixels the photo is enlarged so that its restored faces show, up to so many; it is never made smaller.
     * @throws io.edgesr.core.GalleryException where the gallery is another network's.
     * @throws EngineException where the network or the detector does not run.
     */
    fun enhance(
        photo: Pixels,
        gallery: Gallery? = null,
        faces: List<Face>? = null,
        person: Face? = null,
        megapixels: Double = EnhancedPhoto.MOST_MEGAPIXELS,
    ): EnhancedPhoto = alone {
        val found = faces ?: faces(photo)
        val meant = person ?: found.singleOrNull()
        val gaining = found.filter { Regions.gains(Regions.sideOf(it.alignment), engine.manifest.lrSize) }
        EnhancedPhoto.of(photo, gaining.map { restore(photo, it, if (it === meant) gallery else null) }, megapixels)
    }

    /** Frees the network and the detector that [open] or [fromAssets] loaded, once running calls are done. */
    override fun close() = synchronized(detector) {
        if (!closed.getAndSet(true)) owned.forEach(Closeable::close)
    }

    private inline fun <T> alone(work: () -> T): T = synchronized(detector) {
        check(!closed.get()) { "this restorer was closed" }
        work()
    }

    companion object {
        /**
         * Opens the network and the detector among an app's assets, checking them against the hashes in their manifests.
         *
         * @param folder has a folder for each network (`manifest.json`, `model.tflite`), and the folder `detector`.
         * @param network name of the network's folder.
         * @throws io.edgesr.core.BundleException where a model is missing, damaged, or for another runtime.
         * @throws EngineException where TFLite does not run on this device, or refuses a model.
         */
        fun fromAssets(assets: AssetManager, network: String = "int8", folder: String = "models", threads: Int = 2): FaceRestorer =
            open(AssetSource(assets, "$folder/$network"), AssetSource(assets, "$folder/detector"), threads)

        /** The same from anywhere: [FolderSource] reads folders, for models that an app downloads. Throws as [fromAssets]. */
        fun open(network: BundleSource, detector: BundleSource, threads: Int = 2): FaceRestorer {
            val engine = TfliteEngine.open(network, threads)
            val faces = try {
                TfliteFaceNetwork.open(detector, threads)
            } catch (error: Exception) {
                engine.close()
                throw error
            }
            return FaceRestorer(engine, FaceDetector(faces), listOf(engine, faces))
        }
    }
}
