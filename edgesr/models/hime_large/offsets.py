"""How far a trained network really reaches, beside the bounds that the lowerings rely on."""

from __future__ import annotations

import torch
from torch import Tensor

from edgesr.models.hime.offsets import OffsetReport, distribution
from edgesr.models.hime_large.network import HIMELarge


@torch.inference_mode()
def report_offsets(model: HIMELarge, lr: Tensor, features: Tensor) -> OffsetReport:
    """Flow and residual offsets together on LR faces [N, 3, h, w], each aligned with an exemplar's ``features``.

    ``parts`` holds the same of each alone: a bound that is too tight shows there.
    """
    _, g_ref, kept = features.split(tuple(model.config.feature_parts.values()), dim=1)
    rfa = model.rfa
    flow = rfa.flow(rfa.flow.seen(lr), kept)
    residual = rfa.residual(g_ref, rfa.g_lr(model.lr_extractor(lr)), flow)
    whole = distribution(rfa.way(residual, flow), model.config.reach)
    parts = {"flow": distribution(flow, model.config.flow_bound), "residual": distribution(residual, rfa.bound)}
    return OffsetReport(whole.bound, whole.quantiles, whole.histogram, whole.near_bound, parts)
