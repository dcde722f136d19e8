package io.edgesr.engine

import java.util.concurrent.Executor
import java.util.concurrent.Executors
import java.util.concurrent.RejectedExecutionException

/** One thread on which everything slow happens, in the order in which it was asked for. */
class EngineWorker : Executor {
    private val executor = Executors.newSingleThreadExecutor { task -> Thread(task, "edgesr").apply { isDaemon = true } }

    override fun execute(task: Runnable) {
        try {
            executor.execute(task)
        } catch (_: RejectedExecutionException) {
            // It was shut down between the question and now: nobody waits for the answer.
        }
    }

    /** Do [work] here and give what came of it to [deliver] on [where]. */
    fun <T> submit(where: Executor, work: () -> T, deliver: (Result<T>) -> Unit) = execute {
        val result = runCatching(work)
        where.execute { deliver(result) }
    }

    fun shutdown() {
        executor.shutdown()
    }
}
