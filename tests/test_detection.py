"""Finding faces: landmarks of composed pictures come back, and a missing detector says where it was looked for."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from scenes import MARGIN, SIDE, Place, compose, faces, padded

from edgesr.errors import InputOutputError, UnavailableError
from edgesr.faces.alignment import Array, transform
from edgesr.faces.detection import FaceDetector, open_detector
from edgesr.faces.face import Face
from edgesr.faces.yunet import BYTES, LICENCE, YUNET, find_yunet, is_genuine
from edgesr.images.imaging import Pixels


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


def test_the_package_holds_the_detector_and_its_licence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGESR_YUNET", raising=False)
    assert find_yunet() == YUNET
    assert is_genuine(YUNET)
    assert YUNET.stat().st_size == BYTES
    assert "Copyright (c) 2020 Shiqi Yu" in LICENCE.read_text()


def test_option_and_variable_go_before_the_packages_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named, given = (tmp_path / name for name in ("named.onnx", "given.onnx"))
    for path in (named, given):
        path.write_bytes(b"")
    monkeypatch.setenv("EDGESR_YUNET", str(named))
    assert find_yunet() == named
    assert find_yunet(given) == given
    named.unlink()
    given.unlink()
    with pytest.raises(UnavailableError, match=r"no face detector .*given\.onnx"):
        FaceDetector(given)
    with pytest.raises(UnavailableError, match=r"no face detector .*named\.onnx, which EDGESR_YUNET names"):
        FaceDetector()


def test_a_users_own_detector_is_used_and_said_to_be_another(tmp_path: Path, yunet: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="no onnx: pip install 'edgesr[onnx]'")
    model = onnx.load(yunet)
    model.producer_name = "somebody"
    onnx.save(model, tmp_path / "own.onnx")
    said: list[str] = []
    assert isinstance(open_detector(tmp_path / "own.onnx", said.append), FaceDetector)
    assert said == [f"{tmp_path / 'own.onnx'} is not the YuNet that edgesr was measured with; it is used all the same"]
    said.clear()
    assert isinstance(open_detector(None, said.append), FaceDetector)
    assert said == []


def test_a_damaged_file_of_the_package_is_not_given_to_opencv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damaged = tmp_path / "yunet.onnx"
    damaged.write_bytes(YUNET.read_bytes()[:-1])
    for module in ("edgesr.faces.detection", "edgesr.faces.yunet"):
        monkeypatch.setattr(f"{module}.YUNET", damaged)
    monkeypatch.delenv("EDGESR_YUNET", raising=False)
    with pytest.raises(InputOutputError, match="not the detector that edgesr knows") as error:
        open_detector()
    assert "install edgesr again" in error.value.hint


def test_dlib_serves_only_where_opencv_is_absent_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    dlib = pytest.importorskip("dlib", reason="no dlib: pip install 'edgesr[identity]'")
    # Its models take seconds to load, and what they find is tested in test_detection_dlib.
    monkeypatch.setattr(dlib, "shape_predictor", lambda _: None)
    monkeypatch.setattr(dlib, "get_frontal_face_detector", lambda: None)
    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.delenv("EDGESR_YUNET", raising=False)
    said: list[str] = []
    assert open_detector(None, said.append).name == "dlib"
    assert "dlib finds the faces instead" in said[-1]
    assert "edgesr[faces]" in said[-1]
    with pytest.raises(UnavailableError, match="needs OpenCV"):
        open_detector(YUNET)  # named, so it is wanted
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(UnavailableError, match=r"needs OpenCV; and .* needs dlib") as error:
        open_detector()
    assert "edgesr[faces]" in error.value.hint


@pytest.mark.parametrize("content", [b"", b"not a network", b"\x08\x07\x12\x00"])
def test_a_damaged_detector_is_named(tmp_path: Path, content: bytes) -> None:
    pytest.importorskip("cv2", reason="no OpenCV: pip install 'edgesr[faces]'")
    (tmp_path / "yunet.onnx").write_bytes(content)
    with pytest.raises(InputOutputError, match=r"yunet\.onnx is no YuNet face detector"):
        FaceDetector(tmp_path / "yunet.onnx")


@pytest.mark.faces
def test_a_truncated_detector_is_named(tmp_path: Path, yunet: Path) -> None:
    (tmp_path / "yunet.onnx").write_bytes(yunet.read_bytes()[:100_000])
    with pytest.raises(InputOutputError, match="is no YuNet face detector"):
        FaceDetector(tmp_path / "yunet.onnx")
