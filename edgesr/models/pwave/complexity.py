"""Parameters and multiply-accumulates (MACs) of a PWAve, from its configuration alone.

Counted are the weights of convolutions, each times the positions it is applied at. Not counted are biases, activations,
the weighted average and the bicubic skips, which are small beside the rest.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgesr.models.architecture import Complexity, macs_below
from edgesr.models.pwave.config import PWAveConfig
from edgesr.models.pwave.network import PWAve

ENCODE = ("encoder", "wnn1.reference", "wnn2.reference")
"""What depends on an exemplar alone: computed once per photo and stored."""
PER_SLOT = ("wnn1.hidden", "wnn1.weight", "wnn2.hidden", "wnn2.weight")
"""What a restoration computes for every slot."""
OWN = ("wnn1.own", "wnn2.own")
"""The LR halves of the WNNs' first convolutions: once a face here, once a reference where nothing is split."""
PER_FACE = ("isr", "guide")
"""What a restoration computes once, whatever the number of exemplars."""


def complexity(config: PWAveConfig) -> Complexity:
    """Parameters and MACs of the network that ``config`` describes; nothing is allocated or run."""
    with torch.device("meta"):
        model = PWAve(config)
    macs, slots = macs_by_module(model), config.slots
    return Complexity(
        parameters=sum(p.numel() for p in model.parameters()),
        macs_encode=macs_below(ENCODE, macs),
        macs_restore=macs_below(PER_FACE + OWN, macs) + slots * macs_below(PER_SLOT, macs),
        macs_paper=macs_below(PER_FACE, macs) + slots * macs_below(ENCODE + OWN + PER_SLOT, macs),
    )


def macs_by_module(model: PWAve) -> dict[str, int]:
    """MACs of each convolution by its name, for one LR face with one exemplar."""
    config, found = model.config, {}
    side = {"encoder.down1": 1, "encoder.blocks1": 1, "encoder.f1": 1, "isr.stem": 1, "isr.fuse1": 1, "isr.blocks": 1}
    side |= {"encoder": 2, "wnn1": 1, "wnn2": 2, "guide": 1, "isr.up1.up": 1, "isr.up1": 2, "isr.fuse2": 2}
    for i in range(len(config.up_channels) - 1):
        side |= {f"isr.ups.{i}.up": 2 ** (i + 1), f"isr.ups.{i}": 2 ** (i + 2)}
    side["isr.out"] = config.scale
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            place = max((part for part in side if name == part or name.startswith(f"{part}.")), key=len)
            weight: Tensor = module.weight
            found[name] = weight.numel() * (side[place] * config.lr_size) ** 2
    return found
