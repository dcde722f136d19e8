"""Finding faces in a whole photo, the tiny ones too: a look at all of it, then at its parts at full size."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import numpy as np

from edgesr.enhance.paste import sample
from edgesr.errors import InputOutputError
from edgesr.faces.alignment import TOLERANCE, transform
from edgesr.faces.face import LONG_SIDE, Detector, Face
from edgesr.images.imaging import Pixels, resize_bicubic

TILE, OVERLAP = 960, 160
"""Parts are squares of this many pixels; a face up to the overlap lies whole in one of them, larger ones are found
by the first look."""

ZOOMED, MOST_ZOOMED = 2, 4_000_000
"""Parts of photos up to so many pixels are looked at enlarged: YuNet's faces start at some 10 pixels, a face of 22
pixels is 12 wide, and of faces of 33 pixels those with little contrast are missed."""

SAME = 0.3
"""Intersection over union from which two boxes show one face."""


def find_faces(photo: Pixels, detector: Detector, tiny: bool = True) -> list[Face]:
    """All faces of a photo uint8 [H, W, 3], the largest first, with refined landmarks.

    ``tiny``: search at full size and enlarged too, which takes some 0.2 s for each megapixel searched; without,
    only faces that show in a picture of 1024 pixels are found. Memory does not grow with the photo.
    """
    found = detector.detect(photo)
    if tiny:
        height, width = photo.shape[:2]
        zoom = ZOOMED if width * height <= MOST_ZOOMED else 1
        if zoom > 1 or max(height, width) > LONG_SIDE:
            for left, top in _tiles(width, height):
                part = np.ascontiguousarray(photo[top : top + TILE, left : left + TILE])
                found += [_moved(face, left, top) for face in _look(part, detector, zoom)]
    kept: list[Face] = []
    for face in sorted(found, key=lambda face: -face.score):
        if all(_overlap(face, other) < SAME for other in kept):
            kept.append(face)
    kept = [face for face in kept if not any(_within(face, other) for other in kept)]
    return sorted((_refined(photo, face, detector) for face in kept), key=lambda face: -face.box[2] * face.box[3])


def side_of(face: Face) -> int:
    """The side of a face's aligned square in whole photo pixels, rounded up: what all rules go by."""
    return max(1, math.ceil(face.alignment.side - TOLERANCE))


def native_crop(photo: Pixels, face: Face) -> Pixels:
    """The aligned face at the size it has in the photo, uint8 [S, S, 3], S = ``side_of(face)``.

    One cubic sample (a = -0.5) a pixel: at this size nothing is averaged and nothing left out. A face that stands
    upright on whole pixels comes out as it is. Only the face's surroundings are touched.
    """
    size, alignment = side_of(face), face.alignment
    v, u = np.mgrid[0:size, 0:size] + 0.5
    at = transform(alignment.photo_from_crop(size), np.stack([u, v], axis=-1)) - 0.5
    return np.rint(sample(photo, at).clip(0, 255)).astype(np.uint8)


def lr_crop(native: Pixels, size: int) -> Pixels:
    """A native crop at the network's LR size: the bicubic kernel, antialiased going down; uint8 [size, size, 3]."""
    return resize_bicubic(native, size, size)


def _look(part: Pixels, detector: Detector, zoom: int) -> list[Face]:
    if zoom == 1:
        return detector.detect(part, None)
    import cv2

    size = (part.shape[1] * zoom, part.shape[0] * zoom)
    large = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    return [_scaled(face, 1 / zoom) for face in detector.detect(large, None)]


def _tiles(width: int, height: int) -> Iterator[tuple[int, int]]:
    for top in _starts(height):
        for left in _starts(width):
            yield left, top


def _starts(length: int) -> list[int]:
    if length <= TILE:
        return [0]
    count = math.ceil((length - OVERLAP) / (TILE - OVERLAP))
    return [round(i * (length - TILE) / (count - 1)) for i in range(count)]


def _refined(photo: Pixels, face: Face, detector: Detector) -> Face:
    try:
        refined = detector.refine(photo, face)
        moved = np.abs(refined.landmarks - face.landmarks).max()
        # A look that ended on another face, or on none, is worse than the first one.
        return refined if moved < 0.25 * face.alignment.side else face
    except InputOutputError:
        return face


def _moved(face: Face, left: int, top: int) -> Face:
    x, y, width, height = face.box
    return dataclasses.replace(
        face, box=(x + left, y + top, width, height), landmarks=face.landmarks + np.array([left, top])
    )


def _scaled(face: Face, factor: float) -> Face:
    x, y, width, height = (value * factor for value in face.box)
    return dataclasses.replace(face, box=(x, y, width, height), landmarks=face.landmarks * factor)


def _overlap(a: Face, b: Face) -> float:
    shared = _shared(a, b)
    return shared / max(a.box[2] * a.box[3] + b.box[2] * b.box[3] - shared, 1e-9)


def _within(face: Face, other: Face) -> bool:
    """A small face inside a much larger one is a mistake of the search at full size: an eye, a print on a shirt."""
    area, larger = face.box[2] * face.box[3], other.box[2] * other.box[3]
    return larger > 4 * area and _shared(face, other) > 0.7 * area


def _shared(a: Face, b: Face) -> float:
    width = min(a.box[0] + a.box[2], b.box[0] + b.box[2]) - max(a.box[0], b.box[0])
    height = min(a.box[1] + a.box[3], b.box[1] + b.box[3]) - max(a.box[1], b.box[1])
    return max(width, 0.0) * max(height, 0.0)
