"""int8 TFLite: the network's own steps arrive in the file through ONNX and onnx2tf, and nothing is calibrated anew."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx.numpy_helper
import pytest
from conftest import TINY
from int8_networks import assert_every_int8_convolution_keeps_its_steps, failures, network, quantized

from edgesr.bundle import Bundle
from edgesr.convert.int8 import Step
from edgesr.convert.onnx.conversion import export_graph
from edgesr.convert.onnx.int8 import convolutions
from edgesr.convert.target import Conversion
from edgesr.convert.tflite import conversion, gpu
from edgesr.convert.tflite.environment import tflite_environment
from edgesr.convert.tflite.example import canonical
from edgesr.convert.tflite.flatbuffer import parse
from edgesr.convert.tflite.onnx_form import prepare
from edgesr.convert.tflite.quantization import take_steps
from edgesr.deployment.graphs import GRAPHS, GraphName
from edgesr.errors import EdgesrError
from edgesr.report.graph import artifact_graph, layer_sqnr, node_data, timing_case
from edgesr.report.subject import faces_of_samples
from edgesr.runtime.litert import LiteRTRuntime

ort = pytest.importorskip("onnxruntime")

LOWERING = "rows"
Converted = tuple[Conversion, Path]


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Converted:
    if problem := tflite_environment().problem():
        pytest.skip(f"no TFLite environment: {problem} (edgesr setup tflite)")
    folder = tmp_path_factory.mktemp("int8")
    return conversion.convert(quantized(LOWERING), "int8", folder, lambda stage: None), folder


@pytest.mark.tflite
def test_litert_computes_what_the_quantized_graphs_do(artifact: Converted) -> None:
    made, folder = artifact
    interface = quantized(LOWERING).interface
    assert failures(LiteRTRuntime(folder, made.files, interface, made.tensors, threads=1), LOWERING) == []
    assert all(check.ok for check in made.checks)


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


@pytest.mark.tflite
def test_what_a_phones_gpu_would_not_take_is_left_to_the_cpu(artifact: Converted) -> None:
    """By LiteRT's list, which has convolutions and no look-ups."""
    (restore,) = artifact[0].residency["restore"]
    counted = artifact[0].operators["restore"]
    assert restore.left == {name: one["count"] for name, one in counted.items() if name not in gpu.OPERATORS}
    assert restore.left["GATHER"] > 0
    assert restore.of == sum(one["count"] for one in counted.values())
    assert restore.partitions > 1
    assert artifact[0].residency["encode"][0].nodes > 0


@pytest.mark.tflite
def test_every_int8_layer_is_a_node_with_its_noise_and_its_time(artifact: Converted) -> None:
    """The artifact's graph: layers by their weights and steps, SQNR by PyTorch, milliseconds by LiteRT."""
    checkpoint, quantization = network()
    made, folder = artifact
    faces = faces_of_samples(TINY.interface)[:2]
    sqnr = layer_sqnr(checkpoint, quantization, faces)
    runtime = LiteRTRuntime(folder, made.files, TINY.interface, made.tensors, threads=1)
    case = timing_case(TINY.interface, next(face for face in faces if face.exemplars), runtime.encode)
    manifest = {"target": "tflite", "precision": "int8", "files": made.files, "tensors": made.tensors}
    found = artifact_graph(Bundle(folder, manifest), quantized(LOWERING), quantization, sqnr, case)
    convolutions = [node for nodes in found.graphs.values() for node in nodes if node.kind == "CONV_2D" and node.int8]
    assert len(convolutions) == sum(len(one.int8) for one in made.convolutions.values())
    assert all(node.layer for node in convolutions)
    assert all(node.sqnr_db is not None and 5 < node.sqnr_db < 80 for node in convolutions if node.layer in sqnr)
    assert sum(node.layer in sqnr for node in convolutions) > 0.8 * len(convolutions)
    assert all(node.ms is not None and node.ms > 0 for nodes in found.graphs.values() for node in nodes)
    data = node_data(found)
    assert set(data) == {"sqnr_db", "ms", "int8", "backend"}
    model = parse((folder / "model.tflite").read_bytes())
    tensors = {graph.name.decode(): {tensor.name.decode() for tensor in graph.tensors} for graph in model.subgraphs}
    for graphs in data.values():
        assert all(set(graph["results"]) <= tensors[name] for name, graph in graphs.items())
    assert len(data["ms"]["restore"]["results"]) == len(found.graphs["restore"])


def outputs(model: onnx.ModelProto, graph: GraphName, channels_last: bool = False) -> list[np.ndarray]:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    graphs = quantized(LOWERING)
    named = zip(graphs.input_names(graph), graphs.inputs(graph), strict=True)
    turned = canonical if channels_last else np.asarray
    return session.run(None, {name: turned(tensor.numpy()) for name, tensor in named})


@pytest.mark.parametrize("graph", GRAPHS)
def test_the_form_for_onnx2tf_changes_no_value(graph: GraphName) -> None:
    model = export_graph(quantized(LOWERING), graph)
    wanted = outputs(model, graph)
    prepare(model)
    assert "DepthToSpace" not in {node.op_type for node in model.graph.node}
    assert all(axes.dim[3].dim_value in (3, TINY.feature_channels) for axes in four_axes(model)), "inputs are NHWC"
    for got, correct in zip(outputs(model, graph, channels_last=True), wanted, strict=True):
        turned = got if got.shape == correct.shape else got.transpose(0, 3, 1, 2)
        np.testing.assert_array_equal(turned, correct)


def four_axes(model: onnx.ModelProto) -> list[onnx.TensorShapeProto]:
    """Shapes of a model's inputs of four axes."""
    shapes = [graph_input.type.tensor_type.shape for graph_input in model.graph.input]
    return [shape for shape in shapes if len(shape.dim) == 4]


@pytest.mark.parametrize("graph", GRAPHS)
def test_steps_leave_a_float_graph_with_the_quantized_weights(graph: GraphName) -> None:
    model = export_graph(quantized(LOWERING), graph)
    before = convolutions(model)
    steps = take_steps(model)
    assert not {"QuantizeLinear", "DequantizeLinear"} & {node.op_type for node in model.graph.node}
    assert set(steps.tensors.values()) == before.steps
    after = convolutions(model)
    kernels = {kernel.name: kernel.weight for kernel in after.kernels}
    assert len(kernels) == len(before.int8) + before.float
    for conv in before.int8:
        floats = conv.weight * conv.weight_scales[:, None, None, None]
        np.testing.assert_array_equal(kernels[conv.name], floats.astype(np.float32))


def rounded_last(*, read_unrounded: bool = False) -> onnx.ModelProto:
    """x -> Relu -> y, which is rounded; the model gives it rounded, and perhaps what a second Relu makes of y."""
    helper = onnx.helper
    numbers = {"scale": np.float32(0.1), "zero_point": np.int8(3)}
    nodes = [
        helper.make_node("Relu", ["x"], ["y"], "relu"),
        helper.make_node("QuantizeLinear", ["y", *numbers], ["q"]),
        helper.make_node("DequantizeLinear", ["q", *numbers], ["given"]),
        *([helper.make_node("Relu", ["y"], ["more"], "more")] if read_unrounded else []),
    ]
    x, *given = (
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 2])
        for name in ("x", "given", *(["more"] if read_unrounded else []))
    )
    constants = [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in numbers.items()]
    return helper.make_model(helper.make_graph(nodes, "rounded", [x], given, constants))


def test_an_output_that_is_rounded_last_keeps_its_name_and_its_step() -> None:
    model = rounded_last()
    steps = take_steps(model)
    onnx.checker.check_model(model, full_check=True)
    assert [(node.op_type, *node.output) for node in model.graph.node] == [("Relu", "given")]
    assert (steps.tensors, steps.unrounded) == ({"given": Step(float(np.float32(0.1)), 3)}, frozenset())


def test_an_output_that_would_lose_its_rounding_is_refused() -> None:
    model = rounded_last(read_unrounded=True)
    take_steps(model)
    with pytest.raises(EdgesrError, match="nothing gives given"):
        prepare(model)


def test_a_tensor_that_is_rounded_in_two_ways_is_refused() -> None:
    model = export_graph(quantized(LOWERING), "encode")
    dequantize = [node for node in model.graph.node if node.op_type == "DequantizeLinear"]
    first = next(node for node in dequantize if node.input[0].startswith("quantize_per_tensor"))
    another = onnx.numpy_helper.from_array(np.float32(0.5), "another")
    model.graph.initializer.append(another)
    quantize = next(node for node in model.graph.node if node.output[0] == first.input[0])
    for node, name in ((quantize, "q2"), (first, "d2")):
        copy = onnx.NodeProto.FromString(node.SerializeToString())
        copy.output[0], copy.input[1] = name, "another"
        copy.input[0] = copy.input[0] if node is quantize else "q2"
        model.graph.node.append(copy)
    with pytest.raises(EdgesrError, match="rounded in two ways"):
        take_steps(model)
