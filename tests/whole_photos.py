"""Whole photos and clips composed of London sample faces by known transforms over a smooth background.

No real photo of the sample people exists here, so where each face lies is known to a fraction of a pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from scenes import SIDE, Place

from edgesr.api import Model
from edgesr.enhance.paste import scaled
from edgesr.faces.alignment import Alignment, Array
from edgesr.faces.descriptor import TEMPLATE, describe
from edgesr.faces.face import LONG_SIDE, Face
from edgesr.gallery.build import empty_gallery, encode_entries
from edgesr.gallery.format import Gallery
from edgesr.gallery.photos import Candidate
from edgesr.gallery.quality import Quality
from edgesr.images.imaging import Pixels

FINE = 4
"""Scenes are composed at this many times their size and scaled down: a small face is one that a camera would see."""


PLACE = Place((60.0, 50.0), 12.0, 0.2)
"""Of the one face that ``known`` finds, in photos of 120x100 pixels."""


def background(size: tuple[int, int]) -> Pixels:
    """Smooth colours, uint8 [height, width, 3]."""
    y, x = np.mgrid[0 : size[1], 0 : size[0]].astype(np.float32)
    planes = [110 + 50 * np.sin(3 * x / size[0] + c) + 40 * np.cos(2.5 * y / size[1] + 2 * c) for c in range(3)]
    return np.stack(planes, -1).clip(0, 255).astype(np.uint8)


def composed(size: tuple[int, int], placed: Sequence[tuple[Pixels, Place]], fine: int = FINE) -> Pixels:
    """A photo of ``size`` (width, height) with faces of ``SIDE`` pixels that fade into the background."""
    large = size[0] * fine, size[1] * fine
    picture = Image.fromarray(background(large))
    at = np.abs(np.mgrid[0:SIDE, 0:SIDE] / (SIDE / 2 - 0.5) - 1)
    radius = (at**6).sum(0) ** (1 / 6)
    mask = Image.fromarray((255 * ((1 - radius) / 0.12).clip(0, 1)).astype(np.uint8))
    for face, place in placed:
        grown = Place((place.centre[0] * fine, place.centre[1] * fine), place.side * fine, place.angle)
        how = (large, Image.Transform.AFFINE, tuple(grown.to_face.flatten()), Image.Resampling.BICUBIC)
        picture.paste(Image.fromarray(face).transform(*how), (0, 0), mask.transform(*how))
    return np.asarray(picture.resize(size, Image.Resampling.BICUBIC))


def landmarks_at(place: Place) -> Array:
    """The usual landmarks of a face that lies there."""
    template = np.array(TEMPLATE) * SIDE
    return template @ place.from_face[:, :2].T + place.from_face[:, 2]


def face_at(place: Place) -> Face:
    """What a perfect detector would say of a face that lies there: its alignment is the place's own square, nearly."""
    points = landmarks_at(place)
    left, top = points.min(0) - 0.15 * place.side
    right, bottom = points.max(0) + 0.15 * place.side
    return Face((float(left), float(top), float(right - left), float(bottom - top)), points, 0.9)


class KnownFaces:
    """A detector that knows where the faces are: tests of everything behind it need no network file."""

    name = "known"

    def __init__(self, *faces: Face) -> None:
        self.faces = list(faces)

    def detect(self, photo: Pixels, long_side: int | None = LONG_SIDE) -> list[Face]:  # noqa: ARG002
        """The faces in the photo; it is not asked again for the photo enlarged (``long_side`` None)."""
        return [] if long_side is None else list(self.faces)

    def refine(self, photo: Pixels, face: Face) -> Face:  # noqa: ARG002
        return face


def gallery_of(model: Model, crops: Sequence[Pixels]) -> Gallery:
    """A gallery of aligned crops, without looking for faces in them."""
    blank = empty_gallery([model], "fp16")
    size = model.config.hr_size
    points = np.array(TEMPLATE) * size
    good = Quality(0.5, float(size), 0.5, 0.0, 0.0, 0.0, ())
    candidates = [
        Candidate(Path(f"{i}.jpg"), f"{i:064x}", crop, points, good, describe(crop, points))
        for i, crop in enumerate(crops)
    ]
    return blank.replace(entries=encode_entries(candidates, [model], blank))


def centre_of(alignment: Alignment) -> tuple[int, int]:
    """Row and column of a face's middle."""
    return round(alignment.centre[1]), round(alignment.centre[0])


def outside(shape: tuple[int, ...], place: Place, factor: int) -> np.ndarray:
    """Samples that the face's own square does not touch."""
    square = scaled(face_at(place).alignment, factor)
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]] + 0.5
    at = np.stack([x, y], -1) @ square.crop_from_photo(2)[:, :2].T + square.crop_from_photo(2)[:, 2] - 1
    return np.abs(at).max(-1) >= 1
