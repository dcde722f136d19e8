"""The one bicubic kernel of edgesr: Keys with a = -0.5, antialiased going down, as Pillow's BICUBIC.

Degradation, skip connection and baseline all use it. At the border the taps outside the image are left
out and the rest renormalised (Pillow and PyTorch's ``antialias=True`` agree on this), so resizing is one
constant matrix on each side of the image: U x U^T.
"""

from __future__ import annotations

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor


def bicubic_downsample(hr: Tensor, scale: int) -> Tensor:
    """Antialiased bicubic 1/scale of [N, 3, H, W] in [0, 1], rounded to 8 bits as a stored LR photo would be."""
    lr = F.interpolate(hr, scale_factor=1 / scale, mode="bicubic", antialias=True)
    return lr.clamp(0, 1).mul(255).round().div(255)


def bicubic_upsample(lr: Tensor, scale: int) -> Tensor:
    """Bicubic ``scale`` x of [N, 3, h, w], not clamped."""
    rows = bicubic_matrix(lr.shape[-2], scale).to(lr)
    columns = bicubic_matrix(lr.shape[-1], scale).to(lr)
    return rows @ lr @ columns.T


@cache
def bicubic_matrix(size: int, scale: int) -> Tensor:
    """U [size * scale, size], float32: the upsampling of a signal of ``size`` samples."""
    # Column j is the response to an impulse at j; float64 keeps the rows' sum at exactly 1 in float32.
    impulses = torch.eye(size, dtype=torch.float64)[None, None]
    columns = F.interpolate(impulses, size=(size * scale, size), mode="bicubic", antialias=True)
    return columns[0, 0].float()
