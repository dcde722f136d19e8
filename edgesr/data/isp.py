"""What a camera's image processor does to a sensor's pixels: mosaic, demosaicing, denoising, sharpening."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from edgesr.data.jpeg import TO_RGB, TO_YCC
from edgesr.data.optics import point_spread, spread

# Malvar, He, Cutler: High-quality linear interpolation for demosaicing of Bayer-patterned color images, 2004 (Fig. 2).
_GREEN = ((0, 0, -1, 0, 0), (0, 0, 2, 0, 0), (-1, 2, 4, 2, -1), (0, 0, 2, 0, 0), (0, 0, -1, 0, 0))
_ROW = ((0, 0, 0.5, 0, 0), (0, -1, 0, -1, 0), (-1, 4, 5, 4, -1), (0, -1, 0, -1, 0), (0, 0, 0.5, 0, 0))
_CROSS = ((0, 0, -1.5, 0, 0), (0, 2, 0, 2, 0), (-1.5, 0, 6, 0, -1.5), (0, 2, 0, 2, 0), (0, 0, -1.5, 0, 0))

Phase = tuple[int, int]
"""Row and column of the first red pixel, each 0 or 1."""


def mosaic(image: Tensor, phase: Phase) -> Tensor:
    """One colour a pixel, [B, 3, H, W] -> [B, 1, H, W]: red at ``phase``, blue at the other corner of each 2x2."""
    red, blue = _sites(image, phase)
    return torch.where(red, image[:, :1], torch.where(blue, image[:, 2:], image[:, 1:2]))


def demosaic(raw: Tensor, phase: Phase) -> Tensor:
    """A mosaic [B, 1, H, W] as colours [B, 3, H, W]; where a colour was measured it is kept."""
    row = torch.tensor(_ROW)
    kernels = torch.stack([torch.tensor(_GREEN), row, row.T, torch.tensor(_CROSS)])[:, None].to(raw) / 8
    green, in_row, in_column, cross = F.conv2d(F.pad(raw, (2,) * 4, mode="reflect"), kernels).split(1, dim=1)
    red, blue = _sites(raw, phase)
    red_rows = red | red.roll(1, -1)  # rows in which every second pixel is red
    colours = [
        torch.where(red, raw, torch.where(blue, cross, torch.where(red_rows, in_row, in_column))),
        torch.where(red | blue, green, raw),
        torch.where(blue, raw, torch.where(red, cross, torch.where(red_rows, in_column, in_row))),
    ]
    return torch.cat(colours, dim=1)


def _sites(like: Tensor, phase: Phase) -> tuple[Tensor, Tensor]:
    """Where red and where blue is measured, bool [1, 1, H, W]."""
    rows = torch.arange(like.shape[-2], device=like.device)[:, None] % 2
    columns = torch.arange(like.shape[-1], device=like.device)[None] % 2
    red = (rows == phase[0]) & (columns == phase[1])
    blue = (rows != phase[0]) & (columns != phase[1])
    return red[None, None], blue[None, None]


def bilateral(image: Tensor, brightness_sigma: float, colour_sigma: float) -> Tensor:
    """Denoising as phones do it, [B, 3, H, W] in [0, 1]: brightness by likeness in 5x5 pixels, colour more freely.

    ``brightness_sigma`` is how far a neighbour's brightness may be, ``colour_sigma`` the reach in pixels of the blur
    of colour.
    """
    ycc = torch.einsum("ij,bjhw->bihw", torch.tensor(TO_YCC).to(image), image)
    luma, chroma = ycc[:, :1], ycc[:, 1:]
    height, width = image.shape[-2:]
    near = F.unfold(F.pad(luma, (2,) * 4, mode="reflect"), 5).unflatten(2, (height, width))
    place = _place(image)
    weights = place * torch.exp(-0.5 * ((near - luma) / max(brightness_sigma, 1e-4)) ** 2)
    luma = (near * weights).sum(1, keepdim=True) / weights.sum(1, keepdim=True)
    if colour_sigma > 0.1:
        chroma = spread(chroma, point_spread(colour_sigma, colour_sigma, 0.0))
    return torch.einsum("ij,bjhw->bihw", torch.tensor(TO_RGB).to(image), torch.cat([luma, chroma], dim=1))


def _place(like: Tensor) -> Tensor:
    """Weights [1, 25, 1, 1] of the 5x5 neighbours by their distance."""
    offsets = torch.arange(-2.0, 3.0)
    distance = offsets[:, None] ** 2 + offsets[None] ** 2
    return torch.exp(-distance / (2 * 1.5**2)).flatten()[None, :, None, None].to(like)


def unsharp(image: Tensor, radius: float, amount: float) -> Tensor:
    """Sharpening of brightness, [B, 3, H, W]: ``amount`` of what a Gaussian of ``radius`` pixels takes away."""
    weights = torch.tensor(TO_YCC[0]).to(image)[:, None, None]
    luma = (image * weights).sum(1, keepdim=True)
    return image + amount * (luma - spread(luma, point_spread(radius, radius, 0.0)))
