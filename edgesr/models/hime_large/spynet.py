"""SpyNet (Ranjan and Black 2017): optical flow, coarse to fine, by small networks of 7x7 convolutions."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgesr.layers.deform import Beyond, warp
from edgesr.models.hime_large.config import COLOURS

KERNEL = 7


def conv7x7(channels_in: int, channels_out: int, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, KERNEL, padding=KERNEL // 2, bias=bias)


class Level(nn.Module):
    """[N, 8, h, w], a face, a reference moved by the flow so far and that flow -> what to add to it [N, 2, h, w]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        widths = (2 * COLOURS + 2, channels, 2 * channels, channels, channels // 2, 2)
        self.convs = nn.ModuleList(conv7x7(*pair) for pair in pairwise(widths))
        *hidden, last = self.convs
        for conv in hidden:
            assert isinstance(conv, nn.Conv2d)
            if not conv.weight.is_meta:  # a network of shapes alone
                nn.init.kaiming_normal_(conv.weight)
        # A flow that starts near zero leaves the reference where it is.
        assert isinstance(last, nn.Conv2d)
        last.weight.data.mul_(0.1)

    def forward(self, x: Tensor) -> Tensor:
        *hidden, last = self.convs
        for conv in hidden:
            x = F.relu(conv(x))
        flow: Tensor = last(x)
        return flow


class SpyNet(nn.Module):
    """Flow of the pixels of a face to where a reference shows them, bounded at every level.

    At a level whose pixels are 2^k of the finest it is R / 2^k tanh(x R^-1 2^k), so that no warp reaches further than
    a lowering's bound, and that of twice the flow before it neither.
    """

    def __init__(self, levels: int, channels: int, bound: float) -> None:
        super().__init__()
        self.levels = nn.ModuleList(Level(channels) for _ in range(levels))  # the coarsest first
        self.bound = float(bound)

    def forward(self, face: Tensor, reference: Tensor) -> list[Tensor]:
        """Both [N, 3, s, s] -> the flow of each level [N, 2, s / 2^k, s / 2^k], the finest last.

        In the level's pixels, x (right) before y (down): what the face shows at p, the reference shows at p + flow(p).
        """
        flows: list[Tensor] = []
        for k, near, far in self._levels(face, reference):
            bound = self.bound / 2**k
            flow = 2.0 * enlarged(flows[-1]) if flows else near.new_zeros(len(near), 2, *near.shape[-2:]).float()
            moved = warp(far, flow, Beyond.NEAREST)
            step = self.levels[len(flows)](torch.cat((near.float(), moved, flow), dim=1))
            flows.append(bound * torch.tanh((flow + step.float()) / bound))
        return flows

    def _levels(self, face: Tensor, reference: Tensor) -> list[tuple[int, Tensor, Tensor]]:
        """Halvings k and both maps of each level, the coarsest first."""
        pairs = [(0, face, reference)]
        for k in range(1, len(self.levels)):
            pairs.append((k, F.avg_pool2d(pairs[-1][1], 2), F.avg_pool2d(pairs[-1][2], 2)))
        return pairs[::-1]


def enlarged(x: Tensor) -> Tensor:
    """[N, C, h, w] at twice the side, bilinear between pixels' centres."""
    return bilinear_matrix(x.shape[-2]).to(x) @ x @ bilinear_matrix(x.shape[-1]).to(x).T


@cache
def bilinear_matrix(size: int) -> Tensor:
    """U [2 size, size], float32: bilinear upsampling of a signal to twice its samples, the border's repeated."""
    impulses = torch.eye(size, dtype=torch.float64)[None, None]
    columns = F.interpolate(impulses, size=(2 * size, size), mode="bilinear", align_corners=False)
    return columns[0, 0].float()
