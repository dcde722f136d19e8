"""From five landmarks to the square crop that the network sees, and back: CelebA-HQ's rule.

``docs/alignment.md`` says the same step by step for other languages. Coordinates are continuous: pixel (i, j)
covers the square from (i, j) to (i + 1, j + 1), so its centre lies at (i + 0.5, j + 0.5), x to the right, y down.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from edgesr.errors import InputOutputError
from edgesr.images.imaging import Pixels

Array = npt.NDArray[np.float64]

EYES_FACTOR, FACE_FACTOR, DROP = 2.0, 1.8, 0.1
"""Half the crop's side in eye distances and in eye-mouth distances; the centre's way from the eyes to the mouth."""

TOLERANCE = 1e-6
"""A side this close above a multiple of the size counts as that multiple: rounding must not double the samples."""


@dataclasses.dataclass(frozen=True)
class Alignment:
    """A face's square in a photo: ``centre`` c, and ``half`` x, the vector from c to the middle of its right edge."""

    centre: tuple[float, float]
    half: tuple[float, float]

    @property
    def side(self) -> float:
        """The square's side in photo pixels."""
        return 2 * math.hypot(*self.half)

    def photo_from_crop(self, size: int) -> Array:
        """Matrix [2, 3] from a crop's coordinates (u, v), 0 to ``size``, to the photo's.

        It takes (u, v) to c + (2u/size - 1) x + (2v/size - 1) y, with y = (-x_y, x_x).
        """
        (cx, cy), (x, y) = self.centre, self.half
        step_x, step_y = 2 * x / size, 2 * y / size
        return np.array([[step_x, -step_y, cx - x + y], [step_y, step_x, cy - y - x]])

    def crop_from_photo(self, size: int) -> Array:
        """Matrix [2, 3] from the photo's coordinates to the crop's; the inverse of ``photo_from_crop``."""
        (cx, cy), (x, y) = self.centre, self.half
        scale = size / (2 * (x * x + y * y))
        a, b = scale * x, scale * y
        return np.array([[a, b, size / 2 - a * cx - b * cy], [-b, a, size / 2 + b * cx - a * cy]])


def align(landmarks: npt.ArrayLike) -> Alignment:
    """The square of a face from its landmarks [5, 2]: eyes, nose, mouth corners, image left first.

    Raises:
        InputOutputError: the landmarks are not finite or fall into one point.
    """
    points = np.asarray(landmarks, np.float64)
    if points.shape != (5, 2):
        raise InputOutputError(f"landmarks of shape {points.shape}", "five points: eyes, nose, mouth corners")
    (e0x, e0y), (e1x, e1y), _, (m0x, m0y), (m1x, m1y) = points.tolist()
    eyes = ((e0x + e1x) / 2, (e0y + e1y) / 2)
    ex, ey = e1x - e0x, e1y - e0y
    vx, vy = (m0x + m1x) / 2 - eyes[0], (m0y + m1y) / 2 - eyes[1]
    x, y = ex + vy, ey - vx  # e - (-v_y, v_x): the eyes' line and the upright of the face count alike
    length = math.hypot(x, y)
    half = max(EYES_FACTOR * math.hypot(ex, ey), FACE_FACTOR * math.hypot(vx, vy))
    if not math.isfinite(half) or length < TOLERANCE or half < TOLERANCE:
        raise InputOutputError("these landmarks are no face", "eyes and mouth lie in one point or are not numbers")
    return Alignment((eyes[0] + DROP * vx, eyes[1] + DROP * vy), (x / length * half, y / length * half))


def transform(matrix: Array, points: npt.ArrayLike) -> Array:
    """Points [..., 2] through a matrix [2, 3]."""
    return np.asarray(points, np.float64) @ matrix[:, :2].T + matrix[:, 2]


def crop_face(photo: Pixels, alignment: Alignment, size: int) -> Pixels:
    """The aligned crop, uint8 [size, size, 3], of a photo uint8 [H, W, 3].

    Every crop pixel is the mean of k x k bilinear samples, k = ceil(side / size), which is warping at k times the
    size and averaging down; where the crop enlarges the photo it is one cubic sample (Keys, a = -0.5).
    Outside the photo lies its mirror image. Memory does not grow with the face.
    """
    matrix = alignment.photo_from_crop(size)
    ratio = alignment.side / size
    enlarges = ratio < 1 - TOLERANCE
    k = max(1, math.ceil(ratio - TOLERANCE))
    total = np.zeros((size, size, 3))
    for i in range(k):
        for j in range(k):
            v, u = np.meshgrid(np.arange(size) + (i + 0.5) / k, np.arange(size) + (j + 0.5) / k, indexing="ij")
            at = transform(matrix, np.stack([u, v], axis=-1)) - 0.5  # in pixel indices
            total += _sample(photo, at, _cubic if enlarges else _linear)
    return np.floor((total / k**2).clip(0, 255) + 0.5).astype(np.uint8)


def _sample(photo: Pixels, at: Array, kernel: Callable[[Array], list[Array]]) -> Array:
    """Values [..., 3] of the photo at pixel indices ``at`` [..., 2], separably interpolated by ``kernel``."""
    height, width = photo.shape[:2]
    flat = photo.reshape(-1, 3)
    whole = np.floor(at)
    part = at - whole
    taps_x, taps_y = kernel(part[..., 0]), kernel(part[..., 1])
    first = 1 - len(taps_x) // 2
    columns = [mirror(whole[..., 0].astype(np.int64) + dx, width) for dx in range(first, first + len(taps_x))]
    rows = [mirror(whole[..., 1].astype(np.int64) + dy, height) * width for dy in range(first, first + len(taps_y))]
    result = np.zeros((*at.shape[:-1], 3))
    for row, weight_y in zip(rows, taps_y, strict=True):
        for column, weight_x in zip(columns, taps_x, strict=True):
            result += flat.take(row + column, axis=0) * (weight_x * weight_y)[..., None]
    return result


def mirror(index: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    """Indices into a row of ``count`` pixels that is mirrored at its edges: ... c b a | a b c | c b a ..."""
    if index.min() >= 0 and index.max() < count:  # nearly always, and the remainder is what takes time
        return index
    index = index % (2 * count)
    return np.minimum(index, 2 * count - 1 - index)


def _linear(t: Array) -> list[Array]:
    return [1 - t, t]


def _cubic(t: Array) -> list[Array]:
    """Keys' kernel with a = -0.5 at distances 1 + t, t, 1 - t, 2 - t."""
    return [
        ((-0.5 * t + 1) * t - 0.5) * t,
        (1.5 * t - 2.5) * t * t + 1,
        ((-1.5 * t + 2) * t + 0.5) * t,
        (0.5 * t - 0.5) * t * t,
    ]
