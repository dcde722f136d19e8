"""Layers that networks are made of."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def conv3x3(channels_in: int, channels_out: int, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, kernel_size=3, padding=1, bias=bias)


class ResidualBlock(nn.Module):
    """Conv-ReLU-Conv plus identity, without batch norm (as in EDSR): [N, C, h, w] -> same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = conv3x3(channels, channels)
        self.conv2 = conv3x3(channels, channels)
        for conv in (self.conv1, self.conv2):
            if not conv.weight.is_meta:  # see icnr_
                nn.init.kaiming_normal_(conv.weight)
            # Small residuals at the start keep a stack of 20 blocks near the identity.
            conv.weight.data.mul_(0.1)
            nn.init.zeros_(conv.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.relu(self.conv1(x)))


def residual_blocks(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*[ResidualBlock(channels) for _ in range(count)])


def icnr_(weight: Tensor, upscale: int) -> None:
    """ICNR initialisation (Aitken et al. 2017): PixelShuffle starts as nearest-neighbour upsampling.

    ``weight`` is [C * upscale**2, C_in, k, k]; the upscale**2 kernels of an output channel start equal.
    """
    if weight.is_meta:
        # A network of shapes alone, made to read a checkpoint. PyTorch would import 150 MB and two seconds for this.
        return
    kernels = torch.empty_like(weight[:: upscale**2])
    nn.init.kaiming_normal_(kernels)
    with torch.no_grad():
        weight.copy_(kernels.repeat_interleave(upscale**2, dim=0))


def sum_over_slots(x: Tensor) -> Tensor:
    """[n, C, h, w] -> [1, C, h, w] for a static n, as additions: XNNPACK has no other sum over it."""
    total = x[0:1]
    for slot in range(1, len(x)):
        total = total + x[slot : slot + 1]
    return total


def for_every_slot(x: Tensor, slots: int) -> Tensor:
    """[B, C, h, w] -> [B * n, C, h, w], each face's n times, by operators that a quantizer looks through."""
    b, c, h, w = x.shape
    return x.unsqueeze(1).expand(b, slots, c, h, w).reshape(b * slots, c, h, w)


class Stage(nn.Module):
    """Part of a deployed graph without weights of its own that shows whether a conversion departs there."""


class Add(nn.Module):
    """An addition with a name of its own, by which a quantizer finds it in an exported graph."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return a + b
