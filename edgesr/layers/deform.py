"""Deformable convolution (Dai et al. 2017) in plain PyTorch: what every lowering must equal."""

from __future__ import annotations

import enum

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TAPS = 9
"""Taps of the 3x3 kernel, row by row: tap k lies at (k // 3 - 1, k % 3 - 1)."""


class Beyond(enum.Enum):
    """What is found beyond a map."""

    ZEROS = "zeros"
    NEAREST = "border"
    """The nearest pixel of its border."""


class DeformableConv2d(nn.Module):
    """3x3 deformable convolution, zero padding 1, stride 1, no modulation mask (HIME, Eq. 4).

    The same function as ``torchvision.ops.deform_conv2d``, whose weights and offsets it takes unchanged.
    """

    def __init__(self, channels_in: int, channels_out: int, groups: int) -> None:
        super().__init__()
        self.groups = groups
        self.weight = nn.Parameter(torch.empty(channels_out, channels_in, 3, 3))
        self.bias = nn.Parameter(torch.zeros(channels_out))
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)

    def forward(self, x: Tensor, offset: Tensor) -> Tensor:
        """Sample ``x`` [N, C, h, w] at ``offset`` [N, groups * 9 * 2, h, w] (LR pixels; y before x) and convolve."""
        if len(x) > 1 and x.is_cpu and not torch.is_grad_enabled():
            # One map at a time: columns of three are so large that glibc gives their memory back to the system after
            # each face, and to get it again takes up to 5 of some 30 ms.
            return torch.cat([self(one, its) for one, its in zip(x.split(1), offset.split(1), strict=True)])
        columns = sample(x, offset, self.groups)  # N, C * 9, h, w
        # A matrix product, not a 1x1 convolution: that would copy the columns, the largest tensor here, to its layout.
        weight = self.weight.flatten(1).expand(len(x), -1, -1)
        product = torch.bmm(weight, columns.flatten(2))  # N, C_out, h * w
        return product.unflatten(2, x.shape[-2:]) + self.bias[:, None, None].to(product.dtype)


def sample(x: Tensor, offset: Tensor, groups: int) -> Tensor:
    """Bilinear samples of every tap, zero outside the map: [N, C, h, w] -> columns [N, C * 9, h, w].

    Column c * 9 + k holds channel c at tap k, the order in which ``Conv2d.weight.flatten(1)`` expects it.
    """
    n, c, h, w = x.shape
    offset = offset.float().reshape(n * groups, TAPS, 2, h, w)
    dtype, device = offset.dtype, offset.device
    tap_y = torch.arange(-1, 2, dtype=dtype, device=device).repeat_interleave(3).reshape(TAPS, 1, 1)
    tap_x = torch.arange(-1, 2, dtype=dtype, device=device).repeat(3).reshape(TAPS, 1, 1)
    y = offset[:, :, 0] + (torch.arange(h, dtype=dtype, device=device).reshape(1, h, 1) + tap_y)
    x_ = offset[:, :, 1] + (torch.arange(w, dtype=dtype, device=device).reshape(1, 1, w) + tap_x)
    # grid_sample divides by (size - 1); a map one pixel wide has only its own column.
    grid = torch.stack((x_ * (2.0 / max(w - 1, 1)) - 1.0, y * (2.0 / max(h - 1, 1)) - 1.0), dim=-1)
    sampled = F.grid_sample(
        x.float().reshape(n * groups, c // groups, h, w),
        grid.reshape(n * groups, TAPS * h, w, 2),
        mode="bilinear",
        padding_mode="zeros",
        align_corners=True,
    )
    return sampled.reshape(n, c * TAPS, h, w)


def warp(x: Tensor, flow: Tensor, beyond: Beyond = Beyond.ZEROS) -> Tensor:
    """``x`` [N, C, h, w] read at p + flow(p), bilinearly; ``flow`` [N, 2, h, w] in pixels, right before down."""
    h, w = x.shape[-2:]
    flow = flow.float()
    x_ = flow[:, 0] + torch.arange(w, dtype=flow.dtype, device=flow.device)
    y = flow[:, 1] + torch.arange(h, dtype=flow.dtype, device=flow.device).reshape(h, 1)
    grid = torch.stack((x_ * (2.0 / max(w - 1, 1)) - 1.0, y * (2.0 / max(h - 1, 1)) - 1.0), dim=-1)
    return F.grid_sample(x.float(), grid, mode="bilinear", padding_mode=beyond.value, align_corners=True)
