"""Editing by exemplars (PWAve paper, Section 4.5): other people's features in the place of the face's own."""

from __future__ import annotations

import torch
from torch import Tensor

from edgesr.models.pwave.network import PWAve

Maps = tuple[Tensor, Tensor]


@torch.inference_mode()
def edit(model: PWAve, lr: Tensor, own: Maps, others: Maps, strength: float) -> Tensor:
    """SR face [1, 3, H, W] of ``lr`` [1, 3, h, w] with f^c = (1 - T) own + T others, both [1, n, ., h, w], n >= 0.

    The paper replaces the exemplars, which is T = 1; in between the face keeps some of its own features.
    """
    guide = model.guided(lr)

    def combined(maps: Maps) -> list[Tensor]:
        valid = lr.new_ones(maps[0].shape[:2])
        return model.combined(lr, guide, maps, valid)[0]

    f1, f2 = (torch.lerp(a, b, strength) for a, b in zip(combined(own), combined(others), strict=True))
    return model.reconstruct(lr, f1, f2)
