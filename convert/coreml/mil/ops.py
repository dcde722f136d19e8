"""Operations of Core ML's Model Intermediate Language (MIL), each from its documented semantics.

The semantics are those of the operation reference that coremltools publishes, for the iOS 18 opset. Parameters have the
names that MIL gives them; constants arrive as tensors (shapes, axes and flags too) and strings as ``str``. Arithmetic
is in the operands' own type: a float16 result is rounded after every operation, while convolutions, matrix
products and sums accumulate in float32 and round once. What these functions do not cover they refuse.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .indexing import gather, pad, resample, slice_by_index
from .quantization import constexpr_affine_dequantize, constexpr_blockwise_shift_scale, dequantize, quantize
from .types import DTYPES, ints

Operation = Callable[..., Tensor | tuple[Tensor, ...]]


def conv(
    x: Tensor,
    weight: Tensor,
    strides: Tensor,
    pad_type: str,
    dilations: Tensor,
    groups: Tensor,
    pad: Tensor | None = None,
    bias: Tensor | None = None,
) -> Tensor:
    """[n, C_in, h, w] with kernels [C_out, C_in / groups, kh, kw]; ``pad`` is (top, bottom, left, right)."""
    if x.ndim != 4:
        raise NotImplementedError(f"conv of rank {x.ndim}")
    if pad_type == "custom" and pad is not None:
        top, bottom, left, right = ints(pad)
        x = F.pad(x, (left, right, top, bottom))
    elif pad_type != "valid":
        raise NotImplementedError(f"conv with pad_type {pad_type!r}")
    result = F.conv2d(
        x.float(),
        weight.float(),
        None if bias is None else bias.float(),
        stride=ints(strides),
        dilation=ints(dilations),
        groups=int(groups),
    )
    return result.to(x.dtype)


def max_pool(x: Tensor, kernel_sizes: Tensor, strides: Tensor, pad_type: str, ceil_mode: Tensor, **_: Tensor) -> Tensor:
    """The largest value under each window; ``pad`` says nothing where the type is ``valid``."""
    if x.ndim != 4 or pad_type != "valid" or ceil_mode:
        raise NotImplementedError(f"max_pool of rank {x.ndim} with pad_type {pad_type!r}")
    return F.max_pool2d(x, ints(kernel_sizes), ints(strides))


def upsample_nearest_neighbor(x: Tensor, scale_factor_height: Tensor, scale_factor_width: Tensor) -> Tensor:
    """Each pixel as many times as the factors say, which are whole numbers here."""
    height, width = float(scale_factor_height), float(scale_factor_width)
    if not (height.is_integer() and width.is_integer()):
        raise NotImplementedError(f"upsample_nearest_neighbor by {height} and {width}")
    return x.repeat_interleave(int(height), -2).repeat_interleave(int(width), -1)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """[..., D_in] with weights [D_out, D_in] -> [..., D_out]; weights may have another type than ``x``."""
    return F.linear(x.float(), weight.float(), None if bias is None else bias.float()).to(x.dtype)


def matmul(x: Tensor, y: Tensor, transpose_x: Tensor, transpose_y: Tensor) -> Tensor:
    """Batched product; the flags transpose the last two axes, and do nothing to a vector."""
    a = x.transpose(-1, -2) if transpose_x and x.ndim > 1 else x
    b = y.transpose(-1, -2) if transpose_y and y.ndim > 1 else y
    return torch.matmul(a.float(), b.float()).to(x.dtype)


def reduce_sum(x: Tensor, keep_dims: Tensor, axes: Tensor | None = None) -> Tensor:
    """Sum over ``axes``, all of them when none are given."""
    return x.float().sum(_axes(x, axes), keepdim=bool(keep_dims)).to(x.dtype)


def reduce_mean(x: Tensor, keep_dims: Tensor, axes: Tensor | None = None) -> Tensor:
    """Mean over ``axes``, all of them when none are given."""
    return x.float().mean(_axes(x, axes), keepdim=bool(keep_dims)).to(x.dtype)


def reshape(x: Tensor, shape: Tensor) -> Tensor:
    """-1 is inferred; a 0 keeps the axis of ``x`` counted from the right (iOS 17 and later), 1 beyond its rank."""
    sizes = ints(shape)
    for i, size in enumerate(sizes):
        if size == 0:
            from_right = len(sizes) - i
            sizes[i] = x.shape[-from_right] if from_right <= x.ndim else 1
    return x.reshape(sizes)


def concat(values: list[Tensor], axis: Tensor, interleave: Tensor) -> Tensor:
    """Joined along ``axis``, one after the other or element by element."""
    at = int(axis) % values[0].ndim
    if interleave:
        return torch.stack(values, at + 1).flatten(at, at + 1)
    return torch.cat(values, at)


def split(
    x: Tensor, axis: Tensor, num_splits: Tensor | None = None, split_sizes: Tensor | None = None
) -> tuple[Tensor, ...]:
    """Parts of the given sizes, or ``num_splits`` equal ones."""
    if split_sizes is not None:
        return torch.split(x, ints(split_sizes), int(axis))
    assert num_splits is not None  # the specification asks for one of the two
    return torch.split(x, x.shape[int(axis)] // int(num_splits), int(axis))


def expand_dims(x: Tensor, axes: Tensor) -> Tensor:
    """New axes of size 1 at these places of the result."""
    rank = x.ndim + axes.numel()
    for axis in sorted(a % rank for a in ints(axes)):
        x = x.unsqueeze(axis)
    return x


def squeeze(x: Tensor, axes: Tensor | None = None) -> Tensor:
    """Drop these axes of size 1, or all of them."""
    return x.squeeze() if axes is None else x.squeeze(tuple(ints(axes)))


def fill(shape: Tensor, value: Tensor) -> Tensor:
    return torch.full(ints(shape), value.item(), dtype=value.dtype)


def cast(x: Tensor, dtype: str) -> Tensor:
    """Rounds to nearest even towards shorter floats, and cuts the fraction towards integers."""
    return x.to(DTYPES[dtype])


def _elementwise(function: Callable[[Any, Any], Any]) -> Operation:
    def operation(x: Tensor, y: Tensor) -> Tensor:
        # MIL takes operands of one type only; PyTorch would promote them and hide a faulty program.
        if x.dtype != y.dtype:
            raise TypeError(f"operands of types {x.dtype} and {y.dtype}")
        result: Tensor = function(x, y)
        return result

    return operation


def _axes(x: Tensor, axes: Tensor | None) -> list[int]:
    return list(range(x.ndim)) if axes is None else ints(axes)


OPERATIONS: dict[str, Operation] = {
    "abs": lambda x: torch.abs(x),
    "add": _elementwise(operator.add),
    "cast": cast,
    "clip": lambda x, alpha, beta: torch.clamp(x, float(alpha), float(beta)),
    "concat": concat,
    "constexpr_affine_dequantize": constexpr_affine_dequantize,
    "constexpr_blockwise_shift_scale": constexpr_blockwise_shift_scale,
    "conv": conv,
    "dequantize": dequantize,
    "expand_dims": expand_dims,
    "fill": fill,
    "floor": lambda x: torch.floor(x),
    "gather": gather,
    "greater_equal": _elementwise(operator.ge),
    "identity": lambda x: x,
    "less": _elementwise(operator.lt),
    "linear": linear,
    "matmul": matmul,
    "max_pool": max_pool,
    "maximum": _elementwise(torch.maximum),
    "minimum": _elementwise(torch.minimum),
    "mul": _elementwise(operator.mul),
    "pad": pad,
    "pixel_shuffle": lambda x, upscale_factor: F.pixel_shuffle(x, int(upscale_factor)),
    "pixel_unshuffle": lambda x, downscale_factor: F.pixel_unshuffle(x, int(downscale_factor)),
    "quantize": quantize,
    "real_div": _elementwise(operator.truediv),
    "reduce_mean": reduce_mean,
    "reduce_sum": reduce_sum,
    "relu": lambda x: F.relu(x),
    "resample": resample,
    "reshape": reshape,
    "select": lambda cond, a, b: torch.where(cond, a, b),
    "sigmoid": lambda x: torch.sigmoid(x),
    "slice_by_index": slice_by_index,
    "split": split,
    "squeeze": squeeze,
    "stack": lambda values, axis: torch.stack(values, int(axis)),
    "sub": _elementwise(operator.sub),
    "tanh": lambda x: torch.tanh(x),
    "tile": lambda x, reps: x.tile(ints(reps)),
    "transpose": lambda x, perm: x.permute(ints(perm)),
    "upsample_nearest_neighbor": upsample_nearest_neighbor,
}
"""MIL's name of every operation that can be evaluated."""
