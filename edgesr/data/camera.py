"""What lies between a far face and its pixels in a file: lens, hand, sensor, image processor, codecs, messengers.

The stages are those of a phone's camera, in its order and in the light they work in: blur and reduction in linear
light, Bayer mosaic, shot and read noise, white balance, demosaicing (Malvar, He, Cutler 2004), the tone curve,
denoising and sharpening, JPEG, WebP or HEIC with the face anywhere on the block grid, messengers that make photos
smaller and compress them again, and the size that the face's crop is brought to. ``edgesr.data.degradation`` names
the presets. Everything random is drawn on the CPU from the generator given, for a whole batch at a time.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TypeVar

import torch
from torch import Tensor

from edgesr.data.codecs import through_codec
from edgesr.data.isp import bilateral, demosaic, mosaic, unsharp
from edgesr.data.optics import point_spread, resize, spread
from edgesr.layers.bicubic import bicubic_downsample

Range = tuple[float, float]

T = TypeVar("T")

MODES = ("bicubic", "bilinear")
"""Antialiased filters that resizing software uses."""


@dataclasses.dataclass(frozen=True)
class CameraDegradation:
    """Ranges that each image's strengths are drawn from, evenly.

    Lengths are in LR pixels where nothing else is said, so that one setting serves every scale; light is in parts of
    full white.
    """

    clean: float = 0.1
    """Probability that nothing but antialiased bicubic happens."""
    blur: Range = (0.1, 0.55)
    """Width of the lens blur (standard deviation of a Gaussian), along each of two axes turned by a random angle."""
    shape: Range = (0.7, 1.8)
    """Exponent of the blur's kernel: 1 is a Gaussian, more is nearer to a disc (defocus), less has longer tails."""
    moving: float = 0.2
    """Probability of motion blur."""
    motion: Range = (0.3, 1.3)
    """The length of the motion."""
    captured: tuple[float, ...] = (0.9, 1.0, 1.25, 1.5, 2.0, 3.0)
    """Sizes that the face may have had on the sensor, over its LR size; at most that of the sharp photo."""
    gamma: Range = (1.8, 2.6)
    """Exponent of the tone curve."""
    bayer: float = 0.6
    """Probability that the sensor's pixels are those of the photo, so that its mosaic shows."""
    red_gain: Range = (1.4, 2.2)
    blue_gain: Range = (1.3, 2.0)
    """White balance: noise of these colours grows with it."""
    shot_noise: Range = (0.0, 0.03)
    """Standard deviation, at white, of the noise that grows with the square root of the light."""
    read_noise: Range = (0.0, 0.004)
    """Standard deviation of the noise that is everywhere."""
    denoise: Range = (0.0, 1.0)
    """Strength of denoising: its range in brightness over that of the noise, and its reach in colour."""
    sharpen: Range = (0.0, 1.2)
    """Amount of unsharp masking."""
    codecs: tuple[tuple[str, float], ...] = (("jpeg", 0.65), ("webp", 0.15), ("heic", 0.2))
    quality: Range = (60.0, 95.0)
    """The quality at which the first file is saved."""
    again: tuple[float, ...] = (0.6, 0.3, 0.1)
    """Probability that a messenger saves it again 0, 1, 2 times, as JPEG."""
    smaller: Range = (0.75, 1.0)
    """What a messenger makes of the photo's size; never below the LR face's."""
    messenger_quality: Range = (60.0, 90.0)

    def __call__(
        self,
        hr: Tensor,
        scale: int,
        random: torch.Generator,
        drawn: int | None = None,
        part: slice = slice(None),
    ) -> Tensor:
        """LR images [B, 3, H / scale, W / scale] in [0, 1] at 8-bit levels, of HR images [B, 3, H, W].

        Where the images are ``part`` of a batch of ``drawn``, the random numbers are drawn for all of it.

        Raises:
            UnavailableError: HEIC is drawn and pillow-heif is not installed.
        """
        strengths = self.draw(len(hr) if drawn is None else drawn, random)
        return self.photos(hr, scale, strengths, part)

    def draw(self, count: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """The strengths of ``count`` images [count, ...], and the seeds of their noise [count]."""
        numbers = torch.rand(count, len(_DRAWS), generator=random, dtype=torch.float64)
        return numbers, torch.randint(2**31, (count,), generator=random)

    def photos(self, hr: Tensor, scale: int, strengths: tuple[Tensor, Tensor], part: slice = slice(None)) -> Tensor:
        """LR images as ``__call__`` makes them, with strengths drawn before."""
        numbers, seeds = strengths
        lr = [
            self._photo(face[None], scale, _Drawn(row.tolist()), int(seed))
            for face, row, seed in zip(hr, numbers[part], seeds[part], strict=True)
        ]
        return torch.cat(lr) if lr else hr.new_empty(0, 3, hr.shape[-2] // scale, hr.shape[-1] // scale)

    def _photo(self, hr: Tensor, scale: int, drawn: _Drawn, seed: int) -> Tensor:
        size = (hr.shape[-2] // scale, hr.shape[-1] // scale)
        if drawn["clean"] < self.clean:
            return _levels(bicubic_downsample(hr, scale))
        random = torch.Generator().manual_seed(seed)
        gamma = drawn.between("gamma", self.gamma)
        factor = min(drawn.choice("captured", self.captured), scale)
        light = self._lens(hr.clamp(0, 1) ** gamma, scale, drawn)
        light = resize(light, (round(size[0] * factor), round(size[1] * factor)), "bilinear")
        light, noise = self._sensor(light, drawn, random)
        photo = self._processor(light.clamp(0, 1) ** (1 / gamma), noise, gamma, drawn)
        photo = self._files(photo, size, drawn)
        return _levels(resize(photo, size, drawn.choice("last", MODES)))

    def _lens(self, light: Tensor, scale: int, drawn: _Drawn) -> Tensor:
        along, across = (drawn.between(name, self.blur) * scale for name in ("along", "across"))
        length = drawn.between("motion", self.motion) * scale if drawn["moving"] < self.moving else 0.0
        kernel = point_spread(
            along,
            across,
            drawn["angle"] * math.pi,
            shape=drawn.between("shape", self.shape),
            motion=length,
            motion_angle=drawn["direction"] * math.pi,
        )
        return spread(light, kernel)

    def _sensor(self, light: Tensor, drawn: _Drawn, random: torch.Generator) -> tuple[Tensor, float]:
        """What the sensor sees [1, 3, H, W], and the noise at middle grey."""
        gains = torch.tensor([drawn.between("red", self.red_gain), 1.0, drawn.between("blue", self.blue_gain)])
        gains = gains.to(light)[:, None, None]
        shot, read = drawn.between("shot", self.shot_noise), drawn.between("read", self.read_noise)
        seen = light / gains
        bayer = drawn["bayer"] < self.bayer
        if bayer:
            seen = mosaic(seen, drawn.choice("phase", ((0, 0), (0, 1), (1, 0), (1, 1))))
        sigma = (shot**2 * seen.clamp_min(0) + read**2).sqrt()
        seen = seen + sigma * torch.randn(seen.shape, generator=random).to(seen)
        if bayer:
            seen = demosaic(seen, drawn.choice("phase", ((0, 0), (0, 1), (1, 0), (1, 1))))
        return seen * gains, math.sqrt(shot**2 * MIDDLE_GREY + read**2)

    def _processor(self, photo: Tensor, noise: float, gamma: float, drawn: _Drawn) -> Tensor:
        # The tone curve's slope at middle grey turns noise in light into noise in the photo.
        noise *= MIDDLE_GREY ** (1 / gamma - 1) / gamma
        strength = drawn.between("denoise", self.denoise)
        if strength and noise:
            photo = bilateral(photo, 3 * strength * noise, colour_sigma=1.5 * strength)
        return unsharp(photo, drawn.between("radius", (0.5, 1.2)), drawn.between("sharpen", self.sharpen)).clamp(0, 1)

    def _files(self, photo: Tensor, size: tuple[int, int], drawn: _Drawn) -> Tensor:
        corner = (int(drawn["row"] * 16), int(drawn["column"] * 16))
        codec = drawn.weighted("codec", self.codecs)
        photo = through_codec(photo, codec, drawn.between("quality", self.quality), corner)
        for i in range(drawn.weighted("again", tuple(enumerate(self.again)))):
            smaller = drawn.between(f"smaller-{i}", self.smaller)
            sides = [max(least, round(now * smaller)) for least, now in zip(size, photo.shape[-2:], strict=True)]
            sides = [min(side, now) for side, now in zip(sides, photo.shape[-2:], strict=True)]
            photo = resize(photo, (sides[0], sides[1]), drawn.choice(f"filter-{i}", MODES))
            photo = through_codec(photo, "jpeg", drawn.between(f"quality-{i}", self.messenger_quality), corner)
        return photo


MIDDLE_GREY = 0.214
"""Light of the level 128 of 255."""

_DRAWS = (
    *("clean", "gamma", "captured", "along", "across", "angle", "shape", "moving", "motion", "direction"),
    *("red", "blue", "shot", "read", "bayer", "phase", "denoise", "radius", "sharpen", "row", "column"),
    *("codec", "quality", "again", "smaller-0", "smaller-1", "filter-0", "filter-1", "quality-0", "quality-1", "last"),
)


class _Drawn:
    """An image's random numbers in [0, 1), by name: what one stage draws never moves what another does."""

    def __init__(self, numbers: list[float]) -> None:
        self.numbers = dict(zip(_DRAWS, numbers, strict=True))

    def __getitem__(self, name: str) -> float:
        return self.numbers[name]

    def between(self, name: str, span: Range) -> float:
        return span[0] + (span[1] - span[0]) * self[name]

    def choice(self, name: str, options: tuple[T, ...]) -> T:
        return options[int(self[name] * len(options))]

    def weighted(self, name: str, options: tuple[tuple[T, float], ...]) -> T:
        left = self[name] * sum(weight for _, weight in options)
        for option, weight in options:
            left -= weight
            if left < 0:
                return option
        return options[-1][0]


def _levels(image: Tensor) -> Tensor:
    return image.clamp(0, 1).mul(255).round().div(255)
