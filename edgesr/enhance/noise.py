"""How noisy a face is: from the finest differences that neighbouring pixels have across a diagonal."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

LUMINANCE = (0.299, 0.587, 0.114)

GAUSSIAN = 0.6745
"""The median of a normal distribution's absolute values, in standard deviations."""


def luminance(pixels: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
    """[H, W, 3] to [H, W], in the levels that came (BT.601's weights)."""
    result: npt.NDArray[np.float64] = pixels.astype(np.float64) @ np.array(LUMINANCE)
    return result


def noise_of(plane: npt.NDArray[np.floating]) -> float:
    """Standard deviation of the noise of ``plane`` [H, W], in its levels; 0 where there are fewer than 2 x 2 pixels.

    Donoho and Johnstone's robust estimate (Biometrika 1994): the median of the absolute values of the diagonal Haar
    coefficients over 0.6745. Edges of a face lie elsewhere, and the few that do not leave a median alone.
    """
    height, width = plane.shape[0] // 2 * 2, plane.shape[1] // 2 * 2
    even = plane[:height, :width]
    diagonal = (even[::2, ::2] - even[1::2, ::2] - even[::2, 1::2] + even[1::2, 1::2]) / 2
    return float(np.median(np.abs(diagonal)) / GAUSSIAN) if diagonal.size else 0.0
