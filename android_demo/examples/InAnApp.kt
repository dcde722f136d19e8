import android.content.Context
import android.graphics.Bitmap
import android.net.Uri
import io.edgesr.core.GalleryFile
import io.edgesr.engine.FaceRestorer
import io.edgesr.engine.PhotoDecoder
import java.io.File

/** What an app does once, on a thread of its own: a network and a detector from its assets, and the person's gallery. */
class SharpFaces(private val context: Context) : AutoCloseable {
    private val restorer = FaceRestorer.fromAssets(context.assets)
    private val mine = GalleryFile(File(context.noBackupFilesDir, "me.gallery"))

    /** Once for each photo of the person. @throws io.edgesr.engine.LearningException where the photo is none to learn from. */
    fun learn(picked: Uri) {
        val content = PhotoDecoder.read(context.contentResolver, picked)
        mine.write(restorer.learn(content, PhotoDecoder.decode(content), mine.read() ?: restorer.emptyGallery()))
    }

    /** Once for each photo with a tiny face. */
    fun enhance(picked: Uri): Bitmap {
        val photo = PhotoDecoder.decode(PhotoDecoder.read(context.contentResolver, picked))
        return PhotoDecoder.toBitmap(restorer.enhance(photo, mine.read()).after)
    }

    override fun close() = restorer.close()
}
