"""How exactly a flow finds a shift that is known: photos that are their own exemplars, shifted."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from edgesr.models.hime_large.network import HIMELarge
from edgesr.models.hime_large.pretraining import visible

DIRECTIONS = 8


def shifted(hr: Tensor, scale: int, shift: tuple[float, float]) -> Tensor:
    """Photos [N, 3, H, W] whose copy shows at p + ``shift`` what they show at p, in LR pixels, x before y."""
    size = hr.shape[-1]
    theta = torch.eye(2, 3)
    theta[:, 2] = torch.tensor(shift) * (-2 * scale / size)
    grid = F.affine_grid(theta.expand(len(hr), 2, 3), list(hr.shape), align_corners=False)
    return F.grid_sample(hr, grid, mode="bicubic", padding_mode="reflection", align_corners=False).clamp(0, 1)


@torch.inference_mode()
def errors(model: HIMELarge, hr: Tensor, lr: Tensor, distance: float, border: int = 0) -> Tensor:
    """Error of each face [N] in LR pixels, mean over directions, with so many pixels of the border left out."""
    flow, found = model.rfa.flow, []
    for direction in range(DIRECTIONS):
        angle = 2 * math.pi * direction / DIRECTIONS
        shift = (distance * math.cos(angle), distance * math.sin(angle))
        known = torch.tensor(shift)[None, :, None, None].expand(len(lr), 2, *lr.shape[-2:])
        estimated = flow(flow.seen(lr), flow.encode(shifted(hr, model.config.scale, shift)))
        shown = visible(known, model.config.flow_bound)[:, 0].float()
        shown = F.pad(shown[:, border : -border or None, border : -border or None], (border,) * 4)
        found.append(((estimated - known).norm(dim=1) * shown).sum((1, 2)) / shown.sum((1, 2)))
    return torch.stack(found).mean(0)
