"""A trained network as the start of a wider or deeper one."""

from __future__ import annotations

import torch
from torch import Tensor

from edgesr.models.hime.config import GROWS, HIMEConfig
from edgesr.models.hime.network import HIME


def widen(model: HIME, config: HIMEConfig) -> dict[str, Tensor] | None:
    """The state of a network of ``config`` that computes what ``model`` does (Net2Net, Chen et al. 2016); None where
    it is no wider or deeper form of it.

    New channels carry fresh features from the start, which nothing reads yet: the weights by which old channels, the
    tail and CoFA's product would read them are 0 and learn from the first step on. New residual blocks add 0. Fresh
    weights are always the same.
    """
    grown = {name: getattr(config, name) for name in GROWS}
    # The edge variant groups the channels that grow.
    same = model.config.replace(**grown) == config and config.deployable and config.alignment == "deformable"
    if not same or any(grown[name] < getattr(model.config, name) for name in GROWS):
        return None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        wide = HIME(config).state_dict()
    narrow = model.state_dict()
    for name, fresh in wide.items():
        if name in narrow:
            _embed(fresh, narrow[name])
        elif ".conv2." in name:  # the end of a new residual block
            fresh.zero_()
    for name in ("cofa.g2.weight", "cofa.g2.bias"):  # a factor of the similarity: the new products have to be 0
        if name in wide:
            wide[name][len(narrow[name]) :] = 0
    return wide


def _embed(fresh: Tensor, trained: Tensor) -> None:
    """Put ``trained`` into the first outputs and inputs of ``fresh``, and 0 where those outputs read new inputs."""
    outputs = slice(len(trained))
    if fresh.dim() > 1:
        fresh[outputs] = 0
        fresh[outputs, : trained.shape[1]] = trained
    else:
        fresh[outputs] = trained
