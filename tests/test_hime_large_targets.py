"""HIME-large on every target, in float and in int8, with the flow and its warps in float."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from damages import search_around
from large import LARGE

pytest.importorskip("torchao", reason="quantization needs torchao: pip install 'edgesr[executorch]'")

from edgesr.cli.main import run
from edgesr.convert.pipeline import convert, make_graphs, plan
from edgesr.convert.targets import TARGETS
from edgesr.convert.verify import verify
from edgesr.errors import EXIT_OK, ParityError
from edgesr.models import load_checkpoint

NEEDS = {"tflite": pytest.mark.tflite, "web": pytest.mark.chromium}
SEEN = ("executorch", "coreml", "tflite", "onnx", "web")
"""Targets that it has been seen on."""
CASES = [pytest.param(name, precision, marks=NEEDS.get(name, ())) for precision in ("fp32", "int8") for name in SEEN]


@pytest.mark.parametrize(("target", "precision"), CASES)
def test_it_is_converted_to_every_target_and_verified(
    large_checkpoint: Path, large_int8: Path, target: str, precision: str, tmp_path: Path
) -> None:
    if missing := TARGETS[target].missing():
        pytest.skip(f"{target} needs {', '.join(missing)}")
    source = large_checkpoint if precision == "fp32" else large_int8
    manifest = convert(plan(target, checkpoint=source, precision=precision, output=tmp_path / "bundle"))
    assert manifest["architecture"] == "hime-large"
    assert manifest["features"]["shape"] == [LARGE.lr_size, LARGE.lr_size, LARGE.feature_channels]
    assert verify(tmp_path / "bundle", source).failed == ()


def test_int8_keeps_the_flow_in_float(large_int8: Path) -> None:
    found = load_checkpoint(large_int8, quantized=True).quantization
    assert found is not None
    points = {name.rpartition(":")[0] for name in found["points"]}
    assert not any(name.startswith(("restore.flow.", "restore.face.", "encode.reference.")) for name in points)
    assert "features.f_ref" in found["points"]
    assert "features.flow" not in found["points"], "floats make it and floats read it: galleries round it"
    assert {"restore.alignment.hidden", "restore.alignment.projection", "restore.reconstructor.up1"} <= points


def test_a_flow_that_departs_is_caught_and_named(
    large_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    named = "restore.flow.levels.1.step_x"
    search_around(named, monkeypatch)
    chosen = plan("onnx", checkpoint=large_checkpoint, precision="fp32", output=tmp_path / "bundle")
    damaged = make_graphs(chosen)
    with torch.no_grad():
        damaged.restore.flow.levels[1].step_x.weight.mul_(0.5)  # type: ignore[union-attr, index, operator]
    with pytest.raises(ParityError, match=f"first module that departs: {re.escape(named)}"):
        convert(chosen, graphs=damaged)
    assert not (tmp_path / "bundle").exists()


def test_a_preset_without_weights_is_converted_with_random_ones_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxruntime")
    arguments = ["convert", "-t", "onnx", "-c", "hime-large-x8", "-o", str(tmp_path / "bundle")]
    assert run([*arguments, "--slots", "1"]) == EXIT_OK
    said = capsys.readouterr().err
    assert "hime-large-x8 has no weights yet: random ones are converted, which restore nothing" in said
