"""What a graph gives for an example, and how its axes lie in TFLite."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
CANONICAL = {4: (0, 2, 3, 1), 3: (0, 1, 2), 2: (0, 1), 1: (0,)}
"""Axes of an ONNX tensor in the artifact, by rank: images and features NHWC, weights [n, h, w], codes [n, length],
valid [n]."""


@dataclasses.dataclass(frozen=True, eq=False)
class Example:
    """Inputs of a graph and its outputs for them, by name, with the axes of ONNX."""

    inputs: dict[str, Array]
    outputs: dict[str, Array]


def canonical(array: Array) -> Array:
    """An ONNX tensor with the artifact's order of axes."""
    return np.ascontiguousarray(array.transpose(CANONICAL[array.ndim]))


def closest_axes(result: Array, wanted: Array) -> tuple[int, ...] | None:
    """The order of axes in which ``result`` comes closest to ``wanted``; None where no order gives it that shape."""
    candidates = [
        (float(np.abs(result.transpose(axes) - wanted).max()), axes)
        for axes in itertools.permutations(range(result.ndim))
        if result.transpose(axes).shape == wanted.shape
    ]
    return min(candidates)[1] if candidates else None
