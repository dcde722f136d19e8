"""The photo's grain on a restored face: a clean face in a noisy photo looks cut out."""

from __future__ import annotations

import dataclasses
import zlib

import numpy as np
import numpy.typing as npt
from PIL import Image

from edgesr.enhance.detail import resize_planes
from edgesr.enhance.noise import noise_of
from edgesr.enhance.paste import bounds, mask_of, scaled
from edgesr.enhance.photo import Samples
from edgesr.faces.alignment import Alignment
from edgesr.images.imaging import Pixels

Levels = npt.NDArray[np.float32]

AROUND = 2
"""The noise is estimated in the face's surroundings, so many times its square: its own light, and enough pixels."""

REACH = 4
"""Pixels beyond the face's box that the bicubic kernel may see where the grain is enlarged with the photo."""

COLOURS = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
"""RGB to Y, Cb, Cr (JFIF): a camera's noise of brightness is another than its noise of colour."""


@dataclasses.dataclass(frozen=True)
class Grain:
    """What a restored face lacks of the photo's noise.

    ``deviations``: standard deviation of Y, Cb, Cr (of Y alone in a grey photo), in levels of 255 at the photo's own
    size. ``seed``: the same face of the same photo always gets the same grain.
    """

    alignment: Alignment
    deviations: tuple[float, ...]
    seed: int


def grain_for(photo: Samples, face: Pixels, alignment: Alignment) -> Grain:
    """The grain for ``face`` uint8 [S, S, 3] at its square in ``photo`` [H, W, 1 | 3], which is as it came.

    What the face has of noise itself, at the size it has in the photo, is taken off by its square.
    """
    height, width = photo.shape[:2]
    left, top, right, bottom = bounds(scaled_about_its_middle(alignment, AROUND), width, height)
    around = photo[top:bottom, left:right].astype(np.float64) / (257 if photo.dtype == np.uint16 else 1)
    side = min(face.shape[0], max(2, round(alignment.side)))
    small = resize_planes(face.astype(np.float32), side)
    if photo.shape[2] == 1:
        planes = [(around[..., 0], small @ COLOURS[0])]
    else:
        planes = [(around @ row, small @ row) for row in COLOURS]
    lacking = tuple(max(0.0, noise_of(theirs) ** 2 - noise_of(ours) ** 2) ** 0.5 for theirs, ours in planes)
    return Grain(alignment, lacking, zlib.crc32(np.ascontiguousarray(photo[top:bottom, left:right]).tobytes()))


def add_grain(photo: Samples, grain: Grain, factor: int, strength: float = 1.0) -> None:
    """Add ``grain`` to its face in ``photo``, the input ``factor`` times as large, where the face shows.

    It is drawn at the input's size and enlarged by the photo's bicubic, so that it is as coarse as the photo's own.
    """
    if not any(grain.deviations) or strength <= 0:
        return
    height, width = photo.shape[0] // factor, photo.shape[1] // factor
    left, top, right, bottom = bounds(grain.alignment, width, height)
    if right <= left or bottom <= top:
        return
    random = np.random.default_rng(grain.seed)
    noise = random.standard_normal((bottom - top + 2 * REACH, right - left + 2 * REACH, len(grain.deviations)))
    noise *= np.array(grain.deviations)
    if len(grain.deviations) > 1:
        noise = noise @ np.linalg.inv(COLOURS).T
    large = _enlarged(noise.astype(np.float32), factor)
    inner = REACH * factor
    large = large[inner : large.shape[0] - inner, inner : large.shape[1] - inner]
    box = (left * factor, top * factor, right * factor, bottom * factor)
    mask = strength * mask_of(scaled(grain.alignment, factor), box)
    window = photo[box[1] : box[3], box[0] : box[2]]
    levels, most = (257.0, 65535) if photo.dtype == np.uint16 else (1.0, 255)
    inside = mask > 0
    grainy = window[inside] + levels * mask[inside][:, None] * large[inside]
    window[inside] = np.rint(grainy.clip(0, most)).astype(photo.dtype)


def scaled_about_its_middle(alignment: Alignment, factor: float) -> Alignment:
    """A square ``factor`` times as large around the same middle."""
    return dataclasses.replace(alignment, half=(alignment.half[0] * factor, alignment.half[1] * factor))


def _enlarged(noise: Levels, factor: int) -> Levels:
    if factor == 1:
        return noise
    size = (noise.shape[1] * factor, noise.shape[0] * factor)
    planes = [
        np.asarray(Image.fromarray(np.ascontiguousarray(noise[..., c])).resize(size, Image.Resampling.BICUBIC))
        for c in range(noise.shape[2])
    ]
    return np.stack(planes, axis=-1)
