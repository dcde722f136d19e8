package io.edgesr.booth

import android.content.Context
import android.net.Uri
import android.os.Handler
import android.os.Looper
import io.edgesr.core.Face
import io.edgesr.core.FaceDetector
import io.edgesr.core.Gallery
import io.edgesr.core.GalleryFile
import io.edgesr.core.Pixels
import io.edgesr.engine.AssetSource
import io.edgesr.engine.BundleSource
import io.edgesr.engine.Engine
import io.edgesr.engine.EngineWorker
import io.edgesr.engine.EnhancedPhoto
import io.edgesr.engine.FaceRestorer
import io.edgesr.engine.LearningException
import io.edgesr.engine.PhotoDecoder
import io.edgesr.engine.PhotoException
import io.edgesr.engine.Portrait
import io.edgesr.engine.RestoredFace
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

/** A restored face of a photo, and the photo with it. */
class Outcome(
    val face: RestoredFace,
    val photo: EnhancedPhoto,
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

    private fun restorer(precision: Precision): FaceRestorer {
        val engine = engine(precision)
        val opened = network ?: TfliteFaceNetwork.open(sources("detector")).also { network = it }
        return FaceRestorer(engine, FaceDetector(opened))
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
        val gallery = gallery()
        val content: ByteArray
        val photo: Pixels
        try {
            content = PhotoDecoder.read(context.contentResolver, uri)
            if (Portrait.known(content, gallery)) return Examined.Refused(R.string.why_known)
            photo = PhotoDecoder.decode(content)
        } catch (error: PhotoException) {
            return Examined.Refused(if (error.reason == PhotoException.Reason.TOO_LARGE) R.string.why_huge else R.string.why_no_image)
        }
        val restorer = restorer(precision)
        val found = restorer.candidates(photo)
        if (found.isEmpty()) return Examined.Refused(R.string.why_no_face)
        if (found.size > 1 && which == null) return Examined.Several(found.map { it.alignment.crop(photo, TILE) })
        val portrait = try {
            restorer.portrait(content, photo, found.getOrElse(which ?: 0) { found[0] })
        } catch (error: LearningException) {
            return Examined.Refused(why(error.reason))
        }
        val twin = gallery.entries.firstOrNull { portrait.isOf(it, fingerprints[it.label.photoSha256]) }
        // What was learned in an earlier session stays; of copies that come together the better one does.
        if (twin != null && (twin.label.photoSha256 !in fingerprints || Portrait.worth(twin.label) >= Portrait.worth(portrait.label))) {
            return Examined.Refused(R.string.why_known)
        }
        // A copy of a picture that was learned shows whom that one shows.
        if (twin == null && !sure) return Examined.Unsure(portrait.face)
        store(restorer.learn(portrait, gallery.with(gallery.entries.filter { it !== twin })))
        fingerprints[portrait.label.photoSha256] = portrait.fingerprint
        return Examined.Learned
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
        val faces = restorer(precision).faces(photo)
        if (faces.isEmpty()) throw ProblemException(Problem.NO_FACE)
        return Looked(photo, faces).also { looked = Pair(key, it) }
    }

    /** Restore face [index] of what [look] found; with the gallery only if it is its [own] person. */
    fun restore(looked: Looked, index: Int, precision: Precision, own: Boolean): Outcome {
        val gallery = gallery()
        val face = restorer(precision).restore(looked.photo, looked.faces[index], if (own) gallery else null)
        return Outcome(face, EnhancedPhoto.of(looked.photo, listOf(face), MOST_ENLARGED), precision, own, gallery.entries.size)
    }

    private fun why(reason: LearningException.Reason): Int = when (reason) {
        LearningException.Reason.NO_FACE -> R.string.why_no_face
        LearningException.Reason.SEVERAL -> R.string.why_several
        LearningException.Reason.KNOWN -> R.string.why_known
        LearningException.Reason.TOO_SMALL -> R.string.why_small
        LearningException.Reason.TOO_DARK -> R.string.why_dark
        LearningException.Reason.TOO_BRIGHT -> R.string.why_bright
        LearningException.Reason.BLURRED -> R.string.why_blurred
        LearningException.Reason.TURNED_AWAY -> R.string.why_turned
    }

    private companion object {
        const val TILE = 128
        const val ROOM = 8L shl 20

        /** Megapixels up to which a photo is enlarged on the screen. */
        const val MOST_ENLARGED = 4.0
    }
}
