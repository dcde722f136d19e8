package io.edgesr.engine

import android.content.ContentResolver
import android.graphics.Bitmap
import android.graphics.ColorSpace
import android.graphics.ImageDecoder
import android.net.Uri
import io.edgesr.core.EdgesrException
import io.edgesr.core.Pixels
import java.io.ByteArrayOutputStream
import java.io.File
import java.io.IOException
import java.io.InputStream
import java.nio.ByteBuffer
import java.security.MessageDigest

/** A photo's file cannot be used: [reason] says why. */
class PhotoException(val reason: Reason, cause: Throwable? = null) : EdgesrException(reason.what, reason.hint, cause) {
    enum class Reason(internal val what: String, internal val hint: String) {
        UNREADABLE("this is no image that Android reads", "choose another photo"),
        TOO_LARGE("the photo has more than 120 megapixels or 256 MB", "choose a smaller one"),
    }
}

/** Photos of any format that Android reads, upright, in sRGB, at most [MOST_DECODED] pixels. */
object PhotoDecoder {
    /** Pixels beyond which a photo is refused, as edgesr does on a desktop. */
    const val MOST_PIXELS = 120_000_000L

    /** Larger photos are decoded at a half, a third or a quarter of their size. */
    const val MOST_DECODED = 16_000_000L

    private const val MOST_BYTES = 256 shl 20

    /** The file behind [uri]. @throws PhotoException where it cannot be read. */
    fun read(resolver: ContentResolver, uri: Uri): ByteArray = try {
        val stream = resolver.openInputStream(uri) ?: throw IOException("no stream")
        stream.use { bounded(it) }
    } catch (error: IOException) {
        throw PhotoException(PhotoException.Reason.UNREADABLE, error)
    } catch (error: SecurityException) {
        throw PhotoException(PhotoException.Reason.UNREADABLE, error)
    }

    /** All bytes of [stream], which is left as soon as it gives more than any photo has. */
    fun bounded(stream: InputStream, most: Int = MOST_BYTES): ByteArray {
        val content = ByteArrayOutputStream(1 shl 20)
        val part = ByteArray(1 shl 16)
        while (true) {
            val count = stream.read(part)
            if (count < 0) return content.toByteArray()
            if (content.size() + count > most) throw PhotoException(PhotoException.Reason.TOO_LARGE)
            content.write(part, 0, count)
        }
    }

    fun decode(file: File): Pixels = decode(file.readBytes())

    /** @throws PhotoException where [content] is no image, or too large. */
    fun decode(content: ByteArray): Pixels {
        val bitmap = try {
            ImageDecoder.decodeBitmap(ImageDecoder.createSource(ByteBuffer.wrap(content))) { decoder, info, _ ->
                val count = info.size.width.toLong() * info.size.height
                if (count > MOST_PIXELS) throw PhotoException(PhotoException.Reason.TOO_LARGE)
                decoder.allocator = ImageDecoder.ALLOCATOR_SOFTWARE
                decoder.setTargetColorSpace(ColorSpace.get(ColorSpace.Named.SRGB))
                var sample = 1
                while (count / (sample * sample) > MOST_DECODED) sample++
                if (sample > 1) decoder.setTargetSampleSize(sample)
            }
        } catch (error: PhotoException) {
            throw error
        } catch (error: IOException) {
            throw PhotoException(PhotoException.Reason.UNREADABLE, error)
        } catch (error: RuntimeException) {
            throw PhotoException(PhotoException.Reason.UNREADABLE, error)
        }
        return toPixels(bitmap).also { bitmap.recycle() }
    }

    /** A strip at a time: the whole photo as integers would take as much memory again. */
    private fun toPixels(bitmap: Bitmap): Pixels {
        val result = Pixels(bitmap.width, bitmap.height)
        val rows = maxOf(1, (1 shl 18) / bitmap.width)
        val strip = IntArray(rows * bitmap.width)
        for (top in 0 until bitmap.height step rows) {
            val count = minOf(rows, bitmap.height - top)
            bitmap.getPixels(strip, 0, bitmap.width, 0, top, bitmap.width, count)
            val part = Pixels.fromArgb(bitmap.width, count, strip)
            System.arraycopy(part.rgb, 0, result.rgb, top * bitmap.width * 3, part.rgb.size)
        }
        return result
    }

    fun toBitmap(pixels: Pixels): Bitmap =
        Bitmap.createBitmap(pixels.toArgb(), pixels.width, pixels.height, Bitmap.Config.ARGB_8888)

    fun sha256(content: ByteArray): String =
        MessageDigest.getInstance("SHA-256").digest(content).joinToString("") { String.format("%02x", it) }
}
