"""What a network is shown where it learns to find its way before it learns to restore."""

from __future__ import annotations

import dataclasses

from torch import Tensor


@dataclasses.dataclass(frozen=True)
class KnownWarps:
    """LR faces, and of each a sharp copy that was warped and relit in a known way."""

    lr: Tensor
    """[B, 3, h, w] in [0, 1]."""
    exemplars: Tensor
    """[B, 3, H, W] in [0, 1]."""
    flow: Tensor
    """[B, 2, h, w], x (right) before y (down) in LR pixels: what the face shows at p, its copy shows at p + flow(p)."""
