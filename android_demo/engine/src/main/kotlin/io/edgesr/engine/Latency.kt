package io.edgesr.engine

import kotlin.math.roundToInt

/** Milliseconds of one graph over many runs. */
class Latency(millis: List<Double>) {
    private val sorted = millis.sorted()
    val median: Double get() = at(0.5)
    val p10: Double get() = at(0.1)
    val p90: Double get() = at(0.9)

    private fun at(share: Double): Double = sorted[(share * (sorted.size - 1)).roundToInt()]

    companion object {
        /** [runs] runs after [warmUp] that do not count; [run] gives the milliseconds of one. */
        fun measure(warmUp: Int, runs: Int, run: () -> Double): Latency {
            repeat(warmUp) { run() }
            return Latency(List(runs) { run() })
        }
    }
}
