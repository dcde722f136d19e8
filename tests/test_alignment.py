"""From landmarks to crops: the rule in numbers, the sampling against the document, the way back."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgesr.data.samples import sample_faces
from edgesr.errors import InputOutputError
from edgesr.faces.alignment import Alignment, align, crop_face, mirror, transform
from edgesr.images.imaging import Pixels

DOCUMENT = Path(__file__).parent.parent / "docs" / "alignment.md"
CORNERS = [[0, 0], [1, 0], [1, 1], [0, 1]]


@pytest.fixture(scope="module")
def example() -> dict[str, Any]:
    text = DOCUMENT.read_text(encoding="utf-8")
    return json.loads(text.split("```json")[1].split("```")[0])


def gradient(width: int, height: int) -> Pixels:
    """The photo of the document's example."""
    j, i = np.mgrid[:height, :width]
    return np.stack([i, j, (3 * i + 5 * j) % 256], axis=-1).astype(np.uint8)


def as_the_document_says(photo: Pixels, square: Alignment, size: int, i: int, j: int) -> list[int]:
    """One crop pixel, in scalar arithmetic."""
    (cx, cy), (x, y) = square.centre, square.half
    s, r = 2 / size, 2 * math.hypot(x, y) / size
    k = 1 if r < 0.999999 else math.ceil(r - 0.000001)

    def taps(q: float) -> list[tuple[int, float]]:
        n = math.floor(q)
        t = q - n
        if r >= 0.999999:
            return [(n, 1 - t), (n + 1, t)]
        weights = (
            -0.5 * t**3 + t**2 - 0.5 * t,
            1.5 * t**3 - 2.5 * t**2 + 1,
            -1.5 * t**3 + 2 * t**2 + 0.5 * t,
            0.5 * t**3 - 0.5 * t**2,
        )
        return [(n - 1 + m, weight) for m, weight in enumerate(weights)]

    def inside(n: int, count: int) -> int:
        n %= 2 * count
        return n if n < count else 2 * count - 1 - n

    height, width = photo.shape[:2]
    total = [0.0, 0.0, 0.0]
    for a in range(k):
        for b in range(k):
            u, v = i + (a + 0.5) / k, j + (b + 0.5) / k
            px = s * x * u - s * y * v + (cx - x + y)
            py = s * y * u + s * x * v + (cy - y - x)
            for column, weight_x in taps(px - 0.5):
                for row, weight_y in taps(py - 0.5):
                    pixel = photo[inside(row, height), inside(column, width)]
                    for c in range(3):
                        total[c] += weight_x * weight_y * float(pixel[c]) / k**2
    return [math.floor(min(255.0, max(0.0, value)) + 0.5) for value in total]


def test_the_documents_example_is_what_the_code_computes(example: dict[str, Any]) -> None:
    square = align(example["landmarks"])
    assert square.centre == pytest.approx(example["centre"], abs=1e-6)
    assert square.half == pytest.approx(example["x"], abs=1e-6)
    assert square.side == pytest.approx(example["side"], abs=1e-6)
    np.testing.assert_allclose(square.photo_from_crop(128), example["photo_from_crop_128"], atol=1e-6)
    np.testing.assert_allclose(square.crop_from_photo(128), example["crop_from_photo_128"], atol=1e-6)
    for crop in example["crops"]:
        image = crop_face(gradient(200, 200), square, crop["size"])
        for i, j, *rgb in crop["pixels"]:
            assert image[j, i].tolist() == rgb


@pytest.mark.parametrize("size", [16, 100, 183, 200, 256])
def test_crops_are_what_the_document_says(example: dict[str, Any], size: int) -> None:
    square = align(example["landmarks"])
    image = crop_face(gradient(200, 200), square, size)
    for i, j in [(0, 0), (size - 1, 0), (0, size - 1), (size - 1, size - 1), (size // 2, size // 3)]:
        assert image[j, i].tolist() == as_the_document_says(gradient(200, 200), square, size, i, j)


@pytest.mark.parametrize(
    ("landmarks", "centre", "half"),
    [
        # Eyes 20 apart and the mouth 20 below: 2.0 * 20 decides; centre a tenth of the way down.
        ([[40, 50], [60, 50], [50, 60], [45, 70], [55, 70]], (50, 52), (40, 0)),
        # Eyes 10 apart (a profile), the mouth 30 below: 1.8 * 30 decides.
        ([[45, 50], [55, 50], [50, 60], [48, 80], [52, 80]], (50, 53), (54, 0)),
        # The first face turned by a quarter, clockwise on the screen: x points down.
        ([[50, 40], [50, 60], [40, 50], [30, 45], [30, 55]], (48, 50), (0, 40)),
        # Eyes level, mouth off to the side: the direction is a compromise, (20, 0) - (-20, 20).
        ([[40, 50], [60, 50], [60, 60], [65, 70], [75, 70]], (52, 52), (45.53680, -22.76840)),
    ],
)  # fmt: skip
def test_the_square_of_known_landmarks(landmarks: Any, centre: Any, half: Any) -> None:
    square = align(landmarks)
    assert square.centre == pytest.approx(centre)
    assert square.half == pytest.approx(half)


@pytest.mark.parametrize(("angle", "zoom", "shift"), [(0.0, 1.0, (0, 0)), (0.4, 2.5, (-7, 90)), (-2.0, 0.3, (5.5, 3))])
def test_a_face_moved_is_a_square_moved(angle: float, zoom: float, shift: tuple[float, float]) -> None:
    points = np.array([[40, 51], [60, 48], [52, 60], [44, 70], [58, 69]], float)
    cos, sin = zoom * math.cos(angle), zoom * math.sin(angle)
    moved = np.array([[cos, -sin, shift[0]], [sin, cos, shift[1]]])
    before = transform(moved, transform(align(points).photo_from_crop(1), CORNERS))
    after = transform(align(transform(moved, points)).photo_from_crop(1), CORNERS)
    np.testing.assert_allclose(after, before, atol=1e-9)


def test_crop_and_photo_coordinates_are_inverse() -> None:
    square = Alignment((812.25, 377.5), (91.28, -8.365))
    there, back = square.photo_from_crop(128), square.crop_from_photo(128)
    points = np.random.default_rng(0).uniform(-50, 300, (20, 2))
    np.testing.assert_allclose(transform(back, transform(there, points)), points, atol=1e-9)
    np.testing.assert_allclose(transform(there, [64, 64]), square.centre)
    right = np.add(square.centre, square.half)
    np.testing.assert_allclose(transform(there, [128, 64]), right)


@pytest.mark.parametrize("size", [64, 32, 16])
def test_an_upright_square_averages_down_whole_pixels(size: int) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (80, 90, 3), np.uint8)
    crop = crop_face(photo, Alignment((42, 40), (32, 0)), size)  # x from 10 to 74, y from 8 to 72
    k = 64 // size
    blocks = photo[8:72, 10:74].reshape(size, k, size, k, 3).mean((1, 3))
    np.testing.assert_allclose(crop, np.floor(blocks + 0.5), atol=0)


def test_a_crop_of_its_own_size_is_the_photo() -> None:
    face = sample_faces(64)[0].target
    assert np.array_equal(crop_face(face, Alignment((32, 32), (32, 0)), 64), face)


def test_beyond_its_edges_the_photo_is_mirrored() -> None:
    assert mirror(np.arange(-4, 9), 3).tolist() == [2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0, 1, 2]
    photo = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    crop = crop_face(photo, Alignment((0, 20), (10, 0)), 20)
    assert np.array_equal(crop[:10, 10:], photo[10:, :10])
    assert np.array_equal(crop[:, :10], crop[:, :9:-1])
    assert np.array_equal(crop[10:], crop[9::-1])


def test_a_square_far_larger_than_the_photo_is_cropped_all_the_same() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (5, 3, 3), np.uint8)
    crop = crop_face(photo, Alignment((-40, 100), (20, 30)), 8)
    assert crop.shape == (8, 8, 3)
    assert photo.min() <= crop.min() <= crop.max() <= photo.max()


@pytest.mark.parametrize(
    "landmarks", [np.zeros((5, 2)), np.full((5, 2), np.nan), np.full((5, 2), np.inf), np.zeros((4, 2))]
)
def test_landmarks_that_are_no_face_are_refused(landmarks: Any) -> None:
    with pytest.raises(InputOutputError, match="landmarks"):
        align(landmarks)
