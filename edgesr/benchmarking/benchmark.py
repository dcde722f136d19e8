"""Milliseconds and memory of networks on their runtimes, measured side by side.

Each network lives in a process of its own, so threads and peak memory are its own. The processes take turns, in
an order that is reversed every round: a machine that slows down or is shared slows all of them alike, and the
ratio to the first row is taken round by round. What is timed is the engine on inputs in the artifact's own
layout; converting photos to and from that layout is not.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from edgesr import errors
from edgesr.errors import EdgesrError, UsageError

GRAPHS = ("encode", "restore")
BURST = 3
"""Timed runs of a graph in one turn; an untimed one before them brings its memory back into the caches."""


@dataclasses.dataclass(frozen=True)
class BenchRow:
    """One graph of one network."""

    name: str
    precision: str
    lowering: str | None
    """None for a checkpoint."""
    runtime: str
    lr_size: int
    scale: int
    slots: int
    graph: str
    """``encode`` or ``restore``."""
    threads: int
    runs: int
    ms_median: float
    ms_p10: float
    ms_p90: float
    ratio: float
    """To the first row of the same graph; ``ratio_p10`` and ``ratio_p90`` over the rounds."""
    ratio_p10: float
    ratio_p90: float
    peak_mib: float
    """Largest resident memory above that of Python, NumPy and PyTorch, which every process has loaded."""
    process_mib: float
    """With them."""

    def to_dict(self) -> dict[str, Any]:
        """As the JSON has it."""
        return dataclasses.asdict(self)


def bench_bundles(
    paths: Sequence[str | Path],
    runs: int = 30,
    threads: int = 1,
    report: Callable[[str], None] = lambda stage: None,
) -> list[BenchRow]:
    """Two rows (``encode``, ``restore``) for each bundle, or checkpoint by name or path.

    ``runs`` are at least so many measured runs of each graph.

    Raises:
        UsageError: nothing to measure, or ``runs`` or ``threads`` below 1.
        EdgesrError: what opening or running a network raised, or that its process died.
    """
    if not paths:
        raise UsageError("nothing to measure", "give one bundle or checkpoint, or several to compare")
    if runs < 1 or threads < 1:
        raise UsageError(f"{runs} runs on {threads} threads cannot be measured", "both are at least 1")
    rounds = -(-runs // BURST)
    with contextlib.ExitStack() as stack:
        report(f"opening {len(paths)} network{'s' if len(paths) > 1 else ''}")
        workers = [stack.enter_context(_Worker(str(path), threads)) for path in paths]
        described = [worker.ask("open") for worker in workers]
        milliseconds: dict[str, list[list[list[float]]]] = {graph: [[] for _ in paths] for graph in GRAPHS}
        for i in range(rounds):
            if i % max(1, rounds // 10) == 0:
                report(f"round {i + 1} of {rounds}")
            for graph in GRAPHS:
                turns = list(zip(workers, milliseconds[graph], strict=True))
                for worker, taken in turns if i % 2 == 0 else turns[::-1]:
                    taken.append(worker.ask("run", graph=graph, count=BURST)["milliseconds"])
        memory = [worker.ask("memory") for worker in workers]
    return [
        BenchRow(**described[k], graph=graph, threads=threads, **_figures(taken[k], taken[0]), **memory[k])
        for k in range(len(paths))
        for graph, taken in milliseconds.items()
    ]


def _figures(rounds: list[list[float]], first: list[list[float]]) -> dict[str, Any]:
    """Quantiles of all runs, and of the rounds' ratios to the first network."""
    p10, median, p90 = np.percentile(np.concatenate(rounds), [10, 50, 90])
    ratios = np.median(rounds, axis=1) / np.median(first, axis=1)
    ratio_p10, ratio, ratio_p90 = np.percentile(ratios, [10, 50, 90])
    figures = {"ms_median": median, "ms_p10": p10, "ms_p90": p90}
    figures |= {"ratio": ratio, "ratio_p10": ratio_p10, "ratio_p90": ratio_p90}
    return {"runs": sum(map(len, rounds))} | {k: round(float(v), 4) for k, v in figures.items()}


@dataclasses.dataclass
class _Worker:
    """The process of one network (``edgesr.benchmarking.worker``), asked in JSON lines over its pipes."""

    network: str
    threads: int

    def __enter__(self) -> _Worker:
        # Engines print what they like on stderr; its end tells why a process died.
        self._log: IO[bytes] = tempfile.TemporaryFile()
        limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(self.threads))
        root = str(Path(__file__).parent.parent.parent)  # also where edgesr is used from a checkout, in any folder
        path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "edgesr.benchmarking.worker", self.network, str(self.threads)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                text=True,
                env={**os.environ, **limits, "PYTHONPATH": path},
                start_new_session=True,  # Ctrl-C reaches us alone, and __exit__ ends the processes
            )
        except OSError as error:
            self._log.close()
            raise EdgesrError(f"cannot start a process for {self.network}: {error.strerror}") from error
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._log):
            with contextlib.suppress(BrokenPipeError):  # an unsent question is flushed on closing
                stream.close()  # type: ignore[union-attr]

    def ask(self, question: str, **arguments: Any) -> dict[str, Any]:
        """The worker's answer; an error it reports is raised here as what it was there."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(json.dumps({"question": question, **arguments}) + "\n")
            stdin.flush()
            line = stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise self._death()
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            kind = getattr(errors, answer["kind"], EdgesrError)
            raise kind(answer["error"], answer["hint"])
        return answer

    def _death(self) -> EdgesrError:
        code = self._process.wait()
        self._log.seek(0)
        said = self._log.read()[-2000:].decode(errors="replace").strip().splitlines()
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return EdgesrError(
            f"the process measuring {self.network} died ({how})" + (f": {said[-1]}" if said else ""),
            "it may have run out of memory; edgesr verify tells whether the bundle works",
        )
