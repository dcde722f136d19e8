"""A trained network as the start of one with half its scale."""

from __future__ import annotations

import torch
from torch import Tensor

from edgesr.models.hime.network import HIME


def halve_scale(model: HIME) -> HIME:
    """The network of scale s as one of scale s / 2 on LR faces of twice the size, with the same HR size.

    It computes what ``model`` would if its exemplar's one-channel map were enlarged twice (nearest neighbour) and
    its residual averaged over 2x2 pixels: the space-to-depth kernel is summed, the last kernel averaged over 2x2
    sub-pixels, and everything at LR size stays. As a start for training it is far ahead of random weights.
    """
    config = model.config.replace(scale=model.config.scale // 2, lr_size=model.config.lr_size * 2)
    halved = HIME(config)
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    unshuffle, shuffle = config.scale, config.scale // 2
    weight = state["exemplar_extractor.conv.weight"]
    sub_pixels = weight.reshape(len(weight), unshuffle, 2, unshuffle, 2, *weight.shape[2:])
    state["exemplar_extractor.conv.weight"] = sub_pixels.sum((2, 4)).flatten(1, 2)
    for name in ("reconstructor.up2.weight", "reconstructor.up2.bias"):
        state[name] = _average_sub_pixels(state[name], shuffle)
    halved.load_state_dict(state)
    return halved.eval()


def _average_sub_pixels(parameter: Tensor, shuffle: int) -> Tensor:
    """Kernels [3 * (2 r)**2, ...] before PixelShuffle(2 r) -> [3 * r**2, ...] before PixelShuffle(r), r = shuffle."""
    grouped = parameter.reshape(3, shuffle, 2, shuffle, 2, *parameter.shape[1:])
    return torch.flatten(grouped.mean((2, 4)), 0, 2)
