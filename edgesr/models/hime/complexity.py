"""Parameters and multiply-accumulates (MACs) of a HIME, from its configuration alone.

Counted are the weights of convolutions, 1x1 convolutions and of the deformable convolution, each times the
positions it is applied at. Not counted are biases, activations, bilinear sampling, CoFA's products of two maps
and the bicubic skip: the paper leaves them out too, and they are small beside the rest.
"""

from __future__ import annotations

import torch
from torch import nn

from edgesr.layers.deform import DeformableConv2d
from edgesr.models.architecture import Complexity, macs_below
from edgesr.models.hime.config import HIMEConfig
from edgesr.models.hime.network import HIME

ENCODE = ("exemplar_extractor", "rfa.g_ref", "rfa.value")
"""What depends on an exemplar alone: computed once per photo and stored."""
PER_FACE = ("lr_extractor", "rfa.g_lr", "cofa.g2", "reconstructor")
"""What a restoration computes once, whatever the number of exemplars."""
PER_SLOT = ("rfa.hidden", "rfa.offset", "rfa.deform", "rfa.projection")
"""What a restoration computes for every slot. g1 is folded into g2 and costs nothing there."""
PAPER_PER_REFERENCE = ("exemplar_extractor", "lr_extractor", "rfa", "cofa.g1")
PAPER_PER_FACE = ("cofa.g2", "reconstructor")
"""The paper precomputes nothing and extracts the LR feature anew for each reference."""


def complexity(config: HIMEConfig) -> Complexity:
    """Parameters and MACs of the network that ``config`` describes; nothing is allocated or run."""
    with torch.device("meta"):
        model = HIME(config)
    macs = macs_by_module(model)
    slots = config.slots
    return Complexity(
        parameters=sum(p.numel() for p in model.parameters()),
        macs_encode=macs_below(ENCODE, macs),
        macs_restore=macs_below(PER_FACE, macs) + slots * macs_below(PER_SLOT, macs),
        macs_paper=macs_below(PAPER_PER_FACE, macs) + slots * macs_below(PAPER_PER_REFERENCE, macs),
    )


def macs_by_module(model: HIME) -> dict[str, int]:
    """MACs of each (deformable) convolution by its name, for one LR face with one exemplar."""
    config = model.config
    side = {"exemplar_extractor.mono": config.hr_size, "reconstructor.up2": config.lr_size * 2}  # all others: LR
    return {
        name: module.get_parameter("weight").numel() * side.get(name, config.lr_size) ** 2
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d | DeformableConv2d)
    }
