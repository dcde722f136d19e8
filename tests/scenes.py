"""Pictures composed of the sample faces by known transforms: the ground truth that no real photo here has."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from edgesr.data.samples import sample_faces
from edgesr.faces.alignment import Array
from edgesr.images.imaging import Pixels

SIDE = 256
MARGIN = 64


@dataclasses.dataclass(frozen=True)
class Place:
    """Where the square of a face lies in a picture: centre, side in pixels, angle in radians."""

    centre: tuple[float, float]
    side: float
    angle: float = 0.0

    @property
    def from_face(self) -> Array:
        """Matrix [2, 3] from the coordinates of a face of ``SIDE`` to the picture's."""
        cos, sin = self.side / SIDE * math.cos(self.angle), self.side / SIDE * math.sin(self.angle)
        half = SIDE / 2
        return np.array(
            [
                [cos, -sin, self.centre[0] - half * (cos - sin)],
                [sin, cos, self.centre[1] - half * (sin + cos)],
            ]
        )

    @property
    def to_face(self) -> Array:
        inverse: Array = np.linalg.inv(np.vstack([self.from_face, [0, 0, 1]]))[:2]
        return inverse


def faces(neutral: bool = True) -> list[Pixels]:
    """The six sample people at ``SIDE`` pixels."""
    return [face.exemplar if neutral else face.target for face in sample_faces(SIDE)]


def padded(face: Pixels) -> Pixels:
    """A face with its mirror image around it, so that a picture shows more than the square itself."""
    return np.pad(face, ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)), mode="symmetric")


def compose(size: tuple[int, int], placed: Sequence[tuple[Pixels, Place]]) -> Pixels:
    """A grey picture of ``size`` (width, height) with faces in it."""
    picture = Image.new("RGB", size, (120, 124, 128))
    for face, place in placed:
        # Pillow's transform does not filter, so a face that shrinks is scaled down first.
        side = min(SIDE, math.ceil(place.side))
        whole = Image.fromarray(padded(face))
        stretch = side / SIDE
        count = round(whole.width * stretch)
        small = whole.resize((count, count), Image.Resampling.LANCZOS)
        to_small = (place.to_face + np.array([0, 0, MARGIN])) * (count / whole.width)
        data = tuple(to_small.flatten())
        warped = small.transform(size, Image.Transform.AFFINE, data, Image.Resampling.BICUBIC)
        mask = Image.new("L", small.size, 255).transform(size, Image.Transform.AFFINE, data)
        picture.paste(warped, (0, 0), mask)
    return np.asarray(picture)
