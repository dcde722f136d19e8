package io.edgesr.booth

import android.content.Intent
import android.os.Bundle
import android.view.View
import android.widget.LinearLayout
import android.widget.TextView
import io.edgesr.booth.ui.WRAP
import io.edgesr.booth.ui.add
import io.edgesr.booth.ui.breathing
import io.edgesr.booth.ui.button
import io.edgesr.booth.ui.card
import io.edgesr.booth.ui.column
import io.edgesr.booth.ui.row
import io.edgesr.booth.ui.screen
import io.edgesr.booth.ui.text

/** Behind a long press on the version: what both graphs of both networks cost on this very device. */
class MeasureActivity : BoothActivity() {
    override val title = R.string.measure_title
    private var status: TextView? = null

    /** How often each graph runs; tests need not wait for all of it. */
    var runs = 50
    val rows: List<Measured> get() = booth.measured

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        build()
    }

    private fun build() {
        val content = column(R.dimen.two)
        content.add(text(R.style.Text_Body, R.string.measure_text).apply { setTextColor(getColor(R.color.ink_2)) })
        val list: LinearLayout = column(R.dimen.one)
        list.id = R.id.rows
        for (measured in rows) list.add(cell(measured))
        content.add(list)
        val foot = column(R.dimen.one)
        val line = text(R.style.Text_Label, "")
        line.id = R.id.busy
        line.visibility = View.GONE
        line.textAlignment = View.TEXT_ALIGNMENT_CENTER
        status = line
        foot.add(line)
        val start = button(R.style.Button_Filled, R.string.measure, R.drawable.ic_refresh)
        start.id = R.id.measure
        start.setOnClickListener { measure() }
        foot.add(start)
        if (rows.isNotEmpty()) {
            val export = button(R.style.Button_Tonal, R.string.export, R.drawable.ic_save)
            export.id = R.id.export
            export.setOnClickListener { export() }
            foot.add(export)
        }
        screen(title, content.breathing(), foot.breathing())
    }

    private fun cell(measured: Measured): View {
        val card = card()
        val line = row()
        val words = column()
        words.add(text(R.style.Text_Label, "${measured.graph} \u00b7 ${measured.precision}").apply { textSize = 16f })
        val range = if (booth.timed) getString(R.string.measure_range, measured.latency.p10, measured.latency.p90) else getString(R.string.measure_untimed)
        words.add(text(R.style.Text_Caption, range))
        line.add(words, 0, WRAP, 1f)
        if (booth.timed) line.addView(text(R.style.Text_Title, getString(R.string.measure_ms, measured.latency.median)))
        card.add(line)
        return card
    }

    private fun measure() {
        booth.measured = emptyList()
        next(booth.available)
    }

    private fun next(left: List<Precision>) {
        val precision = left.firstOrNull() ?: return build()
        fun started(graph: String) = booth.main.execute {
            status?.visibility = View.VISIBLE
            status?.text = getString(R.string.measuring, graph, name(precision))
        }
        work({ Measurement.measure(runs, ::started) { booth.open(precision) } }, { show(it, ::recreate) }) {
            booth.measured = rows + it
            next(left.drop(1))
        }
    }

    private fun name(precision: Precision) = getString(if (precision == Precision.INT8) R.string.precision_int8 else R.string.precision_float)

    private fun export() = startActivityForResult(
        Intent(Intent.ACTION_CREATE_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE).setType("application/json").putExtra(Intent.EXTRA_TITLE, "device-results.json"), EXPORT,
    )

    @Deprecated("the platform's way")
    @Suppress("DEPRECATION")
    override fun onActivityResult(request: Int, result: Int, data: Intent?) {
        super.onActivityResult(request, result, data)
        val uri = data?.data
        if (request != EXPORT || result != RESULT_OK || uri == null) return
        val version = packageManager.getPackageInfo(packageName, 0).versionName.orEmpty()
        work({
            val stream = contentResolver.openOutputStream(uri, "wt") ?: throw java.io.IOException("no stream")
            stream.use { it.write(Measurement.toJson(rows, version).toByteArray()) }
        }) { android.widget.Toast.makeText(this, R.string.saved, android.widget.Toast.LENGTH_SHORT).show() }
    }

    private companion object {
        const val EXPORT = 5
    }
}
