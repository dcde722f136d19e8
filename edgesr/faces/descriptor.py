"""What a face looks like and where it turns, in 109 numbers: exemplars are chosen by them, on every platform alike.

``docs/gallery-format.md`` writes the arithmetic down for other languages; a test holds its example.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from edgesr.errors import UsageError
from edgesr.images.imaging import Pixels

Descriptor = npt.NDArray[np.float32]

GRID, CHROMA_GRID = 8, 4
"""Cells a side: as few as choosing needs, since a gallery keeps them. 16 would be a thumbnail and choose no better
(docs/personalization.md)."""

LUMA = (0.299, 0.587, 0.114)

LEAST_CONTRAST = 1 / 255
"""A blank crop has no contrast to divide by; a level of 255 is the least that 8 bits tell apart."""

TEMPLATE = (
    (0.378, 0.474),
    (0.622, 0.474),
    (0.500, 0.617),
    (0.396, 0.727),
    (0.604, 0.727),
)
"""The usual landmarks of an aligned crop in shares of its side: the mean of the training crops, made symmetric."""

LUMINANCE = slice(0, GRID * GRID)
MEAN = LUMINANCE.stop
CONTRAST = MEAN + 1
CHROMA = slice(CONTRAST + 1, CONTRAST + 1 + 2 * CHROMA_GRID**2)
LANDMARKS = slice(CHROMA.stop, CHROMA.stop + 10)
HAS_LANDMARKS = LANDMARKS.stop
SIZE = HAS_LANDMARKS + 1
"""Numbers of a descriptor, and what lies where in it."""


def describe(face: Pixels, landmarks: npt.ArrayLike | None) -> Descriptor:
    """The descriptor [``SIZE``] of an aligned crop.

    ``face`` uint8 [S, S, 3], RGB, LR or HR, any S >= 1; ``landmarks`` [5, 2] in the crop's pixels (eyes, nose, mouth
    corners, image left first), or None where they are not known. Always finite.

    - ``LUMINANCE``: means of the cells of an 8x8 grid, less their mean, over their standard deviation; by rows.
    - ``MEAN``, ``CONTRAST``: that mean and standard deviation, in [0, 1].
    - ``CHROMA``: R - Y of a 4x4 grid, then B - Y.
    - ``LANDMARKS``: landmarks over S less ``TEMPLATE``: x, y of each; 0 where they are not known.
    - ``HAS_LANDMARKS``: 1 or 0.

    Raises:
        UsageError: the crop is no square uint8 picture, or the landmarks are not five finite points.
    """
    if (
        face.dtype != np.uint8
        or face.ndim != 3
        or face.shape[2] != 3
        or face.shape[0] != face.shape[1]
        or not face.size
    ):
        raise UsageError(f"a face has dtype {face.dtype} and shape {face.shape}", "it must be uint8 [S, S, 3], RGB")
    unit = face.astype(np.float64) / 255
    luma = unit @ np.array(LUMA)
    cells = box_means(luma, GRID)
    mean, contrast = cells.mean(), cells.std()
    chroma = box_means(unit[..., (0, 2)] - luma[..., None], CHROMA_GRID)  # 4 x 4 x 2
    result = np.zeros(SIZE, np.float32)
    result[LUMINANCE] = ((cells - mean) / max(float(contrast), LEAST_CONTRAST)).reshape(-1)
    result[MEAN], result[CONTRAST] = mean, contrast
    result[CHROMA] = chroma.transpose(2, 0, 1).reshape(-1)
    if landmarks is not None:
        points = np.asarray(landmarks, np.float64)
        if points.shape != (5, 2) or not np.isfinite(points).all():
            raise UsageError("a face's landmarks are five finite points", "eyes, nose and mouth corners, [5, 2]")
        result[LANDMARKS] = (points / face.shape[0] - np.array(TEMPLATE)).reshape(-1)
        result[HAS_LANDMARKS] = 1
    return result


def box_means(image: npt.NDArray[np.float64], cells: int) -> npt.NDArray[np.float64]:
    """Exact means [cells, cells, ...] of an image [S, S, ...] over the cells of a grid, S a multiple of it or not.

    Pixel p lies in cell c by the length that [p, p + 1] and [c S / cells, (c + 1) S / cells] share.
    """
    weights = _overlaps(image.shape[0], cells)
    planes = weights @ np.moveaxis(image.reshape(*image.shape[:2], -1), 2, 0) @ weights.T
    return np.moveaxis(planes, 0, 2).reshape(cells, cells, *image.shape[2:])


@functools.lru_cache(maxsize=32)
def _overlaps(size: int, cells: int) -> npt.NDArray[np.float64]:
    """Each pixel's share [cells, size] of each cell; rows sum to 1."""
    pixel = np.arange(size) * cells  # in units of 1 / cells of a pixel everything is whole
    cell = np.arange(cells)[:, None] * size
    shared = np.minimum(pixel + cells, cell + size) - np.maximum(pixel, cell)
    return np.maximum(shared, 0) / size
