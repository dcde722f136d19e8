"""Parameters and multiply-accumulates (MACs) of a HIME-large, counted as HIME's are; warps count nothing."""

from __future__ import annotations

import torch
from torch import nn

from edgesr.layers.deform import DeformableConv2d
from edgesr.models.architecture import Complexity, macs_below
from edgesr.models.hime_large.config import COLOURS, HIMELargeConfig
from edgesr.models.hime_large.network import HIMELarge
from edgesr.models.hime_large.spynet import KERNEL

ENCODE = ("exemplar_extractor", "rfa.g_ref", "rfa.flow.reference")
"""What depends on an exemplar alone: computed once per photo and stored."""
PER_FACE = ("lr_extractor", "rfa.g_lr", "rfa.flow.face", "cofa.g2", "reconstructor")
"""What a restoration computes once, whatever the number of exemplars."""
PER_SLOT = ("rfa.hidden", "rfa.offset", "rfa.deform", "rfa.flow.spynet")
"""What a restoration computes for every slot, the face's half of SpyNet's first convolutions taken off."""
PAPER_PER_REFERENCE = ("exemplar_extractor", "lr_extractor", "rfa", "cofa.g1")
PAPER_PER_FACE = ("cofa.g2", "reconstructor")
"""The paper precomputes nothing and extracts the LR feature anew for each reference."""


def complexity(config: HIMELargeConfig) -> Complexity:
    """Parameters and MACs of the network that ``config`` describes; nothing is allocated or run."""
    with torch.device("meta"):
        model = HIMELarge(config)
    macs = macs_by_module(model)
    slots, shared, unseen = config.slots, shared_of_flow(config), coarsest_flow(config)
    return Complexity(
        parameters=sum(p.numel() for p in model.parameters()),
        macs_encode=macs_below(ENCODE, macs),
        macs_restore=macs_below(PER_FACE, macs) + shared + slots * (macs_below(PER_SLOT, macs) - shared - unseen),
        macs_paper=macs_below(PAPER_PER_FACE, macs) + slots * macs_below(PAPER_PER_REFERENCE, macs),
    )


def macs_by_module(model: HIMELarge) -> dict[str, int]:
    """MACs of each (deformable) convolution by its name, for one LR face with one exemplar."""
    config = model.config
    side = {"exemplar_extractor.mono": config.hr_size, "reconstructor.up2": config.lr_size * 2}  # most others: LR
    for i in range(config.flow_levels):
        level = f"rfa.flow.spynet.levels.{i}.convs."
        side |= {f"{level}{j}": config.flow_size // 2 ** (config.flow_levels - 1 - i) for j in range(5)}
    return {
        name: module.get_parameter("weight").numel() * side.get(name, config.lr_size) ** 2
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d | DeformableConv2d)
    }


def shared_of_flow(config: HIMELargeConfig) -> int:
    """Of SpyNet at all levels, what looks at the face alone."""
    pixels = sum((config.flow_size // 2**k) ** 2 for k in range(config.flow_levels))
    return COLOURS * config.flow_channels * KERNEL**2 * pixels


def coarsest_flow(config: HIMELargeConfig) -> int:
    """Of SpyNet's coarsest level, what would look at the flow before it: there is none."""
    pixels = (config.flow_size // 2 ** (config.flow_levels - 1)) ** 2
    return 2 * config.flow_channels * KERNEL**2 * pixels
