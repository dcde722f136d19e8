"""What is learned before the network learns to restore: the known flow of the project's own warps, and the way to
where a trained HIME looked."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from edgesr.models.hime.network import HIME
from edgesr.models.hime_large.network import HIMELarge
from edgesr.models.pretraining import KnownWarps


def flow_loss(model: HIMELarge, warps: KnownWarps) -> Tensor:
    """Mean distance in LR pixels between the flow of each level and the known one, over what the reference shows."""
    flow = model.rfa.flow
    estimated = flow.pyramid(flow.seen(warps.lr), flow.encode(warps.exemplars))
    size = warps.flow.shape[-1]
    shown = visible(warps.flow, model.config.flow_bound).float()
    losses = []
    for one in estimated:
        at_size = _resized(one * (size / one.shape[-1]), size)
        distance = (at_size - warps.flow).square().sum(1, keepdim=True).add(1e-6).sqrt()
        losses.append((distance * shown).sum() / shown.sum().clamp(min=1))
    return torch.stack(losses).mean()


def way_loss(model: HIMELarge, teacher: HIME | HIMELarge, lr: Tensor, exemplars: Tensor) -> Tensor:
    """Mean difference in LR pixels of where each tap looks, along the flow and the residual offsets, and where that of
    ``teacher`` does, its offsets or its own way: of LR faces [B, 3, h, w] and an exemplar each [B, 3, H, W].

    Flow and residual offsets learn of it alone: they see the teacher's features, which ``model`` started with. On
    photos of different occasions a flow that learned of known warps only leads elsewhere, and the residual offsets,
    which are not told the flow, cannot undo that.
    """
    with torch.no_grad():
        f_ref, f_lr = teacher.exemplar_extractor(exemplars), teacher.lr_extractor(lr)
        if isinstance(teacher, HIMELarge):
            there = _way(teacher, f_ref, f_lr, lr, exemplars)
        else:
            there = teacher.rfa.offsets(teacher.rfa.g_ref(f_ref), teacher.rfa.g_lr(f_lr))
    return (_way(model, f_ref, f_lr, lr, exemplars) - there).abs().mean()


def _way(model: HIMELarge, f_ref: Tensor, f_lr: Tensor, lr: Tensor, exemplars: Tensor) -> Tensor:
    """Where each tap looks, given both sides' features."""
    rfa = model.rfa
    flow = rfa.flow(rfa.flow.seen(lr), rfa.flow.encode(exemplars))
    return rfa.way(rfa.residual(rfa.g_ref(f_ref), rfa.g_lr(f_lr), flow), flow)


def visible(flow: Tensor, bound: float) -> Tensor:
    """Where what lies at p + flow(p) is on the map and within the bound: [N, 1, h, w]."""
    size = flow.shape[-1]
    pixels = torch.arange(size, dtype=flow.dtype, device=flow.device)
    at = torch.stack((flow[:, 0] + pixels, flow[:, 1] + pixels[:, None]), dim=1)
    inside = (at >= 0) & (at <= size - 1) & (flow.abs() <= bound)
    return inside.all(1, keepdim=True)


def _resized(flow: Tensor, size: int) -> Tensor:
    if flow.shape[-1] > size:
        return F.avg_pool2d(flow, flow.shape[-1] // size)
    return F.interpolate(flow, size=(size, size), mode="bilinear", align_corners=False)
