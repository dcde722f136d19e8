"""Losses: each against its formula written out and its gradients."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from loss_inputs import images
from torch import Tensor, nn

from edgesr.errors import UsageError
from edgesr.training.losses import (
    Discriminator,
    DiscriminatorConfig,
    LossConfig,
    charbonnier,
    correlation_loss,
    discriminator_loss,
    generator_loss,
)
from edgesr.training.losses.correlation import mean_correlation

# Correlation


def correlation_map(image: Tensor, window: int, dilation: int) -> list[float]:
    """Eq. 8 in loops; [C, H, W] -> k * k * H * W values."""
    pixels = (image.double() - image.double().mean(dim=(1, 2), keepdim=True)).tolist()
    channels, height, width = image.shape
    reach, values = (window - 1) // 2, []
    for i in range(-reach, reach + 1):
        for j in range(-reach, reach + 1):
            for y in range(height):
                for x in range(width):
                    v, u = y - i * dilation, x - j * dilation
                    inside = 0 <= v < height and 0 <= u < width
                    product = sum(pixels[c][y][x] * pixels[c][v][u] for c in range(channels)) if inside else 0.0
                    values.append(product / window**2)
    return values


@pytest.mark.parametrize(
    ("window", "dilation", "height", "width"),
    [(1, 1, 5, 6), (3, 1, 5, 6), (5, 1, 6, 5), (3, 2, 7, 5), (5, 3, 6, 8), (7, 2, 4, 9)],
)
def test_correlation_loss_is_equations_8_and_9(window: int, dilation: int, height: int, width: int) -> None:
    sr, hr = images(2, 3, height, width, dtype=torch.float64)
    differences = [
        abs(a - b)
        for one, other in zip(sr, hr, strict=True)
        for a, b in zip(correlation_map(one, window, dilation), correlation_map(other, window, dilation), strict=True)
    ]
    expected = sum(differences) / len(differences)
    assert float(correlation_loss(sr, hr, window, dilation)) == pytest.approx(expected, rel=1e-12)


def test_a_window_of_one_pixel_compares_squared_pixels() -> None:
    sr, hr = images(2, 3, 8, 8)
    squares = [((x - x.mean((2, 3), keepdim=True)) ** 2).sum(1) for x in (sr, hr)]
    torch.testing.assert_close(correlation_loss(sr, hr, window=1), (squares[0] - squares[1]).abs().mean())


@pytest.mark.parametrize("window", [1, 3, 5])
def test_the_drawn_map_is_equation_8_summed_over_the_window(window: int) -> None:
    (image,) = images(1, 3, 5, 6, dtype=torch.float64)[:1]
    entries = torch.tensor(correlation_map(image[0], window, 1), dtype=torch.float64)
    wanted = entries.reshape(window**2, 5, 6).sum(0)
    torch.testing.assert_close(mean_correlation(image, window)[0], wanted, atol=1e-12, rtol=0)


def test_correlation_sees_texture_and_not_brightness() -> None:
    sr, _ = images(1, 3, 16, 16)
    assert float(correlation_loss(sr + 0.3, sr)) == pytest.approx(0, abs=1e-7)
    assert float(correlation_loss(F.avg_pool2d(sr, 3, 1, 1), sr)) > 1e-3


def test_correlation_of_half_precision_images_is_computed_in_full() -> None:
    sr, hr = (x.bfloat16() for x in images(1, 3, 8, 8))
    loss = correlation_loss(sr, hr)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, correlation_loss(sr.float(), hr.float()))


@pytest.mark.parametrize(("window", "dilation", "what"), [(4, 1, "window is 4"), (0, 1, "window"), (3, 0, "dilation")])
def test_a_window_without_a_centre_is_refused(window: int, dilation: int, what: str) -> None:
    sr, hr = images(1, 3, 8, 8)
    with pytest.raises(UsageError, match=what):
        correlation_loss(sr, hr, window, dilation)
    with pytest.raises(UsageError, match=what):
        LossConfig(correlation_window=window, correlation_dilation=dilation)


@pytest.mark.parametrize("loss", [charbonnier, correlation_loss, lambda a, b: correlation_loss(a, b, 3, 2)])
def test_gradients_are_those_of_finite_differences(loss: nn.Module) -> None:
    sr, hr = images(1, 2, 5, 4, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: loss(x, hr), sr.requires_grad_(True))


# Relativistic average GAN


def d_ra(a: list[float], b: list[float]) -> list[float]:
    """Eq. 13."""
    return [1 / (1 + math.exp(-(value - sum(b) / len(b)))) for value in a]


def test_gan_losses_are_equations_12_to_14() -> None:
    hr, sr = [0.3, -1.2, 2.0], [-0.7, 0.1, 0.4]
    n = len(hr)
    real, fake = d_ra(hr, sr), d_ra(sr, hr)
    generator = -sum(math.log(1 - d) for d in real) / n - sum(math.log(d) for d in fake) / n
    discriminator = -sum(math.log(d) for d in real) / n - sum(math.log(1 - d) for d in fake) / n
    c_hr, c_sr = torch.tensor(hr), torch.tensor(sr)
    assert float(generator_loss(c_hr, c_sr)) == pytest.approx(generator, rel=1e-6)
    assert float(discriminator_loss(c_hr, c_sr)) == pytest.approx(discriminator, rel=1e-6)


@pytest.mark.parametrize("loss", [generator_loss, discriminator_loss])
@pytest.mark.parametrize("sign", [1, -1])
def test_gan_losses_stay_finite_where_the_sigmoid_saturates(loss: nn.Module, sign: int) -> None:
    c_hr = torch.tensor([500.0, 900.0]).mul(sign).requires_grad_(True)
    c_sr = torch.tensor([-500.0, -900.0]).mul(sign).requires_grad_(True)
    value = loss(c_hr, c_sr)
    value.backward()
    assert math.isfinite(float(value))
    assert c_hr.grad is not None
    assert torch.isfinite(c_hr.grad).all()
    losing = (sign == 1) == (loss is generator_loss)
    assert (float(value) > 1000) == losing
    assert bool(c_hr.grad.abs().sum() > 0.5) == losing  # who is losing has something to learn from


@pytest.mark.parametrize("loss", [generator_loss, discriminator_loss])
def test_gan_gradients_are_those_of_finite_differences(loss: nn.Module) -> None:
    c = torch.randn(2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_(True)
    assert torch.autograd.gradcheck(lambda x: loss(x[0], x[1]), c)


@pytest.mark.parametrize("size", [16, 32])
def test_the_discriminator_judges_each_image(size: int) -> None:
    network = Discriminator(DiscriminatorConfig(size, channels=4, hidden=8))
    faces = torch.rand(3, 3, size, size)
    assert network(faces).shape == (3,)
    assert all(not list(module.buffers(recurse=False)) for module in network.modules())  # weights are all its state
    network(faces).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    with pytest.raises(UsageError, match=rf"for {size} px was given 8x8"):
        network(torch.rand(1, 3, 8, 8))


def test_the_discriminator_for_128_pixels_is_esrgans() -> None:
    with torch.device("meta"):
        network = Discriminator()
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert [c.out_channels for c in convolutions] == [64, 64, 128, 128, 256, 256, 512, 512, 512, 512]
    assert sum(parameter.numel() for parameter in network.parameters()) == 14_499_401


@pytest.mark.parametrize("size", [0, 4, 100, 96])
def test_a_size_that_cannot_be_halved_down_to_4_is_refused(size: int) -> None:
    with pytest.raises(UsageError, match=f"size is {size}"):
        DiscriminatorConfig(size)
