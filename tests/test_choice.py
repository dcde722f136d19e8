"""The exemplars that are chosen are those that the document's arithmetic puts first, whatever the gallery's order."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from edgesr.data.samples import sample_faces
from edgesr.errors import UsageError
from edgesr.faces.descriptor import HAS_LANDMARKS, LANDMARKS, LUMINANCE, SIZE, describe
from edgesr.gallery.choice import choose, distance

Array = npt.NDArray[np.float64]


def gallery(count: int, seed: int = 0) -> Array:
    """Made-up descriptors with landmarks."""
    random = np.random.default_rng(seed)
    made = random.normal(0, 1, (count, SIZE))
    made[:, LANDMARKS] *= 0.02
    made[:, HAS_LANDMARKS] = 1
    return made


def by_hand(d: Array, q: Array, sharpness: float | None) -> float:
    """docs/gallery-format.md, "Choosing exemplars by it", cell by cell, for descriptors with landmarks."""

    def weight(i: int, j: int) -> float:
        return math.exp(-(((j - 3.5) / 2) ** 2) - ((i - 4) / 2.5) ** 2)

    e = [[d[8 * i + j] - q[8 * i + j] for j in range(8)] for i in range(8)]
    cells = [(i, j) for i in range(8) for j in range(8)]
    inner = [(i, j) for i in range(7) for j in range(7)]
    a = sum(weight(i, j) * e[i][j] ** 2 for i, j in cells) / sum(weight(i, j) for i, j in cells)
    steps = sum(weight(i, j) * ((e[i][j + 1] - e[i][j]) ** 2 + (e[i + 1][j] - e[i][j]) ** 2) for i, j in inner) / sum(
        weight(i, j) for i, j in inner
    )
    p = sum((d[k] - q[k]) ** 2 for k in range(98, 108)) / 10
    return (
        (a + 1e-3) * (steps + 1e-3) * math.sqrt(p + 1e-5) / (1 if sharpness is None else max(sharpness, 1e-3) ** 0.25)
    )


@pytest.mark.parametrize("sharpness", [None, [0.5, 0.8, 0.0, 1.2, 0.3]])
def test_the_distance_is_the_arithmetic_written_down(sharpness: list[float] | None) -> None:
    d, q = gallery(5), gallery(1, seed=1)[0]
    expected = [by_hand(row, q, None if sharpness is None else sharpness[i]) for i, row in enumerate(d)]
    np.testing.assert_allclose(distance(d, q, sharpness), expected, rtol=1e-12)
    assert choose(d, q, 3, sharpness) == sorted(range(5), key=lambda i: expected[i])[:3]


def test_the_same_photos_are_chosen_in_any_order_of_the_gallery() -> None:
    d, q = gallery(50), gallery(1, seed=1)[0]
    chosen = choose(d, q, 5)
    order = np.random.default_rng(2).permutation(50)
    assert [int(order[i]) for i in choose(d[order], q, 5)] == chosen
    assert choose(d, q, 5) == chosen


def test_of_equals_the_first_is_taken() -> None:
    one = gallery(1)
    d = np.concatenate([gallery(2, seed=3), one, one, one])
    assert choose(d, one[0], 2) == [2, 3]


def test_float32_and_float64_choose_alike() -> None:
    """Descriptors are stored as F32: a phone reads what Python computed."""
    d, q = gallery(50), gallery(1, seed=1)[0]
    assert choose(d.astype(np.float32), q.astype(np.float32), 5) == choose(d, q, 5)


@pytest.mark.parametrize(
    ("count", "slots", "expected"), [(0, 3, 0), (1, 3, 1), (2, 3, 2), (7, 3, 3), (7, 0, 0), (7, -1, 0)]
)
def test_no_more_are_chosen_than_there_are(count: int, slots: int, expected: int) -> None:
    d = gallery(count) if count else np.zeros((0, 0))
    chosen = choose(d, gallery(1, seed=1)[0], slots)
    assert len(chosen) == len(set(chosen)) == expected


def turned(descriptor: Array, x: float) -> Array:
    """With all landmarks moved sideways, as a turned head moves its nose."""
    result = descriptor.copy()
    result[LANDMARKS.start : LANDMARKS.stop : 2] += x
    return result


def test_of_faces_that_look_alike_the_one_turned_alike_is_taken() -> None:
    q = gallery(1)[0]
    d = np.stack([turned(q, 0.10), turned(q, 0.03), turned(q, -0.06)])
    assert choose(d, q, 3) == [1, 2, 0]


def test_without_landmarks_pixels_decide_and_nothing_is_undefined() -> None:
    d, q = gallery(6), gallery(1, seed=1)[0]
    blind = q.copy()
    blind[LANDMARKS], blind[HAS_LANDMARKS] = 0, 0
    elsewhere = d.copy()
    elsewhere[:, LANDMARKS] *= 50
    assert choose(d, blind, 6) == choose(elsewhere, blind, 6)
    # One exemplar without landmarks is neither preferred nor put last for it.
    partly = np.stack([d[0], d[0], d[0]])
    partly[:, LANDMARKS] = q[LANDMARKS]
    partly[0, LANDMARKS] += 0.1
    partly[1, HAS_LANDMARKS] = 0
    assert choose(partly, q, 3) == [2, 1, 0]


def test_of_equal_faces_the_sharper_one_is_taken() -> None:
    d = np.concatenate([gallery(1), gallery(1)])
    q = gallery(1, seed=1)[0]
    assert choose(d, q, 1, quality=[0.4, 0.9]) == [1]
    assert choose(d, q, 1, quality=[0.9, 0.4]) == [0]


@pytest.mark.parametrize("size", [16, 32])
def test_a_persons_own_photo_is_chosen_from_a_gallery_of_six(size: int) -> None:
    samples = sample_faces(128)
    d = np.stack([describe(sample.exemplar, None) for sample in samples])
    for i, sample in enumerate(samples):
        lr = np.asarray(Image.fromarray(sample.target).resize((size, size), Image.Resampling.BICUBIC))
        assert choose(d, describe(lr, None), 1) == [i]


@pytest.mark.parametrize(
    ("d", "q", "quality", "words"),
    [
        (gallery(2)[:, :-1], gallery(1)[0], None, "descriptors of shape"),
        (gallery(2)[0], gallery(1)[0], None, "descriptors of shape"),
        (gallery(2), gallery(1)[0, LUMINANCE], None, "descriptors of shape"),
        (gallery(2) * np.nan, gallery(1)[0], None, "numbers that are none"),
        (gallery(2), gallery(1)[0] * np.inf, None, "numbers that are none"),
        (gallery(2), gallery(1)[0], [1.0], "1 qualities for 2"),
        (gallery(2), gallery(1)[0], [1.0, np.nan], "2 qualities for 2"),
    ],
)
def test_what_does_not_fit_is_refused(d: Array, q: Array, quality: list[float] | None, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        choose(d, q, 3, quality)
