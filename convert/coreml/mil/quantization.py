"""MIL operations between floats and the integers that stand for them."""

from __future__ import annotations

import torch
from torch import Tensor

from .types import DTYPES


def quantize(
    input: Tensor, scale: Tensor, output_dtype: str, zero_point: Tensor | None = None, axis: Tensor | None = None
) -> Tensor:
    """clip(round(input / scale) + zero_point), with a scale for all or one per element of ``axis``."""
    dtype = DTYPES[output_dtype]
    limits = torch.iinfo(dtype)
    levels = torch.round(input.float() / _along(scale, input, axis)) + _along(zero_point, input, axis)
    return levels.clamp(limits.min, limits.max).to(dtype)


def dequantize(input: Tensor, scale: Tensor, zero_point: Tensor | None = None, axis: Tensor | None = None) -> Tensor:
    """scale * (input - zero_point), in the scale's type."""
    return ((input.float() - _along(zero_point, input, axis)) * _along(scale, input, axis)).to(scale.dtype)


def constexpr_affine_dequantize(quantized_data: Tensor, scale: Tensor, zero_point: Tensor, axis: Tensor) -> Tensor:
    """``dequantize`` of a constant."""
    return dequantize(quantized_data, scale, zero_point, axis)


def constexpr_blockwise_shift_scale(data: Tensor, scale: Tensor, offset: Tensor | None = None) -> Tensor:
    """scale * (data - offset) of a constant, each scale serving a block of data.shape / scale.shape elements."""
    steps, shift = scale.float(), None if offset is None else offset.float()
    for axis, (size, count) in enumerate(zip(data.shape, scale.shape, strict=True)):
        steps = steps.repeat_interleave(size // count, axis)
        shift = None if shift is None else shift.repeat_interleave(size // count, axis)
    return (steps * (data.float() if shift is None else data.float() - shift)).to(scale.dtype)


def _along(parameter: Tensor | None, x: Tensor, axis: Tensor | None) -> Tensor:
    """A scalar or vector of quantization parameters in a shape that broadcasts along ``axis`` of ``x``."""
    if parameter is None:
        return torch.zeros(())
    if parameter.ndim == 0 or axis is None:
        return parameter.float()
    shape = [1] * x.ndim
    shape[int(axis)] = -1
    return parameter.float().reshape(shape)
