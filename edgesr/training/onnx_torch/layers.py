"""ONNX's layers of a network: convolution, pooling, normalisation, products."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from edgesr.training.onnx_torch.node import Node, Operator

_CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_MAX_POOLS = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
_AVERAGE_POOLS = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


def conv(node: Node, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    kernel = tuple(weight.shape[2:])
    strides, dilations = _per_axis(node, "strides", len(kernel)), _per_axis(node, "dilations", len(kernel))
    before, after = _pads(node, x.shape[2:], kernel, strides, dilations)
    padding: Sequence[int] = before
    if before != after:
        x, padding = _pad(x, before, after, 0.0), [0] * len(kernel)
    groups = node.attributes.get("group", 1)
    convolution = _CONVOLUTIONS[len(kernel)]
    if x.device.type == "cpu" and x.dtype is torch.bfloat16 and groups > 1 and max(strides) > 1:
        # oneDNN has no quick gradient of a strided depthwise convolution in bfloat16: in float32 it is 3 to 25
        # times as fast, conversions included, and three of them were more than half of a MobileFaceNet's backward pass.
        with torch.autocast("cpu", enabled=False):
            wide = (x.float(), weight.float(), None if bias is None else bias.float())
            return convolution(*wide, strides, padding, dilations, groups).to(x.dtype)
    return convolution(x, weight, bias, strides, padding, dilations, groups)


def max_pool(node: Node, x: Tensor) -> Tensor:
    if node.attributes.get("ceil_mode", 0) or len(node.outputs) > 1:
        raise node.unsupported("ceil_mode or its indices")
    kernel = tuple(node.attributes["kernel_shape"])
    strides, dilations = _per_axis(node, "strides", len(kernel)), _per_axis(node, "dilations", len(kernel))
    before, after = _pads(node, x.shape[2:], kernel, strides, dilations)
    x = _pad(x, before, after, -math.inf)
    return _MAX_POOLS[len(kernel)](x, kernel, strides, 0, dilations)


def average_pool(node: Node, x: Tensor) -> Tensor:
    if node.attributes.get("ceil_mode", 0) or set(node.attributes.get("dilations", [1])) != {1}:
        raise node.unsupported("ceil_mode or dilations")
    kernel = tuple(node.attributes["kernel_shape"])
    strides = _per_axis(node, "strides", len(kernel))
    before, after = _pads(node, x.shape[2:], kernel, strides, [1] * len(kernel))
    pool = _AVERAGE_POOLS[len(kernel)]
    means = pool(_pad(x, before, after, 0.0), kernel, strides)
    if not any([*before, *after]) or node.attributes.get("count_include_pad", 0):
        return means
    inside = _pad(torch.ones_like(x[:1, :1]), before, after, 0.0)
    return means / pool(inside, kernel, strides)


def global_average_pool(_: Node, x: Tensor) -> Tensor:
    return x.mean(dim=tuple(range(2, x.ndim)), keepdim=True)


def batch_normalization(node: Node, x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    if node.attributes.get("training_mode", 0):
        raise node.unsupported("training_mode")
    if not node.attributes.get("spatial", 1) and x.ndim > 2:
        raise node.unsupported("spatial = 0")
    epsilon = node.attributes.get("epsilon", 1e-5)
    return F.batch_norm(x, mean, variance, scale, bias, training=False, eps=epsilon)


def instance_normalization(node: Node, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    return F.instance_norm(x, weight=scale, bias=bias, eps=node.attributes.get("epsilon", 1e-5))


def lp_normalization(node: Node, x: Tensor) -> Tensor:
    order, axis = node.attributes.get("p", 2), node.attributes.get("axis", -1)
    return x / torch.linalg.vector_norm(x, ord=order, dim=axis, keepdim=True)


def prelu(_: Node, x: Tensor, slope: Tensor) -> Tensor:
    if slope.ndim == 1 and len(slope) not in (1, x.shape[-1]):
        slope = slope.view(-1, *[1] * (x.ndim - 2))  # per channel, as old exporters left it
    return torch.where(x < 0, x * slope, x)


def gemm(node: Node, a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
    a = a.T if node.attributes.get("transA", 0) else a
    b = b.T if node.attributes.get("transB", 0) else b
    product = a @ b * node.attributes.get("alpha", 1.0)
    return product if c is None else product + c * node.attributes.get("beta", 1.0)


def softmax(node: Node, x: Tensor) -> Tensor:
    axis = node.attributes.get("axis", -1 if node.opset >= 13 else 1)
    if node.opset >= 13 or axis in (-1, x.ndim - 1):
        return x.softmax(axis)
    return x.flatten(axis).softmax(-1).view_as(x)  # until opset 12, over all axes from this one on


def _per_axis(node: Node, name: str, axes: int) -> list[int]:
    return list(node.attributes.get(name) or [1] * axes)


def _pads(
    node: Node, size: Sequence[int], kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> tuple[list[int], list[int]]:
    """Padding before and after each spatial axis."""
    axes, mode = len(kernel), node.attributes.get("auto_pad", b"NOTSET").decode()
    if mode == "NOTSET":
        pads = list(node.attributes.get("pads") or [0] * (2 * axes))
        return pads[:axes], pads[axes:]
    if mode == "VALID":
        return [0] * axes, [0] * axes
    small, large = [], []
    for n, k, s, d in zip(size, kernel, strides, dilations, strict=True):
        total = max((math.ceil(n / s) - 1) * s + (k - 1) * d + 1 - n, 0)
        small.append(total // 2)
        large.append(total - total // 2)
    return (small, large) if mode == "SAME_UPPER" else (large, small)


def _pad(x: Tensor, before: Sequence[int], after: Sequence[int], value: float) -> Tensor:
    if not any([*before, *after]):
        return x
    pairs = zip(reversed(before), reversed(after), strict=True)
    return F.pad(x, [side for pair in pairs for side in pair], value=value)


LAYERS: dict[str, Operator] = {
    "Conv": conv,
    "MaxPool": max_pool,
    "AveragePool": average_pool,
    "GlobalAveragePool": global_average_pool,
    "BatchNormalization": batch_normalization,
    "InstanceNormalization": instance_normalization,
    "LpNormalization": lp_normalization,
    "PRelu": prelu,
    "Gemm": gemm,
    "MatMul": lambda _, a, b: a @ b,
    "Softmax": softmax,
}
