"""JPEG's losses on batches of tensors: 4:2:0, the standard's tables, libjpeg's quality scale.

Nothing is coded: only what coding rounds away is rounded away, on the device and a whole batch at a time.
Source: ITU-T T.81 (Annex A.3, K.1), JFIF 1.02, libjpeg's jcparam.c.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

LUMA = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
CHROMA = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)
TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))


def jpeg(image: Tensor, quality: Tensor) -> Tensor:
    """Images [B, 3, H, W] in [0, 1] as they come back from JPEG at ``quality`` [B], 1 to 100; 8-bit levels."""
    height, width = image.shape[-2:]
    levels = (image.clamp(0, 1) * 255).round()
    padded = F.pad(levels, (0, -width % 16, 0, -height % 16), mode="replicate")
    ycc = torch.einsum("ij,bjhw->bihw", torch.tensor(TO_YCC).to(image), padded)
    # Chroma is stored around 128 in 8 bits, so centred values are rounded alike.
    luma = (ycc[:, :1].round() - 128).clamp(-128, 127)
    chroma = F.avg_pool2d(ycc[:, 1:].round().clamp(-128, 127), 2).round()
    luma = _through_blocks(luma, _table(LUMA, quality, image)) + 128
    chroma = _through_blocks(chroma, _table(CHROMA, quality, image))
    # The decoder's triangle filter is bilinear upsampling.
    chroma = F.interpolate(chroma, scale_factor=2, mode="bilinear", align_corners=False).round()
    rgb = torch.einsum("ij,bjhw->bihw", torch.tensor(TO_RGB).to(image), torch.cat([luma, chroma], dim=1))
    return rgb[..., :height, :width].round().clamp(0, 255) / 255


def _table(base: tuple[tuple[int, ...], ...], quality: Tensor, like: Tensor) -> Tensor:
    """Quantization tables [B, 1, 1, 1, 8, 8] at libjpeg's quality."""
    quality = quality.to(like).round().clamp(1, 100)
    percent = torch.where(quality < 50, (5000 / quality).floor(), 200 - 2 * quality)
    table = (torch.tensor(base).to(like) * percent[:, None, None] + 50).div(100).floor().clamp(1, 255)
    return table[:, None, None, None]


def _through_blocks(plane: Tensor, table: Tensor) -> Tensor:
    """Planes [B, C, H, W] (multiples of 8) through DCT, quantization and back, rounded to 8 bits around 0."""
    dct = _dct().to(plane)
    blocks = plane.unflatten(3, (-1, 8)).unflatten(2, (-1, 8)).transpose(3, 4)  # B, C, H/8, W/8, 8, 8
    coefficients = (dct @ blocks @ dct.T / table).round() * table
    back = (dct.T @ coefficients @ dct).round().clamp(-128, 127)
    return back.transpose(3, 4).flatten(4, 5).flatten(2, 3)


def _dct() -> Tensor:
    """The orthonormal DCT-II of 8 samples, [8, 8]."""
    k, n = torch.arange(8.0)[:, None], torch.arange(8.0)[None]
    matrix = 0.5 * torch.cos((2 * n + 1) * k * math.pi / 16)
    matrix[0] /= math.sqrt(2)
    return matrix
