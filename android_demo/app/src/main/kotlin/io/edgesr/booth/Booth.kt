package io.edgesr.booth

import android.content.Context
import android.net.Uri
import android.os.Handler
import android.os.Looper
import io.edgesr.core.Bicubic
import io.edgesr.core.Descriptor
import io.edgesr.core.Duplicates
import io.edgesr.core.Enhance
import io.edgesr.core.Entry
import io.edgesr.core.Face
import io.edgesr.core.FaceDetector
import io.edgesr.core.Gallery
import io.edgesr.core.GalleryFile
import io.edgesr.core.GalleryHeader
import io.edgesr.core.Label
import io.edgesr.core.Pixels
import io.edgesr.core.Quality
import io.edgesr.core.Refusal
import io.edgesr.engine.AssetSource
import io.edgesr.engine.BundleSource
import io.edgesr.engine.Engine
import io.edgesr.engine.EngineWorker
import io.edgesr.engine.TfliteEngine
import io.edgesr.engine.TfliteFaceNetwork
import java.io.File
import java.io.IOException
import java.util.concurrent.Executor

/** Which of the two networks runs. */
enum class Precision(val folder: String) { INT8("int8"), FLOAT("float") }

/** A photo that was decoded, and the faces in it, the largest first. */
class Looked(val photo: Pixels, val faces: List<Face>)

/** What came of a photo to learn from. */
sealed interface Examined {
    object Learned : Examined

    /** A string resource says why. */
    class Refused(val reason: Int) : Examined

    /** Somebody has to say which of these is the person; what they look like. */
    class Several(val faces: List<Pixels>) : Examined

    /** Nothing here can tell whether it is the gallery's person: somebody has to say. */
    class Unsure(val face: Pixels) : Examined
}

/** A restored face and how it came about. */
class Outcome(
    val lr: Pixels,
    /** The network's own result. */
    val sr: Pixels,
    /** The face before, enlarged plainly, and after: what the slider compares. */
    val before: Pixels,
    val after: Pixels,
    val photoBefore: Pixels,
    val photoAfter: Pixels,
    /** Indices into the gallery, the best first, and how much each counted, [slots, h, w]. */
    val exemplars: List<Int>,
    val weights: FloatArray,
    /** Side of the face's square in photo pixels. */
    val side: Double,
    val millis: Double,
    val precision: Precision,
    /** Whether it is the gallery's person, as somebody said, and how many photos the gallery remembers. */
    val own: Boolean,
    val remembered: Int,
)

/** What the app does, without a screen: everything slow runs on [worker], every answer comes on [main]. */
class Booth(private val context: Context) {
    val worker = EngineWorker()
    val main = Executor { Handler(Looper.getMainLooper()).post(it) }

    /** Where models come from; tests put other folders here. */
    var sources: (String) -> BundleSource = { AssetSource(context.assets, "models/$it") }

    /** Bytes left where galleries lie; tests put other figures here. */
    var freeBytes: () -> Long = { context.noBackupFilesDir.usableSpace }

    /** Whether networks run on a phone's own runtime; where they do not, their time says nothing and is not shown. */
    var timed = true

    /** What was measured since the process began. */
    var measured: List<Measured> = emptyList()

    private val settings = context.getSharedPreferences("booth", Context.MODE_PRIVATE)
    private val engines = HashMap<Precision, Engine>()
    private var network: TfliteFaceNetwork? = null
    private var looked: Pair<String, Looked>? = null

    /** Of the photos that were learned since the process began, by their SHA-256; pictures in effect, so never stored. */
    private val fingerprints = HashMap<String, FloatArray>()

    val galleryFile = GalleryFile(File(context.noBackupFilesDir, "me.gallery"))

    /** The photo that is being restored: a copy, since the right to read a picked photo ends with the process. */
    val photoFile = File(context.noBackupFilesDir, "photo")
    val shareFolder = File(context.cacheDir, "share")

    var consented: Boolean
        get() = settings.getBoolean("consented", false)
        set(value) = settings.edit().putBoolean("consented", value).apply()

    var precision: Precision
        get() = Precision.values().firstOrNull { it.name == settings.getString("precision", null) && it in available } ?: available.first()
        set(value) = settings.edit().putString("precision", value.name).apply()

    /** The networks in this build, the one to prefer first. */
    val available: List<Precision> by lazy {
        Precision.values().filter { p -> runCatching { context.assets.list("models/${p.folder}")!!.isNotEmpty() }.getOrDefault(false) }
            .ifEmpty { listOf(Precision.FLOAT) }
    }

    /** On [worker] only. */
    fun engine(precision: Precision): Engine = engines.getOrPut(precision) { open(precision) }

    /** A network of its own, which the caller closes. */
    fun open(precision: Precision): Engine = TfliteEngine.open(sources(precision.folder))

    private fun detector(): FaceDetector {
        val opened = network ?: TfliteFaceNetwork.open(sources("detector")).also { network = it }
        return FaceDetector(opened)
    }

    /** The gallery, empty where there is none. @throws io.edgesr.core.GalleryException where it cannot be used. */
    fun gallery(): Gallery {
        val manifest = engine(precision).manifest
        return (galleryFile.read() ?: manifest.emptyGallery()).also(manifest::check)
    }

    /**
     * Learn from a photo, or say why not, or what somebody has to say first: [which] of its faces, and whether one is
     * [sure] to be the gallery's person. @throws IOException where it cannot be stored.
     */
    fun add(uri: Uri, which: Int? = null, sure: Boolean = false): Examined {
        val engine = engine(precision)
        val gallery = gallery()
        val content: ByteArray
        val photo: Pixels
        try {
            content = PhotoDecoder.read(context.contentResolver, uri)
            if (gallery.entries.any { it.label.photoSha256 == PhotoDecoder.sha256(content) }) return Examined.Refused(R.string.why_known)
            photo = PhotoDecoder.decode(content)
        } catch (error: ProblemException) {
            return Examined.Refused(if (error.problem == Problem.TOO_LARGE) R.string.why_huge else R.string.why_no_image)
        }
        val found = candidates(detector().detect(photo))
        if (found.isEmpty()) return Examined.Refused(R.string.why_no_face)
        if (found.size > 1 && which == null) return Examined.Several(found.map { it.alignment.crop(photo, TILE) })
        val face = detector().refine(photo, found.getOrElse(which ?: 0) { found[0] })
        val square = face.alignment
        val size = engine.manifest.hrSize
        val crop = square.crop(photo, size)
        val landmarks = face.landmarks.map(square.cropFromPhoto(size)::map)
        val quality = Quality.judge(crop, landmarks, square.side)
        quality.refusals.firstOrNull()?.let { return Examined.Refused(reason(it)) }
        val label = Label(
            PhotoDecoder.sha256(content),
            mapOf("sharpness" to quality.sharpness, "size_px" to quality.sizePx, "exposure" to quality.exposure).mapValues { GalleryHeader.thousandths(it.value) },
            mapOf("yaw_deg" to quality.yawDeg, "pitch_deg" to quality.pitchDeg, "roll_deg" to quality.rollDeg).mapValues { GalleryHeader.thousandths(it.value) },
        )
        val descriptor = Descriptor.of(crop, landmarks)
        val fingerprint = Duplicates.fingerprint(photo)
        val twin = gallery.entries.firstOrNull { same(it, descriptor, fingerprint) }
        // What was learned in an earlier session stays; of copies that come together the better one does.
        if (twin != null && (twin.label.photoSha256 !in fingerprints || worth(twin.label) >= worth(label))) return Examined.Refused(R.string.why_known)
        // A copy of a picture that was learned shows whom that one shows.
        if (twin == null && !sure) return Examined.Unsure(crop)
        val rest = gallery.with(gallery.entries.filter { it !== twin })
        val ours = engine.manifest.check(rest)
        store(rest.adding(rest.entry(ours, rest.sections[ours].pack(engine.encode(crop).value), descriptor, label)))
        fingerprints[label.photoSha256] = fingerprint
        return Examined.Learned
    }

    /** Those of the faces, the largest first, that can be learned from; where none can, the largest, to say why. */
    private fun candidates(faces: List<Face>): List<Face> =
        faces.filter { it.alignment.side >= FIRST_LOOK * Quality.LEAST_SIZE }.ifEmpty { faces.take(1) }

    private fun same(entry: Entry, descriptor: FloatArray, fingerprint: FloatArray): Boolean {
        val known = fingerprints[entry.label.photoSha256] ?: return Duplicates.sameFace(entry.descriptor, descriptor)
        return Duplicates.samePhoto(known, fingerprint)
    }

    /** Ranks copies of one photo: the larger first, by steps of 40 %, then the sharper. */
    private fun worth(label: Label): Double {
        val side = label.quality.getValue("size_px") / 1000.0
        return Math.rint(2 * Math.log(maxOf(side, 1.0)) / Math.log(2.0)) + minOf(label.quality.getValue("sharpness") / 1000.0, 0.99)
    }

    fun remove(index: Int) = store(gallery().let { all -> all.with(all.entries.filterIndexed { i, _ -> i != index }) })

    private fun store(gallery: Gallery) {
        if (freeBytes() < ROOM) throw IOException("no room")
        galleryFile.write(gallery)
    }

    /** Overwrite and delete all that the app holds of anybody. */
    fun wipe() {
        galleryFile.erase()
        GalleryFile(photoFile).erase()
        shareFolder.deleteRecursively()
        looked = null
        fingerprints.clear()
    }

    /** Keep a copy of the photo to restore. */
    fun take(content: ByteArray) {
        if (freeBytes() < ROOM + content.size) throw ProblemException(Problem.STORAGE)
        photoFile.writeBytes(content)
    }

    /** The faces in the photo that was taken last. */
    fun look(): Looked {
        if (!photoFile.isFile) throw ProblemException(Problem.NO_IMAGE)
        val content = photoFile.readBytes()
        val key = PhotoDecoder.sha256(content)
        looked?.let { if (it.first == key) return it.second }
        val photo = PhotoDecoder.decode(content)
        val faces = detector().detect(photo)
        if (faces.isEmpty()) throw ProblemException(Problem.NO_FACE)
        return Looked(photo, faces.map { detector().refine(photo, it) }).also { looked = Pair(key, it) }
    }

    /** Restore face [index] of what [look] found; with the gallery only if it is its [own] person. */
    fun restore(looked: Looked, index: Int, precision: Precision, own: Boolean): Outcome {
        val engine = engine(precision)
        val gallery = gallery()
        val face = looked.faces[index]
        val native = Enhance.nativeCrop(looked.photo, face.alignment)
        val lr = Enhance.lrCrop(native, engine.manifest.lrSize)
        val inLr = face.landmarks.map(face.alignment.cropFromPhoto(engine.manifest.lrSize)::map)
        val ours = engine.manifest.check(gallery)
        val chosen = if (own) gallery.choose(ours, Descriptor.of(lr, inLr), engine.manifest.slots) else emptyList()
        val restored = engine.restore(lr, gallery, chosen)
        val after = Enhance.keepOwnDetail(restored.value.face, native, engine.manifest.lrSize)
        val size = engine.manifest.hrSize
        val enlarged = enlarged(looked.photo, face)
        val square = face.alignment.scaled(enlarged.width.toDouble() / looked.photo.width)
        return Outcome(
            lr, restored.value.face, Bicubic.resize(native, size, size), after, enlarged, Enhance.paste(enlarged, after, square),
            chosen, restored.value.weights, face.alignment.side, restored.millis, precision, own, gallery.entries.size,
        )
    }

    /** The photo so large that the restored face finds its pixels in it, within reason. */
    private fun enlarged(photo: Pixels, face: Face): Pixels {
        val factor = Math.ceil(SHOWN / face.alignment.side).toInt().coerceIn(1, 4)
        if (photo.width.toLong() * photo.height * factor * factor > MOST_ENLARGED) return photo
        return if (factor == 1) photo else Bicubic.resize(photo, photo.width * factor, photo.height * factor)
    }

    private fun reason(refusal: Refusal): Int = when (refusal) {
        Refusal.TOO_SMALL -> R.string.why_small
        Refusal.TOO_DARK -> R.string.why_dark
        Refusal.TOO_BRIGHT -> R.string.why_bright
        Refusal.BLURRED -> R.string.why_blurred
        Refusal.TURNED_AWAY -> R.string.why_turned
    }

    private companion object {
        /** A face may turn out so much larger at a closer look. */
        const val FIRST_LOOK = 0.75
        const val TILE = 128
        const val ROOM = 8L shl 20

        /** 0.75 of a restored face's pixels. */
        const val SHOWN = 96.0
        const val MOST_ENLARGED = 4_000_000L
    }
}
