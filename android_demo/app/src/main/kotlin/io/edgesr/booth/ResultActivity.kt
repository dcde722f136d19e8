package io.edgesr.booth

import android.content.ClipData
import android.content.Intent
import android.graphics.Bitmap
import android.os.Bundle
import android.view.Gravity
import android.view.View
import android.widget.LinearLayout
import android.widget.ProgressBar
import android.widget.TextView
import android.widget.Toast
import io.edgesr.booth.ui.CompareView
import io.edgesr.booth.ui.MATCH
import io.edgesr.booth.ui.Pictures
import io.edgesr.booth.ui.Tile
import io.edgesr.booth.ui.WRAP
import io.edgesr.booth.ui.add
import io.edgesr.booth.ui.breathing
import io.edgesr.booth.ui.button
import io.edgesr.booth.ui.column
import io.edgesr.booth.ui.dp
import io.edgesr.booth.ui.faceGrid
import io.edgesr.booth.ui.row
import io.edgesr.booth.ui.screen
import io.edgesr.booth.ui.segments
import io.edgesr.booth.ui.size
import io.edgesr.booth.ui.text
import io.edgesr.core.Bicubic
import io.edgesr.core.Enhance
import io.edgesr.core.Pixels
import io.edgesr.engine.PhotoDecoder
import java.io.File

/** One photo: whose face, the face before and after, the photo before and after, and which exemplar counted where. */
class ResultActivity : BoothActivity() {
    override val title = R.string.result_title
    private var view = R.id.view_face
    private var face = -1

    /** Which face is the gallery's person, as somebody said; -1: none of them. */
    private var owner = -1
    private var fresh = true

    /** What is on the screen; null while it is being made. */
    var outcome: Outcome? = null
        private set

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        if (isFinishing) return
        view = state?.getInt("view") ?: R.id.view_face
        face = state?.getInt("face") ?: -1
        owner = state?.getInt("owner") ?: -1
        fresh = state == null
        start()
    }

    override fun onSaveInstanceState(state: Bundle) {
        super.onSaveInstanceState(state)
        state.putInt("view", view)
        state.putInt("face", face)
        state.putInt("owner", owner)
    }

    private fun start() {
        clearProblem()
        busy(R.string.working_decode)
        work({ booth.look().let { Pair(it, booth.gallery().entries.size) } }, { show(it, ::start) }) { (looked, remembered) ->
            when {
                face in looked.faces.indices -> restore(looked, face)
                // Who is alone in a photo is taken for the person that it was chosen for; of several somebody has to say.
                looked.faces.size == 1 -> {
                    owner = 0
                    restore(looked, 0)
                }
                else -> who(looked, others = remembered == 0)
            }
        }
    }

    private fun restore(looked: Looked, index: Int) {
        face = index
        if (outcome == null) busy(R.string.working_restore)
        val precision = booth.precision
        val own = index == owner
        work({ booth.restore(looked, index, precision, own) }, { show(it, ::start) }) {
            outcome = it
            show(looked, it)
        }
    }

    private fun busy(label: Int) {
        val content = column(R.dimen.two)
        content.id = R.id.busy
        content.gravity = Gravity.CENTER
        content.addView(ProgressBar(this), LinearLayout.LayoutParams(dp(48), dp(48)))
        content.addView(text(R.style.Text_Body, label), LinearLayout.LayoutParams(WRAP, WRAP))
        content.accessibilityLiveRegion = View.ACCESSIBILITY_LIVE_REGION_POLITE
        screen(title, content)
    }

    /** Ask which face is the gallery's person, or which of the [others] is to be restored. */
    private fun who(looked: Looked, others: Boolean) {
        val content = column(R.dimen.three)
        val words = column(R.dimen.one)
        words.add(heading(text(R.style.Text_Display, R.string.who_title)))
        words.add(text(R.style.Text_Body, getString(if (others) R.string.who_any else R.string.who_text, looked.faces.size)).apply { setTextColor(getColor(R.color.ink_2)) })
        content.add(words)
        val faces = looked.faces.map { it.alignment.crop(looked.photo, 128) }
        val grid = faceGrid(faces, { getString(R.string.face_n, it + 1) }) { i, _ ->
            if (!others) owner = i
            restore(looked, i)
        }
        content.add(grid)
        (grid.layoutParams as LinearLayout.LayoutParams).setMargins(dp(-4), 0, dp(-4), 0)
        if (others) return screen(title, content.breathing())
        val none = button(R.style.Button_Plain, R.string.who_none)
        none.id = R.id.none
        none.setOnClickListener { who(looked, others = true) }
        val foot = column()
        foot.add(none)
        screen(title, content.breathing(), foot.breathing())
    }

    private fun show(looked: Looked, outcome: Outcome) {
        val wide = resources.configuration.let { it.screenWidthDp >= 600 && it.screenWidthDp > it.screenHeightDp }
        val picture = column(R.dimen.two)
        val controls = column(R.dimen.two)
        val choices = listOf(R.id.view_face to R.string.view_face, R.id.view_photo to R.string.view_photo, R.id.view_why to R.string.view_why)
        picture.add(segments(choices, view) {
            view = it
            show(looked, outcome)
        })
        if (view == R.id.view_why) picture.add(why(outcome)) else picture.add(compare(outcome))
        controls.add(explanation(outcome))
        if (outcome.remembered > 0) controls.add(whose(looked, outcome))
        controls.add(switch(looked, outcome))
        val buttons = row(R.dimen.one)
        val save = button(R.style.Button_Tonal, R.string.save, R.drawable.ic_save)
        save.id = R.id.save
        save.setOnClickListener { save() }
        buttons.add(save, 0, WRAP, 1f)
        val share = button(R.style.Button_Filled, R.string.share, R.drawable.ic_share)
        share.id = R.id.share
        share.setOnClickListener { share() }
        buttons.add(share, 0, WRAP, 1f)
        if (wide) {
            controls.add(buttons)
            val both = row(R.dimen.three)
            both.gravity = Gravity.TOP
            both.add(picture, 0, WRAP, 1f)
            both.add(controls, 0, WRAP, 1f)
            screen(title, both.breathing(), wide = true)
        } else {
            val content = column(R.dimen.two)
            content.add(picture)
            content.add(controls)
            screen(title, content.breathing(), buttons.breathing())
        }
        fresh = false
    }

    private fun compare(outcome: Outcome): View = CompareView(this).apply {
        id = R.id.compare
        val (before, after) = if (view == R.id.view_photo) Pair(outcome.photo.before, outcome.photo.after) else Pair(outcome.face.before, outcome.face.after)
        show(PhotoDecoder.toBitmap(before), PhotoDecoder.toBitmap(after), reveal = fresh)
    }

    private fun why(outcome: Outcome): View {
        val content = column(R.dimen.two)
        content.id = R.id.heatmaps
        content.add(heading(text(R.style.Text_Title, R.string.why_title)))
        if (outcome.face.exemplars.isEmpty()) {
            content.add(text(R.style.Text_Body, R.string.why_empty))
            return content
        }
        content.add(text(R.style.Text_Body, R.string.why_text).apply { setTextColor(getColor(R.color.ink_2)) })
        val maps = row(R.dimen.one)
        maps.gravity = Gravity.TOP
        val slots = outcome.face.weights.size / (outcome.face.lr.width * outcome.face.lr.height)
        outcome.face.exemplars.forEachIndexed { i, index ->
            val (map, mean) = Pictures.heatmap(outcome.face.after, outcome.face.weights, i, slots, outcome.face.exemplars.size)
            val percent = (mean * 100 + 0.5f).toInt()
            val one = column(R.dimen.half)
            val tile = Tile(this, PhotoDecoder.toBitmap(map), smooth = true)
            tile.contentDescription = getString(R.string.heatmap_description, index + 1, percent)
            one.add(tile)
            one.add(text(R.style.Text_Caption, getString(R.string.counted, index + 1, percent)))
            maps.add(one, 0, WRAP, 1f)
        }
        content.add(maps, MATCH, WRAP)
        return content
    }

    private fun whose(looked: Looked, outcome: Outcome): View {
        val choices = listOf(R.id.whose_mine to R.string.whose_mine, R.id.whose_other to R.string.whose_other)
        return segments(choices, if (outcome.own) R.id.whose_mine else R.id.whose_other) {
            owner = if (it == R.id.whose_mine) face else -1
            restore(looked, face)
        }
    }

    private fun explanation(outcome: Outcome): TextView {
        val count = outcome.face.exemplars.size
        val said = when {
            outcome.face.isLarge -> getString(R.string.used_large)
            !outcome.own && outcome.remembered > 0 -> getString(R.string.used_other)
            count == 0 -> getString(R.string.used_none)
            else -> resources.getQuantityString(R.plurals.used, count, count)
        }
        return text(R.style.Text_Body, said).apply { id = R.id.caption }
    }

    private fun switch(looked: Looked, outcome: Outcome): View {
        val line = row(R.dimen.two)
        val latency = text(R.style.Text_Label, getString(R.string.latency, outcome.face.millis))
        latency.id = R.id.latency
        latency.setTextColor(getColor(R.color.ink_2))
        if (booth.available.size < 2) {
            line.add(text(R.style.Text_Caption, R.string.precision_only), 0, WRAP, 1f)
        } else {
            val choices = listOf(R.id.precision_int8 to R.string.precision_int8, R.id.precision_float to R.string.precision_float)
            val chosen = if (outcome.precision == Precision.INT8) R.id.precision_int8 else R.id.precision_float
            line.add(segments(choices, chosen) {
                booth.precision = if (it == R.id.precision_int8) Precision.INT8 else Precision.FLOAT
                restore(looked, face)
            }, 0, WRAP, 1f)
        }
        if (booth.timed) line.addView(latency)
        return line
    }

    private fun result(): Bitmap? = outcome?.let { PhotoDecoder.toBitmap(if (view == R.id.view_photo) it.photo.after else it.face.after) }

    private fun save() = startActivityForResult(
        Intent(Intent.ACTION_CREATE_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE).setType("image/png").putExtra(Intent.EXTRA_TITLE, "face.png"), SAVE,
    )

    private fun share() {
        val bitmap = result() ?: return
        val file = File(booth.shareFolder, "face.png")
        work({
            booth.shareFolder.mkdirs()
            file.outputStream().use { bitmap.writePng(it) }
        }, { show(it, ::start) }) {
            val address = ShareProvider.address(file)
            val send = Intent(Intent.ACTION_SEND).setType("image/png").putExtra(Intent.EXTRA_STREAM, address)
                .addFlags(Intent.FLAG_GRANT_READ_URI_PERMISSION)
            send.clipData = ClipData.newRawUri("", address)
            startActivity(Intent.createChooser(send, null))
        }
    }

    /** A stream that fails makes `compress` answer false, and throws nothing. */
    private fun Bitmap.writePng(stream: java.io.OutputStream) {
        if (!compress(Bitmap.CompressFormat.PNG, 100, stream)) throw java.io.IOException("the picture was not written")
    }

    @Deprecated("the platform's way")
    @Suppress("DEPRECATION")
    override fun onActivityResult(request: Int, result: Int, data: Intent?) {
        super.onActivityResult(request, result, data)
        val uri = data?.data
        val bitmap = result()
        if (request != SAVE || result != RESULT_OK || uri == null || bitmap == null) return
        work({
            val stream = contentResolver.openOutputStream(uri, "wt") ?: throw java.io.IOException("no stream")
            stream.use { bitmap.writePng(it) }
        }, { show(it, ::start) }) { Toast.makeText(this, R.string.saved, Toast.LENGTH_SHORT).show() }
    }

    companion object {
        const val NEW = "new"
        private const val SAVE = 3
    }
}
