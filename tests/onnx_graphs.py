"""ONNX models made for tests, and ONNX Runtime as their judge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from torch import Tensor

pytest.importorskip("onnx", reason="reading ONNX files needs onnx: pip install 'edgesr[onnx]'")
pytest.importorskip("onnxruntime", reason="the judge is ONNX Runtime: pip install 'edgesr[onnx]'")

import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from edgesr.training.onnx_torch import OnnxModule

RANDOM = np.random.default_rng(0)


def weights(*shape: int, positive: bool = False) -> Any:
    values = RANDOM.standard_normal(shape).astype(np.float32) * 0.3
    return np.abs(values) + 0.1 if positive else values


def ints(*values: int) -> Any:
    return np.array(values, np.int64)


def graph(
    nodes: Sequence[Any],
    shape: Sequence[int | str | None],
    constants: dict[str, Any],
    opset: int = 17,
    outputs: int = 1,
) -> Any:
    """A model from x to y (and y1, ...)."""
    names = ["y", *[f"y{i}" for i in range(1, outputs)]]
    made = helper.make_graph(
        list(nodes),
        "made",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def reference(model: Any, x: Tensor) -> list[Any]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x.numpy()})


def outputs_of(module: OnnxModule, x: Tensor) -> tuple[Tensor, ...]:
    made = module(x)
    return made if isinstance(made, tuple) else (made,)


def embedder(batch: int | str = "N", last: Sequence[int] = (0, -1), size: int = 16) -> Any:
    """A small face embedder in the style of MobileFaceNet, with shape arithmetic as exporters leave it."""
    constants = {
        "mean": np.float32(0.1),
        "std": np.float32(0.5),
        "w0": weights(8, 3, 3, 3),
        "scale": weights(8, positive=True),
        "shift": weights(8),
        "average": weights(8),
        "variance": weights(8, positive=True),
        "slope": weights(8, 1, 1, positive=True),
        "w1": weights(8, 1, 3, 3),
        "b1": weights(8),
        "zero": np.array(0, np.int64),
        "rest": ints(-1),
        "axis": ints(0),
        "last": ints(*last),
        "w2": weights(6, 8 * (size // 2) ** 2) * 0.2,
        "b2": weights(6),
        "two": np.float32(2),
        "half": np.float32(0.25),
    }
    make = helper.make_node
    nodes = [
        make("Sub", ["x", "mean"], ["x1"]),
        make("Div", ["x1", "std"], ["x2"]),
        make("Conv", ["x2", "w0"], ["a"], pads=[1, 1, 1, 1], strides=[2, 2]),
        make("BatchNormalization", ["a", "scale", "shift", "average", "variance"], ["a.1"]),
        make("PRelu", ["a.1", "slope"], ["b"]),
        make("Mul", ["two", "half"], ["one half"]),  # of constants alone
        make("Conv", ["b", "w1", "b1"], ["c"], pads=[1, 1, 1, 1], group=8),
        make("Mul", ["c", "one half"], ["c2"]),
        make("Add", ["c2", "b"], ["d"]),
        make("Relu", ["d"], ["e"]),
        make("Shape", ["e"], ["sizes"]),
        make("Gather", ["sizes", "zero"], ["n"], axis=0),
        make("Unsqueeze", ["n", "axis"], ["n1"]),
        make("Concat", ["n1", "rest"], ["flat"], axis=0),
        make("Reshape", ["e", "flat" if last[0] == 0 else "last"], ["f"]),
        make("Dropout", ["f"], ["g", "mask"]),
        make("Gemm", ["g", "w2", "b2"], ["h"], transB=1),
        make("LpNormalization", ["h"], ["y"], axis=1),
    ]
    return graph(nodes, (batch, 3, size, size), constants)
