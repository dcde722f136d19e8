"""A tiny PWAve whose every path is alive."""

from __future__ import annotations

import torch
from torch import Tensor

from edgesr.models.pwave.config import PWAveConfig
from edgesr.models.pwave.network import PWAve

TINY_PWAVE = PWAveConfig(
    scale=4,
    lr_size=8,
    slots=2,
    stem_channels=6,
    fused_channels=8,
    up_channels=(6, 4),
    f1_channels=6,
    f2_channels=4,
    exemplar_channels=8,
    exemplar_blocks=1,
    wnn_channels=4,
    guide_channels=4,
    guide_blocks=1,
)


def lively_pwave(config: PWAveConfig = TINY_PWAVE, seed: int = 0) -> PWAve:
    """Random weights with a residual that shows, and weights that differ from exemplar to exemplar."""
    torch.manual_seed(seed)
    model = PWAve(config)
    with torch.no_grad():
        for wnn in (model.wnn1, model.wnn2):
            torch.nn.init.normal_(wnn.weight.weight, std=1.0)
        model.isr.out.weight.mul_(5)
        model.guide.up.weight.mul_(5)
    return model.eval().requires_grad_(False)


def pwave_inputs(
    config: PWAveConfig = TINY_PWAVE, batch: int = 1, slots: int | None = None, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """LR faces [B, 3, h, w] and exemplars [B, n, 3, H, W] of noise."""
    random = torch.Generator().manual_seed(seed)
    n = config.slots if slots is None else slots
    lr = torch.rand(batch, 3, config.lr_size, config.lr_size, generator=random)
    return lr, torch.rand(batch, n, 3, config.hr_size, config.hr_size, generator=random)
