"""A face as detectors give it, and what a detector is."""

from __future__ import annotations

import dataclasses
from typing import Protocol

from edgesr.faces.alignment import Alignment, Array, align
from edgesr.images.imaging import Pixels

LONG_SIDE = 1024
"""Photos are searched at this many pixels, then at half and a quarter of it where nothing was found."""


@dataclasses.dataclass(frozen=True, eq=False)
class Face:
    """A detected face: ``box`` (left, top, width, height), ``landmarks`` [5, 2] (eyes, nose, mouth corners, image
    left first) in continuous photo coordinates, ``score`` in [0, 1]."""

    box: tuple[float, float, float, float]
    landmarks: Array
    score: float

    @property
    def alignment(self) -> Alignment:
        return align(self.landmarks)


class Detector(Protocol):
    """Finds faces, and where their eyes, noses and mouths lie. Several threads may use one; after a fork nobody."""

    name: str

    def detect(self, photo: Pixels, long_side: int | None = LONG_SIDE) -> list[Face]:
        """Faces of a photo uint8 [H, W, 3], the largest first."""
        ...

    def refine(self, photo: Pixels, face: Face) -> Face:
        """The face with better landmarks."""
        ...
