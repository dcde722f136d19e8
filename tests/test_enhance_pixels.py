"""How a restored face is put back: feather, detail, noise and grain, on faces and planes alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image
from scenes import Place, faces
from whole_photos import background, face_at, outside

from edgesr.enhance.detail import keep_own_detail, resize_planes, signal
from edgesr.enhance.faces import lr_crop, native_crop
from edgesr.enhance.grain import add_grain, grain_for
from edgesr.enhance.noise import noise_of
from edgesr.enhance.paste import feather, paste, scaled
from edgesr.evaluation.metrics import psnr
from edgesr.images.imaging import resize_bicubic


@pytest.mark.parametrize("angle", [0.0, 0.4])
@pytest.mark.parametrize("side", [30.0, 70.5])
def test_no_step_at_the_border(side: float, angle: float) -> None:
    """A white face in a black photo: the steepest slope lies in the feather, and at the border there is none."""
    place = Place((60.3, 55.7), side, angle)
    photo = np.zeros((110, 120, 3), np.uint8)
    square = face_at(place).alignment
    paste(photo, np.full((64, 64, 3), 255, np.uint8), square)
    assert photo.max() == 255
    slope = np.maximum(
        np.abs(np.diff(photo[..., 0].astype(int), axis=0))[:, :-1],
        np.abs(np.diff(photo[..., 0].astype(int), axis=1))[:-1],
    )
    # The mask is a quintic over the feather: its steepest slope is 1.875 over its width.
    assert slope.max() <= 255 * 1.875 / (0.35 * square.side / 2) * 1.5
    y, x = np.mgrid[0:110, 0:120] + 0.5
    matrix = square.crop_from_photo(2)
    at = np.abs(np.stack([x, y], -1) @ matrix[:, :2].T + matrix[:, 2] - 1).max(-1)
    rim = (at > 1 - 1 / square.side) & (at <= 1)
    assert rim.any()
    assert photo[rim].max() <= 3, "half a pixel within the border the photo is still itself"


def test_feather_is_one_inside_and_zero_on_the_border() -> None:
    assert feather(np.array([0.0, 0.0])) == 1
    edge = np.linspace(-1, 1, 41)
    for side in (np.stack([edge, np.ones(41)], -1), np.stack([-np.ones(41), edge], -1)):
        assert (feather(side) == 0).all()


def test_pasting_a_face_where_it_came_from_changes_nothing() -> None:
    """The way out of the photo and back is the identity: no shift, no colour cast."""
    photo = resize_bicubic(faces()[1], 90, 90)
    place = Place((45.0, 45.0), 50.0, 0.3)
    face = face_at(place)
    native = native_crop(photo, face)
    back = photo.copy()
    paste(back, native, face.alignment)
    assert psnr(back, photo) > 38
    shift = (back.astype(float) - photo).mean()
    assert abs(shift) < 0.1


@pytest.mark.parametrize("side", [22, 32, 45])
def test_an_upright_face_comes_out_as_it_lies_and_is_resampled_by_the_one_bicubic(side: int) -> None:
    photo = background((100, 80))
    photo[10 : 10 + side, 20 : 20 + side] = resize_bicubic(faces()[2], side, side)
    face = face_at(Place((20 + side / 2, 10 + side / 2), float(side)))
    # The template's own square is not exactly the place's: put the place's square in its stead.
    centre = (20 + side / 2, 10 + side / 2)
    square = type(face.alignment)(centre, (side / 2, 0.0))
    held = _with_alignment(face, square)
    native = native_crop(photo, held)
    np.testing.assert_array_equal(native, photo[10 : 10 + side, 20 : 20 + side])
    expected = Image.fromarray(native).resize((32, 32), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(lr_crop(native, 32), np.asarray(expected))


def _with_alignment(face: object, square: object) -> object:
    class Held:
        alignment = square
        landmarks = face.landmarks  # type: ignore[attr-defined]
        box = face.box  # type: ignore[attr-defined]

    return Held()


def test_detail_that_the_network_could_not_see_comes_back() -> None:
    """A 45-pixel face loses detail in 32 pixels; what the photo shows of it is in the result again."""
    truth = faces()[3]
    native = resize_bicubic(truth, 45, 45)
    through = resize_bicubic(lr_crop(native, 32), 128, 128)
    kept = keep_own_detail(through, native, 32)
    reference = resize_bicubic(truth, 128, 128)
    assert psnr(kept, reference) > psnr(through, reference) + 0.5


def test_what_the_network_saw_and_changed_is_not_put_back() -> None:
    """A cast, blur or blocks that the LR size holds are the network's to remove; a face of the LR size is its alone."""
    sr = resize_bicubic(faces()[3], 128, 128)
    smooth = np.clip(resize_planes(resize_planes(sr.astype(np.float32), 24), 64) + 20, 0, 255).astype(np.uint8)
    for side in (24, 32):
        native = resize_bicubic(smooth, side, side)
        np.testing.assert_array_equal(keep_own_detail(sr, native, 32), sr)
    kept = keep_own_detail(sr, smooth, 32)
    assert abs(kept.astype(float) - sr).mean() < 4, "the cast of 20 levels stays out"


@pytest.mark.parametrize(("noise", "low", "high"), [(0.0, 0.85, 1.0), (4.0, 0.3, 0.95), (40.0, 0.0, 0.3)])
def test_noise_is_no_detail(noise: float, low: float, high: float) -> None:
    clean = resize_bicubic(faces()[3], 56, 56).astype(np.float32)
    noisy = clean + np.random.default_rng(0).normal(0, noise, clean.shape)
    assert low <= signal(np.rint(noisy.clip(0, 255)).astype(np.uint8), 32) <= high
    assert signal(np.full((56, 56, 3), 90, np.uint8), 32) == 0


@pytest.mark.parametrize("deviation", [0.0, 2.0, 12.0])
def test_noise_is_measured_beside_edges(deviation: float) -> None:
    plane = np.where(np.arange(80)[None, :] < 33, 60.0, 180.0).repeat(80, 0)
    plane += np.random.default_rng(1).normal(0, deviation, plane.shape)
    assert noise_of(plane) == pytest.approx(deviation, rel=0.1)
    assert noise_of(plane[:1]) == 0


@pytest.mark.parametrize(("channels", "depth"), [(3, np.uint8), (3, np.uint16), (1, np.uint8)])
def test_grain_makes_a_clean_face_as_noisy_as_its_photo(channels: int, depth: type[np.integer[Any]]) -> None:
    place = Place((80.0, 70.0), 60.0, 0.2)
    level, deviation = (257, 9.0) if depth == np.uint16 else (1, 9.0)
    noise = np.random.default_rng(2).normal(0, deviation, (140, 160, channels))
    photo = np.rint((120 + noise).clip(0, 255) * level).astype(depth)
    square, face = face_at(place).alignment, np.full((128, 128, 3), 120, np.uint8)
    clean = photo.copy()
    paste(clean, face, square)
    grained, again = clean.copy(), clean.copy()
    for one in (grained, again):
        add_grain(one, grain_for(photo, face, square), 1)
    middle = (slice(60, 80), slice(70, 90))
    assert clean[middle].std() / level < 0.5
    assert grained[middle].std() / level == pytest.approx(deviation, rel=0.2)
    np.testing.assert_array_equal(grained, again)
    beyond = outside(photo.shape, place, 1)
    np.testing.assert_array_equal(grained[beyond], photo[beyond])
    # A photo without noise has no grain to give, and a face that is as noisy as its photo lacks none.
    assert not any(grain_for(np.full_like(photo, 120 * level), face, square).deviations)
    same = np.rint((120 + np.random.default_rng(3).normal(0, 50, face.shape)).clip(0, 255)).astype(np.uint8)
    assert not any(grain_for(photo, same, scaled(square, 2)).deviations)
