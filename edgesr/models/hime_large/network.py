"""HIME-large (HIME paper, Section 3, Fig. 3b): HIME whose references are aligned by a flow and residual offsets."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgesr.layers.bicubic import bicubic_upsample
from edgesr.layers.blocks import conv3x3
from edgesr.layers.deform import TAPS, DeformableConv2d, warp
from edgesr.models.hime.network import (
    AGGREGATIONS,
    ContentConditionedAggregation,
    ExemplarExtractor,
    LRExtractor,
    Reconstructor,
)
from edgesr.models.hime_large.config import HIMELargeConfig
from edgesr.models.hime_large.flow import FLOWS, Flow
from edgesr.models.network import Network


class FlowGuidedAlignment(nn.Module):
    """RFA of HIME-large: deformable sampling (Eq. 4) at a flow o and residual offsets (Eq. 3), each within its bound.

    The reference half G of g's first convolution looks at F_ref warped by o (Eq. 2). It is 1x1 and has no bias, so that
    G warp(F_ref) = warp(G F_ref), and G F_ref is computed once with the gallery.
    """

    def __init__(self, config: HIMELargeConfig) -> None:
        super().__init__()
        self.bound = float(config.offset_bound)
        self.flow: Flow = FLOWS[config.flow](config)
        self.g_ref = nn.Conv2d(config.exemplar_channels, config.offset_channels, 1, bias=False)
        self.g_lr = conv3x3(config.lr_channels, config.offset_channels)
        self.hidden = conv3x3(config.offset_channels, config.offset_channels)
        self.offset = conv3x3(config.offset_channels, 2 * TAPS * config.offset_groups)
        self.deform = DeformableConv2d(config.exemplar_channels, config.lr_channels, config.offset_groups)
        # Alignment starts as a plain convolution along the flow and learns to move from there.
        nn.init.zeros_(self.offset.weight)
        nn.init.zeros_(self.offset.bias)  # type: ignore[arg-type]

    def residual(self, g_ref: Tensor, g_lr: Tensor, flow: Tensor) -> Tensor:
        """Residual offsets [N, groups * 9 * 2, h, w] in LR pixels (per group and tap: y, x)."""
        raw = self.offset(F.relu(self.hidden(F.relu(warp(g_ref, flow) + g_lr))))
        return self.bound * torch.tanh(raw.float() / self.bound)

    def way(self, residual: Tensor, flow: Tensor) -> Tensor:
        """Where each tap looks (Eq. 4), flow and residual offsets: [N, groups * 9 * 2, h, w] in LR pixels."""
        # Offsets have y before x, and a pair for each group and tap.
        return flow.flip(1).repeat(1, residual.shape[1] // 2, 1, 1) + residual

    def forward(self, f_ref: Tensor, g_ref: Tensor, g_lr: Tensor, flow: Tensor) -> Tensor:
        """Aligned reference F_refA [N, lr_channels, h, w]; ``flow`` [N, 2, h, w] in LR pixels, x before y."""
        return self.deform(f_ref, self.way(self.residual(g_ref, g_lr, flow), flow))


class HIMELarge(Network):
    """HIME-large. ``encode`` once per gallery photo, ``restore`` once per LR face."""

    def __init__(self, config: HIMELargeConfig) -> None:
        super().__init__()
        self.config: HIMELargeConfig = config
        self.lr_extractor = LRExtractor(config)
        self.exemplar_extractor = ExemplarExtractor(config)
        self.rfa = FlowGuidedAlignment(config)
        self.cofa: ContentConditionedAggregation = AGGREGATIONS[config.aggregation](config)
        self.reconstructor = Reconstructor(config)

    def encode(self, exemplars: Tensor) -> Tensor:
        """Features of sharp photos [N, 3, H, W], RGB in [0, 1] -> [N, C, h, w]: F_ref, G F_ref and what the flow reads.

        With ``flow`` on learned maps that is no picture; in the paper's forms it is the exemplar, small.
        """
        f_ref = self.exemplar_extractor(exemplars)
        return torch.cat((f_ref, self.rfa.g_ref(f_ref), self.rfa.flow.encode(exemplars)), dim=1)

    def restore(self, lr: Tensor, features: Any, valid: Tensor) -> tuple[Tensor, Tensor]:
        """The SR face and CoFA's weights; arguments and results as ``Network.restore``'s."""
        b, n = features.shape[:2]
        f_lr = self.lr_extractor(lr)
        if n:
            f_ref, g_ref, kept = features.flatten(0, 1).split(tuple(self.config.feature_parts.values()), dim=1)
            seen, g_lr = (one.repeat_interleave(n, dim=0) for one in (self.rfa.flow.seen(lr), self.rfa.g_lr(f_lr)))
            aligned = self.rfa(f_ref, g_ref, g_lr, self.rfa.flow(seen, kept)).unflatten(0, (b, n))
            aggregated, weights = self.cofa(aligned, f_lr, valid)
            fused = aggregated + f_lr
        else:
            fused, weights = f_lr, lr.new_zeros(b, 0, *lr.shape[-2:])
        residual = self.reconstructor(fused)
        return residual.float() + bicubic_upsample(lr.float(), self.config.scale), weights
