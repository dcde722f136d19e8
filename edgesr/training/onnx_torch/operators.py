"""ONNX's arithmetic, activations, reductions, and what turns shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from edgesr.training.onnx_torch.node import Node, Operator, integers

# ONNX's numbers of data types (TensorProto.DataType).
_TYPES = {1: torch.float32, 6: torch.int32, 7: torch.int64, 9: torch.bool, 10: torch.float16, 11: torch.float64}


def clip(node: Node, x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
    bounds: list[Any] = [low, high]
    if node.opset < 11:
        bounds = [node.attributes.get("min"), node.attributes.get("max")]
    if bounds == [None, None]:
        return x
    if not x.is_floating_point() or any(b is None or (isinstance(b, Tensor) and b.numel() > 1) for b in bounds):
        return x.clamp(*bounds)
    # clamp's gradient takes three passes over the input, hardtanh's one; on a CPU that is a fifth of a MobileNet.
    return F.hardtanh(x, float(bounds[0]), float(bounds[1]))


def divide(_: Node, a: Tensor, b: Tensor) -> Tensor:
    return a / b if a.is_floating_point() else torch.div(a, b, rounding_mode="trunc")


def cast(node: Node, x: Tensor) -> Tensor:
    kind = _TYPES.get(node.attributes["to"])
    if kind is None:
        raise node.unsupported(f"the data type {node.attributes['to']}")
    if kind.is_floating_point and x.is_floating_point():
        return x  # the precision is the caller's choice: the whole module may be in float64 or bfloat16
    return x.to(kind)


def reshape(node: Node, x: Tensor, shape: Tensor) -> Tensor:
    sizes = integers(shape)
    if not node.attributes.get("allowzero", 0):
        sizes = [x.shape[i] if n == 0 else n for i, n in enumerate(sizes)]
    return x.reshape(sizes)


def flatten(node: Node, x: Tensor) -> Tensor:
    axis = node.attributes.get("axis", 1)
    axis += x.ndim if axis < 0 else 0
    return x.reshape(x.shape[:axis].numel(), -1)


def transpose(node: Node, x: Tensor) -> Tensor:
    return x.permute(node.attributes.get("perm") or tuple(reversed(range(x.ndim))))


def squeeze(node: Node, x: Tensor, axes: Tensor | None = None) -> Tensor:
    chosen = integers(axes) if axes is not None else node.attributes.get("axes")
    return x.squeeze() if chosen is None else x.squeeze(tuple(chosen))


def unsqueeze(node: Node, x: Tensor, axes: Tensor | None = None) -> Tensor:
    chosen = integers(axes) if axes is not None else list(node.attributes["axes"])
    rank = x.ndim + len(chosen)
    for axis in sorted(axis % rank for axis in chosen):
        x = x.unsqueeze(axis)
    return x


def shape_of(node: Node, x: Tensor) -> Tensor:
    # Shapes stay on the CPU: the sizes of a Reshape must be known before the device gets there.
    return torch.tensor(x.shape[node.attributes.get("start", 0) : node.attributes.get("end")])


def gather(node: Node, x: Tensor, indices: Tensor) -> Tensor:
    axis = node.attributes.get("axis", 0) % x.ndim
    chosen = (indices.to(x.device) % x.shape[axis]).flatten()
    return x.index_select(axis, chosen).reshape((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))


def slice_(node: Node, x: Tensor, *given: Tensor | None) -> Tensor:
    inputs = [None if v is None else integers(v) for v in given] + [None] * 4
    if node.opset < 10:
        inputs = [node.attributes.get(name) for name in ("starts", "ends", "axes", "steps")]
    starts, ends, axes, steps = inputs[:4]
    assert starts is not None
    assert ends is not None
    for i, (start, end) in enumerate(zip(starts, ends, strict=True)):
        step = steps[i] if steps else 1
        if step < 1:
            raise node.unsupported("a negative step")
        window = [slice(None)] * x.ndim
        window[axes[i] if axes else i] = slice(start, end, step)
        x = x[tuple(window)]
    return x


def split(node: Node, x: Tensor, sizes: Tensor | None = None) -> tuple[Tensor, ...]:
    axis = node.attributes.get("axis", 0)
    parts = integers(sizes) if sizes is not None else node.attributes.get("split")
    return x.split(list(parts) if parts else -(-x.shape[axis] // len(node.outputs)), dim=axis)


def pad(
    node: Node, x: Tensor, sizes: Tensor | None = None, value: Tensor | None = None, axes: Tensor | None = None
) -> Tensor:
    if node.attributes.get("mode", b"constant") != b"constant" or axes is not None:
        raise node.unsupported("axes or another mode than constant")
    pads = integers(sizes) if sizes is not None else list(node.attributes["pads"])
    fill = node.attributes.get("value", 0.0) if value is None else float(value)
    pairs = zip(reversed(pads[: x.ndim]), reversed(pads[x.ndim :]), strict=True)
    return F.pad(x, [side for pair in pairs for side in pair], value=fill)


def constant_of_shape(node: Node, shape: Tensor) -> Tensor:
    value = node.attributes.get("value", torch.zeros(1))
    return value.expand(integers(shape))


def expand(_: Node, x: Tensor, shape: Tensor) -> Tensor:
    return x.expand(torch.broadcast_shapes(x.shape, tuple(integers(shape))))


def _reduce(function: Callable[[Tensor, tuple[int, ...], bool], Tensor]) -> Operator:
    def reduce(node: Node, x: Tensor, axes: Tensor | None = None) -> Tensor:
        chosen = integers(axes) if axes is not None else node.attributes.get("axes")
        if not chosen and node.attributes.get("noop_with_empty_axes", 0):
            return x
        return function(x, tuple(chosen or range(x.ndim)), bool(node.attributes.get("keepdims", 1)))

    return reduce


def _of(function: Callable[..., Tensor]) -> Operator:
    """An operator without attributes."""

    def apply(node: Node, *inputs: Tensor) -> Tensor:
        if node.attributes.get("broadcast"):
            raise node.unsupported("broadcasting as before opset 7")
        return function(*inputs)

    return apply


OPERATORS: dict[str, Operator] = {
    "Add": _of(torch.add),
    "Sub": _of(torch.sub),
    "Mul": _of(torch.mul),
    "Div": divide,
    "Pow": _of(torch.pow),
    "Sqrt": _of(torch.sqrt),
    "Exp": _of(torch.exp),
    "Log": _of(torch.log),
    "Neg": _of(torch.neg),
    "Abs": _of(torch.abs),
    "Reciprocal": _of(torch.reciprocal),
    "Max": _of(lambda first, *rest: _fold(torch.maximum, first, rest)),
    "Min": _of(lambda first, *rest: _fold(torch.minimum, first, rest)),
    "Sum": _of(lambda first, *rest: _fold(torch.add, first, rest)),
    "Relu": _of(F.relu),
    "Sigmoid": _of(torch.sigmoid),
    "Tanh": _of(torch.tanh),
    "Softplus": _of(F.softplus),
    "Erf": _of(torch.erf),
    "HardSwish": _of(F.hardswish),
    "LeakyRelu": lambda node, x: F.leaky_relu(x, node.attributes.get("alpha", 0.01)),
    "Elu": lambda node, x: F.elu(x, node.attributes.get("alpha", 1.0)),
    "HardSigmoid": lambda node, x: torch.clamp(
        x * node.attributes.get("alpha", 0.2) + node.attributes.get("beta", 0.5), 0, 1
    ),
    "Clip": clip,
    "Cast": cast,
    "Identity": lambda _, x: x,
    "Dropout": lambda _, x, *unused: x,  # as in inference
    "Reshape": reshape,
    "Flatten": flatten,
    "Transpose": transpose,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Concat": lambda node, *parts: torch.cat(parts, dim=node.attributes["axis"]),
    "Shape": shape_of,
    "Gather": gather,
    "Slice": slice_,
    "Split": split,
    "Pad": pad,
    "ConstantOfShape": constant_of_shape,
    "Expand": expand,
    "ReduceMean": _reduce(lambda x, axes, keep: x.mean(axes, keep)),
    "ReduceSum": _reduce(lambda x, axes, keep: x.sum(axes, keep)),
    "ReduceL2": _reduce(lambda x, axes, keep: torch.linalg.vector_norm(x, dim=axes, keepdim=keep)),
    "ReduceMax": _reduce(lambda x, axes, keep: x.amax(axes, keep)),
    "ReduceSumSquare": _reduce(lambda x, axes, keep: (x**2).sum(axes, keep)),
}


def _fold(function: Callable[[Tensor, Tensor], Tensor], first: Tensor, rest: tuple[Tensor, ...]) -> Tensor:
    for value in rest:
        first = function(first, value)
    return first
