"""Which arrays count as photos, everywhere: one rule, and everything else is refused in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from edgesr.errors import UsageError

SLACK = 0.5 / 255
"""A network's output may leave [0, 1] by rounding; half a level of 8 bits is taken for that and clipped."""

RULE = "a photo is [H, W], or [H, W, C] with 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGBA) channels"
DTYPES = "take uint8 (0 to 255), uint16 (0 to 65535) or floats (0 to 1)"


def as_samples(array: Any) -> npt.NDArray[Any]:
    """An array as uint8 or uint16 [H, W, 1..4]: itself where it is that, floats from 0 to 1 as uint8.

    Raises:
        UsageError: no array, another shape, no pixel, another dtype (bool, int32, ...), or floats outside [0, 1].
    """
    if not isinstance(array, np.ndarray):
        raise UsageError(f"a photo of type {type(array).__name__}", "give a path or a NumPy array")
    if array.ndim not in (2, 3) or (array.ndim == 3 and not 1 <= array.shape[2] <= 4):
        raise UsageError(f"an array of shape {list(array.shape)} is no photo", RULE)
    if not array.size:
        raise UsageError(f"an array of shape {list(array.shape)} has no pixel", RULE)
    samples = array[..., None] if array.ndim == 2 else array
    samples = samples.astype(samples.dtype.newbyteorder("="), copy=False)
    if samples.dtype in (np.uint8, np.uint16):
        return samples
    if not np.issubdtype(samples.dtype, np.floating):
        raise UsageError(f"a photo of dtype {array.dtype}", DTYPES)
    low, high = float(samples.min()), float(samples.max())
    if not (low >= -SLACK and high <= 1 + SLACK):  # also where they are not numbers
        raise UsageError(f"a photo of floats from {low:g} to {high:g}", "floats go from 0 to 1: divide by 255")
    levels: npt.NDArray[np.uint8] = np.rint(samples.astype(np.float64).clip(0, 1) * 255).astype(np.uint8)
    return levels


def as_rgb(array: Any) -> npt.NDArray[np.uint8]:
    """An array as uint8 [H, W, 3]: grey in all three, 16 bits rounded to 8, transparency on white.

    Raises:
        UsageError: as ``as_samples``.
    """
    samples = as_samples(array)
    if samples.dtype == np.uint16:
        samples = ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)
    channels = samples.shape[2]
    if channels in (2, 4):
        alpha = samples[..., -1:].astype(np.uint32)
        samples = ((samples[..., :-1] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    return samples if channels in (3, 4) else np.repeat(samples, 3, axis=2)
