"""Benchmarks: honest rows, the worker's errors as our own, and no process left behind."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from conftest import TINY

from edgesr.benchmarking.benchmark import _figures, bench_bundles
from edgesr.errors import CheckpointError, EdgesrError, UsageError

PROMISED = {
    "name",
    "runtime",
    "precision",
    "graph",
    "ms_median",
    "ms_p10",
    "ms_p90",
    "ratio",
    "threads",
    "peak_mib",
}


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """After every test here, whether it raised or not."""
    before = set(psutil.Process().children())
    yield
    assert set(psutil.Process().children()) <= before


def test_rows_hold_what_is_promised(tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A worker must import our libraries, whatever lies in the folder it is started from.
    (tmp_path / "numpy.py").write_text("raise SystemExit('imported the wrong numpy')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)  # it may hold "."
    said: list[str] = []
    here = os.path.relpath(tiny_checkpoint)
    rows = [row.to_dict() for row in bench_bundles([tiny_checkpoint, here], runs=7, threads=2, report=said.append)]
    assert json.loads(json.dumps(rows)) == rows
    assert [row["graph"] for row in rows] == ["encode", "restore"] * 2
    for row in rows:
        assert set(row) >= PROMISED
        assert (row["name"], row["runtime"], row["precision"], row["threads"]) == ("tiny", "torch", "fp32", 2)
        assert (row["lr_size"], row["scale"], row["slots"]) == (TINY.lr_size, TINY.scale, TINY.slots)
        assert row["runs"] >= 7
        assert 0 < row["ms_p10"] <= row["ms_median"] <= row["ms_p90"]
        assert 0 < row["peak_mib"] < row["process_mib"]
    assert [row["ratio"] for row in rows[:2]] == [1.0, 1.0]
    assert all(math.isfinite(row["ratio"]) and row["ratio"] > 0 for row in rows)
    assert said[0] == "opening 2 networks"
    assert said[-1] == "round 3 of 3"


def test_a_ratio_is_taken_round_by_round_so_that_a_drifting_machine_cancels_out() -> None:
    first = [[10.0, 10.0, 11.0], [100.0, 100.0, 90.0], [20.0, 20.0, 20.0]]
    twice_as_slow = [[2 * ms for ms in round_] for round_ in first]
    figures = _figures(twice_as_slow, first)
    assert (figures["ratio"], figures["ratio_p10"], figures["ratio_p90"]) == (2.0, 2.0, 2.0)
    assert (figures["runs"], figures["ms_median"]) == (9, 40.0)


def test_a_bundle_is_measured_on_its_engine(tiny_checkpoint: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install 'edgesr[onnx]'")
    pytest.importorskip("onnxscript", reason="needs onnxscript: pip install 'edgesr[onnx]'")
    from edgesr.convert.pipeline import convert, plan

    chosen = plan("onnx", checkpoint=tiny_checkpoint, precision="fp32", lowering="rows", output=tmp_path / "bundle")
    convert(chosen)
    rows = bench_bundles([tmp_path / "bundle"], runs=1)
    assert [row.graph for row in rows] == ["encode", "restore"]
    assert (rows[0].name, rows[0].runtime) == ("bundle", "onnxruntime")
    assert (rows[0].precision, rows[0].lowering) == ("fp32", "rows")


def test_an_error_of_one_network_is_raised_as_it_was(tiny_checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no checkpoint .*missing") as failure:
        bench_bundles([tiny_checkpoint, tmp_path / "missing"])
    assert failure.value.hint
    assert failure.value.exit_code == 5


def test_ctrl_c_ends_every_process(tiny_checkpoint: Path) -> None:
    def interrupt(stage: str) -> None:
        if stage.startswith("round 1"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench_bundles([tiny_checkpoint] * 2, report=interrupt)


def test_a_process_that_dies_is_an_error_with_a_name(tiny_checkpoint: Path) -> None:
    def kill(stage: str) -> None:
        if stage.startswith("round 2"):
            psutil.Process().children()[0].kill()

    with pytest.raises(EdgesrError, match=r"the process measuring .*tiny died \(signal 9\)"):
        bench_bundles([tiny_checkpoint], report=kill)


@pytest.mark.parametrize(("paths", "runs", "threads"), [([], 1, 1), (["x"], 0, 1), (["x"], 1, 0)])
def test_a_call_that_measures_nothing_is_refused(paths: list[str], runs: int, threads: int) -> None:
    with pytest.raises(UsageError):
        bench_bundles(paths, runs, threads)
