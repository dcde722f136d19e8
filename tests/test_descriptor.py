"""The descriptor is the arithmetic that docs/gallery-format.md writes down, on any crop of any size."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgesr.data.samples import sample_faces
from edgesr.errors import UsageError
from edgesr.faces.descriptor import (
    CHROMA,
    CONTRAST,
    GRID,
    HAS_LANDMARKS,
    LANDMARKS,
    LUMINANCE,
    MEAN,
    SIZE,
    TEMPLATE,
    box_means,
    describe,
)
from edgesr.images.imaging import Pixels

POINTS = np.array(TEMPLATE) * 128 + [[2, 1], [0, -1], [3, 0], [1, 1], [-2, 2]]


def by_hand(face: Pixels, landmarks: list[list[float]] | None) -> list[float]:
    """The descriptor pixel by pixel, in the words of the document and nothing else."""
    size = len(face)

    def cells(value: list[list[float]], count: int) -> list[float]:
        means = []
        for i in range(count):
            for j in range(count):
                total = 0.0
                for p in range(size):
                    for q in range(size):
                        rows = min((p + 1) * count, (i + 1) * size) - max(p * count, i * size)
                        columns = min((q + 1) * count, (j + 1) * size) - max(q * count, j * size)
                        if rows > 0 and columns > 0:
                            total += rows * columns * value[p][q]
                means.append(total / size**2)
        return means

    red, green, blue = ([[float(v) / 255 for v in row] for row in face[..., c]] for c in range(3))
    luma = [[0.299 * red[p][q] + 0.587 * green[p][q] + 0.114 * blue[p][q] for q in range(size)] for p in range(size)]
    grid = cells(luma, 8)
    mean = sum(grid) / 64
    contrast = (sum((v - mean) ** 2 for v in grid) / 64) ** 0.5
    result = [(v - mean) / max(contrast, 1 / 255) for v in grid] + [mean, contrast]
    for channel in (red, blue):
        result += cells([[channel[p][q] - luma[p][q] for q in range(size)] for p in range(size)], 4)
    if landmarks is None:
        return [*result, *([0.0] * 11)]
    template = [0.378, 0.474, 0.622, 0.474, 0.5, 0.617, 0.396, 0.727, 0.604, 0.727]
    flat = [v / size for point in landmarks for v in point]
    return [*result, *(v - t for v, t in zip(flat, template, strict=True)), 1.0]


def resized(face: Pixels, size: int) -> Pixels:
    return np.asarray(Image.fromarray(face).resize((size, size), Image.Resampling.BICUBIC))


@pytest.mark.parametrize("size", [1, 7, 16, 22, 45, 48])
@pytest.mark.parametrize("with_landmarks", [False, True])
def test_it_is_the_arithmetic_written_down(size: int, with_landmarks: bool) -> None:
    face = resized(sample_faces(128)[0].target, size)
    points = POINTS * size / 128 if with_landmarks else None
    expected = by_hand(face, None if points is None else points.tolist())
    found = describe(face, points)
    assert found.dtype == np.float32
    assert found.shape == (SIZE,) == (len(expected),)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_parts_lie_where_the_names_say() -> None:
    face = sample_faces(128)[1].target
    found = describe(face, POINTS)
    luma = face.astype(float) @ [0.299, 0.587, 0.114] / 255
    cells = luma.reshape(8, 16, 8, 16).mean((1, 3))
    np.testing.assert_allclose(found[LUMINANCE].reshape(GRID, GRID) * cells.std() + cells.mean(), cells, atol=1e-5)
    assert found[MEAN] == pytest.approx(luma.mean(), abs=1e-5)
    assert found[CONTRAST] == pytest.approx(cells.std(), abs=1e-5)
    red = (face[..., 0] / 255 - luma).reshape(4, 32, 4, 32).mean((1, 3))
    np.testing.assert_allclose(found[CHROMA][:16].reshape(4, 4), red, atol=1e-5)
    np.testing.assert_allclose(found[LANDMARKS].reshape(5, 2), POINTS / 128 - np.array(TEMPLATE), atol=1e-6)
    assert found[HAS_LANDMARKS] == 1


def test_light_and_contrast_leave_the_grid_as_it_is() -> None:
    face = sample_faces(128)[0].target
    darker = (face.astype(float) * 0.5 + 40).round().astype(np.uint8)
    np.testing.assert_allclose(describe(darker, None)[LUMINANCE], describe(face, None)[LUMINANCE], atol=0.02)


def test_a_small_face_has_nearly_the_descriptor_of_the_large_one() -> None:
    """Nearer to its own large picture than any other picture is: what choosing rests on."""
    faces = [face for sample in sample_faces(128) for face in (sample.target, sample.exemplar)]
    large = np.stack([describe(face, None)[LUMINANCE] for face in faces])
    for size in (16, 22, 32, 64):
        small = np.stack([describe(resized(face, size), None)[LUMINANCE] for face in faces])
        off = ((small[:, None] - large[None]) ** 2).mean(2)
        assert (off.argmin(1) == np.arange(len(faces))).all()
        assert off.diagonal().max() < 0.015


@pytest.mark.parametrize("value", [0, 255])
@pytest.mark.parametrize("size", [1, 16, 33])
def test_a_blank_crop_gives_finite_numbers(value: int, size: int) -> None:
    found = describe(np.full((size, size, 3), value, np.uint8), None)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[LUMINANCE], 0, atol=1e-5)
    assert (found[LANDMARKS] == 0).all()
    assert found[HAS_LANDMARKS] == 0


def test_box_means_are_exact_where_the_grid_does_not_divide_the_size() -> None:
    image = np.arange(9, dtype=np.float64).reshape(3, 3)
    # Cell 0 of 2 takes pixel 0 whole and half of pixel 1.
    half = np.array([[1, 0.5, 0], [0, 0.5, 1]]) / 1.5
    assert np.abs(box_means(image, 2) - half @ image @ half.T).max() < 1e-15


@pytest.mark.parametrize(
    "face",
    [
        np.zeros((4, 5, 3), np.uint8),
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 0, 3), np.uint8),
        np.zeros((4, 4, 3), np.float32),
    ],
)
def test_what_is_no_crop_is_refused(face: Pixels) -> None:
    with pytest.raises(UsageError, match="a face has dtype"):
        describe(face, None)


@pytest.mark.parametrize("points", [np.zeros((4, 2)), np.full((5, 2), np.nan), np.full((5, 2), np.inf)])
def test_what_are_no_landmarks_is_refused(points: np.ndarray) -> None:
    with pytest.raises(UsageError, match="five finite points"):
        describe(np.zeros((8, 8, 3), np.uint8), points)


def test_the_example_of_the_document_holds() -> None:
    text = (Path(__file__).parent.parent / "docs" / "gallery-format.md").read_text()
    section = text.split("## Descriptor")[1].split("\n## ")[0]
    example = json.loads(re.findall(r"```json\n(.*?)```", section, re.S)[0])
    size = example["size"]
    j, i = np.mgrid[0:size, 0:size]
    face = np.stack([8 * i, 9 * j, (3 * i + 5 * j) % 256], axis=-1).astype(np.uint8)
    found = describe(face, example["landmarks"])
    for index, value in example["descriptor"].items():
        assert found[int(index)] == pytest.approx(value, abs=1e-5), index
