"""Pictures that explain a result: before and after side by side, and each exemplar's weight over the face."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from edgesr.enhance.detail import resize_planes
from edgesr.images.imaging import Pixels, resize_bicubic

Weights = npt.NDArray[np.float32]

OPACITY = 0.45
"""How opaque the colours lie over the face."""

TILE, GAP, CAPTION = 192, 6, 18
LONGEST = 1600
"""Pixels of a half of the side-by-side picture; its faces are shown apart, so nothing is lost."""

BACKGROUND, INK = (24, 24, 24), (230, 230, 230)


def jet(values: npt.NDArray[np.floating]) -> Pixels:
    """The jet colours of values in [0, 1]: dark blue, cyan, yellow, dark red; uint8 [..., 3]."""
    four = 4 * np.asarray(values, np.float64).clip(0, 1)[..., None] - np.array([3.0, 2.0, 1.0])
    return np.rint((1.5 - np.abs(four)).clip(0, 1) * 255).astype(np.uint8)


def overlay(face: Pixels, share: Weights, count: int) -> Pixels:
    """One exemplar's weight [h, w] of ``count`` exemplars' in jet colours over a face uint8 [S, S, 3].

    CoFA's weights sum to 1 over the exemplars (to less where none of them matches), so 1 / count is an equal part:
    that is green; dark blue is none, and dark red twice an equal part or more. One exemplar alone is green all
    over: it has nobody to win against.
    """
    size = face.shape[0]
    levels: Weights = (np.asarray(share, np.float32) * (count / 2)).astype(np.float32)
    large = resize_planes(levels[..., None], size)[..., 0]
    luma = (face.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32))[..., None]
    mixed = (1 - OPACITY) * luma + OPACITY * jet(large)
    return np.rint(mixed).clip(0, 255).astype(np.uint8)


def heatmap_sheet(rows: Sequence[tuple[Pixels, Weights, Sequence[str]]]) -> Pixels:
    """A row a face: the restored face, then its overlay for each exemplar, captioned; with the scale of colours.

    Each row is a face uint8 [S, S, 3], weights [n, h, w], and n captions.
    """
    count = 1 + max((len(weights) for _, weights, _ in rows), default=0)
    sheet = Image.new("RGB", (count * (TILE + GAP) + GAP, len(rows) * (TILE + CAPTION + GAP) + GAP + 2 * CAPTION))
    sheet.paste(BACKGROUND, (0, 0, *sheet.size))
    draw = ImageDraw.Draw(sheet)
    for i, (face, weights, captions) in enumerate(rows):
        top = GAP + i * (TILE + CAPTION + GAP)
        pictures = [face, *(overlay(face, share, len(weights)) for share in weights)]
        for j, (picture, caption) in enumerate(zip(pictures, ["restored", *captions], strict=True)):
            left = GAP + j * (TILE + GAP)
            sheet.paste(Image.fromarray(resize_bicubic(picture, TILE, TILE)), (left, top))
            draw.text((left, top + TILE + 2), caption, fill=INK)
    _scale(sheet, draw, sheet.height - 2 * CAPTION)
    return np.asarray(sheet)


def compare_sheet(before: Pixels, after: Pixels, faces: Sequence[tuple[Pixels, Pixels]]) -> Pixels:
    """The photo before and after side by side, and below it each face so: pairs of uint8 [S, S, 3].

    ``before`` and ``after`` uint8 [H, W, 3] of any sizes of one shape.
    """
    height, width = after.shape[:2]
    shrink = min(1.0, LONGEST / max(height, width))
    size = max(1, round(height * shrink)), max(1, round(width * shrink))
    halves = [resize_bicubic(half, *size) for half in (before, after)]
    across = max(1, (2 * size[1] + GAP) // (2 * TILE + 2 * GAP))
    rows = -(-len(faces) // across)
    wide = max(2 * size[1] + 3 * GAP, 2 * TILE + 3 * GAP)
    sheet = Image.new("RGB", (wide, CAPTION + size[0] + GAP + rows * (TILE + GAP)), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    for j, (half, caption) in enumerate(zip(halves, ("before", "after"), strict=True)):
        left = GAP + j * (size[1] + GAP)
        draw.text((left, 3), caption, fill=INK)
        sheet.paste(Image.fromarray(half), (left, CAPTION))
    for i, pair in enumerate(faces):
        top = CAPTION + size[0] + GAP + i // across * (TILE + GAP)
        for j, face in enumerate(pair):
            left = GAP + i % across * (2 * TILE + 2 * GAP) + j * TILE
            sheet.paste(Image.fromarray(resize_bicubic(face, TILE, TILE)), (left, top))
    return np.asarray(sheet)


def _scale(sheet: Image.Image, draw: ImageDraw.ImageDraw, top: int) -> None:
    bar = jet(np.linspace(0, 1, TILE)[None].repeat(CAPTION // 2, 0))
    sheet.paste(Image.fromarray(bar), (GAP, top + 4))
    draw.text((GAP, top + CAPTION - 3), "none", fill=INK)
    draw.text((GAP + TILE - 62, top + CAPTION - 3), "twice equal", fill=INK)
