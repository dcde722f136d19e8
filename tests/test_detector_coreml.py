"""YuNet as a Core ML package computes what it computes in ONNX Runtime, or nothing is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgesr.convert.coreml.detector import convert_detector
from edgesr.convert.coreml.mil.evaluator import Function
from edgesr.convert.coreml.mil.program import load_program
from edgesr.convert.detector import MASK, SAMPLE, SIGNATURES, TOLERANCE, cells, fixed_graphs, require_equal
from edgesr.errors import EdgesrError, InputOutputError


@pytest.mark.faces
def test_the_package_finds_what_onnx_runtime_does(yunet: Path, tmp_path: Path) -> None:
    output = tmp_path / "detector.mlpackage"
    assert convert_detector(yunet, output) <= TOLERANCE
    graphs = fixed_graphs(yunet)
    program = load_program(output, tuple(SIGNATURES))
    assert set(program.functions) == set(SIGNATURES)
    detect = Function(program.functions["detect"])
    inputs = graphs["detect"].inputs
    got = detect(inputs)
    # A face is found where it lies, and one that lies elsewhere shows elsewhere: the comparison looks at faces.
    assert cells(got["cls_8"], SIGNATURES["detect"], SAMPLE).max() > 0.9
    turned = detect({"input": inputs["input"][..., ::-1].copy(), MASK: inputs[MASK][..., ::-1].copy()})
    assert np.abs(turned["cls_8"] - got["cls_8"]).max() > 0.3


@pytest.mark.faces
@pytest.mark.parametrize("damage", [0.01, np.nan])
def test_the_gate_refuses_another_result(yunet: Path, damage: float) -> None:
    graphs = fixed_graphs(yunet)
    results = {name: {key: array.copy() for key, array in graph.outputs.items()} for name, graph in graphs.items()}
    assert require_equal(graphs, results) == 0
    results["look"]["kps_32"][0, 0, 3] += damage
    with pytest.raises(EdgesrError, match="off by"):
        require_equal(graphs, results)


def test_another_network_is_refused(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(b"no network" * 100)
    with pytest.raises(InputOutputError, match="no YuNet"):
        convert_detector(damaged, tmp_path / "detector.mlpackage")
    assert not (tmp_path / "detector.mlpackage").exists()
