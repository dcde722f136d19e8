"""Finding faces: landmarks of composed pictures come back, and a missing detector says where it was looked for."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from scenes import MARGIN, SIDE, Place, compose, faces, padded

from edgesr.alignment import Array, transform
from edgesr.detection import Face, FaceDetector, find_yunet
from edgesr.errors import InputOutputError, UnavailableError
from edgesr.imaging import Pixels


@pytest.fixture(scope="module")
def detector(yunet: Path) -> FaceDetector:
    return FaceDetector(yunet)


def found(detector: FaceDetector, picture: Pixels) -> Face:
    return detector.refine(picture, detector.detect(picture)[0])


@pytest.fixture(scope="module")
def truth(detector: FaceDetector) -> list[Array]:
    """Landmarks of the sample faces themselves."""
    return [found(detector, padded(face)).landmarks - MARGIN for face in faces()]


@pytest.mark.faces
@pytest.mark.parametrize(("side", "angle"), [(64, 0.2), (90, -0.3), (160, 0.0), (240, 0.3), (500, -0.15)])
def test_landmarks_come_back_within_a_pixel(
    detector: FaceDetector, truth: list[Array], side: float, angle: float
) -> None:
    # A pixel of the picture, or of a crop of 128 where the picture is finer than that.
    pixel = max(SIDE / side, SIDE / 128)
    for i, (face, landmarks) in enumerate(zip(faces(), truth, strict=True)):
        place = Place((side * 0.8 + 37.3 * i, side * 0.9 + 11.7 * i), side, angle)
        size = (int(side * 1.8 + 40 * 6), int(side * 1.8 + 12 * 6))
        face_found = found(detector, compose(size, [(face, place)]))
        off = np.linalg.norm(transform(place.to_face, face_found.landmarks) - landmarks, axis=1) / pixel
        assert off.max() < 1, (i, off.round(2))
        assert off.mean() < 0.7, (i, off.round(2))
        x, y, width, height = face_found.box
        centre = transform(place.to_face, (x + width / 2, y + height / 2))
        assert np.linalg.norm(centre - SIDE / 2) < SIDE / 6
        assert 0.6 < face_found.score <= 1


@pytest.mark.faces
def test_all_faces_are_found_the_largest_first(detector: FaceDetector) -> None:
    places = [Place((90, 110), 90), Place((330, 160), 190), Place((560, 140), 130)]
    picture = compose((680, 300), list(zip(faces(), places, strict=False)))
    result = detector.detect(picture)
    assert len(result) == 3
    assert [round(face.alignment.centre[0], -1) for face in result] == pytest.approx([330, 560, 90], abs=10)


@pytest.mark.faces
def test_a_face_of_a_large_picture_is_found_at_any_size(detector: FaceDetector) -> None:
    for side in (100, 1500):
        picture = compose((2400, 1800), [(faces()[0], Place((1100, 900), side))])
        face = detector.refine(picture, detector.detect(picture)[0])
        assert face.alignment.side == pytest.approx(side, rel=0.06)
        assert face.alignment.centre == pytest.approx((1100, 900), abs=0.03 * side)


@pytest.mark.faces
def test_a_tiny_face_is_found_where_the_whole_picture_is_searched(detector: FaceDetector) -> None:
    picture = compose((1600, 1200), [(faces()[0], Place((1200, 300), 24))])
    assert len(detector.detect(picture, long_side=None)) == 1


@pytest.mark.faces
@pytest.mark.parametrize("shape", [(200, 300, 3), (1, 1, 3), (3, 900, 3)])
def test_a_picture_without_a_face_has_none(detector: FaceDetector, shape: tuple[int, ...]) -> None:
    assert detector.detect(np.full(shape, 128, np.uint8)) == []


@pytest.mark.faces
def test_the_same_picture_gives_the_same_landmarks(detector: FaceDetector, yunet: Path) -> None:
    picture = padded(faces()[2])
    again = found(FaceDetector(yunet), picture)
    assert np.array_equal(found(detector, picture).landmarks, again.landmarks)


@pytest.mark.faces
def test_a_face_that_is_lost_on_a_second_look_keeps_its_landmarks(detector: FaceDetector) -> None:
    landmarks = np.array([[40, 50], [60, 50], [50, 60], [45, 70], [55, 70]], float)
    face = Face((30, 30, 40, 60), landmarks, 0.7)
    assert detector.refine(np.full((100, 100, 3), 90, np.uint8), face) is face


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of our own and no variable."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("EDGESR_YUNET", raising=False)
    (tmp_path / "edgesr").mkdir()
    return tmp_path


def test_the_detector_is_found_by_option_variable_and_cache(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached, named, given = (home / name for name in ("edgesr/face_detection_yunet.onnx", "named.onnx", "given.onnx"))
    for path in (cached, named, given):
        path.write_bytes(b"")
    assert find_yunet() == cached
    monkeypatch.setenv("EDGESR_YUNET", str(named))
    assert find_yunet() == named
    assert find_yunet(given) == given


def test_a_missing_detector_says_where_it_was_looked_for(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnavailableError) as error:
        FaceDetector()
    assert str(home / "edgesr" / "face_detection_yunet.onnx") in error.value.what
    assert "EDGESR_YUNET not set" in error.value.what
    assert "--detector" in error.value.hint
    with pytest.raises(UnavailableError, match=r"no file .*given\.onnx"):
        FaceDetector(home / "given.onnx")
    monkeypatch.setenv("EDGESR_YUNET", str(home / "named.onnx"))
    with pytest.raises(UnavailableError, match=r"no file .*named\.onnx, which EDGESR_YUNET names"):
        FaceDetector()


def test_opencv_missing_is_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "yunet.onnx").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(UnavailableError, match=r"OpenCV .*edgesr\[faces\]"):
        FaceDetector(home / "yunet.onnx")


@pytest.mark.parametrize("content", [b"", b"not a network", b"\x08\x07\x12\x00"])
def test_a_damaged_detector_is_named(home: Path, content: bytes) -> None:
    pytest.importorskip("cv2", reason="no OpenCV: pip install 'edgesr[faces]'")
    (home / "yunet.onnx").write_bytes(content)
    with pytest.raises(InputOutputError, match=r"yunet\.onnx is no YuNet face detector"):
        FaceDetector(home / "yunet.onnx")


@pytest.mark.faces
def test_a_truncated_detector_is_named(home: Path, yunet: Path) -> None:
    (home / "yunet.onnx").write_bytes(yunet.read_bytes()[:100_000])
    with pytest.raises(InputOutputError, match="is no YuNet face detector"):
        FaceDetector(home / "yunet.onnx")
