"""Convolutions made of given weights, and of other convolutions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from edgesr.errors import UsageError


def split_convolution(conv: nn.Conv2d, channels: Sequence[int]) -> list[nn.Conv2d]:
    """g([a, b, ...]) = g_a(a) + g_b(b) + ...: a convolution of concatenated maps as one per part.

    ``channels`` are the parts' widths in order; the bias stays with the last. HIME's offset head is born
    split like this, so that g_ref belongs to the encoder.
    """
    if sum(channels) != conv.in_channels:
        raise UsageError(f"parts of {list(channels)} channels do not make up the convolution's {conv.in_channels}")
    weights = torch.split(conv.weight.detach(), list(channels), dim=1)
    bias = None if conv.bias is None else conv.bias.detach()
    return [convolution(w, bias if i == len(weights) - 1 else None, conv) for i, w in enumerate(weights)]


def convolution(weight: Tensor, bias: Tensor | None, like: nn.Conv2d | None = None) -> nn.Conv2d:
    """A ``Conv2d`` with these weights, padded as ``like`` (by default not at all)."""
    padding = 0 if like is None else like.padding
    conv = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2:], padding=padding, bias=bias is not None)  # type: ignore[arg-type]
    with torch.no_grad():
        conv.weight.copy_(weight)
        if conv.bias is not None and bias is not None:
            conv.bias.copy_(bias)
    return conv
