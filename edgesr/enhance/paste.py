"""Putting a restored face back: warped to its place, under a mask that ends before its square does."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from edgesr.enhance.detail import resize_planes
from edgesr.enhance.photo import Samples
from edgesr.faces.alignment import Alignment, mirror, transform
from edgesr.images.imaging import Pixels

Array = npt.NDArray[np.float32]

FEATHER = 0.35
"""The mask falls from 1 to 0 over this share of the way from the middle of the square to its border."""

ROUNDNESS = 4.0
"""|u|^p + |v|^p = 1 is the mask's outline: a square with round corners, since the restored square has no corner of
its own that should be seen."""


STRIP = 1 << 21
"""Output pixels that are made at a time."""


def upscale(pixels: Samples, factor: int) -> Samples:
    """A whole photo [H, W, C] larger by a whole factor: bicubic, a = -0.5, in strips; 1 gives a copy.

    Strips overlap by the kernel's reach, so that their seams are where no strip would differ.
    """
    if factor == 1:
        return pixels.copy()
    height, width, channels = pixels.shape
    result = np.empty((height * factor, width * factor, channels), pixels.dtype)
    step, reach = max(8, STRIP // max(1, width * factor)), 4
    for top in range(0, height, step):
        first, last = max(0, top - reach), min(height, top + step + reach)
        bottom = min(top + step, height)
        for channel in range(channels):
            part = pixels[first:last, :, channel]
            deep = part.dtype == np.uint16
            image = Image.fromarray(part.astype(np.float32) if deep else np.ascontiguousarray(part))
            large = np.asarray(image.resize((width * factor, (last - first) * factor), Image.Resampling.BICUBIC))
            cut = large[(top - first) * factor : (bottom - first) * factor]
            if deep:
                cut = np.rint(cut.clip(0, 65535))
            result[top * factor : bottom * factor, :, channel] = cut
    return result


def scaled(alignment: Alignment, factor: int) -> Alignment:
    """The same face's square in the photo enlarged by ``factor``."""
    (cx, cy), (x, y) = alignment.centre, alignment.half
    return dataclasses.replace(alignment, centre=(cx * factor, cy * factor), half=(x * factor, y * factor))


def paste(photo: Samples, face: Pixels, alignment: Alignment, strength: float = 1.0) -> None:
    """Blend ``face`` uint8 [S, S, 3] into ``photo`` [H, W, 1 | 3] (uint8 or uint16, written to) at its square.

    Going down the face is antialiased first. Every sample outside the square keeps its value to the bit; at the
    square's border the mask and its slope are zero, so there is no step. A grey photo takes the face's luminance.
    """
    height, width = photo.shape[:2]
    left, top, right, bottom = bounds(alignment, width, height)
    if right <= left or bottom <= top or strength <= 0:
        return
    side = min(face.shape[0], max(1, math.ceil(alignment.side)))
    small = face.astype(np.float32) if side == face.shape[0] else resize_planes(face.astype(np.float32), side)
    y, x = np.mgrid[top:bottom, left:right] + 0.5
    at = transform(alignment.crop_from_photo(side), np.stack([x, y], axis=-1))
    mask = strength * feather(at / (side / 2) - 1)
    warped = sample(small, at - 0.5).clip(0, 255)
    if photo.shape[2] == 1:
        warped = warped @ np.array([[0.299], [0.587], [0.114]], np.float32)
    levels = 257.0 if photo.dtype == np.uint16 else 1.0
    window = photo[top:bottom, left:right]
    inside = mask > 0
    before = window[inside].astype(np.float32)
    blended = before + mask[inside][:, None] * (warped[inside] * levels - before)
    window[inside] = np.rint(blended).astype(photo.dtype)


def mask_of(alignment: Alignment, box: tuple[int, int, int, int]) -> Array:
    """How much of a restored face shows in each pixel of ``box`` (left, top, right, bottom); [h, w] in [0, 1]."""
    left, top, right, bottom = box
    y, x = np.mgrid[top:bottom, left:right] + 0.5
    return feather(transform(alignment.crop_from_photo(2), np.stack([x, y], axis=-1)) - 1)


def bounds(alignment: Alignment, width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the square's surroundings within a photo, in whole pixels."""
    (cx, cy), (x, y) = alignment.centre, alignment.half
    reach = abs(x) + abs(y)
    return (
        max(0, math.floor(cx - reach)),
        max(0, math.floor(cy - reach)),
        min(width, math.ceil(cx + reach)),
        min(height, math.ceil(cy + reach)),
    )


def feather(at: npt.NDArray[Any]) -> Array:
    """The mask at ``at`` [..., 2], the square's own coordinates from -1 to 1: 1 inside, 0 on its border and outside."""
    radius = (np.abs(at) ** ROUNDNESS).sum(-1) ** (1 / ROUNDNESS)
    t = ((1 - radius) / FEATHER).clip(0, 1)
    smooth: Array = (t * t * t * (t * (6 * t - 15) + 10)).astype(np.float32)
    return smooth


def sample(image: npt.NDArray[Any], at: npt.NDArray[Any]) -> Array:
    """Values [..., C] of ``image`` [H, W, C] at pixel indices ``at`` [..., 2]: cubic, a = -0.5.

    Beyond the image lies its mirror image.
    """
    height, width = image.shape[:2]
    whole = np.floor(at).astype(np.int64)
    part = (at - whole).astype(np.float32)
    result = np.zeros((*at.shape[:-1], image.shape[2]), np.float32)
    for dy, row_weight in zip(range(-1, 3), _cubic(part[..., 1]), strict=True):
        rows = mirror(whole[..., 1] + dy, height)
        for dx, column_weight in zip(range(-1, 3), _cubic(part[..., 0]), strict=True):
            columns = mirror(whole[..., 0] + dx, width)
            result += image[rows, columns] * (row_weight * column_weight)[..., None]
    return result


def _cubic(t: Array) -> list[Array]:
    """Keys' kernel with a = -0.5 at distances 1 + t, t, 1 - t, 2 - t."""
    return [
        ((-0.5 * t + 1) * t - 0.5) * t,
        (1.5 * t - 2.5) * t * t + 1,
        ((-1.5 * t + 2) * t + 0.5) * t,
        (0.5 * t - 0.5) * t * t,
    ]
