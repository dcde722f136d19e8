"""int8 TFLite: the network's own steps arrive in the file through ONNX and onnx2tf, and nothing is calibrated anew."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from int8_networks import assert_every_int8_convolution_keeps_its_steps, failures, quantized

from edgesr.convert import tflite
from edgesr.convert.onnx.conversion import export_graph
from edgesr.convert.target import Conversion
from edgesr.convert.tflite_environment import tflite_environment
from edgesr.convert.tflite_onnx import prepare_for_tensorflow
from edgesr.runtime.litert import LiteRTRuntime

ort = pytest.importorskip("onnxruntime")

LOWERING = "rows"
Converted = tuple[Conversion, Path]


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Converted:
    if problem := tflite_environment().problem():
        pytest.skip(f"no TFLite environment: {problem} (edgesr setup tflite)")
    folder = tmp_path_factory.mktemp("int8")
    return tflite.convert(quantized(LOWERING), "int8", folder, lambda stage: None), folder


@pytest.mark.tflite
def test_litert_computes_what_the_quantized_graphs_do(artifact: Converted) -> None:
    conversion, folder = artifact
    config = quantized(LOWERING).config
    assert failures(LiteRTRuntime(folder, conversion.files, config, conversion.tensors, threads=1), LOWERING) == []
    assert all(check.ok for check in conversion.checks)


@pytest.mark.tflite
def test_scales_in_the_file_are_the_networks(artifact: Converted) -> None:
    assert_every_int8_convolution_keeps_its_steps(artifact[0], LOWERING)


@pytest.mark.tflite
def test_nothing_is_quantized_that_was_not(artifact: Converted) -> None:
    """The sigmoid, whose step would be 1/256, and both parts of the features, each with a step of its own."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf((artifact[1] / "model.tflite").read_bytes(), 0)
    restore = model.subgraphs[next(s.subgraphIndex for s in model.signatureDefs if s.signatureKey == b"restore")]

    def of(kind: int) -> list:
        return [op for op in restore.operators if model.operatorCodes[op.opcodeIndex].builtinCode == kind]

    (sigmoid,) = of(schema.BuiltinOperator.LOGISTIC)
    readers = [op for op in of(schema.BuiltinOperator.QUANTIZE) if op.inputs[0] == sigmoid.outputs[0]]
    assert restore.tensors[sigmoid.outputs[0]].type == schema.TensorType.FLOAT32
    assert not readers
    for op in of(schema.BuiltinOperator.QUANTIZE):
        assert restore.tensors[op.inputs[0]].type == schema.TensorType.FLOAT32, "rounded twice"


def test_the_form_for_tensorflow_changes_no_value() -> None:
    graphs = quantized(LOWERING)
    outputs = []
    for rewrite in (False, True):
        model = export_graph(graphs, "encode")
        if rewrite:
            prepare_for_tensorflow(model)
            assert "Concat" not in {node.op_type for node in model.graph.node}
        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        outputs.append(session.run(None, {"exemplar": graphs.inputs("encode")[0].numpy()})[0])
    np.testing.assert_array_equal(*outputs)
