"""Latencies of a report's rows, measured in one run and kept for the same set of networks."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edgesr.benchmarking.benchmark import bench_bundles
from edgesr.errors import InputOutputError
from edgesr.files.atomic import file_aside
from edgesr.files.reading import read_json

KEYS = ("ms_median", "ms_p10", "ms_p90", "ratio", "ratio_p10", "ratio_p90", "peak_mib", "threads", "runs")


def with_latency(
    rows: Sequence[dict[str, Any]],
    work: Path,
    runs: int,
    threads: int,
    say: Callable[[str], None],
) -> None:
    """Add each executed row's milliseconds of the restorer, the ratio to the first, memory, and the encoder's median.

    Ratios of separate runs cannot be compared, so what was measured before counts only for just these networks.
    """
    timed = [row for row in rows if row["executed"]]
    if not timed:
        return
    name = hashlib.sha256(json.dumps([[row["bundle_key"] for row in timed], runs, threads]).encode()).hexdigest()
    kept = work / f"latency-{name[:16]}.json"
    found: list[dict[str, Any]] = []
    with contextlib.suppress(InputOutputError):
        found = read_json(kept)
    if not found:
        found = bench_bundles([row["bundle_folder"] for row in timed], runs=runs, threads=threads, report=say)
        with file_aside(kept) as aside:
            aside.write_text(json.dumps(found))
    for i, row in enumerate(timed):
        of_row = {graph["graph"]: graph for graph in found[2 * i : 2 * i + 2]}
        row.update({key: of_row["restore"][key] for key in KEYS})
        row["encode_ms_median"] = of_row["encode"]["ms_median"]
