package io.edgesr.booth

import android.content.ContentProvider
import android.content.ContentValues
import android.content.Context
import android.database.Cursor
import android.database.MatrixCursor
import android.net.Uri
import android.os.ParcelFileDescriptor
import android.provider.OpenableColumns
import java.io.File
import java.io.FileNotFoundException

/** Lets another app read what was shared with it, and nothing else. */
class ShareProvider : ContentProvider() {
    override fun onCreate() = true

    override fun getType(uri: Uri) = if (file(uri).extension == "json") "application/json" else "image/png"

    override fun openFile(uri: Uri, mode: String): ParcelFileDescriptor {
        if (mode != "r" || !file(uri).isFile) throw FileNotFoundException(uri.toString())
        return ParcelFileDescriptor.open(file(uri), ParcelFileDescriptor.MODE_READ_ONLY)
    }

    override fun query(uri: Uri, projection: Array<String>?, selection: String?, arguments: Array<String>?, order: String?): Cursor {
        val columns = projection ?: arrayOf(OpenableColumns.DISPLAY_NAME, OpenableColumns.SIZE)
        return MatrixCursor(columns).also { cursor ->
            cursor.addRow(columns.map { if (it == OpenableColumns.DISPLAY_NAME) file(uri).name else if (it == OpenableColumns.SIZE) file(uri).length() else null })
        }
    }

    override fun insert(uri: Uri, values: ContentValues?): Uri? = null

    override fun delete(uri: Uri, selection: String?, arguments: Array<String>?) = 0

    override fun update(uri: Uri, values: ContentValues?, selection: String?, arguments: Array<String>?) = 0

    private fun file(uri: Uri) = File(requireNotNull(context).booth.shareFolder, File(uri.lastPathSegment.orEmpty()).name)

    companion object {
        /** The address of a file in the folder for sharing. */
        fun address(file: File): Uri = Uri.parse("content://io.edgesr.booth.share/${file.name}")
    }
}
