"""HIME-small: headshot super-resolution with multiple exemplars (HIME paper, Section 3).

The network is two functions, so that everything which depends on the exemplars alone is computed once
and stored: ``encode`` turns a gallery photo into features, ``restore`` turns an LR face and stored
features into the SR face. A forward pass is one after the other; there is no third path to keep equal.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgesr.layers.bicubic import bicubic_upsample
from edgesr.layers.blocks import conv3x3, icnr_, residual_blocks
from edgesr.models.hime.ablations import AverageAggregation, ConvolutionAlignment, MaxAggregation
from edgesr.models.hime.alignment import Alignment, ReferenceFeatureAlignment, WarpAlignment
from edgesr.models.hime.config import HIMEConfig
from edgesr.models.network import Network

MU_FLOOR = 1e-2
"""Added to CoFA's denominator, so that a set without a valid exemplar aggregates to 0 and not to 0/0.

Where no exemplar resembles the face, all mu are small and F_a fades to 0 instead of copying the least bad one.
The floor is also what an error of mu is divided by, and runtimes' sigmoids err by 1e-7 in their tails, fp16 by
more: with 1e-4 the weights of ONNX Runtime were off by 8e-4.
"""


class LRExtractor(nn.Module):
    """F_L of the LR face: [N, 3, h, w] in [0, 1] -> [N, lr_channels, h, w]."""

    def __init__(self, config: HIMEConfig) -> None:
        super().__init__()
        self.conv = conv3x3(3, config.lr_channels)
        self.blocks = residual_blocks(config.lr_channels, config.lr_blocks)

    def forward(self, lr: Tensor) -> Tensor:
        return self.blocks(F.relu(self.conv(lr)))


class ExemplarExtractor(nn.Module):
    """F_ref of a sharp photo: [N, 3, H, W] in [0, 1] -> [N, exemplar_channels, h, w] at LR size.

    The photo becomes one channel and its pixels move into channels (space-to-depth), so no detail is
    thrown away on the way to LR size (Section 3.1).
    """

    def __init__(self, config: HIMEConfig) -> None:
        super().__init__()
        self.mono = conv3x3(3, 1)
        self.unshuffle = nn.PixelUnshuffle(config.scale)
        self.conv = conv3x3(config.scale**2, config.exemplar_channels)
        self.blocks = residual_blocks(config.exemplar_channels, config.exemplar_blocks)

    def forward(self, exemplar: Tensor) -> Tensor:
        return self.blocks(F.relu(self.conv(self.unshuffle(self.mono(exemplar)))))


class ContentConditionedAggregation(nn.Module):
    """CoFA: a set of aligned references becomes one map, weighted by similarity to the content (Eq. 5 to 7)."""

    def __init__(self, config: HIMEConfig) -> None:
        super().__init__()
        self.g1 = nn.Conv2d(config.lr_channels, config.lr_channels, 1)
        self.g2 = nn.Conv2d(config.lr_channels, config.lr_channels, 1)

    def forward(self, aligned: Tensor, f_lr: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """``aligned`` [B, n, C, h, w], ``f_lr`` [B, C, h, w], ``valid`` [B, n] in {0, 1} -> F_a [B, C, h, w], weights.

        The weights [B, n, h, w] are mu_i / sum(mu): in [0, 1], 0 in an empty slot, summing to 1 where one is valid.
        """
        b, n, c, h, w = aligned.shape
        similarity = (self.g1(aligned.flatten(0, 1)).reshape(b, n, c, h, w) * self.g2(f_lr)[:, None]).sum(2)
        mu = torch.sigmoid(similarity.float()) * valid[:, :, None, None]  # B, n, h, w
        weights = mu / (mu.sum(1, keepdim=True) + MU_FLOOR)
        return (weights[:, :, None].to(aligned.dtype) * aligned).sum(1), weights


class Reconstructor(nn.Module):
    """Residual of the HR face from the fused feature (Section 3.4): [N, C, h, w] -> [N, 3, h * s, w * s]."""

    def __init__(self, config: HIMEConfig) -> None:
        super().__init__()
        self.blocks = residual_blocks(config.lr_channels, config.reconstruction_blocks)
        self.up1 = conv3x3(config.lr_channels, config.tail_channels * 4)
        self.shuffle1 = nn.PixelShuffle(2)
        last = config.scale // 2
        self.up2 = conv3x3(config.tail_channels, 3 * last**2)
        self.shuffle2 = nn.PixelShuffle(last)
        for conv, upscale in ((self.up1, 2), (self.up2, last)):
            icnr_(conv.weight, upscale)
            nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
        with torch.no_grad():
            self.up2.weight.mul_(0.1)  # start close to the bicubic skip

    def forward(self, fused: Tensor) -> Tensor:
        # The ReLU is as good before the shuffle, and there an int8 runtime fuses it with the convolution.
        x = self.shuffle1(F.relu(self.up1(self.blocks(fused))))
        return self.shuffle2(self.up2(x))


# Typed as HIME's own modules below: whoever takes one apart (the lowerings) has refused the ablations before.
ALIGNMENTS: dict[str, Any] = {
    "deformable": ReferenceFeatureAlignment,
    "convolution": ConvolutionAlignment,
    "warp": WarpAlignment,
}
AGGREGATIONS: dict[str, Any] = {
    "cofa": ContentConditionedAggregation,
    "average": AverageAggregation,
    "max": MaxAggregation,
}


class HIME(Network):
    """HIME-small. ``encode`` once per gallery photo, ``restore`` once per LR face."""

    def __init__(self, config: HIMEConfig) -> None:
        super().__init__()
        self.config: HIMEConfig = config
        self.lr_extractor = LRExtractor(config)
        self.exemplar_extractor = ExemplarExtractor(config)
        self.rfa: Alignment = ALIGNMENTS[config.alignment](config)
        self.cofa: ContentConditionedAggregation = AGGREGATIONS[config.aggregation](config)
        self.reconstructor = Reconstructor(config)

    def encode(self, exemplars: Tensor) -> Tensor:
        """Features of sharp photos, the only thing about them that is ever needed again.

        ``exemplars`` [N, 3, H, W], RGB in [0, 1], H and W multiples of the scale -> [N, C, h, w] with
        what alignment samples first, F_ref, and g_ref(F_ref) behind it.
        """
        f_ref = self.exemplar_extractor(exemplars)
        return torch.cat((self.rfa.kept(f_ref), self.rfa.g_ref(f_ref)), dim=1)

    def restore(self, lr: Tensor, features: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """The SR face and CoFA's weights.

        ``lr`` [B, 3, h, w] RGB in [0, 1]; ``features`` [B, n, C, h, w] from ``encode``, n >= 0; ``valid``
        [B, n], 1 where the slot holds an exemplar and 0 where it is empty (its features must be finite).
        Returns ``sr`` [B, 3, h * s, w * s], RGB, not clamped, and ``weights`` [B, n, h, w].
        """
        b, n = features.shape[:2]
        f_lr = self.lr_extractor(lr)
        if n:
            kept, g_ref = features.flatten(0, 1).split(tuple(self.config.feature_parts.values()), dim=1)
            g_lr = self.rfa.g_lr(f_lr).repeat_interleave(n, dim=0)
            aligned = self.rfa(kept, g_ref, g_lr).unflatten(0, (b, n))
            aggregated, weights = self.cofa(aligned, f_lr, valid)
            fused = aggregated + f_lr
        else:
            fused, weights = f_lr, lr.new_zeros(b, 0, *lr.shape[-2:])
        residual = self.reconstructor(fused)
        return residual.float() + bicubic_upsample(lr.float(), self.config.scale), weights
