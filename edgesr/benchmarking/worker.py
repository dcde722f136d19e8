"""The process of one network in a benchmark: answers the questions of ``edgesr.benchmarking.benchmark`` over its pipes.

Run as ``python -m edgesr.benchmarking.worker NETWORK THREADS``. A question and its answer are a JSON line each:
``open`` -> the row's description, ``run`` (``graph``, ``count``) -> ``milliseconds``, ``memory`` -> the peak.
It ends with its stdin, so it never outlives whoever asks.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from edgesr.errors import EdgesrError
from edgesr.files.places import expanded
from edgesr.runtime.base import GraphRuntime, Runtime, fill_slots, restorer_inputs, timed

MIB = 2**20


class Worker:
    """One network, opened on the first question."""

    def __init__(self, network: str, threads: int) -> None:
        self.network = network
        self.threads = threads
        self.graphs: dict[str, Callable[[int], list[float]]] = {}
        self.before = 0

    def answer(self, question: str, **arguments: Any) -> dict[str, Any]:
        """The answer to one question; raises what the network raises."""
        known: dict[str, Callable[..., dict[str, Any]]] = {"open": self.open, "run": self.run, "memory": self.memory}
        return known[question](**arguments)

    def open(self) -> dict[str, Any]:
        """Load the network, run each graph once, and describe it."""
        import torch

        import edgesr.bundle
        import edgesr.models  # noqa: F401

        torch.set_num_threads(self.threads)
        self.before = psutil.Process().memory_info().rss
        runtime, described = open_runtime(self.network, self.threads)
        self.graphs = prepared(runtime)
        interface = runtime.interface
        sizes = {"lr_size": interface.lr_size, "scale": interface.scale, "slots": interface.slots}
        return {**described, "runtime": runtime.name, **sizes}

    def run(self, graph: str, count: int) -> dict[str, Any]:
        """Milliseconds of ``count`` runs after an untimed one."""
        return {"milliseconds": self.graphs[graph](count)}

    def memory(self) -> dict[str, Any]:
        """Largest resident memory so far in MiB: above what was there before the network, and all of it.

        Processes that an engine started (a browser) count; they had their peaks at other moments, so it is a bound.
        """
        peak = peak_bytes()
        for started in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error, OSError):  # it may have ended by now
                peak += peak_bytes(started)
        return {"peak_mib": round((peak - self.before) / MIB, 1), "process_mib": round(peak / MIB, 1)}


def open_runtime(network: str, threads: int) -> tuple[Runtime, dict[str, Any]]:
    """The runtime of a bundle, or of a checkpoint by name or path, and what its row says about it."""
    import edgesr
    from edgesr.bundle import MANIFEST, open_bundle
    from edgesr.models import load_checkpoint

    folder = expanded(network)
    if (folder / MANIFEST).is_file():
        bundle = open_bundle(folder)
        described = {key: bundle.manifest[key] for key in ("precision", "lowering")}
        return bundle.runtime(threads), {"name": folder.resolve().name, **described}
    checkpoint = load_checkpoint(network, quantized=True)
    precision = "fp32" if checkpoint.quantization is None else "int8, simulated"
    return edgesr.load(network).runtime, {"name": checkpoint.name, "precision": precision, "lowering": None}


def prepared(runtime: Runtime) -> dict[str, Callable[[int], list[float]]]:
    """For each graph what times a number of runs, on inputs that are ready for it: noise, every slot filled."""
    interface = runtime.interface
    random = np.random.default_rng(0)
    exemplar = random.random((interface.hr_size, interface.hr_size, 3), np.float32)
    lr = random.random((interface.lr_size, interface.lr_size, 3), np.float32)
    features, valid = fill_slots([runtime.encode(exemplar)] * interface.slots, interface)
    runtime.restore(lr, features, valid)
    if not isinstance(runtime, GraphRuntime):
        return {
            "encode": lambda count: timed(lambda: runtime.encode(exemplar), count),
            "restore": lambda count: timed(lambda: runtime.restore(lr, features, valid), count),
        }
    arrays = {"exemplar": exemplar, **restorer_inputs(interface, lr, features, valid)}

    def ready(graph: str) -> Callable[[int], list[float]]:
        inputs = [spec.from_canonical(arrays[spec.name]) for spec in runtime.specs[graph]["inputs"]]
        return lambda count: runtime.milliseconds(graph, inputs, count)

    return {graph: ready(graph) for graph in ("encode", "restore")}


def peak_bytes(process: psutil.Process | None = None) -> int:
    """Largest resident memory of a process so far: this one, or on Linux another (elsewhere what it has now)."""
    if process is not None and not sys.platform.startswith("linux"):
        return int(process.memory_info().rss)
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Not ru_maxrss: on Linux a new process starts with the peak of the one that started it.
    status = Path(f"/proc/{process.pid if process else 'self'}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def main() -> None:
    """Answer until stdin ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what engines print, from C++ too, is no answer
    worker = Worker(sys.argv[1], int(sys.argv[2]))
    for line in sys.stdin:
        try:
            answer = worker.answer(**json.loads(line))
        except EdgesrError as error:
            answer = {"error": error.what, "hint": error.hint, "kind": type(error).__name__}
        except Exception as error:
            # Engines raise anything; the network is named, since several are measured at once.
            answer = {"error": f"{worker.network}: {error}", "hint": "", "kind": "EdgesrError"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
