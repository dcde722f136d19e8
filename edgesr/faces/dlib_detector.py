"""Faces by dlib, where YuNet cannot be had: HOG detector and 68 landmarks, turned into YuNet's five."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from PIL import Image

from edgesr.faces.alignment import Alignment, Array, crop_face, transform
from edgesr.faces.dlib_models import open_dlib
from edgesr.faces.face import LONG_SIDE, Face
from edgesr.images.arrays import as_rgb
from edgesr.images.imaging import Pixels
from edgesr.process.exclusive import Exclusive

VIEW_SIDE, VIEW_PIXELS = 128, 192
"""A view shows the aligned face at this side in a square of this many pixels."""

SHIFTS = ((0.0, 0.0), (-0.04, 0.0), (0.04, 0.0), (0.0, -0.04), (0.0, 0.04))
"""Where the box of the landmark predictor is moved to, in shares of its side: its landmarks follow its box a little."""

USUAL_BOX = (0.21, 0.30, 0.79, 0.88)
"""Left, top, right and bottom of what the HOG detector finds in aligned crops, on average."""

RIGHT_EYE, LEFT_EYE, NOSE_TIP, MOUTH = range(36, 42), range(42, 48), 30, (48, 54)
"""Which of the 68 landmarks of iBUG 300-W are taken, image left first."""


class DlibDetector:
    """dlib's frontal face detector on RGB photos. Faces that are small or turned away are missed."""

    name = "dlib"
    LEAST_FACE = 48
    """Side in pixels of the smallest face's square that is found in a picture of ``LONG_SIDE``."""

    def __init__(self, threshold: float = 0.0) -> None:
        """``threshold``: the least score of a face, dlib's own scale.

        Raises:
            UnavailableError: dlib or its models are not installed.
        """
        dlib, folder = open_dlib("finding faces without YuNet")
        self._dlib: Any = dlib
        self._detector = dlib.get_frontal_face_detector()
        self._predictor = dlib.shape_predictor(str(folder / "shape_predictor_68_face_landmarks.dat"))
        self._threshold = threshold
        self.exclusive = Exclusive(self.name)

    def detect(self, photo: Pixels, long_side: int | None = LONG_SIDE) -> list[Face]:
        """Faces of a photo uint8 [H, W, 3], the largest first.

        ``long_side`` bounds what is searched, as for YuNet; within it the photo is doubled once, since the detector
        knows faces from 80 pixels on. None searches the photo as it is.
        """
        photo = as_rgb(photo)
        height, width = photo.shape[:2]
        scale = min(1.0, (long_side or max(height, width)) / max(height, width))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = photo if scale == 1 else np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.BOX))
        small = np.ascontiguousarray(small)
        if min(small.shape[:2]) < 16:  # dlib does not take such pictures
            return []
        with self.exclusive():
            rectangles, scores, _ = self._detector.run(small, 1 if long_side else 0, self._threshold)
        factor = np.array([width / size[0], height / size[1]])
        faces = []
        for box, score in zip(rectangles, scores, strict=True):
            landmarks = _five(self._landmarks(small, box)) * factor
            corner, extent = np.array([box.left(), box.top()]) * factor, np.array([box.width(), box.height()]) * factor
            faces.append(
                Face(
                    (float(corner[0]), float(corner[1]), float(extent[0]), float(extent[1])),
                    landmarks,
                    # dlib's score has no upper end; a clear face has 1 to 3.
                    float(1 / (1 + np.exp(-score))),
                )
            )
        return sorted(faces, key=lambda face: -face.box[2] * face.box[3])

    def refine(self, photo: Pixels, face: Face) -> Face:
        """The face with landmarks that depend less on its size and angle: means over views of the upright face."""
        wide = _widened(face.alignment, VIEW_PIXELS / VIEW_SIDE)
        view = crop_face(photo, wide, VIEW_PIXELS)
        margin = (VIEW_PIXELS - VIEW_SIDE) / 2
        left, top, right, bottom = (margin + share * VIEW_SIDE for share in USUAL_BOX)
        looks = []
        for x, y in SHIFTS:
            dx, dy = x * (right - left), y * (bottom - top)
            box = self._dlib.rectangle(*(round(v) for v in (left + dx, top + dy, right + dx, bottom + dy)))
            looks.append(_five(self._landmarks(view, box)))
        mean = np.mean(looks, axis=0)
        return dataclasses.replace(face, landmarks=transform(wide.photo_from_crop(VIEW_PIXELS), mean))

    def _landmarks(self, image: Pixels, box: Any) -> Array:
        """68 landmarks in continuous coordinates; dlib counts whole pixels, whose centres lie half a pixel on."""
        with self.exclusive():
            parts = self._predictor(np.ascontiguousarray(image), box).parts()
        return np.array([(point.x + 0.5, point.y + 0.5) for point in parts])


def _five(points: Array) -> Array:
    """YuNet's five points [5, 2] from the 68: centres of the eyes, nose tip, mouth corners."""
    five: Array = np.stack(
        [points[list(RIGHT_EYE)].mean(0), points[list(LEFT_EYE)].mean(0), points[NOSE_TIP], *points[list(MOUTH)]]
    )
    return five


def _widened(alignment: Alignment, factor: float) -> Alignment:
    x, y = alignment.half
    return dataclasses.replace(alignment, half=(x * factor, y * factor))
