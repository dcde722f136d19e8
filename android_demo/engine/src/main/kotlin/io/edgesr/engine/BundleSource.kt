package io.edgesr.engine

import android.content.res.AssetManager
import io.edgesr.core.BundleException
import io.edgesr.core.Manifest
import java.io.File
import java.io.FileInputStream
import java.io.FileNotFoundException
import java.io.IOException
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.channels.Channels
import java.nio.channels.FileChannel

/** Where the files of a bundle lie. */
fun interface BundleSource {
    /** A file's bytes in a direct buffer, mapped where that is possible. */
    @Throws(IOException::class)
    fun open(name: String): ByteBuffer

    /** The bundle's manifest. @throws BundleException where there is none or it is damaged. */
    fun manifest(): Manifest {
        val content = read("manifest.json")
        return Manifest.decode(ByteArray(content.remaining()).also { content.get(it) })
    }

    /** A file, or an error that says that it is missing. */
    fun read(name: String): ByteBuffer = try {
        open(name)
    } catch (error: FileNotFoundException) {
        throw BundleException("the model is missing: no $name", "make android-assets puts it there", error)
    } catch (error: IOException) {
        throw BundleException("cannot read $name", "install the app again", error)
    }
}

/** A bundle in a folder on disk. */
class FolderSource(private val folder: File) : BundleSource {
    override fun open(name: String): ByteBuffer = FileInputStream(File(folder, name)).channel.use {
        it.map(FileChannel.MapMode.READ_ONLY, 0, it.size())
    }
}

/** A bundle among an app's assets; files that are stored uncompressed are mapped and not copied. */
class AssetSource(private val assets: AssetManager, private val folder: String) : BundleSource {
    override fun open(name: String): ByteBuffer = try {
        assets.openFd("$folder/$name").use { fd ->
            FileInputStream(fd.fileDescriptor).channel.use {
                it.map(FileChannel.MapMode.READ_ONLY, fd.startOffset, fd.declaredLength)
            }
        }
    } catch (_: FileNotFoundException) {
        copied(name) // compressed in the package, or not there, which shows now
    }

    private fun copied(name: String): ByteBuffer = assets.open("$folder/$name").use { stream ->
        val content = stream.readBytes()
        val buffer = ByteBuffer.allocateDirect(content.size).order(ByteOrder.nativeOrder())
        Channels.newChannel(content.inputStream()).use { it.read(buffer) }
        buffer.rewind()
        buffer
    }
}
