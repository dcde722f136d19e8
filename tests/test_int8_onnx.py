"""int8 ONNX: QDQ files with the network's own steps, which ONNX Runtime computes in integers."""

from __future__ import annotations

import collections
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import TINY, lively
from int8_networks import (
    CAUGHT_BY_NAME,
    assert_every_int8_convolution_keeps_its_steps,
    failures,
    names,
    quantized,
)

from edgesr.convert.int8 import Convolutions, int8_checks, shortfall, wanted
from edgesr.convert.onnx.conversion import convert
from edgesr.convert.precision import PRECISIONS
from edgesr.convert.target import Conversion
from edgesr.deployment.graphs import GRAPHS, deployed_graphs
from edgesr.runtime.onnxruntime import EXACT_INT8, OnnxRuntime

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

LOWERING = "rows"
Converted = tuple[Conversion, Path]


@pytest.fixture(scope="module", params=["uint8", "int8"])
def artifact(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Converted:
    folder = tmp_path_factory.mktemp(request.param)
    return convert(quantized(LOWERING), "int8", folder, lambda stage: None, activations=request.param), folder


def opened(artifact: Converted) -> OnnxRuntime:
    conversion, folder = artifact
    return OnnxRuntime(folder, conversion.files, quantized(LOWERING).interface, conversion.tensors, threads=1)


def test_the_runtime_computes_what_the_quantized_graphs_do(artifact: Converted) -> None:
    assert failures(opened(artifact), LOWERING) == []


def test_every_int8_convolution_is_in_the_file_with_its_own_steps(artifact: Converted) -> None:
    assert_every_int8_convolution_keeps_its_steps(artifact[0], LOWERING)
    assert artifact[0].computes_in == "int8"


def test_weights_are_stored_as_int8_and_biases_as_int32(artifact: Converted) -> None:
    for name in GRAPHS:
        model = onnx.load(artifact[1] / f"{name}.onnx")
        stored = {tensor.name: tensor for tensor in model.graph.initializer}
        makers = {output: node for node in model.graph.node for output in node.output}
        int8 = [node for node in model.graph.node if node.op_type == "Conv" and node.input[1] in makers]
        assert len(int8) == {"encode": 5, "restore": 14}[name]
        for node in int8:
            weight, *bias = (stored[makers[tensor].input[0]] for tensor in node.input[1:])
            assert weight.data_type == onnx.TensorProto.INT8
            assert all(tensor.data_type == onnx.TensorProto.INT32 for tensor in bias)
        # ONNX Runtime makes another of each where the processor has no VNNI, and fails on a shared one.
        zero_points = [makers[node.input[1]].input[2] for node in int8]
        assert len(set(zero_points)) == len(zero_points)


def test_a_file_of_before_weights_had_zero_points_of_their_own_is_opened_all_the_same(
    artifact: Converted, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, asked = ort.InferenceSession, set[Path]()

    def without_vnni(path: Path, options: Any, **others: Any) -> Any:
        if path not in asked:
            asked.add(path)
            assert options.get_session_config_entry(EXACT_INT8[0]) == EXACT_INT8[1]
            raise RuntimeError("Attempt to replace the existing tensor")
        return make(path, options, **others)

    monkeypatch.setattr(ort, "InferenceSession", without_vnni)
    graphs = quantized(LOWERING)
    with pytest.warns(UserWarning, match="convert it again"):
        runtime = opened(artifact)
    runtime.run("encode", [array.numpy() for array in graphs.inputs("encode")])


def test_onnx_runtime_fuses_every_int8_convolution(tmp_path: Path) -> None:
    """With uint8 activations, the default; x86 fuses only some of those with int8 ones."""
    graphs = quantized(LOWERING)
    conversion = convert(graphs, "int8", tmp_path, lambda stage: None)
    for name, convolutions in conversion.convolutions.items():
        options = ort.SessionOptions()
        options.log_severity_level = 3
        options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
        ort.InferenceSession(tmp_path / f"{name}.onnx", options, providers=["CPUExecutionProvider"])
        nodes = onnx.load(tmp_path / "optimized.onnx").graph.node
        operators = collections.Counter(node.op_type for node in nodes)
        assert operators["QLinearConv"] == len(convolutions.int8)
        assert operators["Conv"] + operators["FusedConv"] == convolutions.float


def test_both_forms_of_activations_are_one_arithmetic(tmp_path: Path) -> None:
    graphs, outputs = quantized(LOWERING), []
    for form in ("uint8", "int8"):
        (tmp_path / form).mkdir()
        convert(graphs, "int8", tmp_path / form, lambda stage: None, activations=form)  # type: ignore[arg-type]
        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = ort.InferenceSession(tmp_path / form / "restore.onnx", options, providers=["CPUExecutionProvider"])
        feed = dict(zip(graphs.input_names("restore"), (t.numpy() for t in graphs.inputs("restore")), strict=True))
        outputs.append(session.run(None, feed))
    for one, other in zip(*outputs, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("damage", "named"), CAUGHT_BY_NAME)
def test_a_damaged_conversion_is_caught_by_name(damage, named: str, tmp_path: Path) -> None:
    conversion = convert(damage(quantized(LOWERING)), "int8", tmp_path, lambda stage: None)
    failed = [check for check in int8_checks(conversion.convolutions, quantized(LOWERING)) if not check.ok]
    assert any(name.startswith(named) for name in names(failed))
    assert all(check.name.startswith("restore") for check in failed)


def test_a_float_network_is_no_int8_artifact(tmp_path: Path) -> None:
    graphs = deployed_graphs(lively(TINY), LOWERING)
    conversion = convert(graphs, "int8", tmp_path, lambda stage: None)
    checks = int8_checks(conversion.convolutions, quantized(LOWERING))
    assert shortfall(checks) == (
        "the conversion did not quantize: encode has 0 of 5 convolutions in int8, "
        "restore has 0 of 14 convolutions in int8"
    )
    # Nor where nothing was expected: an int8 artifact has at least one.
    assert shortfall(int8_checks(conversion.convolutions, graphs)) is not None
    assert conversion.computes_in == "fp32"


def test_the_last_bit_may_differ_and_a_step_may_not() -> None:
    graphs = quantized(LOWERING)
    found = {name: wanted(getattr(graphs, name)) for name in GRAPHS}

    def moved(factor: float) -> dict[str, Convolutions]:
        first, *others = found["encode"].int8
        step = dataclasses.replace(first.output, scale=first.output.scale * factor)
        return {**found, "encode": Convolutions((dataclasses.replace(first, output=step), *others))}

    assert all(check.ok for check in int8_checks(moved(1 + 1e-7), graphs))
    failed = [check for check in int8_checks(moved(1.001), graphs) if not check.ok]
    assert names(failed) == ["encode: int8 step of exemplar_extractor.mono"]
    assert (PRECISIONS["int8"].psnr_db or {})["sr"] == 50
