"""Both degradations: antialiased bicubic against an implementation of its own, and the phone's, part by part."""

from __future__ import annotations

import dataclasses
import io
import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from edgesr.data.degradation import PhoneDegradation, add_noise, blur
from edgesr.data.jpeg import jpeg
from edgesr.data.optics import resize
from edgesr.data.samples import sample_faces
from edgesr.faces.alignment import Array
from edgesr.images.imaging import Pixels
from edgesr.layers.bicubic import bicubic_downsample, bicubic_upsample


def photos(size: int) -> Tensor:
    """The sample faces, [6, 3, size, size] in [0, 1]."""
    return as_tensor([face.target for face in sample_faces(size)])


def as_tensor(images: list[Pixels]) -> Tensor:
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255


def psnr(a: Tensor, b: Tensor) -> Tensor:
    return -10 * torch.log10(((a - b) ** 2).mean((1, 2, 3)))


def keys(x: float) -> float:
    """Keys' cubic convolution kernel, a = -0.5 (IEEE TASSP 1981, Eq. 15)."""
    x = abs(x)
    if x < 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


def pillow_matrix(count: int, new: int) -> Array:
    """[new, count]: Pillow's resampling (Resample.c) written anew, tap by tap in float64."""
    ratio = count / new
    widen = max(1.0, ratio)
    matrix = np.zeros((new, count))
    for i in range(new):
        centre = (i + 0.5) * ratio
        first, last = max(0, int(centre - 2 * widen + 0.5)), min(count, int(centre + 2 * widen + 0.5))
        taps = [keys((j + 0.5 - centre) / widen) for j in range(first, last)]
        matrix[i, first:last] = np.array(taps) / sum(taps)
    return matrix


@pytest.mark.parametrize(("size", "scale"), [(128, 4), (128, 8), (64, 2), (96, 3), (16, 4)])
def test_bicubic_degradation_is_pillows_kernel(size: int, scale: int) -> None:
    hr = photos(size)
    matrix = pillow_matrix(size, size // scale)
    exact = (matrix @ hr.double().numpy() @ matrix.T).clip(0, 1) * 255
    lr = bicubic_downsample(hr, scale).double().numpy() * 255
    # Rounded to 8 bits: equal but where the exact value lies on the edge between two levels.
    assert np.abs(lr - exact).max() < 0.5 + 1e-3
    assert np.abs(lr - np.rint(lr)).max() < 1e-4


@pytest.mark.parametrize(("size", "scale"), [(128, 4), (128, 8), (96, 3)])
def test_bicubic_degradation_is_what_pillow_does(size: int, scale: int) -> None:
    for face in sample_faces(size):
        ours = bicubic_downsample(as_tensor([face.target]), scale)[0].permute(1, 2, 0).numpy() * 255
        small = Image.fromarray(face.target).resize((size // scale, size // scale), Image.Resampling.BICUBIC)
        # Pillow rounds, and clips the overshoot beside white, between its two passes.
        off = np.abs(ours - np.asarray(small, float)).round()
        assert (off > 1).mean() < 0.005
        assert off.mean() < 0.2


@pytest.mark.parametrize(("size", "scale"), [(32, 4), (16, 8)])
def test_bicubic_upsampling_is_the_same_kernel(size: int, scale: int) -> None:
    lr = photos(size)
    matrix = pillow_matrix(size, size * scale)
    exact = matrix @ lr.double().numpy() @ matrix.T
    np.testing.assert_allclose(bicubic_upsample(lr, scale).numpy(), exact, atol=2e-6)


def test_the_kernel_is_not_pytorchs_other_one() -> None:
    # torch's bicubic without antialiasing has a = -0.75: the check above has to notice.
    lr = photos(16)
    other = torch.nn.functional.interpolate(lr, scale_factor=8, mode="bicubic")
    matrix = pillow_matrix(16, 128)
    assert np.abs(other.numpy() - matrix @ lr.double().numpy() @ matrix.T).max() > 0.01


@pytest.mark.parametrize("quality", [10, 30, 50, 75, 95, 100])
@pytest.mark.parametrize("size", [128, 44])
def test_jpeg_loses_what_pillows_jpeg_loses(quality: int, size: int) -> None:
    faces = [face.target for face in sample_faces(size)]
    coded = []
    for face in faces:
        file = io.BytesIO()
        Image.fromarray(face).save(file, "JPEG", quality=quality, subsampling="4:2:0")
        coded.append(np.asarray(Image.open(file).convert("RGB")))
    ours = jpeg(as_tensor(faces), torch.full((len(faces),), float(quality)))
    difference = (ours - as_tensor(coded)).abs().mean() * 255
    lost = (as_tensor(faces) - as_tensor(coded)).abs().mean() * 255
    assert difference < 0.8
    assert difference < lost


def test_every_image_has_its_own_quality() -> None:
    image = photos(32)[:1].repeat(3, 1, 1, 1)
    coded = jpeg(image, torch.tensor([20.0, 90.0, 20.0]))
    assert torch.equal(coded[0], coded[2])
    assert psnr(coded, image)[1] > psnr(coded, image)[0] + 5


@pytest.mark.parametrize(("along", "across", "angle"), [(2.0, 2.0, 0.0), (3.0, 0.0, 0.0), (2.0, 1.0, 0.7)])
def test_blur_is_a_gaussian_of_its_sigmas_and_angle(along: float, across: float, angle: float) -> None:
    point = torch.zeros(2, 1, 41, 41)
    point[:, 0, 20, 20] = 1
    zero = torch.zeros(1)
    spread = blur(point, *(torch.cat([torch.tensor([value]), zero]) for value in (along, across, angle)))
    torch.testing.assert_close(spread[1], point[1])  # the other image of the batch has no blur
    weights = spread[0, 0].double()
    assert float(weights.sum()) == pytest.approx(1, abs=1e-5)
    offsets = torch.arange(-20.0, 21, dtype=torch.float64)
    y, x = torch.meshgrid(offsets, offsets, indexing="ij")
    cos, sin = math.cos(angle), math.sin(angle)
    # Truncated at three sigmas, a Gaussian has 97 % of its variance.
    assert float((weights * (cos * x + sin * y) ** 2).sum()) == pytest.approx(along**2, rel=0.05)
    assert float((weights * (cos * y - sin * x) ** 2).sum()) == pytest.approx(across**2, rel=0.05, abs=1e-3)


def test_noise_grows_with_the_light() -> None:
    image = torch.tensor([0.04, 0.64, 0.64])[:, None, None, None].repeat(1, 3, 64, 64)
    noisy = add_noise(
        image,
        torch.full((3,), 0.05),
        torch.full((3,), 0.01),
        torch.tensor([False, False, True]),
        torch.tensor([1, 2, 3]),
    )
    sigma = (noisy - image).std((1, 2, 3))
    assert sigma[0] == pytest.approx(math.sqrt(0.05**2 * 0.04 + 0.01**2), rel=0.05)
    assert sigma[1] == pytest.approx(math.sqrt(0.05**2 * 0.64 + 0.01**2), rel=0.05)
    noise = noisy - image
    assert torch.allclose(noise[2, 0], noise[2, 1])
    assert not torch.allclose(noise[1, 0], noise[1, 1])


GENTLE = PhoneDegradation(
    blur=(0, 0), captured=(1.0,), shot_noise=(0, 0), read_noise=(0, 0), quality=(100, 100), again=0
)


@pytest.mark.parametrize(("size", "scale"), [(128, 4), (128, 8), (64, 2)])
def test_phone_degradation_gives_8_bit_faces_of_the_lr_size(size: int, scale: int) -> None:
    lr = PhoneDegradation()(photos(size), scale, torch.Generator().manual_seed(0))
    assert lr.shape == (6, 3, size // scale, size // scale)
    assert lr.min() >= 0
    assert lr.max() <= 1
    torch.testing.assert_close(lr * 255, (lr * 255).round(), rtol=0, atol=1e-4)
    # It is the same face, worse.
    quality = psnr(lr, bicubic_downsample(photos(size), scale))
    assert quality.min() > 18
    assert quality.max() < 45


def test_without_its_parts_it_is_nearly_the_papers_degradation() -> None:
    hr = photos(128)
    lr = GENTLE(hr, 4, torch.Generator().manual_seed(0))
    modes = torch.stack([psnr(resize(hr, (32, 32), mode), lr) for mode in ("bicubic", "bilinear")])
    assert modes.amax(0).min() > 33  # 4:2:0 alone is lossy


@pytest.mark.parametrize(
    "worse",
    [{"blur": (1.0, 1.0)}, {"read_noise": (0.05, 0.05)}, {"quality": (15, 15)}, {"captured": (2.0,)}],
    ids=lambda change: next(iter(change)),
)
def test_every_part_changes_the_face(worse: dict[str, tuple[float, ...]]) -> None:
    hr = photos(64)
    gentle = GENTLE(hr, 2, torch.Generator().manual_seed(0))
    changed = dataclasses.replace(GENTLE, **worse)(hr, 2, torch.Generator().manual_seed(0))
    assert ((changed - gentle).abs().mean((1, 2, 3)) * 255 > 0.5).all()


def test_a_batch_depends_on_the_generator_alone() -> None:
    hr, phone = photos(32), PhoneDegradation()
    torch.manual_seed(1)
    first = phone(hr, 2, torch.Generator().manual_seed(7))
    torch.manual_seed(2)
    assert torch.equal(phone(hr, 2, torch.Generator().manual_seed(7)), first)
    assert not torch.equal(phone(hr, 2, torch.Generator().manual_seed(8)), first)


def test_faces_of_a_batch_are_degraded_apart() -> None:
    hr = photos(32)[:1].repeat(8, 1, 1, 1)
    lr = PhoneDegradation()(hr, 2, torch.Generator().manual_seed(0))
    assert all(not torch.equal(lr[i], lr[j]) for i in range(8) for j in range(i))
