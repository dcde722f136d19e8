"""``edgesr bench``."""

from __future__ import annotations

from pathlib import Path

import click

from edgesr.cli import early, output, progress
from edgesr.cli.path import PATH
from edgesr.errors import UnavailableError
from edgesr.process import extras


@click.command("bench")
@click.argument("bundle", nargs=-1, required=True, type=PATH)
@click.option("--runs", default=30, show_default=True, type=click.IntRange(3, 10_000), help="Measured runs of a graph.")
@click.option("--threads", default=1, show_default=True, type=click.IntRange(1, 64), help="Of each BUNDLE.")
@output.json_option
def command(bundle: tuple[Path, ...], runs: int, threads: int, as_json: bool) -> None:
    """Time both graphs of each BUNDLE (or checkpoint), in turn, in one run.

    Machines are shared and noisy: compare the ratios to the first row, not milliseconds of different runs.
    Each bundle runs in a process of its own, so threads and peak memory are its own:
    the largest above that of Python, NumPy and PyTorch, which each of them has loaded. What a phone's app takes is
    to be measured on the phone.
    """
    if not extras.has_torch():  # which a process of its own would say in other words
        raise UnavailableError("edgesr bench needs PyTorch, which is not installed", extras.install_hint("convert"))
    from edgesr.benchmarking.benchmark import bench_bundles

    for path in bundle:
        early.network(path)
    with progress.stages("bench") as report:
        rows = bench_bundles(list(bundle), runs=runs, threads=threads, report=report)
    if as_json:
        output.write_json({"rows": [row.to_dict() for row in rows]})
        return
    output.table(
        ("name", "runtime", "precision", "graph", "median ms", "p10", "p90", "ratio", "threads", "peak MiB"),
        [
            (
                row.name,
                row.runtime,
                row.precision,
                row.graph,
                f"{row.ms_median:.2f}",
                f"{row.ms_p10:.2f}",
                f"{row.ms_p90:.2f}",
                f"{row.ratio:.2f}",
                row.threads,
                f"{row.peak_mib:.0f}",
            )
            for row in rows
        ],
    )
