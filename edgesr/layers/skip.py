"""The bicubic skip in the forms that converters take; both equal ``bicubic_upsample`` (``tests/test_rewrites.py``)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgesr.errors import UsageError
from edgesr.layers.bicubic import bicubic_matrix


class MatmulSkip(nn.Module):
    """Bicubic upsampling as a constant matrix on both sides, U x U^T: [1, 3, h, w] -> [1, 3, h * s, w * s]."""

    def __init__(self, size: int, scale: int) -> None:
        super().__init__()
        self.register_buffer("matrix", bicubic_matrix(size, scale).clone(), persistent=False)
        self.matrix: Tensor

    def forward(self, lr: Tensor) -> Tensor:
        # As linear layers: batched products of a constant and an image are not delegated everywhere.
        columns = F.linear(lr, self.matrix).transpose(2, 3)
        return F.linear(columns, self.matrix).transpose(2, 3)


class ConvSkip(nn.Module):
    """Bicubic upsampling as a fixed grouped 5x5 convolution (one kernel a phase) and PixelShuffle(s).

    At the border our bicubic leaves out the taps outside the image and renormalises the rest: here they are
    zeros, and a constant map multiplies by what the missing weights would have been.
    """

    def __init__(self, size: int, scale: int) -> None:
        super().__init__()
        # Far from the border a phase's taps are those of any pixel; 16 pixels have such a middle.
        middle, reach = 8, 2
        matrix = bicubic_matrix(16, scale).double()
        phases = matrix[middle * scale : (middle + 1) * scale, middle - reach : middle + reach + 1]  # s, 5
        kernels = torch.einsum("ai,bj->abij", phases, phases).reshape(scale**2, 1, 5, 5)
        inside = F.pad(torch.ones(size, dtype=torch.float64), (reach, reach)).unfold(0, 5, 1)  # h, 5
        norm = 1.0 / (inside @ phases.T).reshape(size * scale)
        self.register_buffer("kernels", kernels.repeat(3, 1, 1, 1).float(), persistent=False)
        self.register_buffer("norm", torch.outer(norm, norm).float()[None, None], persistent=False)
        self.shuffle = nn.PixelShuffle(scale)
        self.kernels: Tensor
        self.norm: Tensor

    def forward(self, lr: Tensor) -> Tensor:
        upsampled: Tensor = self.shuffle(F.conv2d(lr, self.kernels, padding=2, groups=3))
        return upsampled * self.norm


SKIPS: dict[str, type[MatmulSkip] | type[ConvSkip]] = {"matmul": MatmulSkip, "conv": ConvSkip}


def skip_named(name: str) -> type[MatmulSkip] | type[ConvSkip]:
    """The bicubic skip's form; an unknown name lists the known ones."""
    if name not in SKIPS:
        raise UsageError(f"unknown skip {name!r}", f"known skips: {', '.join(SKIPS)}")
    return SKIPS[name]
