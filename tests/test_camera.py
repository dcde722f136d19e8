"""The camera preset, stage by stage against what each promises, and whole."""

from __future__ import annotations

import dataclasses
import io
import math

import numpy as np
import pytest
import torch
from PIL import Image
from test_degradation import as_tensor, photos, psnr
from torch import Tensor

from edgesr.data import DEGRADATIONS
from edgesr.data.camera import CameraDegradation
from edgesr.data.codecs import CODECS, through_codec
from edgesr.data.degradation import PHONES, lr_faces, preset
from edgesr.data.isp import bilateral, demosaic, mosaic, unsharp
from edgesr.data.optics import point_spread, resize, spread
from edgesr.errors import UsageError
from edgesr.layers.bicubic import bicubic_downsample

GENTLE = CameraDegradation(
    clean=0,
    blur=(0.05, 0.05),
    moving=0,
    captured=(1.0,),
    bayer=0,
    shot_noise=(0, 0),
    read_noise=(0, 0),
    denoise=(0, 0),
    sharpen=(0, 0),
    codecs=(("jpeg", 1.0),),
    quality=(100, 100),
    again=(1.0,),
)


def made(camera: CameraDegradation, hr: Tensor, scale: int = 4, seed: int = 0) -> Tensor:
    return camera(hr, scale, torch.Generator().manual_seed(seed))


def test_phone_means_the_newest_preset_and_presets_are_what_the_command_line_offers() -> None:
    assert preset("phone") == "phone-2"
    assert set(DEGRADATIONS) == {"bicubic", "phone", *PHONES}
    with pytest.raises(UsageError, match="unknown degradation 'phone-9'"):
        preset("phone-9")


@pytest.mark.parametrize("degradation", DEGRADATIONS)
def test_lr_faces_are_8_bit_and_depend_on_the_generator_alone(degradation: str) -> None:
    hr = photos(64)[:3]
    first, again = (lr_faces(hr, 4, degradation, torch.Generator().manual_seed(3)) for _ in range(2))
    assert first.shape == (3, 3, 16, 16)
    assert torch.equal(first, again)
    torch.testing.assert_close(first * 255, (first * 255).round(), rtol=0, atol=1e-4)
    alike = 10 if degradation == "phone-2-misaligned" else 12  # dB; a face that lies elsewhere is another picture
    assert float(psnr(first, bicubic_downsample(hr, 4)).min()) > alike


def test_a_part_of_a_batch_is_degraded_as_in_the_whole() -> None:
    hr, camera = photos(64), CameraDegradation()
    part = camera(hr[2:4], 4, torch.Generator().manual_seed(0), drawn=6, part=slice(2, 4))
    assert torch.equal(part, made(camera, hr)[2:4])


def test_without_its_parts_it_is_nearly_plain_reduction() -> None:
    hr = photos(128)
    assert psnr(made(GENTLE, hr), resize(hr, (32, 32), "bilinear")).min() > 27  # light is averaged, not levels; 4:2:0
    assert torch.equal(made(dataclasses.replace(GENTLE, clean=1), hr), bicubic_downsample(hr, 4))


@pytest.mark.parametrize(
    "worse",
    [
        {"blur": (1.0, 1.0)},
        {"moving": 1.0, "motion": (3.0, 3.0)},
        {"captured": (3.0,)},
        {"bayer": 1.0},
        {"shot_noise": (0.1, 0.1)},
        {"read_noise": (0.05, 0.05)},
        {"sharpen": (1.5, 1.5)},
        {"codecs": (("webp", 1.0),)},
        {"codecs": (("heic", 1.0),)},
        {"quality": (20, 20)},
        {"again": (0.0, 0.0, 1.0)},
    ],
    ids=lambda change: "-".join(f"{k}" for k in change),
)
def test_every_part_changes_the_face(worse: dict[str, object]) -> None:
    hr = photos(64)[:3]
    changed = made(dataclasses.replace(GENTLE, **worse), hr)  # type: ignore[arg-type]
    assert ((changed - made(GENTLE, hr)).abs().mean((1, 2, 3)) * 255 > 0.5).all()


def test_denoising_takes_noise_away() -> None:
    hr = photos(128)
    noisy = dataclasses.replace(GENTLE, captured=(2.0,), shot_noise=(0.1, 0.1))
    clean, before = made(GENTLE, hr), made(noisy, hr)
    after = made(dataclasses.replace(noisy, denoise=(1.0, 1.0)), hr)
    assert psnr(after, clean).mean() > psnr(before, clean).mean() + 1


@pytest.mark.parametrize("phase", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_demosaicing_keeps_what_was_measured_and_gives_smooth_colours_back(phase: tuple[int, int]) -> None:
    y, x = torch.meshgrid(torch.linspace(0, 1, 24), torch.linspace(0, 1, 24), indexing="ij")
    image = torch.stack([0.2 + 0.5 * x, 0.3 + 0.4 * y, 0.6 - 0.3 * x])[None]
    raw = mosaic(image, phase)
    assert torch.equal(raw[..., phase[0], phase[1]], image[:, 0:1, phase[0], phase[1]])
    assert torch.equal(raw[..., 1 - phase[0], 1 - phase[1]], image[:, 2:3, 1 - phase[0], 1 - phase[1]])
    assert torch.equal(raw[..., phase[0], 1 - phase[1]], image[:, 1:2, phase[0], 1 - phase[1]])
    back = demosaic(raw, phase)
    torch.testing.assert_close(mosaic(back, phase), raw)
    assert (back - image)[..., 3:-3, 3:-3].abs().max() < 2e-3  # the filters are exact on linear ramps


def test_a_kernel_has_its_widths_shape_and_movement() -> None:
    offsets = torch.arange(-50.0, 51, dtype=torch.float64)

    def variance(kernel: Tensor) -> tuple[float, float]:
        radius = kernel.shape[0] // 2
        at = offsets[50 - radius : 51 + radius] ** 2
        return float((kernel.sum(0) * at).sum()), float((kernel.sum(1) * at).sum())

    assert variance(point_spread(3.0, 1.0, 0.0)) == (pytest.approx(9, rel=0.05), pytest.approx(1, rel=0.05))
    assert variance(point_spread(3.0, 1.0, math.pi / 2)) == (pytest.approx(1, rel=0.05), pytest.approx(9, rel=0.05))
    moved = variance(point_spread(1.0, 1.0, 0.0, motion=12.0, motion_angle=0.0))
    assert moved[0] == pytest.approx(1 + 12**2 / 12, rel=0.3)  # an even line of that length
    assert moved[1] == pytest.approx(1, rel=0.05)
    disc, gauss = (kernel[kernel.shape[0] // 2] for kernel in (point_spread(3, 3, 0, shape=3), point_spread(3, 3, 0)))
    middle = len(disc) // 2
    assert disc[middle + 2] / disc[middle] > gauss[middle + 2] / gauss[middle] + 0.1  # flat inside
    assert disc[middle + 5] / disc[middle] < gauss[middle + 5] / gauss[middle] - 0.1  # and over outside


def test_spreading_keeps_flat_images_and_fits_small_ones() -> None:
    flat = torch.full((1, 3, 6, 5), 0.25)
    torch.testing.assert_close(spread(flat, point_spread(4.0, 4.0, 0.0)), flat)


def test_bilateral_keeps_edges_that_a_blur_would_lose() -> None:
    image = torch.zeros(1, 3, 16, 16)
    image[..., 8:] = 1
    assert (bilateral(image, 0.05, 0.0) - image).abs().max() < 1e-3
    sharper = unsharp(image * 0.5 + 0.25, 1.0, 1.0)
    assert sharper.min() < 0.2
    assert sharper.max() > 0.8


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("corner", [(0, 0), (5, 11)])
def test_codecs_lose_more_at_lower_quality_and_never_move_the_image(codec: str, corner: tuple[int, int]) -> None:
    image = resize(photos(128)[:1], (45, 53), "bilinear")
    good, bad = (through_codec(image, codec, quality, corner) for quality in (95.0, 20.0))
    assert good.shape == bad.shape == image.shape
    assert psnr(good, image) > 30
    assert psnr(good, image) > psnr(bad, image) + 4
    moved = through_codec(image, codec, 95.0, corner).roll(1, -1)
    assert psnr(good, image) > psnr(moved, image)


def test_webp_is_pillows() -> None:
    image = photos(48)[:1]
    file = io.BytesIO()
    levels = (image[0].permute(1, 2, 0) * 255).round().byte().numpy()
    Image.fromarray(levels).save(file, "WEBP", quality=50, method=0)
    theirs = as_tensor([np.asarray(Image.open(file).convert("RGB"))])
    assert torch.equal(through_codec(image, "webp", 50.0), theirs)
