"""How LR faces are made of sharp ones: the papers' antialiased bicubic, and presets of what a phone does to a far face.

A preset never changes once figures were measured with it: a better one gets a number of its own, and ``phone`` means
the newest camera. ``phone-1`` is blur, resizing, noise and JPEG (here); ``phone-2`` a whole camera
(``edgesr.data.camera``); ``phone-2-misaligned`` the same, cut by the landmarks that are found on the far face
(``edgesr.data.misalignment``): to judge by identity, since its target does not move along.
Everything random is drawn on the CPU from the generator given, so a batch is the same on every device; the work is
done on the images' device.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from edgesr.data import DEGRADATIONS
from edgesr.data.camera import CameraDegradation
from edgesr.data.jpeg import jpeg
from edgesr.data.misalignment import MisalignedCamera
from edgesr.data.optics import resize
from edgesr.errors import UsageError
from edgesr.layers.bicubic import bicubic_downsample

Range = tuple[float, float]

MODES = ("bicubic", "bilinear")
"""Antialiased filters that resizing software uses."""


@dataclasses.dataclass(frozen=True)
class PhoneDegradation:
    """``phone-1``: ranges that each image's strengths are drawn from, evenly.

    Lengths are in LR pixels, so that one setting serves every scale; noise is in parts of full white.
    """

    blur: Range = (0.0, 0.7)
    """Standard deviation of a Gaussian blur, along each of two axes turned by a random angle."""
    captured: tuple[float, ...] = (1.0, 1.25, 1.5, 2.0)
    """Sizes the face may have had in the first file, over its LR size; it is then resized to the LR size."""
    shot_noise: Range = (0.0, 0.02)
    """Standard deviation at white of the noise that grows with the square root of the light."""
    read_noise: Range = (0.0, 0.015)
    """Standard deviation of the noise that is everywhere."""
    grey_noise: float = 0.4
    """Probability that noise is the same in all three colours."""
    quality: Range = (50.0, 95.0)
    """JPEG quality of the first file."""
    again: float = 0.3
    """Probability that the LR image is saved as JPEG once more, as messengers do."""

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
        """
        b = len(hr) if drawn is None else drawn
        size = (hr.shape[-2] // scale, hr.shape[-1] // scale)

        def uniform(low: float, high: float) -> Tensor:
            return (low + (high - low) * torch.rand(b, generator=random))[part]

        along, across, angle = uniform(*self.blur) * scale, uniform(*self.blur) * scale, uniform(0, math.pi)
        choice = torch.randint(len(self.captured), (b,), generator=random)[part]
        modes = torch.randint(len(MODES), (2, b), generator=random)[:, part]
        shot, read = uniform(*self.shot_noise), uniform(*self.read_noise)
        grey = uniform(0, 1) < self.grey_noise
        first, second = uniform(*self.quality), uniform(*self.quality)
        again = uniform(0, 1) < self.again
        seeds = torch.randint(2**31, (b,), generator=random)[part]

        # The kernel is as large as the strongest blur needs, so that an image does not hang on those beside it.
        blurred = blur(hr, along, across, angle, radius=math.ceil(3 * self.blur[1] * scale))
        lr = hr.new_empty(len(hr), 3, *size)
        # Images captured at the same size and by the same filters are worked on together.
        for key in torch.unique(torch.stack([choice, *modes]), dim=1).T.tolist():
            group = ((choice == key[0]) & (modes[0] == key[1]) & (modes[1] == key[2])).nonzero().flatten()
            at = group.to(hr.device)
            factor = min(self.captured[key[0]], scale)
            photo = resize(blurred[at], (round(size[0] * factor), round(size[1] * factor)), MODES[key[1]])
            photo = add_noise(photo, shot[group], read[group], grey[group], seeds[group])
            lr[at] = resize(jpeg(photo, first[group]), size, MODES[key[2]])
        lr = lr.clamp(0, 1).mul(255).round().div(255)
        return torch.where(again.to(hr.device)[:, None, None, None], jpeg(lr, second), lr)


def blur(image: Tensor, sigma_along: Tensor, sigma_across: Tensor, angle: Tensor, radius: int | None = None) -> Tensor:
    """A Gaussian blur of each image [B, 3, H, W] with its own two sigmas in pixels and angle [B]; mirrored borders.

    The kernel's ``radius`` is three times the largest sigma unless given.
    """
    b, c, height, width = image.shape
    if radius is None:
        radius = math.ceil(3 * max(float(sigma_along.max()), float(sigma_across.max())))
    radius = min(radius, height - 1, width - 1)
    if radius < 1:
        return image
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float32)
    y, x = torch.meshgrid(offsets, offsets, indexing="ij")
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    # A sigma of nothing would divide by zero; at a tenth of a pixel the kernel is a single one already.
    along = (cos * x + sin * y) / sigma_along.clamp_min(0.1)[:, None, None]
    across = (cos * y - sin * x) / sigma_across.clamp_min(0.1)[:, None, None]
    kernel = torch.exp(-0.5 * (along**2 + across**2))
    kernel = (kernel / kernel.sum((1, 2), keepdim=True)).to(image)
    padded = F.pad(image, (radius,) * 4, mode="reflect").reshape(1, b * c, height + 2 * radius, width + 2 * radius)
    weights = kernel[:, None].repeat_interleave(c, dim=0)
    return F.conv2d(padded, weights, groups=b * c).reshape(image.shape)


def add_noise(image: Tensor, shot: Tensor, read: Tensor, grey: Tensor, seeds: Tensor) -> Tensor:
    """Noise of variance shot^2 * light + read^2 on images [B, 3, H, W]; each image has its own seed."""
    noise = torch.stack(
        [torch.randn(image.shape[1:], generator=torch.Generator().manual_seed(int(seed))) for seed in seeds]
    )
    noise = torch.where(grey[:, None, None, None], noise[:, :1], noise).to(image)
    shot, read = (sigma.to(image)[:, None, None, None] for sigma in (shot, read))
    return (image + noise * (shot**2 * image + read**2).sqrt()).clamp(0, 1)


PHONES: dict[str, Callable[..., Tensor]] = {
    "phone-1": PhoneDegradation(),
    "phone-2": CameraDegradation(),
    "phone-2-misaligned": MisalignedCamera(),
}
MISALIGNED = "-misaligned"
"""How the name of a camera's preset ends whose faces are cut where they are found."""
NEWEST = "phone-2"
"""What ``phone`` means."""


def preset(degradation: str) -> str:
    """The name to record: ``phone`` becomes that of its preset.

    Raises:
        UsageError: an unknown degradation.
    """
    if degradation not in DEGRADATIONS:
        raise UsageError(f"unknown degradation {degradation!r}", f"known: {', '.join(DEGRADATIONS)}")
    return NEWEST if degradation == "phone" else degradation


def lr_faces(
    hr: Tensor,
    scale: int,
    degradation: str,
    random: torch.Generator,
    drawn: int | None = None,
    part: slice = slice(None),
) -> Tensor:
    """LR faces [B, 3, H / scale, W / scale] in [0, 1] at 8-bit levels, of sharp ones [B, 3, H, W].

    Where the faces are ``part`` of a batch of ``drawn``, the random numbers are drawn for all of it; ``bicubic``
    draws none.

    Raises:
        UsageError: an unknown degradation.
        UnavailableError: a preset with HEIC, without pillow-heif.
    """
    name = preset(degradation)
    return PHONES[name](hr, scale, random, drawn, part) if name in PHONES else bicubic_downsample(hr, scale)
