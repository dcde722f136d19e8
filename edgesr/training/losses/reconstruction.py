"""The pixel-wise loss of the HIME paper."""

from __future__ import annotations

import torch
from torch import Tensor


def charbonnier(sr: Tensor, hr: Tensor, epsilon: float = 1e-3) -> Tensor:
    """L_rec = sqrt((HR - SR)^2 + eps^2), averaged (HIME paper, Section 3.4); images in [0, 1]."""
    return torch.sqrt((hr - sr) ** 2 + epsilon**2).mean()
