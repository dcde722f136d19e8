"""A trained HIME as the start of its edge variant: what both have is taken over; offsets start at the taps' mean."""

from __future__ import annotations

import torch
from torch import Tensor

from edgesr.layers.deform import TAPS
from edgesr.models.hime.network import HIME
from edgesr.models.network import Network


def adopt(start: Network, model: HIME) -> dict[str, Tensor] | None:
    """The state of ``model``, an edge variant, with what ``start`` has of it; None where that has other widths.

    A group of the aligned reference moves as the groups and taps of RFA do that it is made of, by the mean of their
    offsets, each weighted by the size of its weights. Before the offsets' bound, that is: their tanh is passed over.
    """
    if not isinstance(start, HIME) or model.config.alignment != "warp":
        return None
    free = {name: getattr(model.config, name) for name in ("alignment", "offset_groups", "offset_bound", "lr_size")}
    if start.config.alignment != "deformable" or start.config.replace(slots=model.config.slots, **free) != model.config:
        return None
    own, given = model.state_dict(), dict(start.state_dict())
    deform, groups = given["rfa.deform.weight"], start.config.offset_groups
    shares = deform.abs().unflatten(1, (groups, -1)).unflatten(0, (model.config.offset_groups, -1))
    shares = shares.sum((1, 3)).reshape(-1, groups * TAPS)  # of each group there, those of the groups and taps here
    shares = shares / shares.sum(1, keepdim=True)
    given |= {"rfa.value.weight": deform, "rfa.value.bias": given["rfa.deform.bias"]}
    for name in ("rfa.offset.weight", "rfa.offset.bias"):
        pairs = given[name].unflatten(0, (groups * TAPS, 2))  # y and x of each
        given[name] = torch.tensordot(shares, pairs, dims=1).flatten(0, 1)
    return {name: given[name].clone() for name in own}
