"""The flow o between an LR face and an exemplar (HIME paper, before Eq. 2), on what each form keeps of the exemplar."""

from __future__ import annotations

import abc

import torch.nn.functional as F
from torch import Tensor, nn

from edgesr.layers.bicubic import bicubic_upsample
from edgesr.layers.blocks import conv3x3
from edgesr.models.hime_large.config import COLOURS, HIMELargeConfig
from edgesr.models.hime_large.spynet import SpyNet


class Flow(nn.Module, abc.ABC):
    """``encode`` once per exemplar, ``forward`` once per LR face and exemplar."""

    def __init__(self, config: HIMELargeConfig) -> None:
        super().__init__()
        self.larger = config.flow_size // config.lr_size
        self.spynet = SpyNet(config.flow_levels, config.flow_channels, config.flow_bound * self.larger)

    @abc.abstractmethod
    def encode(self, exemplars: Tensor) -> Tensor:
        """What is kept of exemplars [N, 3, H, W]: [N, C, h, w]."""

    @abc.abstractmethod
    def seen(self, lr: Tensor) -> Tensor:
        """What SpyNet reads of LR faces [B, 3, h, w]: [B, 3, s, s]."""

    def pyramid(self, seen: Tensor, kept: Tensor) -> list[Tensor]:
        """The flow of each level, the finest last, in the level's pixels: [N, 2, s / 2^k, s / 2^k]."""
        return self.spynet(seen, F.pixel_shuffle(kept, self.larger))

    def forward(self, seen: Tensor, kept: Tensor) -> Tensor:
        """The flow [N, 2, h, w] in LR pixels, x before y."""
        finest = self.pyramid(seen, kept)[-1]
        return F.avg_pool2d(finest, self.larger) / self.larger if self.larger > 1 else finest


class MapFlow(Flow):
    """On learned maps of both sides: nothing that is kept is a picture. A deviation from the paper."""

    def __init__(self, config: HIMELargeConfig) -> None:
        super().__init__(config)
        width = config.flow_channels // 2
        self.reference = nn.Sequential(
            nn.PixelUnshuffle(config.scale),
            conv3x3(COLOURS * config.scale**2, width),
            nn.ReLU(),
            conv3x3(width, COLOURS),
        )
        self.face = nn.Sequential(conv3x3(COLOURS, width), nn.ReLU(), conv3x3(width, COLOURS))

    def encode(self, exemplars: Tensor) -> Tensor:
        kept: Tensor = self.reference(exemplars)
        return kept

    def seen(self, lr: Tensor) -> Tensor:
        maps: Tensor = self.face(lr)
        return maps


class PictureFlow(Flow):
    """On the LR face and the exemplar brought to its size, or on both at half the HR size, as in the paper."""

    def __init__(self, config: HIMELargeConfig) -> None:
        super().__init__(config)
        self.smaller = config.hr_size // config.flow_size

    def encode(self, exemplars: Tensor) -> Tensor:
        small = F.interpolate(exemplars, scale_factor=1 / self.smaller, mode="bicubic", antialias=True)
        return F.pixel_unshuffle(small, self.larger)

    def seen(self, lr: Tensor) -> Tensor:
        return bicubic_upsample(lr, self.larger) if self.larger > 1 else lr


FLOWS: dict[str, type[Flow]] = {"maps": MapFlow, "images": PictureFlow, "half-hr": PictureFlow}
