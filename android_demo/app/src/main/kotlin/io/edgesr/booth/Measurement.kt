package io.edgesr.booth

import android.os.Build
import android.os.Debug
import io.edgesr.core.Json
import io.edgesr.core.Pixels
import io.edgesr.engine.Engine
import io.edgesr.engine.Latency

/** Milliseconds of one graph of one network on this device. */
class Measured(
    val precision: String,
    val graph: String,
    val latency: Latency,
    val runtime: String,
    /** What the app took more than before the network was opened; null where that cannot be told. */
    val memoryMib: Double?,
    val runs: Int,
    val checkpointSha256: String,
)

/** Runs both graphs of the networks, and writes what `edgesr report --device-results` reads. */
object Measurement {
    private const val WARM_UP = 10
    private const val RUNS = 50

    /** The graphs of the network that [open] gives, the restorer with every slot taken. */
    fun measure(runs: Int = RUNS, started: (String) -> Unit = {}, open: () -> Engine): List<Measured> {
        val before = Debug.getPss()
        return open().use { measure(it, before, runs, started) }
    }

    private fun measure(engine: Engine, before: Long, runs: Int, started: (String) -> Unit): List<Measured> {
        val manifest = engine.manifest
        val exemplar = noise(manifest.hrSize)
        val lr = noise(manifest.lrSize)
        started("encode")
        val features = engine.encode(exemplar).value
        val empty = manifest.emptyGallery()
        val stored = manifest.section.pack(features)
        val gallery = empty.with(
            List(manifest.slots) {
                val label = io.edgesr.core.Label(it.toString(16).repeat(64), emptyMap(), emptyMap())
                empty.entry(0, stored, FloatArray(io.edgesr.core.Descriptor.SIZE), label)
            },
        )
        val encode = Latency.measure(WARM_UP, runs) { engine.encode(exemplar).millis }
        started("restore")
        val all = gallery.entries.indices.toList()
        val restore = Latency.measure(WARM_UP, runs) { engine.restore(lr, gallery, all).millis }
        val memory = (Debug.getPss() - before) / 1024.0
        return listOf("encode" to encode, "restore" to restore).map { (graph, latency) ->
            Measured(manifest.precision, graph, latency, engine.runtime.lowercase(), memory.takeIf { it > 0 }, runs, manifest.checkpointSha256)
        }
    }

    private fun noise(side: Int) = Pixels(side, side).also { java.util.Random(7).nextBytes(it.rgb) }

    /** The JSON of all [rows], as `docs/report.md` describes it. */
    fun toJson(rows: List<Measured>, version: String): String {
        val results = rows.map { row ->
            linkedMapOf<String, Any?>(
                "runtime" to row.runtime, "unit" to "cpu", "precision" to row.precision, "graph" to row.graph,
                "ms_median" to rounded(row.latency.median), "ms_p10" to rounded(row.latency.p10),
                "ms_p90" to rounded(row.latency.p90), "runs" to row.runs,
                "memory_mib" to row.memoryMib?.let(::rounded), "checkpoint_sha256" to row.checkpointSha256,
            )
        }
        return Json.compact(
            linkedMapOf(
                "format" to "edgesr-device-results", "format_version" to 1, "device" to "${Build.MANUFACTURER} ${Build.MODEL}",
                "os" to "Android ${Build.VERSION.RELEASE}", "app" to "edgesr booth $version", "results" to results,
            ),
        ) + "\n"
    }

    private fun rounded(value: Double) = Math.rint(value * 1000) / 1000
}
