"""Quantized graphs in ONNX: QuantizeLinear and DequantizeLinear (QDQ) around every int8 operation.

A runtime fuses a convolution with those around it into one on integers, if its bias is an integer too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from ..int8 import Convolutions, FloatConv, Int8Conv, Step

if TYPE_CHECKING:
    import onnx

Activations = Literal["int8", "uint8"]
"""What activations are stored in: uint8 is the same arithmetic with zero points 128 higher.

onnxruntime on x86 turns some int8 activations into uint8 and then fuses only convolutions that have one of the two
on both sides; it fuses all of them when all are uint8, and browsers' WASM is quicker on it as well.
"""
UINT8_SHIFT = 128
INT32_LIMIT = 2.0**31 - 1
Array = npt.NDArray[Any]


def prepare_for_runtimes(model: onnx.ModelProto, activations: Activations) -> None:
    """Give an exported QDQ model integer biases, activations of the wanted type, and each weight its own zero point."""
    store_biases_as_int32(model)
    separate_zero_points(model)
    if activations == "uint8":
        store_activations_as_uint8(model)


def store_biases_as_int32(model: onnx.ModelProto) -> None:
    """The bias of every int8 convolution as int32 with a DequantizeLinear, in steps of input times weight.

    That is the accumulator's own step, so that the bias is added to it as it is. Its rounding is a fraction of
    a step of the output. A bias that would overflow stays float: then the channel's weights are all but zero.
    """
    import onnx
    from onnx import numpy_helper

    view = _View(model)
    taken: dict[str, str] = {}
    for node in list(model.graph.node):
        found = view.int8_inputs(node)
        if found is None or len(node.input) < 3 or node.input[2] not in view.constants:
            continue
        step, _, scales = found
        bias = view.constants[node.input[2]].astype(np.float64)
        unit = (np.float32(step.scale) * scales).astype(np.float32)
        levels = np.rint(bias / unit)
        if np.abs(levels).max() > INT32_LIMIT:
            continue
        name = f"{node.input[2]}.int8.{len(taken)}"
        model.graph.initializer.extend(
            [
                numpy_helper.from_array(levels.astype(np.int32), name),
                numpy_helper.from_array(unit, f"{name}.scale"),
                numpy_helper.from_array(np.zeros(len(unit), np.int32), f"{name}.zero_point"),
            ]
        )
        dequantize = onnx.helper.make_node(
            "DequantizeLinear",
            [name, f"{name}.scale", f"{name}.zero_point"],
            [f"{name}.dequantized"],
            f"{name}.dequantize",
            axis=0,
        )
        model.graph.node.insert(list(model.graph.node).index(node), dequantize)
        taken[name] = node.input[2]
        node.input[2] = f"{name}.dequantized"
    drop_unused(model)


def store_activations_as_uint8(model: onnx.ModelProto) -> None:
    """The same steps with zero points 128 higher."""
    import onnx
    from onnx import numpy_helper

    view = _View(model)
    shifted: dict[str, str] = {}
    for node in model.graph.node:
        # Weights and biases are constants that are dequantized; what is computed is an activation.
        if node.op_type == "QuantizeLinear" or (
            node.op_type == "DequantizeLinear" and node.input[0] not in view.constants
        ):
            name = node.input[2]
            if name not in shifted:
                shifted[name] = f"{name}.uint8"
                zero_point = (view.constants[name].astype(np.int16) + UINT8_SHIFT).astype(np.uint8)
                model.graph.initializer.append(numpy_helper.from_array(zero_point, shifted[name]))
            node.input[2] = shifted[name]
    stored = {node.output[0] for node in model.graph.node if node.op_type == "QuantizeLinear"}
    for info in model.graph.value_info:
        if info.name in stored:
            info.type.tensor_type.elem_type = onnx.TensorProto.UINT8
    drop_unused(model)


def separate_zero_points(model: onnx.ModelProto) -> None:
    """A zero point of its own for each weight: the exporter shares those that are equal.

    On x86 processors without VNNI, ONNX Runtime can only multiply exactly what it has turned into uint8 on both sides
    (``session.x64quantprecision``), and it makes a new zero point of each weight's, which fails on a shared one.
    """
    import onnx

    view = _View(model)
    taken: set[str] = set()
    for node in model.graph.node:
        if node.op_type != "DequantizeLinear" or len(node.input) < 3:
            continue
        weight, name = view.constants.get(node.input[0]), node.input[2]
        if weight is None or weight.dtype != np.int8:
            continue
        if name in taken:
            node.input[2] = f"{node.input[0]}.zero_point.{len(taken)}"
            own = onnx.numpy_helper.from_array(view.constants[name], node.input[2])
            model.graph.initializer.append(own)
        taken.add(node.input[2])


def convolutions(model: onnx.ModelProto) -> Convolutions:
    """Convolutions of a model: those between DequantizeLinear and QuantizeLinear are int8."""
    view = _View(model)
    found = [node for node in model.graph.node if node.op_type == "Conv"]
    int8, kernels = [], []
    for node in found:
        inputs, output = view.int8_inputs(node), view.output_step(node)
        if inputs is not None and output is not None:
            step, weight, scales = inputs
            int8.append(Int8Conv(node.name, weight, scales, step, output, view.int8_bias(node, len(weight))))
        elif (kernel := view.kernel(node)) is not None:
            kernels.append(kernel)
    rounding = [node for node in model.graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    steps = [view.step(node) for node in rounding if view.rounds(node)]
    known = frozenset(step for step in steps if step is not None)
    return Convolutions(tuple(int8), len(found) - len(int8), kernels=tuple(kernels), steps=known)


class _View:
    """A model's constants, and who makes and reads each of its tensors."""

    def __init__(self, model: onnx.ModelProto) -> None:
        from onnx import numpy_helper

        self.constants: dict[str, Array] = {
            tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer
        }
        self.maker = {output: node for node in model.graph.node for output in node.output}
        self.readers: dict[str, list[Any]] = {}
        for node in model.graph.node:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)

    def int8_inputs(self, node: Any) -> tuple[Step, npt.NDArray[np.int8], npt.NDArray[np.float32]] | None:
        """Step of the input, weights and their steps of a convolution of 8-bit tensors; None if it is of others."""
        if node.op_type != "Conv":
            return None
        x, w = self.maker.get(node.input[0]), self.maker.get(node.input[1])
        if x is None or w is None or {x.op_type, w.op_type} != {"DequantizeLinear"}:
            return None
        weight = self.constants.get(w.input[0])
        step = self.step(x)
        if weight is None or weight.dtype != np.int8 or step is None:
            return None
        scales = self.constants[w.input[1]].astype(np.float32)
        return step, weight, np.broadcast_to(scales, (len(weight),))

    def int8_bias(self, node: Any, count: int) -> npt.NDArray[np.float32]:
        """Bias of an int8 convolution, NaN where it is no constant: then it is not that of any network."""
        if len(node.input) < 3 or not node.input[2]:
            return np.zeros(count, np.float32)
        maker = self.maker.get(node.input[2])
        dequantized = maker if maker is not None and maker.op_type == "DequantizeLinear" else None
        names = [node.input[2]] if dequantized is None else list(dequantized.input)
        levels, scale, zero_point = [*(self.constants.get(name) for name in names), None, None][:3]
        read = levels is not None and (scale is not None or len(names) == 1)
        if not read or (zero_point is not None and zero_point.any()):
            return np.full(count, np.nan, np.float32)
        values = np.asarray(levels, np.float64) * (1.0 if scale is None else scale.astype(np.float64))
        return np.broadcast_to(values.astype(np.float32), (count,))

    def output_step(self, node: Any) -> Step | None:
        """Step in which a convolution's result is stored, behind its ReLU where it has one."""
        readers = self.readers.get(node.output[0], [])
        while len(readers) == 1 and readers[0].op_type == "Relu":
            readers = self.readers.get(readers[0].output[0], [])
        stored = bool(readers) and all(reader.op_type == "QuantizeLinear" for reader in readers)
        return self.step(readers[0]) if stored else None

    def kernel(self, node: Any) -> FloatConv | None:
        """Weights and bias of a convolution of floats, which may be stored as fp16."""
        weight = self.constant(node.input[1])
        if weight is None or weight.dtype not in (np.float16, np.float32):
            return None
        bias = self.constant(node.input[2]) if len(node.input) > 2 else None
        bias = None if bias is None else bias.astype(np.float32)
        return FloatConv(node.name, weight.astype(np.float32), bias, str(weight.dtype))

    def constant(self, name: str) -> Array | None:
        """What a tensor is, or is cast from."""
        maker = self.maker.get(name)
        return self.constants.get(maker.input[0] if maker is not None and maker.op_type == "Cast" else name)

    def rounds(self, node: Any) -> bool:
        """Whether a quantization is that of something computed, and not of weights."""
        return node.op_type == "QuantizeLinear" or node.input[0] not in self.constants

    def step(self, node: Any) -> Step | None:
        """Scale and zero point of a QuantizeLinear or DequantizeLinear of 8 bits per tensor."""
        scale, zero_point = self.constants.get(node.input[1]), self.constants.get(node.input[2])
        if scale is None or zero_point is None or scale.size != 1 or zero_point.dtype not in (np.int8, np.uint8):
            return None
        shift = UINT8_SHIFT if zero_point.dtype == np.uint8 else 0
        return Step(float(scale.item()), int(zero_point.item()) - shift)


def drop_unused(model: onnx.ModelProto) -> None:
    """Drop constants that nothing reads."""
    read = set(_read(model))
    kept = [tensor for tensor in model.graph.initializer if tensor.name in read]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)


def _read(model: onnx.ModelProto) -> Iterator[str]:
    for node in model.graph.node:
        yield from node.input
    yield from (output.name for output in model.graph.output)
