"""Arrays given as photos: one rule wherever they are taken, and everything else refused in words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scenes import faces
from whole_photos import PLACE, KnownFaces, composed, face_at

import edgesr
from edgesr.data.samples import sample_faces
from edgesr.enhance import Photo, enhance_photo
from edgesr.errors import UsageError
from edgesr.images.arrays import as_rgb

LEVELS = sample_faces(32)[0].exemplar[:8, :8]
ALPHA = np.full((8, 8, 1), 255, np.uint8)
CLEAR = np.zeros((8, 8, 1), np.uint8)
TAKEN: dict[str, tuple[Any, Any]] = {
    "uint8": (LEVELS, LEVELS),
    "uint16": (LEVELS.astype(np.uint16) * 257, LEVELS),
    "uint16, big-endian": ((LEVELS.astype(np.uint16) * 257).astype(">u2"), LEVELS),
    "float32": ((LEVELS / 255).astype(np.float32), LEVELS),
    "float64": (LEVELS / 255, LEVELS),
    "float16": ((LEVELS > 99).astype(np.float16), (LEVELS > 99) * 255),
    "float, a rounding error out": (np.where(LEVELS > 99, 1.0001, -1e-4), (LEVELS > 99) * 255),
    "grey": (LEVELS[..., 0], LEVELS[..., :1]),
    "grey, one channel": (LEVELS[..., :1], LEVELS[..., :1]),
    "grey and alpha": (np.dstack([LEVELS[..., :1], ALPHA]), LEVELS[..., :1]),
    "RGBA": (np.dstack([LEVELS, ALPHA]), LEVELS),
    "RGBA, clear": (np.dstack([LEVELS, CLEAR]), np.full((8, 8, 3), 255)),
    "a view": (LEVELS[::-1, ::-1], LEVELS[::-1, ::-1]),
}
REFUSED: dict[str, tuple[Any, str]] = {
    "bool": (LEVELS > 99, "dtype bool"),
    "int32": (LEVELS.astype(np.int32), "dtype int32"),
    "int64": (LEVELS.astype(np.int64), "dtype int64"),
    "complex": (LEVELS.astype(np.complex64), "dtype complex64"),
    "text": (np.array([["a", "b"]]), "dtype <U1"),
    "floats of 255": (LEVELS.astype(np.float32), "floats from"),
    "not numbers": (np.where(LEVELS > 99, np.nan, 0.5), "floats from nan to nan"),
    "planes": (LEVELS.transpose(2, 0, 1), r"shape \[3, 8, 8\]"),
    "a batch": (LEVELS[None], r"shape \[1, 8, 8, 3\]"),
    "a line": (LEVELS[0, :, 0], r"shape \[8\]"),
    "nothing": (LEVELS[:0], r"shape \[0, 8, 3\]"),
    "a list": ([[0, 1], [2, 3]], "type list"),
    "nobody": (None, "type NoneType"),
}


@pytest.mark.parametrize("kind", TAKEN)
def test_an_array_becomes_8_bit_rgb(kind: str) -> None:
    array, expected = TAKEN[kind]
    got = as_rgb(array)
    assert got.dtype == np.uint8
    np.testing.assert_array_equal(got, np.broadcast_to(expected, (8, 8, 3)))


@pytest.fixture
def takers(tiny_checkpoint: Path) -> dict[str, Callable[[Any], Any]]:
    """Everything of the library that takes a photo as an array."""
    model, detector = edgesr.load(tiny_checkpoint), KnownFaces(face_at(PLACE))
    return {
        "restore": lambda array: model.restore(array, model.encode([])),
        "encode": lambda array: model.encode([array]),
        "enhance": lambda array: enhance_photo(array, model=model, detector=detector),
    }


@pytest.mark.parametrize("kind", REFUSED)
def test_any_other_array_is_refused_in_words(kind: str, takers: dict[str, Callable[[Any], Any]]) -> None:
    array, message = REFUSED[kind]
    for take in takers.values():
        with pytest.raises(UsageError, match=message) as refused:
            take(array)
        assert refused.value.hint
    with pytest.raises(UsageError, match=message):
        as_rgb(array)


@pytest.mark.parametrize("kind", [kind for kind in TAKEN if "clear" not in kind])
def test_the_same_picture_gives_the_same_face(kind: str, takers: dict[str, Callable[[Any], Any]]) -> None:
    array, expected = TAKEN[kind]
    plain = np.ascontiguousarray(np.broadcast_to(expected, (8, 8, 3))).astype(np.uint8)
    np.testing.assert_array_equal(takers["restore"](array)[0], takers["restore"](plain)[0])
    large, whole = (np.kron(one, np.ones((4, 4) + (1,) * (one.ndim - 2), one.dtype)) for one in (array, plain))
    np.testing.assert_array_equal(takers["encode"](large), takers["encode"](whole))


SCENE = composed((120, 100), [(faces()[0], PLACE)])
WHOLE: dict[str, tuple[Any, Any]] = {
    "float": (SCENE / np.float32(255), np.uint8),
    "uint16": (SCENE.astype(np.uint16) * 257, np.uint16),
    "RGBA": (np.dstack([SCENE, np.full(SCENE.shape[:2], 200, np.uint8)]), np.uint8),
    "grey": (SCENE[..., 1], np.uint8),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_a_whole_photo_as_an_array(kind: str, takers: dict[str, Callable[[Any], Any]]) -> None:
    """Outside the face it is the photo that came, as bright as it was; its own array is not written to."""
    array, dtype = WHOLE[kind]
    before = array.copy()
    done = takers["enhance"](array)
    np.testing.assert_array_equal(array, before)
    assert done.photo.pixels.dtype == dtype
    assert done.image.shape == (200, 240, 3)
    shown = SCENE[..., 1:2] if kind == "grey" else SCENE
    assert abs(float(done.image[:40].mean()) - float(shown[:20].mean())) < 1
    assert (done.photo.alpha is not None) == (kind == "RGBA")


@pytest.mark.parametrize(
    "fields",
    [
        {"pixels": SCENE / 255},
        {"pixels": SCENE[..., 0]},
        {"pixels": np.dstack([SCENE, SCENE[..., :1]])},
        {"pixels": SCENE, "alpha": SCENE[..., 0] / 255},
        {"pixels": SCENE, "alpha": SCENE[1:, :, 0]},
    ],
)
def test_a_photo_holds_what_it_says(fields: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Photo(**fields)
