"""PWAve (PWAve paper, Section 3.1): exemplars' features, averaged pixel by pixel with weights that the LR face chooses.

Where the paper is silent: widths (a phone's), weights by a sigmoid, a floor below their sum, no exemplar gives f^c = 0.
Where this departs from it: the SR face and I'_LR are residuals of the bicubic enlargement, which int8 rounds far less.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgesr.layers.bicubic import bicubic_upsample
from edgesr.layers.blocks import conv3x3, icnr_, residual_blocks
from edgesr.models.network import Network
from edgesr.models.pwave.config import PWAveConfig

WEIGHT_FLOOR = 1e-2
"""Added to the sum that weights are divided by, so that a set without a valid exemplar gives 0 and not 0/0."""


class ExemplarEncoder(nn.Module):
    """E_Ex: a sharp photo [N, 3, H, W] in [0, 1] -> f1 [N, ., h, w] at LR size, f2 [N, ., 2h, 2w].

    Both ways down are strided convolutions whose kernels overlap.
    """

    def __init__(self, config: PWAveConfig) -> None:
        super().__init__()
        width, stride = config.exemplar_channels, config.scale // 2
        reach = stride // 2
        self.down2 = nn.Conv2d(3, width, stride + 2 * reach, stride=stride, padding=reach)
        self.blocks2 = residual_blocks(width, config.exemplar_blocks)
        self.f2 = conv3x3(width, config.f2_channels)
        self.down1 = nn.Conv2d(width, width, 4, stride=2, padding=1)
        self.blocks1 = residual_blocks(width, config.exemplar_blocks)
        self.f1 = conv3x3(width, config.f1_channels)

    def forward(self, exemplar: Tensor) -> tuple[Tensor, Tensor]:
        twice = self.blocks2(F.relu(self.down2(exemplar)))
        once = self.blocks1(F.relu(self.down1(twice)))
        return self.f1(once), self.f2(twice)


class WeightNetwork(nn.Module):
    """WNN: weight W of an exemplar at each pixel, from f_Ex and the LR face of its size.

    Its first convolution, of [f_Ex, I], is held as its two halves, which is the same sum: ``reference`` needs no LR
    face, so it is computed once with the gallery; ``own`` needs no exemplar.
    """

    def __init__(self, features: int, channels: int) -> None:
        super().__init__()
        self.reference = conv3x3(features, channels, bias=False)
        self.own = conv3x3(3, channels)
        self.hidden = conv3x3(channels, channels)
        self.weight = conv3x3(channels, 1)

    def forward(self, reference: Tensor, own: Tensor) -> Tensor:
        """Both halves [N, C, h, w] -> W before normalisation, [N, 1, h, w] in (0, 1), float32."""
        hidden = F.relu(self.hidden(F.relu(reference + own)))
        return torch.sigmoid(self.weight(hidden).float())


def average(weights: Tensor, features: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """f^c = sum of W f_Ex over exemplars, W divided by its sum: ``weights`` [B, n, 1, h, w], ``features``
    [B, n, C, h, w], ``valid`` [B, n] -> f^c [B, C, h, w], weights [B, n, h, w], 0 in an empty slot."""
    masked = weights * valid[:, :, None, None, None]
    shares = masked / (masked.sum(1, keepdim=True) + WEIGHT_FLOOR)
    return (shares.to(features.dtype) * features).sum(1), shares[:, :, 0]


class GuideGenerator(nn.Module):
    """G_S: the difference of I'_LR [N, 3, 2h, 2w] to the bicubic enlargement of I_LR [N, 3, h, w]."""

    def __init__(self, config: PWAveConfig) -> None:
        super().__init__()
        self.conv = conv3x3(3, config.guide_channels)
        self.blocks = residual_blocks(config.guide_channels, config.guide_blocks)
        self.up = conv3x3(config.guide_channels, 3 * 4)
        self.shuffle = nn.PixelShuffle(2)

    def forward(self, lr: Tensor) -> Tensor:
        residual: Tensor = self.shuffle(self.up(self.blocks(F.relu(self.conv(lr)))))
        return residual


class Fusion(nn.Module):
    """A convolution of [ISR's features, f^c], held as its two halves: int8 then needs no common step for both."""

    def __init__(self, channels: int, exemplars: int, out: int) -> None:
        super().__init__()
        self.own = conv3x3(channels, out)
        self.exemplars = conv3x3(exemplars, out, bias=False)

    def forward(self, own: Tensor, combined: Tensor) -> Tensor:
        return F.relu(self.own(own) + self.exemplars(combined))


class UpBlock(nn.Module):
    """Twice the size by PixelShuffle: [N, C, h, w] -> [N, C', 2h, 2w]."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.up = conv3x3(channels, 4 * out)
        self.shuffle = nn.PixelShuffle(2)
        self.conv = conv3x3(out, out)

    def enlarged(self, x: Tensor) -> Tensor:
        """What is convolved once more. The ReLU is as good before the shuffle, and there int8 runtimes fuse it."""
        twice: Tensor = self.shuffle(F.relu(self.up(x)))
        return twice

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv(self.enlarged(x)))


class SuperResolution(nn.Module):
    """ISR: the residual of the HR face, with f1^c at its first features and f2^c behind its first up-sample block."""

    def __init__(self, config: PWAveConfig) -> None:
        super().__init__()
        first = config.up_channels[0]
        self.stem = conv3x3(3, config.stem_channels)
        self.fuse1 = Fusion(config.stem_channels, config.f1_channels, config.fused_channels)
        self.blocks = residual_blocks(config.fused_channels, config.residual_blocks)
        self.up1 = UpBlock(config.fused_channels, first)
        self.fuse2 = Fusion(first, config.f2_channels, first)
        self.ups = nn.ModuleList(UpBlock(before, width) for before, width in pairwise(config.up_channels))
        self.out = conv3x3(config.up_channels[-1], 3)

    def forward(self, lr: Tensor, f1: Tensor, f2: Tensor) -> Tensor:
        """``lr`` [N, 3, h, w], ``f1`` [N, ., h, w], ``f2`` [N, ., 2h, 2w] -> [N, 3, h * s, w * s]."""
        x = self.blocks(self.fuse1(F.relu(self.stem(lr)), f1))
        x = F.relu(self.up1.conv(self.fuse2(self.up1.enlarged(x), f2)))
        for up in self.ups:
            x = up(x)
        residual: Tensor = self.out(x)
        return residual


class PWAve(Network):
    """PWAve. ``encode`` once per gallery photo, ``restore`` once per LR face."""

    def __init__(self, config: PWAveConfig) -> None:
        super().__init__()
        self.config: PWAveConfig = config
        self.encoder = ExemplarEncoder(config)
        self.wnn1 = WeightNetwork(config.f1_channels, config.wnn_channels)
        self.wnn2 = WeightNetwork(config.f2_channels, config.wnn_channels)
        self.guide = GuideGenerator(config)
        self.isr = SuperResolution(config)
        _initialise(self)

    def encode(self, exemplars: Tensor) -> tuple[Tensor, Tensor]:
        """[N, 3, H, W] in [0, 1] -> [f1, WNN-1's half] [N, ., h, w] and [f2, WNN-2's half] [N, ., 2h, 2w]."""
        f1, f2 = self.encoder(exemplars)
        return torch.cat((f1, self.wnn1.reference(f1)), 1), torch.cat((f2, self.wnn2.reference(f2)), 1)

    def restore(self, lr: Tensor, features: tuple[Tensor, Tensor], valid: Tensor) -> tuple[Tensor, Tensor]:
        """As ``Network.restore``; the weights are WNN-1's, at LR size."""
        sr, weights, _ = self.restore_and_more(lr, features, valid)
        return sr, weights

    def restore_and_more(
        self, lr: Tensor, features: tuple[Tensor, Tensor], valid: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """And I'_LR [B, 3, 2h, 2w], from which no other part's loss flows back into G_S (Eq. 6)."""
        guide = self.guided(lr)
        (f1, f2), weights = self.combined(lr, guide, features, valid)
        return self.reconstruct(lr, f1, f2), weights, guide

    def guided(self, lr: Tensor) -> Tensor:
        """I'_LR [B, 3, 2h, 2w] by G_S."""
        residual: Tensor = self.guide(lr)
        return residual.float() + bicubic_upsample(lr.float(), 2)

    def combined(
        self, lr: Tensor, guide: Tensor, features: tuple[Tensor, Tensor], valid: Tensor
    ) -> tuple[list[Tensor], Tensor]:
        """f1^c [B, ., h, w] and f2^c [B, ., 2h, 2w], and WNN-1's weights [B, n, h, w]."""
        f1, weights = self.combine(self.wnn1, lr, features[0], valid)
        f2, _ = self.combine(self.wnn2, guide.detach(), features[1], valid)
        return [f1, f2], weights

    def reconstruct(self, lr: Tensor, f1: Tensor, f2: Tensor) -> Tensor:
        """SR faces from LR faces and combined features."""
        residual: Tensor = self.isr(lr, f1, f2)
        return residual.float() + bicubic_upsample(lr.float(), self.config.scale)

    def combine(self, wnn: WeightNetwork, face: Tensor, kept: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """f^c [B, C, h, w] and each exemplar's weights [B, n, h, w] of ``kept`` [B, n, C + ., h, w]."""
        b, n, channels, h, w = kept.shape
        features, reference = kept.split((channels - self.config.wnn_channels, self.config.wnn_channels), dim=2)
        if not n:
            return face.new_zeros(b, features.shape[2], *face.shape[-2:]), face.new_zeros(b, 0, *face.shape[-2:])
        if self.config.aggregation == "average":
            # Not by the floor: the mean is what the paper compares with.
            share = valid / valid.sum(1, keepdim=True).clamp(min=1)
            mean = (share[:, :, None, None, None].to(features.dtype) * features).sum(1)
            return mean, share[:, :, None, None].expand(b, n, h, w)
        own = wnn.own(face).repeat_interleave(n, 0)
        return average(wnn(reference.flatten(0, 1), own).unflatten(0, (b, n)), features, valid)


def _initialise(model: PWAve) -> None:
    """He's weights, which equalised rates expect; weights of exemplars start equal, and the face as the bicubic one."""
    in_blocks = {id(m) for name, m in model.named_modules() if "blocks" in name}  # have an initialisation of their own
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and id(module) not in in_blocks:
            if not module.weight.is_meta:
                nn.init.kaiming_normal_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for block in (model.isr.up1, *model.isr.ups, model.guide):
        icnr_(block.up.weight, 2)
    for wnn in (model.wnn1, model.wnn2):
        nn.init.zeros_(wnn.weight.weight)
    with torch.no_grad():
        model.isr.out.weight.mul_(0.1)
        model.guide.up.weight.mul_(0.1)
