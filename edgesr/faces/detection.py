"""Faces in photos: YuNet through OpenCV, with landmarks sharpened by looking at each face many times."""

from __future__ import annotations

import dataclasses
import importlib.util
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edgesr.errors import InputOutputError, UnavailableError
from edgesr.faces.alignment import Alignment, Array, align, transform
from edgesr.faces.dlib_detector import DlibDetector
from edgesr.faces.face import LONG_SIDE, Detector, Face
from edgesr.faces.yunet import YUNET, YUNET_VARIABLE, find_yunet, is_genuine
from edgesr.images.arrays import as_rgb
from edgesr.images.imaging import Pixels
from edgesr.process import threads
from edgesr.process.exclusive import Exclusive

OPENCV_HINT = "pip install 'edgesr[faces]'"

LEAST_SCORE, MOST_OVERLAP, MOST_FACES = 0.6, 0.3, 5000
"""YuNet's: the least score of a face, the intersection over union above which the surer of two boxes stays, and how
many boxes are compared."""

VIEW_SIDE, VIEW_PIXELS = 112, 160
"""A view shows the aligned face at this side in a square of this many pixels."""

VIEWS = (4, 4, 4, 4, 16)
"""Views averaged in each round of ``refine``; each round starts from the landmarks of the one before."""

STRIDE = 8
"""YuNet's finest grid; its landmarks wander by where a face lies on it."""

MIRRORED = (1, 0, 2, 4, 3)


def open_detector(given: Path | None = None, report: Callable[[str], None] = lambda _: None) -> Detector:
    """The best detector there is; ``report`` is told what a user should know of it.

    YuNet by ``given``, by the environment variable, or the package's own. Where OpenCV is not installed and no file
    was named, dlib's detector serves.

    Raises:
        UnavailableError: neither can be had, or the file that was named is missing.
        InputOutputError: a file is damaged or another network.
    """
    named = given is not None or bool(os.environ.get(YUNET_VARIABLE))
    if not named and importlib.util.find_spec("cv2") is None:
        return _without_opencv(report)
    path = find_yunet(given)
    if named and not is_genuine(path):
        report(f"{path} is not the YuNet that edgesr was measured with; it is used all the same")
    return FaceDetector(path)


def _without_opencv(report: Callable[[str], None]) -> Detector:
    """dlib's detector, where it is installed."""
    try:
        detector = DlibDetector()
    except UnavailableError as missing:
        raise UnavailableError(
            f"there is no face detector: finding faces needs OpenCV; and {missing.what}", OPENCV_HINT
        ) from missing
    report(
        f"no OpenCV: dlib finds the faces instead; it misses those under {detector.LEAST_FACE} pixels and those "
        f"turned away ({OPENCV_HINT})"
    )
    return detector


class FaceDetector:
    """YuNet on RGB photos; ``threshold`` is the least score of a face."""

    name = "YuNet"

    def __init__(self, path: Path | None = None, threshold: float = LEAST_SCORE) -> None:
        self.path = find_yunet(path)
        if self.path == YUNET and not is_genuine(self.path):
            raise InputOutputError(
                f"{self.path} is not the detector that edgesr knows",
                "it is damaged: install edgesr again; a file of your own goes by --detector",
            )
        try:
            import cv2
        except ImportError as error:
            raise UnavailableError("finding faces needs OpenCV", OPENCV_HINT) from error
        # OpenCV plans its network for one size of picture: two threads would change it under each other.
        self.exclusive = Exclusive(self.name, "opencv")
        logging = cv2.utils.logging
        level = logging.getLogLevel()
        logging.setLogLevel(logging.LOG_LEVEL_ERROR)  # it warns of a setting that nobody made
        try:
            cv2.setNumThreads(threads.count())
            self._yunet = cv2.FaceDetectorYN.create(str(self.path), "", (320, 320), threshold, MOST_OVERLAP, MOST_FACES)
            self._detect(np.zeros((320, 320, 3), np.uint8))
        except cv2.error as error:
            raise InputOutputError(
                f"{self.path} is no YuNet face detector",
                "it is damaged or another network; without it the one of the package serves",
            ) from error
        finally:
            logging.setLogLevel(level)

    def detect(self, photo: Pixels, long_side: int | None = LONG_SIDE) -> list[Face]:
        """Faces of a photo uint8 [H, W, 3], the largest first.

        ``long_side`` bounds what is searched: faces under about 10 pixels at that scale are not found. None
        searches the photo as it is, where tiny faces matter more than time.
        """
        photo = as_rgb(photo)
        height, width = photo.shape[:2]
        longest = max(height, width)
        most = min(longest, long_side or longest)
        for limit in (most, most // 2, most // 4):
            scale = min(1.0, limit / longest)
            found = self._detect(_resized(photo, scale))
            if len(found):
                break
        faces = [_face(row, width, height, scale) for row in found]
        return sorted(faces, key=lambda face: -face.box[2] * face.box[3])

    def refine(self, photo: Pixels, face: Face) -> Face:
        """The face with landmarks that hardly depend on its size, angle and place in the photo.

        One look leaves landmarks that wander by some 2 % of the crop's side. Each round aligns the face by what
        is known, looks at it upright in several views that differ by shift and mirroring, and takes their mean.
        """
        photo = as_rgb(photo)
        landmarks = face.landmarks
        for views in VIEWS:
            patch, to_photo = _upright(photo, align(landmarks))
            looks = [look for n in range(views) if (look := self._look(patch, n, views)) is not None]
            if not looks:
                return face
            landmarks = transform(to_photo, np.mean(looks, axis=0))
        return dataclasses.replace(face, landmarks=landmarks)

    def _look(self, patch: Pixels, n: int, views: int) -> Array | None:
        """Landmarks [5, 2] in patch coordinates from view ``n``; None where the face is not seen."""
        # The fractions are those of a two-dimensional golden-ratio sequence: any number of views is spread evenly.
        left = int((n * 0.7548776662 + 0.5 / views) % 1 * 2 * STRIDE)
        top = int((n * 0.5698402910 + 0.5 / views) % 1 * 2 * STRIDE)
        view = patch[top : top + 2 * VIEW_PIXELS, left : left + 2 * VIEW_PIXELS]
        flipped = n % 2 == 1
        found = self._detect(_resized(view[:, ::-1] if flipped else view, 0.5))
        if not len(found):
            return None
        all_landmarks = found[:, 4:14].reshape(-1, 5, 2).astype(np.float64)
        nearest = np.argmin(np.linalg.norm(all_landmarks.mean(1) - VIEW_PIXELS / 2, axis=1))
        landmarks: Array = 2 * all_landmarks[nearest]
        if flipped:
            landmarks = landmarks[MIRRORED, :]
            landmarks[:, 0] = 2 * VIEW_PIXELS - landmarks[:, 0]
        return landmarks + np.array([left, top])

    def _detect(self, image: Pixels) -> Any:
        """YuNet's rows [N, 15]: box, landmarks, score."""
        with self.exclusive():
            self._yunet.setInputSize((image.shape[1], image.shape[0]))
            _, rows = self._yunet.detect(np.ascontiguousarray(image[..., ::-1]))
        return np.zeros((0, 15), np.float32) if rows is None else rows


def _face(row: Any, width: int, height: int, scale: float) -> Face:
    # Sides are rounded when a photo is scaled, so each axis has its own exact factor.
    factor = np.array([width / _scaled(width, scale), height / _scaled(height, scale)])
    corner, extent = row[0:2] * factor, row[2:4] * factor
    return Face(
        (float(corner[0]), float(corner[1]), float(extent[0]), float(extent[1])),
        row[4:14].reshape(5, 2).astype(np.float64) * factor,
        float(row[14]),
    )


def _scaled(length: int, scale: float) -> int:
    return max(1, round(length * scale))


def _resized(image: Pixels, scale: float) -> Pixels:
    import cv2

    if scale == 1:
        return image
    size = (_scaled(image.shape[1], scale), _scaled(image.shape[0], scale))
    return np.asarray(cv2.resize(np.ascontiguousarray(image), size, interpolation=cv2.INTER_AREA), np.uint8)


def _upright(photo: Pixels, alignment: Alignment) -> tuple[Pixels, Array]:
    """The face upright at twice the views' scale with room to shift, and the matrix from there to the photo."""
    import cv2

    count = 2 * (VIEW_PIXELS + STRIDE)
    wide = dataclasses.replace(
        alignment,
        half=tuple(value * count / (2 * VIEW_SIDE) for value in alignment.half),  # type: ignore[arg-type]
    )
    # Only the face's surroundings are touched, and a huge face is averaged down first: memory stays small.
    reach = wide.side * 0.75
    left, top = (max(0, math.floor(c - reach)) for c in wide.centre)
    region = photo[top : math.ceil(wide.centre[1] + reach), left : math.ceil(wide.centre[0] + reach)]
    factor = max(1, int(alignment.side // (4 * VIEW_SIDE)))
    region = region[: region.shape[0] // factor * factor, : region.shape[1] // factor * factor]
    reduced = _resized(region, 1 / factor)
    to_photo = wide.photo_from_crop(count)
    to_region = (to_photo - [[0, 0, left], [0, 0, top]]) / factor
    k = max(1, math.ceil(wide.side / factor / count))
    # OpenCV counts from the centre of the first pixel, on both sides.
    fine = np.concatenate(
        [to_region[:, :2] / k, to_region[:, 2:] + to_region[:, :2].sum(1, keepdims=True) / (2 * k) - 0.5], 1
    )
    warped = cv2.warpAffine(
        np.ascontiguousarray(reduced),
        fine,
        (count * k, count * k),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT,
    )
    return _resized(np.asarray(warped, np.uint8), 1 / k), to_photo
