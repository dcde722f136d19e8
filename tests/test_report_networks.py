"""Reports of the networks that are not HIME-small's: two maps an exemplar, and offsets of two parts or none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from large import LARGE

from edgesr.cli.main import run
from edgesr.errors import EXIT_OK
from edgesr.report.report import read_report

pytest.importorskip("onnxruntime")


def report_of(checkpoint: Path, folder: Path) -> tuple[str, dict[str, Any]]:
    """The page and the JSON of a float ONNX on two sample faces."""
    arguments = ["report", "--checkpoint", str(checkpoint), "--targets", "onnx", "--precisions", "fp32", "--limit", "2"]
    out = folder / "report.html"
    arguments += ["--no-identity", "--no-latency", "--worst", "1", "--sensitivity-faces", "0", "-o", str(out)]
    assert run(arguments) == EXIT_OK
    json_file = out.with_suffix(".json")
    assert json.loads(read_report(json_file).to_json()) == json.loads(json_file.read_text())
    return out.read_text(), json.loads(json_file.read_text())


def test_hime_larges_flow_and_residual_offsets_stand_apart(large_checkpoint: Path, tmp_path: Path) -> None:
    page, data = report_of(large_checkpoint, tmp_path)
    offsets = data["offsets"]
    bounds = {"flow": LARGE.flow_bound, "residual": LARGE.offset_bound}
    assert offsets["bound"] == sum(bounds.values())
    assert {name: part["bound"] for name, part in offsets["parts"].items()} == bounds
    for name, part in offsets["parts"].items():
        assert 0 < part["quantiles"]["p100"] <= bounds[name]
        assert f"Histogram of the {name} against their bound" in page
        assert f"Of these the {name} alone." in page


def test_pwave_is_measured_and_has_no_offsets(pwave_checkpoint: Path, tmp_path: Path) -> None:
    page, data = report_of(pwave_checkpoint, tmp_path)
    (row,) = data["rows"]
    assert row["psnr_loss_max"] < 0.05
    assert data["offsets"] is None
    assert "Histogram of the" not in page


def test_info_shows_each_part_of_the_offsets(large_checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["info", str(large_checkpoint)]) == EXIT_OK
    lines = capsys.readouterr().out.splitlines()
    found = [line.split()[0] for line in lines if "; bound " in line]
    assert found == ["offsets", "flow", "residual"]
    assert [line.rpartition("; bound ")[2] for line in lines if "; bound " in line] == ["3", "2", "1"]
