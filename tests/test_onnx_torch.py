"""ONNX graphs in PyTorch: what ONNX Runtime computes, with gradients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from edgesr.errors import InputOutputError, UnavailableError

pytest.importorskip("onnx", reason="reading ONNX files needs onnx: pip install 'edgesr[onnx]'")
pytest.importorskip("onnxruntime", reason="the judge is ONNX Runtime: pip install 'edgesr[onnx]'")

from onnx import TensorProto, helper
from onnx_graphs import embedder, graph, ints, outputs_of, reference, weights

from edgesr.training.onnx_torch import OnnxModule

W = weights(4, 3, 3, 3)
IMAGE = (2, 3, 7, 8)
ROWS = (3, 5)

# operator, shape of x, further inputs, attributes[, opset]
CASES: list[tuple[Any, ...]] = [
    ("Conv", IMAGE, [W], {}),
    ("Conv", IMAGE, [W, weights(4)], {"pads": [1, 1, 1, 1], "strides": [2, 2]}),
    ("Conv", IMAGE, [W], {"pads": [0, 1, 2, 0], "dilations": [2, 1]}),
    ("Conv", IMAGE, [W], {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    ("Conv", IMAGE, [W], {"auto_pad": "SAME_LOWER", "strides": [2, 3]}),
    ("Conv", IMAGE, [W], {"auto_pad": "VALID"}),
    ("Conv", (2, 4, 6, 6), [weights(8, 2, 3, 3)], {"group": 2}),
    ("Conv", (2, 3, 9), [weights(5, 3, 3)], {"strides": [2]}),
    ("MaxPool", IMAGE, [], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    ("MaxPool", IMAGE, [], {"kernel_shape": [2, 3], "auto_pad": "SAME_UPPER"}),
    ("AveragePool", IMAGE, [], {"kernel_shape": [3, 2], "pads": [1, 0, 1, 1]}),
    ("AveragePool", IMAGE, [], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}),
    ("AveragePool", IMAGE, [], {"kernel_shape": [2, 2], "strides": [2, 2]}),
    ("GlobalAveragePool", IMAGE, [], {}),
    ("BatchNormalization", IMAGE, [weights(3), weights(3), weights(3), weights(3, positive=True)], {"epsilon": 2e-5}),
    ("BatchNormalization", ROWS, [weights(5), weights(5), weights(5), weights(5, positive=True)], {}),
    ("InstanceNormalization", IMAGE, [weights(3), weights(3)], {}),
    ("LpNormalization", ROWS, [], {"axis": 1}),
    ("PRelu", IMAGE, [weights(3, 1, 1)], {}),
    ("PRelu", ROWS, [weights(5)], {}),
    ("Gemm", ROWS, [weights(4, 5), weights(4)], {"transB": 1, "alpha": 0.5, "beta": 2.0}),
    ("Gemm", ROWS, [weights(3, 4)], {"transA": 1}),
    ("MatMul", (2, 3, 5), [weights(5, 4)], {}),
    ("Softmax", IMAGE, [], {"axis": 1}),
    ("Softmax", IMAGE, [], {"axis": 2}, 11),
    ("Add", IMAGE, [weights(3, 1, 1)], {}),
    ("Sub", IMAGE, [weights(1)], {}),
    ("Mul", IMAGE, [np.float32(0.0078125)], {}),
    ("Div", IMAGE, [weights(8, positive=True)], {}),
    ("Pow", ROWS, [np.float32(2)], {}),
    ("Max", ROWS, [weights(5), weights(3, 1)], {}),
    ("Min", ROWS, [weights(5)], {}),
    ("Sum", ROWS, [weights(3, 5), weights(3, 5)], {}),
    ("Relu", ROWS, [], {}),
    ("LeakyRelu", ROWS, [], {"alpha": 0.1}),
    ("Elu", ROWS, [], {"alpha": 0.7}),
    ("Sigmoid", ROWS, [], {}),
    ("HardSigmoid", ROWS, [], {"alpha": 0.5}),
    ("HardSwish", ROWS, [], {}),
    ("Tanh", ROWS, [], {}),
    ("Softplus", ROWS, [], {}),
    ("Erf", ROWS, [], {}),
    ("Exp", ROWS, [], {}),
    ("Neg", ROWS, [], {}),
    ("Abs", ROWS, [], {}),
    ("Clip", ROWS, [np.float32(-0.2), np.float32(0.5)], {}),
    ("Clip", ROWS, [None, np.float32(0.5)], {}),
    ("Clip", ROWS, [], {"min": 0.0, "max": 0.4}, 9),
    ("Identity", ROWS, [], {}),
    ("Dropout", ROWS, [], {}),
    ("Cast", ROWS, [], {"to": TensorProto.FLOAT}),
    ("Reshape", IMAGE, [ints(0, -1)], {}),
    ("Reshape", IMAGE, [ints(2, 8, 21)], {}),
    ("Flatten", IMAGE, [], {}),
    ("Flatten", IMAGE, [], {"axis": 2}),
    ("Flatten", IMAGE, [], {"axis": 0}),
    ("Transpose", IMAGE, [], {"perm": [0, 2, 3, 1]}),
    ("Transpose", ROWS, [], {}),
    ("Squeeze", (2, 1, 3, 1), [ints(3)], {}),
    ("Squeeze", (2, 1, 3, 1), [], {"axes": [1, 3]}, 11),
    ("Squeeze", (2, 1, 3, 1), [], {}),
    ("Unsqueeze", ROWS, [ints(0, -1)], {}),
    ("Unsqueeze", ROWS, [], {"axes": [1]}, 11),
    ("Concat", ROWS, [weights(2, 5)], {"axis": 0}),
    ("Gather", IMAGE, [ints(2, -1)], {"axis": 1}),
    ("Gather", IMAGE, [np.array(1, np.int64)], {"axis": -1}),
    ("Slice", IMAGE, [ints(1, -5), ints(2**31, -1), ints(2, 3), ints(1, 2)], {}),
    ("Slice", IMAGE, [], {"starts": [1], "ends": [3], "axes": [1]}, 9),
    ("Pad", ROWS, [ints(1, 0, 0, 2), np.float32(0.5)], {}),
    ("Expand", (3, 1), [ints(2, 1, 4)], {}),
    ("ReduceMean", IMAGE, [], {"axes": [2, 3], "keepdims": 0}),
    ("ReduceMean", IMAGE, [ints(-1)], {}, 18),
    ("ReduceSum", IMAGE, [ints(1)], {}),
    ("ReduceSum", IMAGE, [], {"noop_with_empty_axes": 1}),
    ("ReduceL2", ROWS, [], {"axes": [1]}),
    ("ReduceMax", ROWS, [], {"axes": [1]}),
    ("ReduceSumSquare", ROWS, [], {}),
]


@pytest.mark.parametrize(
    ("operator", "shape", "inputs", "attributes", "opset"),
    [(*case, 17)[:5] for case in CASES],
    ids=[f"{i}-{case[0]}" for i, case in enumerate(CASES)],
)
def test_an_operator_does_what_onnx_runtime_does(
    operator: str, shape: tuple[int, ...], inputs: list[Any], attributes: dict[str, Any], opset: int
) -> None:
    constants = {f"c{i}": np.asarray(value) for i, value in enumerate(inputs) if value is not None}
    names = ["x", *["" if value is None else f"c{i}" for i, value in enumerate(inputs)]]
    model = graph([helper.make_node(operator, names, ["y"], **attributes)], shape, constants, opset)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    y = OnnxModule(model)(x)
    assert isinstance(y, Tensor)
    (expected,) = reference(model, x)
    assert tuple(y.shape) == expected.shape
    torch.testing.assert_close(y, torch.from_numpy(expected), rtol=1e-5, atol=1e-5)


def test_split_has_several_outputs() -> None:
    nodes = [helper.make_node("Split", ["x", "sizes"], ["y", "y1"], axis=1)]
    model = graph(nodes, (2, 5), {"sizes": ints(2, 3)}, outputs=2)
    x = torch.randn(2, 5)
    for found, expected in zip(outputs_of(OnnxModule(model), x), reference(model, x), strict=True):
        assert torch.equal(found, torch.from_numpy(expected))


def test_a_whole_network_does_what_onnx_runtime_does() -> None:
    model = embedder()
    x = torch.randn(3, 3, 16, 16)
    module = OnnxModule(model)
    torch.testing.assert_close(module(x), torch.from_numpy(reference(model, x)[0]), rtol=1e-4, atol=1e-5)
    assert module.inputs == ("x",)
    assert module.input_shapes == ((None, 3, 16, 16),)
    assert not list(module.parameters())


def test_gradients_through_a_graph_are_those_of_finite_differences() -> None:
    module = OnnxModule(embedder(size=4)).double()
    x = torch.randn(1, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(module, x)


def test_a_strided_depthwise_convolution_in_bfloat16_keeps_its_type_and_its_gradient() -> None:
    made = helper.make_node(
        "Conv", ["x", "w", "b"], ["y"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], group=4
    )
    module = OnnxModule(graph([made], [2, 4, 8, 8], {"w": weights(4, 1, 3, 3), "b": weights(4)}))
    x = torch.rand(2, 4, 8, 8, generator=torch.Generator().manual_seed(0)).bfloat16()
    exact, rounded = x.double().requires_grad_(), x.clone().requires_grad_()
    wanted = module.double()(exact)
    with torch.autocast("cpu", torch.bfloat16):
        found = module.bfloat16()(rounded)
    assert found.dtype is torch.bfloat16
    torch.testing.assert_close(found.double(), wanted, rtol=0.02, atol=0.02)
    gradients = [torch.autograd.grad(y.square().sum(), given)[0] for y, given in ((wanted, exact), (found, rounded))]
    torch.testing.assert_close(gradients[1].double(), gradients[0], rtol=0.03, atol=0.03)


def test_weights_that_old_files_list_as_inputs_are_no_inputs() -> None:
    model = embedder()
    for name in ("w0", "b2"):
        model.graph.input.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    assert OnnxModule(model).inputs == ("x",)


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (helper.make_node("NonZero", ["x"], ["y"]), r"not known here: NonZero .*known: Abs, Add"),
        (helper.make_node("Gelu", ["x"], ["y"], domain="com.microsoft"), "not known here: Gelu"),
    ],
)
def test_an_unknown_operator_is_named(node: Any, message: str) -> None:
    with pytest.raises(UnavailableError, match=message):
        OnnxModule(graph([node], ROWS, {}))


@pytest.mark.parametrize(
    ("operator", "shape", "inputs", "attributes", "message"),
    [
        ("MaxPool", IMAGE, [], {"kernel_shape": [2, 2], "ceil_mode": 1}, "MaxPool .*ceil_mode"),
        ("Slice", ROWS, [ints(3), ints(0), ints(1), ints(-1)], {}, "Slice .*negative step"),
        ("Cast", ROWS, [], {"to": TensorProto.UINT8}, "Cast .*data type 2"),
        ("Pad", ROWS, [ints(1, 0, 0, 1)], {"mode": "reflect"}, "Pad .*another mode"),
    ],
)
def test_an_unsupported_use_of_an_operator_is_named(
    operator: str, shape: tuple[int, ...], inputs: list[Any], attributes: dict[str, Any], message: str
) -> None:
    names = [f"c{i}" for i in range(len(inputs))]
    node = helper.make_node(operator, ["x", *names], ["y"], **attributes)
    module = OnnxModule(graph([node], shape, dict(zip(names, inputs, strict=True))))
    with pytest.raises(UnavailableError, match=message):
        module(torch.zeros(shape))


def test_a_file_that_is_missing_or_damaged_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputOutputError, match=r"no ONNX file .*none\.onnx"):
        OnnxModule.load(tmp_path / "none.onnx")
    (tmp_path / "damaged.onnx").write_bytes(b"\x08\x07 not a graph")
    with pytest.raises(InputOutputError, match=r"cannot read .*damaged\.onnx"):
        OnnxModule.load(tmp_path / "damaged.onnx")
    (tmp_path / "empty.onnx").write_bytes(b"")
    with pytest.raises(InputOutputError, match="no output"):
        OnnxModule.load(tmp_path / "empty.onnx")


def test_a_graph_with_a_node_cut_out_is_named() -> None:
    model = embedder()
    del model.graph.node[4]
    with pytest.raises(InputOutputError, match="nothing makes 'b'"):
        OnnxModule(model)
