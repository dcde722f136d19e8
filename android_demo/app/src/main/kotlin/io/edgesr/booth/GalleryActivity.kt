package io.edgesr.booth

import android.app.AlertDialog
import android.content.Intent
import android.net.Uri
import android.os.Bundle
import android.view.View
import android.widget.GridLayout
import android.widget.ImageView
import android.widget.LinearLayout
import android.widget.TextView
import io.edgesr.booth.ui.MATCH
import io.edgesr.booth.ui.Pictures
import io.edgesr.booth.ui.StateView
import io.edgesr.booth.ui.Tile
import io.edgesr.booth.ui.WRAP
import io.edgesr.booth.ui.add
import io.edgesr.booth.ui.breathing
import io.edgesr.booth.ui.button
import io.edgesr.booth.ui.card
import io.edgesr.booth.ui.column
import io.edgesr.booth.ui.dp
import io.edgesr.booth.ui.faceGrid
import io.edgesr.booth.ui.row
import io.edgesr.booth.ui.screen
import io.edgesr.booth.ui.size
import io.edgesr.booth.ui.text
import io.edgesr.core.Gallery
import io.edgesr.core.Pixels
import io.edgesr.engine.PhotoDecoder

/** The photos that were learned from: add several, see why one was refused, forget one, delete everything. */
class GalleryActivity : BoothActivity() {
    override val title = R.string.gallery_title

    /** Names and reasons of photos that were not used, since the screen was opened. */
    private val refused = ArrayList<Pair<String, Int>>()
    private var status: TextView? = null
    private class Unsure(val uri: Uri, val which: Int?, val face: Pixels) {
        operator fun component1() = uri
        operator fun component2() = which
    }

    /** Photos that were chosen and are not decided yet, and those of them that only a person can judge. */
    private val pending = ArrayList<Uri>()
    private val unsure = ArrayList<Unsure>()
    private var question: AlertDialog? = null

    /** Photos in the gallery before these, and those of these that are in it by now. */
    private var remembered = 0
    private var added = 0
    private var waiting = 0
    private var done = 0

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        val names = state?.getStringArrayList("names").orEmpty()
        val reasons = state?.getIntegerArrayList("reasons").orEmpty()
        refused += names.zip(reasons)
        refresh()
        // A turned screen asks again: whatever was learned by then is known.
        state?.getStringArrayList("pending")?.takeIf { it.isNotEmpty() }?.let { learn(it.map(Uri::parse)) }
    }

    override fun onSaveInstanceState(state: Bundle) {
        super.onSaveInstanceState(state)
        state.putStringArrayList("names", ArrayList(refused.map { it.first }))
        state.putIntegerArrayList("reasons", ArrayList(refused.map { it.second }))
        state.putStringArrayList("pending", ArrayList(pending.map { it.toString() }))
    }

    private fun refresh(): Unit = work({ booth.gallery() }, { show(it, ::refresh) }) {
        clearProblem()
        show(it)
    }

    private fun show(gallery: Gallery) {
        val content = column(R.dimen.two)
        if (gallery.entries.isEmpty()) {
            content.gravity = android.view.Gravity.CENTER_VERTICAL
            content.add(StateView(this, R.drawable.ic_photos, R.string.empty_gallery, R.string.empty_gallery_text, R.string.add_photos, run = ::ask))
        } else {
            content.add(text(R.style.Text_Body, R.string.gallery_text).apply { setTextColor(getColor(R.color.ink_2)) })
            content.add(grid(gallery))
                .let { (it.layoutParams as LinearLayout.LayoutParams).setMargins(dp(-4), 0, dp(-4), 0) }
        }
        if (refused.isNotEmpty()) content.add(reasons())
        val line = text(R.style.Text_Label, "")
        line.id = R.id.busy
        line.accessibilityLiveRegion = View.ACCESSIBILITY_LIVE_REGION_POLITE
        line.textAlignment = View.TEXT_ALIGNMENT_CENTER
        status = line
        val foot = column(R.dimen.one)
        foot.add(line)
        if (gallery.entries.isNotEmpty()) {
            val add = button(R.style.Button_Filled, R.string.add_photos, R.drawable.ic_plus)
            add.id = R.id.add
            add.setOnClickListener { ask() }
            foot.add(add)
            val wipe = button(R.style.Button_Plain, R.string.wipe)
            wipe.id = R.id.wipe
            wipe.setOnClickListener { confirmWipe(gallery.entries.size) }
            foot.add(wipe)
        }
        screen(R.string.gallery_title, content.breathing(), foot.breathing(), wide = true)
        progress()
    }

    private fun grid(gallery: Gallery): View {
        val grid = GridLayout(this)
        grid.id = R.id.grid
        grid.columnCount = if (resources.configuration.screenWidthDp >= 600) 5 else 3
        gallery.entries.forEachIndexed { i, entry ->
            val sharp = ((entry.label.quality["sharpness"] ?: 0) / 10).toInt().coerceIn(0, 100)
            val cell = column(R.dimen.half)
            cell.add(Tile(this, PhotoDecoder.toBitmap(Pictures.remembered(entry.descriptor)), smooth = false))
            cell.add(text(R.style.Text_Label, getString(R.string.photo_n, i + 1)))
            cell.add(text(R.style.Text_Caption, getString(R.string.sharpness, sharp)))
            cell.isClickable = true
            cell.isFocusable = true
            cell.contentDescription = getString(R.string.photo_description, i + 1, sharp)
            cell.setOnClickListener { confirmRemove(i) }
            val space = dp(4)
            val place = GridLayout.LayoutParams(GridLayout.spec(GridLayout.UNDEFINED), GridLayout.spec(GridLayout.UNDEFINED, 1f))
            place.width = 0
            place.setMargins(space, space, space, space)
            grid.addView(cell, place)
        }
        // Empty cells keep the others in their columns.
        repeat((grid.columnCount - gallery.entries.size % grid.columnCount) % grid.columnCount) {
            val place = GridLayout.LayoutParams(GridLayout.spec(GridLayout.UNDEFINED), GridLayout.spec(GridLayout.UNDEFINED, 1f))
            place.width = 0
            grid.addView(View(this), place)
        }
        return grid
    }

    private fun reasons(): View {
        val card = card(R.dimen.two)
        card.id = R.id.refused
        card.add(heading(text(R.style.Text_Label, R.string.refused_title)))
        for ((name, reason) in refused) {
            val line = row(R.dimen.two)
            line.gravity = android.view.Gravity.TOP
            val icon = ImageView(this)
            icon.setImageResource(R.drawable.ic_alert)
            icon.setColorFilter(getColor(R.color.accent))
            line.addView(icon, LinearLayout.LayoutParams(size(R.dimen.three), size(R.dimen.three)))
            val words = column()
            words.add(text(R.style.Text_Label, name).apply { isSingleLine = true; ellipsize = android.text.TextUtils.TruncateAt.MIDDLE })
            words.add(text(R.style.Text_Body, reason).apply { textSize = 14f; setTextColor(getColor(R.color.ink_2)) })
            line.add(words, 0, WRAP, 1f)
            card.add(line, MATCH, WRAP)
        }
        return card
    }

    private fun ask() = startActivityForResult(picker(MOST), SEVERAL)

    @Deprecated("the platform's way")
    @Suppress("DEPRECATION")
    override fun onActivityResult(request: Int, result: Int, data: Intent?) {
        super.onActivityResult(request, result, data)
        if (request != SEVERAL || result != RESULT_OK || data == null) return
        val clip = data.clipData
        val uris = if (clip != null) List(clip.itemCount) { clip.getItemAt(it).uri } else listOfNotNull(data.data)
        refused.clear()
        learn(uris)
    }

    private fun learn(uris: List<Uri>) {
        pending.clear()
        pending += uris
        unsure.clear()
        added = 0
        waiting = uris.size
        done = 0
        work({ booth.gallery().entries.size }, { failed(it) }) {
            remembered = it
            progress()
            next(0)
        }
    }

    /** Look at one photo after the other; of those that nothing here can judge, ask at the end. */
    private fun next(index: Int) {
        val uri = pending.getOrNull(index) ?: return decide()
        // The first photo of all can only be of whom it shows.
        val sure = remembered == 0 && pending.size == 1
        work({ booth.add(uri, sure = sure) }, { failed(it) }) { take(uri, null, it, sure) { advance(index) } }
    }

    private fun advance(index: Int) {
        done++
        progress()
        next(index + 1)
    }

    private fun take(uri: Uri, which: Int?, examined: Examined, sure: Boolean, go: () -> Unit) {
        when (examined) {
            is Examined.Learned -> added++
            is Examined.Refused -> refused += Pair(nameOf(uri), examined.reason)
            is Examined.Unsure -> unsure += Unsure(uri, which, examined.face)
            is Examined.Several -> return several(uri, examined.faces, sure, go)
        }
        go()
    }

    /** Which of several people a photo is to be learned from. */
    private fun several(uri: Uri, faces: List<Pixels>, sure: Boolean, go: () -> Unit) {
        val name = nameOf(uri)
        var answer: Int? = null
        val dialog = AlertDialog.Builder(this).setTitle(R.string.several_title)
            .setMessage(getString(R.string.several_text, name, faces.size))
            .setNegativeButton(R.string.several_skip, null)
            .create()
        dialog.setView(scrolled(faceGrid(faces, { getString(R.string.face_n, it + 1) }) { i, _ ->
            answer = i
            dialog.dismiss()
        }))
        asked(dialog) {
            val which = answer
            if (which == null) {
                refused += Pair(name, R.string.why_several)
                go()
            } else {
                work({ booth.add(uri, which, sure) }, { failed(it) }) { take(uri, which, it, sure, go) }
            }
        }
    }

    /** Whether the faces that are to be learned are one person's: without an embedder only a person can say. */
    private fun decide() {
        if (unsure.isEmpty()) return finished()
        if (unsure.size == 1 && remembered == 0 && added == 0) return store(unsure.indices.toSet())
        val chosen = unsure.indices.toMutableSet()
        var said = emptySet<Int>()
        val dialog = AlertDialog.Builder(this).setTitle(R.string.alike_title)
            .setMessage(if (remembered + added == 0) R.string.alike_text else R.string.alike_text_more)
            .setNegativeButton(R.string.alike_none, null)
            .setPositiveButton(R.string.alike_yes) { _, _ -> said = chosen }
            .create()
        dialog.setView(scrolled(faceGrid(unsure.map { it.face }, { nameOf(unsure[it].uri) }) { i, tile ->
            if (!chosen.remove(i)) chosen += i
            tile.alpha = if (i in chosen) 1f else LEFT_OUT
            val name = nameOf(unsure[i].uri)
            tile.contentDescription = if (i in chosen) name else getString(R.string.left_out, name)
        }))
        asked(dialog) { store(said) }
    }

    private fun store(chosen: Set<Int>) {
        unsure.forEachIndexed { i, one -> if (i !in chosen) refused += Pair(nameOf(one.uri), R.string.why_other) }
        val left = ArrayDeque(unsure.filterIndexed { i, _ -> i in chosen })
        unsure.clear()
        waiting = left.size
        done = 0
        fun one() {
            progress()
            val (uri, which) = left.removeFirstOrNull() ?: return finished()
            work({ booth.add(uri, which, sure = true) }, { failed(it) }) {
                if (it is Examined.Refused) refused += Pair(nameOf(uri), it.reason)
                done++
                one()
            }
        }
        one()
    }

    private fun finished() {
        pending.clear()
        waiting = 0
        done = 0
        refresh()
    }

    /** Show a question; [then] once it is answered in any way, but not where the screen goes away under it. */
    private fun asked(dialog: AlertDialog, then: () -> Unit) {
        question = dialog
        dialog.setOnDismissListener {
            if (question === dialog) {
                question = null
                then()
            }
        }
        dialog.show()
    }

    override fun onDestroy() {
        val open = question
        question = null
        open?.dismiss()
        super.onDestroy()
    }

    private fun scrolled(grid: View): View = android.widget.ScrollView(this).apply {
        addView(grid)
        setPadding(dp(20), 0, dp(20), 0)
    }

    private fun failed(problem: Problem) {
        pending.clear()
        unsure.clear()
        waiting = 0
        done = 0
        show(problem) { refresh() }
    }

    private fun progress() {
        status?.visibility = if (done < waiting) View.VISIBLE else View.GONE
        status?.text = getString(R.string.adding, done + 1, waiting)
    }

    private fun nameOf(uri: Uri): String {
        val found = runCatching {
            contentResolver.query(uri, arrayOf(android.provider.OpenableColumns.DISPLAY_NAME), null, null, null)?.use {
                if (it.moveToFirst()) it.getString(0) else null
            }
        }.getOrNull()
        return found ?: uri.lastPathSegment ?: uri.toString()
    }

    private fun confirmRemove(index: Int) {
        AlertDialog.Builder(this).setTitle(R.string.remove_title).setMessage(R.string.remove_text)
            .setNegativeButton(R.string.cancel, null)
            .setPositiveButton(R.string.delete) { _, _ -> work({ booth.remove(index) }, { failed(it) }) { refresh() } }
            .show()
    }

    private fun confirmWipe(count: Int) {
        AlertDialog.Builder(this).setTitle(R.string.wipe_title).setMessage(getString(R.string.wipe_text, count))
            .setNegativeButton(R.string.cancel, null)
            .setPositiveButton(R.string.delete) { _, _ ->
                refused.clear()
                work({ booth.wipe() }, { failed(it) }) { refresh() }
            }
            .show()
    }

    private companion object {
        const val SEVERAL = 2
        const val MOST = 20
        const val LEFT_OUT = 0.3f
    }
}
