"""MIL operations that address elements by position: sampling, gathering, padding, slicing."""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor

from .types import ints


def resample(
    x: Tensor,
    coordinates: Tensor,
    sampling_mode: str,
    padding_mode: str,
    padding_value: Tensor,
    coordinates_mode: str,
    align_corners: Tensor,
) -> Tensor:
    """Bilinear samples of ``x`` [B, C, H1, W1] at ``coordinates`` [B, H2, W2, 2] (x before y) -> [B, C, H2, W2].

    Normalized coordinates map to the centres of the corner pixels (``align_corners``) or to their edges.
    Positions are computed in float32, whatever the types of ``x`` and of the coordinates.
    """
    if sampling_mode != "bilinear" or padding_mode not in ("border", "constant"):
        raise NotImplementedError(f"resample with sampling_mode {sampling_mode!r}, padding_mode {padding_mode!r}")
    _, _, height, width = x.shape
    px = _position(coordinates[..., 0].float(), width, coordinates_mode, bool(align_corners))
    py = _position(coordinates[..., 1].float(), height, coordinates_mode, bool(align_corners))
    x0, y0 = torch.floor(px), torch.floor(py)
    fx, fy = px - x0, py - y0
    values = x.float().flatten(2)  # B, C, H1 * W1
    result = torch.zeros(())
    for dy, dx in itertools.product((0, 1), (0, 1)):
        weight = (fy if dy else 1.0 - fy) * (fx if dx else 1.0 - fx)
        column, row = x0 + dx, y0 + dy
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        index = (row.clamp(0, height - 1) * width + column.clamp(0, width - 1)).long()  # B, H2, W2
        corner = values.gather(2, index.flatten(1).unsqueeze(1).expand(-1, x.shape[1], -1))
        corner = corner.unflatten(2, index.shape[1:])
        if padding_mode == "constant":
            corner = torch.where(inside.unsqueeze(1), corner, padding_value.float())
        result = result + corner * weight.unsqueeze(1)
    return result.to(x.dtype)


def gather(x: Tensor, indices: Tensor, axis: Tensor, batch_dims: Tensor, validate_indices: Tensor) -> Tensor:
    """Slices of ``x`` along ``axis``: shape D[:axis] + N + D[axis+1:].

    An index out of range is undefined on a device unless it is validated there; here it is always an error.
    """
    if batch_dims:
        raise NotImplementedError("gather with batch_dims")
    at = int(axis) % x.ndim
    flat = indices.reshape(-1).long()
    if flat.numel() and not (int(flat.min()) >= 0 and int(flat.max()) < x.shape[at]):
        kind = "invalid" if validate_indices else "undefined"
        raise IndexError(f"gather from {x.shape[at]} with indices {flat.min()} to {flat.max()}, which is {kind}")
    return torch.index_select(x, at, flat).reshape(*x.shape[:at], *indices.shape, *x.shape[at + 1 :])


def pad(x: Tensor, pad: Tensor, mode: str, constant_val: Tensor) -> Tensor:
    """``pad`` is (before, after) of each of the last axes; ``reflect`` leaves the border element out."""
    pairs = [(before, after) for before, after in pad.reshape(-1, 2).tolist()]
    if mode == "constant":
        flat = [amount for pair in reversed(pairs) for amount in pair]
        return F.pad(x, flat, value=float(constant_val))
    for axis, (before, after) in zip(range(x.ndim - len(pairs), x.ndim), pairs, strict=True):
        size = x.shape[axis]
        index = torch.arange(-before, size + after)
        if mode == "reflect":
            index = index.abs()
            index = torch.where(index >= size, 2 * (size - 1) - index, index)
        x = x.index_select(axis, index.clamp(0, size - 1))
    return x


def slice_by_index(
    x: Tensor,
    begin: Tensor,
    end: Tensor,
    stride: Tensor | None = None,
    begin_mask: Tensor | None = None,
    end_mask: Tensor | None = None,
    squeeze_mask: Tensor | None = None,
) -> Tensor:
    """``x[begin:end:stride, ...]``; masks ignore a bound, or take one index and drop the axis (``squeeze_mask``)."""
    free = [False] * x.ndim
    skip_begin, skip_end, squeeze = (
        free if mask is None else mask.tolist() for mask in (begin_mask, end_mask, squeeze_mask)
    )
    steps = [1] * x.ndim if stride is None else ints(stride)
    if min(steps) < 1:
        raise NotImplementedError("slice_by_index backwards")
    index: list[int | slice] = []
    for axis, (first, last, step) in enumerate(zip(ints(begin), ints(end), steps, strict=True)):
        if squeeze[axis]:
            index.append(first)
        else:
            index.append(slice(None if skip_begin[axis] else first, None if skip_end[axis] else last, step))
    return x[tuple(index)]


def _position(coordinate: Tensor, size: int, mode: str, align_corners: bool) -> Tensor:
    """Coordinates as pixel positions in [0, size - 1]; border padding is a clamp, done by the caller's indices."""
    if mode == "unnormalized":
        return coordinate
    unit = {"normalized_minus_one_to_one": (coordinate + 1.0) / 2.0, "normalized_zero_to_one": coordinate}[mode]
    return unit * (size - 1) if align_corners else unit * size - 0.5
