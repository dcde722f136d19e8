"""A tiny HIME-large whose every path is alive."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgesr.models.hime_large.config import HIMELargeConfig
from edgesr.models.hime_large.network import HIMELarge

LARGE = HIMELargeConfig(
    scale=4,
    lr_size=8,
    slots=2,
    lr_channels=8,
    lr_blocks=1,
    exemplar_channels=8,
    exemplar_blocks=1,
    offset_channels=8,
    offset_groups=2,
    offset_bound=1.0,
    reconstruction_blocks=2,
    tail_channels=4,
    flow_bound=2.0,
    flow_levels=2,
    flow_channels=4,
)


def large(config: HIMELargeConfig = LARGE, seed: int = 0) -> HIMELarge:
    """Random weights; flow and residual offsets are large and fractional, and the residual shows."""
    torch.manual_seed(seed)
    model = HIMELarge(config)
    nn.init.normal_(model.rfa.offset.weight, std=3.0)
    with torch.no_grad():
        for level in model.rfa.flow.spynet.levels:
            last = level.convs[-1]  # type: ignore[union-attr, index]
            last.weight.mul_(20)
            last.bias.normal_(std=0.5)
        model.reconstructor.up2.weight.mul_(10)
    return model.eval().requires_grad_(False)


def flow_of(model: HIMELarge, lr: Tensor, features: Tensor) -> Tensor:
    """[n, 2, h, w] between one LR face [1, 3, h, w] and features [n, C, h, w]."""
    kept = features[:, -model.config.feature_parts["flow"] :]
    flow = model.rfa.flow
    found: Tensor = flow(flow.seen(lr).expand(len(kept), -1, -1, -1), kept)
    return found
