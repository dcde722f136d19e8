"""Convolutions made of given weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def convolution(weight: Tensor, bias: Tensor | None, like: nn.Conv2d | None = None) -> nn.Conv2d:
    """A ``Conv2d`` with these weights, padded as ``like`` (by default not at all)."""
    padding = 0 if like is None else like.padding
    conv = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2:], padding=padding, bias=bias is not None)  # type: ignore[arg-type]
    with torch.no_grad():
        conv.weight.copy_(weight)
        if conv.bias is not None and bias is not None:
            conv.bias.copy_(bias)
    return conv
