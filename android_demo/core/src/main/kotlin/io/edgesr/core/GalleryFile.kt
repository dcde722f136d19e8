package io.edgesr.core

import java.io.File
import java.io.IOException
import java.io.RandomAccessFile

/** A gallery on disk: written whole or not at all, and erased with zeros. */
class GalleryFile(val file: File) {
    private val aside = File(file.parentFile, ".${file.name}.partial")

    /** The gallery, or null where there is no file. @throws GalleryException where it is damaged. */
    fun read(): Gallery? {
        if (!file.exists()) return null
        if (file.length() > MOST_BYTES) throw GalleryException("it has ${file.length()} bytes")
        val content = try {
            file.readBytes()
        } catch (error: IOException) {
            throw GalleryException("it cannot be read", "delete it and build it again", error)
        }
        return Gallery.decode(content)
    }

    /** Replace the file; the old one's bytes are overwritten. @throws IOException where it cannot be written. */
    @Throws(IOException::class)
    fun write(gallery: Gallery) {
        val content = gallery.encode()
        file.parentFile?.mkdirs()
        try {
            RandomAccessFile(aside, "rw").use { out ->
                out.setLength(0)
                out.write(content)
                out.fd.sync()
            }
            val old = if (file.exists()) RandomAccessFile(file, "rw") else null
            old.use {
                if (!aside.renameTo(file)) throw IOException("cannot replace ${file.name}")
                if (old != null) overwrite(old)
            }
        } finally {
            aside.delete()
        }
    }

    /** Overwrite the file with zeros and delete it, and what a killed process left beside it. */
    @Throws(IOException::class)
    fun erase() {
        for (one in listOf(aside, file)) {
            if (!one.exists()) continue
            RandomAccessFile(one, "rw").use(::overwrite)
            if (!one.delete()) throw IOException("cannot delete ${one.name}")
        }
    }

    private fun overwrite(old: RandomAccessFile) {
        old.seek(0)
        var left = old.length()
        val zeros = ByteArray(1 shl 16)
        while (left > 0) {
            val count = minOf(left, zeros.size.toLong()).toInt()
            old.write(zeros, 0, count)
            left -= count
        }
        old.fd.sync()
    }

    private companion object {
        const val MOST_BYTES = (1L shl 29) + (1L shl 20) + 8
    }
}
