"""YuNet with one fixed size computes what it computes at each picture's own size, and nothing else is converted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgesr.convert.detector import MASK, SIGNATURES, TOLERANCE, cells, masked, sample_picture, with_fixed_side
from edgesr.convert.tflite.contents import list_signatures
from edgesr.convert.tflite.detector import convert_detector
from edgesr.convert.tflite.environment import tflite_environment
from edgesr.errors import InputOutputError

SIDE, USED = 320, 128


@pytest.mark.faces
def test_the_mask_hides_what_lies_beside_the_picture(yunet: Path) -> None:
    import onnx
    import onnxruntime

    picture = sample_picture(SIDE)
    mask = np.zeros((1, 1, SIDE, SIDE), np.float32)
    mask[..., :USED, :USED] = 1
    fixed = masked(with_fixed_side(onnx.load(str(yunet)), SIDE), SIDE)
    names = [tensor.name for tensor in fixed.graph.output]
    session = onnxruntime.InferenceSession(fixed.SerializeToString(), providers=["CPUExecutionProvider"])
    got = session.run(None, {"input": picture, MASK: mask})
    whole = onnxruntime.InferenceSession(yunet, providers=["CPUExecutionProvider"])
    wanted = whole.run(None, {"input": picture[..., :USED, :USED]})
    open_mask = session.run(None, {"input": picture, MASK: np.ones_like(mask)})
    differs = 0.0
    for name, ours, theirs, without in zip(names, got, wanted, open_mask, strict=True):
        np.testing.assert_allclose(cells(ours, SIDE, USED), theirs, atol=1e-4, err_msg=name)
        differs = max(differs, float(np.abs(cells(without, SIDE, USED) - theirs).max()))
    assert differs > 0.01  # without the mask the borders spoil it: the test can fail


@pytest.mark.tflite
@pytest.mark.faces
@pytest.mark.slow
def test_the_detector_on_litert_finds_what_the_desktops_does(yunet: Path, tmp_path: Path) -> None:
    if not tflite_environment().is_ready():
        pytest.skip("no TFLite environment")
    output = tmp_path / "detector.tflite"
    assert convert_detector(yunet, output) <= TOLERANCE
    assert list(list_signatures(output.read_bytes())) == list(SIGNATURES)


@pytest.mark.tflite
def test_another_network_is_refused(tmp_path: Path) -> None:
    if not tflite_environment().is_ready():
        pytest.skip("no TFLite environment")
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(b"no network" * 100)
    with pytest.raises(InputOutputError, match="no YuNet"):
        convert_detector(damaged, tmp_path / "detector.tflite")
    assert not (tmp_path / "detector.tflite").exists()
