"""Blur and resizing of image tensors, as a lens, a moving hand and resizing software do them."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

_MOTION_STEPS = 9
"""Positions of the kernel along a movement; more make no visible difference at these lengths."""


def similarity(factor: Tensor, angle: Tensor, shift: Tensor) -> Tensor:
    """Affine maps [B, 2, 3] for ``affine_grid``: scaled by ``factor`` [B], turned by ``angle`` [B] (radians), moved.

    ``shift`` [B, 2] is right and down, in halves of the image's side.
    """
    theta = torch.zeros(len(shift), 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = factor * angle.cos()
    theta[:, 1, 0] = factor * angle.sin()
    theta[:, 0, 1] = -theta[:, 1, 0]
    theta[:, :, 2] = shift
    return theta


def flow_of(theta: Tensor, size: int) -> Tensor:
    """The way [B, 2, size, size] in pixels, x before y, from each pixel to where images of ``size`` pixels that were
    moved by ``theta`` [B, 2, 3] (as ``affine_grid`` takes it) show what lay there."""
    centres = (torch.arange(size, dtype=torch.float64) * 2 + 1) / size - 1
    y, x = torch.meshgrid(centres, centres, indexing="ij")
    pixels = torch.stack((x, y)).flatten(1)  # 2, size * size
    shift = theta[:, :, 2:].double()
    moved = torch.linalg.solve(theta[:, :, :2].double(), pixels - shift)
    return ((moved - pixels) * (size / 2)).unflatten(2, (size, size)).float()


def point_spread(
    along: float,
    across: float,
    angle: float,
    *,
    shape: float = 1.0,
    motion: float = 0.0,
    motion_angle: float = 0.0,
) -> Tensor:
    """A blur kernel [K, K] of sum 1: a generalised Gaussian, moved along a line.

    ``along`` and ``across`` are its widths in pixels on two axes turned by ``angle`` (radians), the standard deviations
    of the Gaussian; ``shape`` is the exponent of the squared distance (1 is the Gaussian, more is nearer to a disc);
    ``motion`` the line's length in pixels.
    """
    radius = max(1, math.ceil(3 * max(along, across) + motion / 2))
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float64)
    y, x = torch.meshgrid(offsets, offsets, indexing="ij")
    kernel = torch.zeros_like(x)
    for t in torch.linspace(-0.5, 0.5, _MOTION_STEPS).tolist() if motion else [0.0]:
        dx, dy = x - t * motion * math.cos(motion_angle), y - t * motion * math.sin(motion_angle)
        # A sigma of nothing would divide by zero; at a tenth of a pixel the kernel is a single one already.
        a = (math.cos(angle) * dx + math.sin(angle) * dy) / max(along, 0.1)
        b = (math.cos(angle) * dy - math.sin(angle) * dx) / max(across, 0.1)
        kernel += torch.exp(-0.5 * (a**2 + b**2) ** shape)
    return kernel / kernel.sum()


def spread(image: Tensor, kernel: Tensor) -> Tensor:
    """Images [B, C, H, W] through one kernel [K, K]; mirrored borders."""
    channels, height, width = image.shape[1:]
    radius = kernel.shape[0] // 2
    most = min(radius, height - 1, width - 1)
    if most < radius:
        kernel = kernel[radius - most : radius + most + 1, radius - most : radius + most + 1]
        kernel = kernel / kernel.sum()
    weights = kernel.to(image)[None, None].expand(channels, 1, -1, -1)
    return F.conv2d(F.pad(image, (most,) * 4, mode="reflect"), weights, groups=channels)


def resize(image: Tensor, size: tuple[int, int], mode: str) -> Tensor:
    """Antialiased resizing to [B, C, *size], within [0, 1]."""
    if image.shape[-2:] == size:
        return image
    return F.interpolate(image, size=size, mode=mode, antialias=True).clamp(0, 1)
