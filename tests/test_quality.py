"""Poor photos are refused with the reason, good ones are not, and one photo is not kept twice."""

from __future__ import annotations

import io
import math

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageFilter

from edgesr.data.samples import sample_faces
from edgesr.errors import InputOutputError, UsageError
from edgesr.faces.alignment import crop_face, transform
from edgesr.faces.descriptor import SIZE, TEMPLATE, describe
from edgesr.faces.detection import FaceDetector
from edgesr.gallery.quality import FACE, SIDE, duplicates, fingerprint, judge, pose
from edgesr.images.imaging import Pixels

Array = npt.NDArray[np.float64]

USUAL = np.array(TEMPLATE)
FACES = [face for sample in sample_faces(128) for face in (sample.target, sample.exemplar)]


def altered(face: Pixels, how: str, amount: float) -> Pixels:
    image = Image.fromarray(face)
    if how == "blur":
        return np.asarray(image.filter(ImageFilter.GaussianBlur(amount)))
    if how.startswith("shaken"):
        # Twice by a box: a hand moves slowly where it turns round.
        moved = face.astype(float)
        for _ in range(2):
            moved = np.mean([np.roll(moved, i, axis=1 if "side" in how else 0) for i in range(int(amount))], axis=0)
        return moved.round().astype(np.uint8)
    if how == "enlarged from":
        return np.asarray(image.resize((int(amount),) * 2, Image.Resampling.BICUBIC).resize(image.size))
    if how == "exposure":  # in stops of light
        return ((face / 255) ** 2.2 * 2**amount).clip(0, 1).__pow__(1 / 2.2).__mul__(255).round().astype(np.uint8)
    return face


def reasons(face: Pixels, landmarks: Array = USUAL, source: float = 300) -> list[str]:
    return [reason.split(":")[0] for reason in judge(face, landmarks * len(face), source).reasons]


@pytest.mark.parametrize(
    ("how", "amount", "expected"),
    [
        ("as it is", 0, []),
        ("blur", 0.5, []),
        ("blur", 1.7, ["blurred"]),
        ("blur", 3, ["blurred"]),
        ("shaken sideways", 2, []),
        ("shaken sideways", 7, ["blurred"]),
        ("shaken upwards", 7, ["blurred"]),
        ("enlarged from", 96, []),
        ("enlarged from", 32, ["blurred"]),
        ("exposure", -1.5, []),
        ("exposure", -5, ["too dark"]),
        ("exposure", 0.7, []),
        ("exposure", 7, ["too bright"]),
    ],
)
def test_known_faults_are_named_and_nothing_else(how: str, amount: float, expected: list[str]) -> None:
    for face in FACES:
        found = reasons(altered(face, how, amount))
        assert found[:1] == expected, found
        # A white face has no detail left to be sharp.
        assert found == expected or expected == ["too bright"]


def test_a_face_is_judged_alike_at_any_size_of_its_crop() -> None:
    large = [face for sample in sample_faces(256) for face in (sample.target, sample.exemplar)]
    for face, twice in zip(FACES, large, strict=True):
        small, big = judge(face, USUAL * 128, 300), judge(twice, USUAL * 256, 300)
        assert small.exposure == pytest.approx(big.exposure, abs=0.01)
        assert small.sharpness == pytest.approx(big.sharpness, rel=0.25)
        assert (small.yaw_deg, small.roll_deg) == pytest.approx((big.yaw_deg, big.roll_deg), abs=1e-6)


def test_a_sharp_background_does_not_hide_a_blurred_face() -> None:
    left, top, right, bottom = np.add(FACE, (-9, -9, 9, 9))
    face = FACES[0].copy()
    blurred = altered(face, "blur", 3)
    face[top:bottom, left:right] = blurred[top:bottom, left:right]
    assert reasons(face) == ["blurred"]


def test_sharpness_falls_with_blur_and_not_with_light() -> None:
    for face in FACES:
        falling = [judge(altered(face, "blur", b), USUAL * SIDE, 300).sharpness for b in (0.01, 0.7, 1, 1.5, 2, 3)]
        assert falling == sorted(falling, reverse=True)
        dark = judge(altered(face, "exposure", -1), USUAL * SIDE, 300).sharpness
        assert dark == pytest.approx(falling[0], rel=0.1)


@pytest.mark.parametrize(("source", "expected"), [(200, []), (64, []), (63, ["too small"]), (20, ["too small"])])
def test_a_small_face_is_refused_by_its_size_in_the_photo(source: float, expected: list[str]) -> None:
    assert reasons(FACES[0], source=source) == expected
    assert judge(FACES[0], USUAL * SIDE, source).size_px == source


def test_several_faults_are_all_said_and_a_good_photo_is_good() -> None:
    poor = altered(altered(FACES[0], "blur", 3), "exposure", -5)
    assert reasons(poor, source=40) == ["too small", "too dark", "blurred"]
    assert not judge(poor, USUAL * SIDE, 40).good
    assert judge(FACES[0], USUAL * SIDE, 400).good


def head(yaw: float, pitch: float, roll: float) -> Array:
    """Five points of a head of average build, turned and seen from far away: x to the right, y down, z to us."""
    y, p, r = (math.radians(v) for v in (yaw, pitch, roll))
    points = np.array([[-31.5, 0, 0], [31.5, 0, 0], [0, 36, 33], [-25, 63.6, 0], [25, 63.6, 0]])
    about_y = np.array([[math.cos(y), 0, math.sin(y)], [0, 1, 0], [-math.sin(y), 0, math.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, math.cos(p), -math.sin(p)], [0, math.sin(p), math.cos(p)]])
    about_z = np.array([[math.cos(r), -math.sin(r), 0], [math.sin(r), math.cos(r), 0], [0, 0, 1]])
    turned: Array = (about_z @ about_y @ about_x @ points.T).T[:, :2] + 64
    return turned


@pytest.mark.parametrize("yaw", [-40, -15, 0, 15, 40])
@pytest.mark.parametrize("pitch", [-20, 0, 20])
@pytest.mark.parametrize("roll", [-25, 0, 10])
def test_a_known_turn_is_measured(yaw: float, pitch: float, roll: float) -> None:
    found = pose(head(yaw, pitch, roll))
    assert found == pytest.approx((yaw, pitch, roll), abs=8)
    if yaw == pitch == 0:
        assert found == pytest.approx((0, 0, roll), abs=1.5)


@pytest.mark.parametrize(
    ("yaw", "pitch", "expected"),
    [(0, 0, []), (30, 0, []), (60, 0, ["turned away"]), (-60, 0, ["turned away"]), (0, 45, ["turned away"])],
)
def test_a_face_turned_away_is_refused(yaw: float, pitch: float, expected: list[str]) -> None:
    assert reasons(FACES[0], head(yaw, pitch, 0) / 128) == expected


@pytest.mark.parametrize("face", [np.zeros((4, 5, 3), np.uint8), np.zeros((8, 8, 3), np.float64)])
def test_what_is_no_crop_is_refused(face: Pixels) -> None:
    with pytest.raises(UsageError):
        judge(face, USUAL * 8, 100)


@pytest.mark.parametrize(
    "points", [np.zeros((5, 2)), np.full((5, 2), np.nan), np.zeros((4, 2)), USUAL[[0, 1, 2, 0, 1]]]
)
def test_landmarks_that_are_no_face_are_refused(points: Array) -> None:
    with pytest.raises(InputOutputError, match="landmarks"):
        judge(FACES[0], points, 100)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_blank_crop_is_refused_and_nothing_is_undefined(value: int) -> None:
    found = judge(np.full((128, 128, 3), value, np.uint8), USUAL * SIDE, 300)
    assert math.isfinite(found.sharpness)
    assert any(reason.startswith("blurred") for reason in found.reasons)


# Photos wider than the crop, as they lie in a folder.
PHOTOS = [
    np.pad(f, ((40, 40), (40, 40), (0, 0)), mode="symmetric") for s in sample_faces(256) for f in (s.target, s.exemplar)
]


def again(photo: Pixels, how: str) -> Pixels:
    """The same photo as a messenger or an export stores it."""
    image = Image.fromarray(photo)
    if how == "half":
        image = image.resize((image.width // 2, image.height // 2), Image.Resampling.LANCZOS)
    if how == "enlarged":
        image = image.resize((image.width * 2, image.height * 2), Image.Resampling.BICUBIC)
    if how == "grey":
        image = image.convert("L").convert("RGB")
    stream = io.BytesIO()
    image.save(stream, "WEBP" if how == "webp" else "JPEG", quality=40 if how == "poor" else 75)
    return np.asarray(Image.open(stream).convert("RGB"))


@pytest.mark.parametrize("how", ["poor", "half", "enlarged", "grey", "webp"])
def test_a_photo_that_was_stored_again_is_found_and_the_best_is_kept(how: str) -> None:
    """Twelve photos, two a session, and each once more: fingerprints tell them apart."""
    prints = np.stack([fingerprint(photo) for photo in PHOTOS] + [fingerprint(again(photo, how)) for photo in PHOTOS])
    descriptors = np.zeros((24, SIZE))
    assert duplicates(descriptors, None, prints) == [None] * 12 + list(range(12))
    better_copy = [0.5] * 12 + [0.6] * 12
    assert duplicates(descriptors, better_copy, prints) == [*range(12, 24), *[None] * 12]


def test_by_descriptors_alone_a_copy_with_the_same_landmarks_is_found_and_a_smile_is_not() -> None:
    crops = [np.asarray(Image.fromarray(photo).crop((40, 40, 296, 296))) for photo in PHOTOS]
    copies = [again(crop, "half") for crop in crops]
    d = np.stack([describe(crop, None) for crop in crops + copies])
    assert duplicates(d) == [None] * 12 + list(range(12))


def test_where_a_fingerprint_is_not_known_descriptors_decide() -> None:
    d = np.stack([describe(FACES[0], None), describe(FACES[0], None), describe(FACES[2], None)])
    prints = np.stack([np.full(256, np.nan), fingerprint(PHOTOS[0]), fingerprint(PHOTOS[2])])
    assert duplicates(d, None, prints) == [None, 0, None]
    assert duplicates(d[:0]) == []


@pytest.mark.faces
def test_copies_of_a_photo_are_found_through_detection_and_alignment(yunet: object) -> None:
    detector = FaceDetector(yunet)  # type: ignore[arg-type]

    def described(photo: Pixels) -> npt.NDArray[np.float32]:
        face = detector.refine(photo, detector.detect(photo)[0])
        points = transform(face.alignment.crop_from_photo(128), face.landmarks)
        return describe(crop_face(photo, face.alignment, 128), points)

    some = PHOTOS[:4]
    copies = [again(photo, "half") for photo in some]
    d = np.stack([described(photo) for photo in some + copies])
    prints = np.stack([fingerprint(photo) for photo in some + copies])
    assert duplicates(d, None, prints) == [None] * 4 + [0, 1, 2, 3]
