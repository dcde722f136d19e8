"""The edge variant of HIME in int8 on every target that it has been seen on."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import EDGE

pytest.importorskip("torchao", reason="quantization needs torchao: pip install 'edgesr[executorch]'")

from edgesr.convert.pipeline import convert, plan
from edgesr.convert.targets import TARGETS
from edgesr.convert.verify import verify

SEEN = ("executorch", "coreml", pytest.param("tflite", marks=pytest.mark.tflite), "onnx")


@pytest.mark.parametrize("target", SEEN)
def test_it_is_converted_in_int8_and_verified(edge_int8: Path, target: str, tmp_path: Path) -> None:
    if missing := TARGETS[target].missing():
        pytest.skip(f"{target} needs {', '.join(missing)}")
    manifest = convert(plan(target, checkpoint=edge_int8, precision="int8", output=tmp_path / "bundle"))
    assert manifest["features"]["shape"] == [EDGE.lr_size, EDGE.lr_size, EDGE.lr_channels + EDGE.offset_channels]
    assert verify(tmp_path / "bundle", edge_int8).failed == ()
