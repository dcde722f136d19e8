"""dlib in YuNet's place: its faces lie where they were put, and its crops where YuNet's do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scenes import SIDE, Place, compose, faces

from edgesr.faces.alignment import align, transform
from edgesr.faces.detection import FaceDetector
from edgesr.faces.dlib_detector import DlibDetector


@pytest.fixture(scope="module")
def detector() -> DlibDetector:
    pytest.importorskip("dlib", reason="no dlib: pip install 'edgesr[identity]'")
    return DlibDetector()


@pytest.mark.parametrize(("side", "angle"), [(90, -0.2), (200, 0.2)])
def test_landmarks_and_boxes_lie_on_the_face(detector: DlibDetector, side: float, angle: float) -> None:
    place = Place((side * 0.9, side), side, angle)
    picture = compose((int(side * 1.8), int(side * 2)), [(faces()[1], place)])
    (face,) = detector.detect(picture)
    face = detector.refine(picture, face)
    points = transform(place.to_face, face.landmarks) / SIDE
    # The sample faces are aligned crops, so their landmarks lie about where those of all crops do.
    usual = [[0.378, 0.474], [0.622, 0.474], [0.5, 0.617], [0.396, 0.727], [0.604, 0.727]]
    assert np.linalg.norm(points - usual, axis=1).max() < 0.06
    x, y, width, height = face.box
    assert np.linalg.norm(transform(place.to_face, (x + width / 2, y + height / 2)) / SIDE - [0.5, 0.59]) < 0.08
    assert 0.5 < face.score <= 1
    assert face.alignment.side == pytest.approx(side, rel=0.12)


@pytest.mark.faces
def test_crops_lie_where_those_of_yunet_do(detector: DlibDetector, yunet: Path) -> None:
    other = FaceDetector(yunet)
    off, size = [], []
    for i, face in enumerate(faces()[:3]):
        picture = compose((300, 300), [(face, Place((150, 150), 160, 0.1 * i))])
        ours, theirs = (d.refine(picture, d.detect(picture)[0]) for d in (detector, other))
        off.append(np.linalg.norm(ours.landmarks - theirs.landmarks, axis=1).mean() / 160)
        size.append(align(ours.landmarks).side / align(theirs.landmarks).side)
    assert max(off) < 0.035
    assert np.abs(np.array(size) - 1).max() < 0.1


def test_the_largest_face_comes_first(detector: DlibDetector) -> None:
    picture = compose((520, 260), [(faces()[0], Place((110, 130), 120)), (faces()[3], Place((370, 130), 220))])
    found = detector.detect(picture)
    assert [round(face.alignment.centre[0], -1) for face in found] == pytest.approx([370, 110], abs=15)


@pytest.mark.parametrize("shape", [(200, 300, 3), (1, 1, 3), (3, 900, 3)])
def test_a_picture_without_a_face_has_none(detector: DlibDetector, shape: tuple[int, ...]) -> None:
    assert detector.detect(np.full(shape, 128, np.uint8)) == []
