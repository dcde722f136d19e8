"""What offsets a trained network really uses, beside the bound that the lowerings rely on."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import Tensor

from edgesr.models.hime.network import HIME

QUANTILES = (0.5, 0.9, 0.99, 0.999, 1.0)
BINS = 8


@dataclasses.dataclass(frozen=True)
class OffsetReport:
    """Distribution of |offset| in LR pixels, over every tap, group and pixel and both axes."""

    bound: float
    quantiles: dict[str, float]
    """``p50`` ... ``p100`` to |offset|."""
    histogram: list[float]
    """Share of offsets in each of ``BINS`` equal parts of [0, bound]."""
    near_bound: float
    """Share within 1 % of the bound: where this is more than a trace, the bound is too tight."""
    parts: dict[str, OffsetReport] | None = None
    """The same of each part, where offsets are a sum."""

    def to_dict(self) -> dict[str, Any]:
        fields = dataclasses.asdict(self)
        if self.parts is None:
            del fields["parts"]
        return fields


@torch.inference_mode()
def report_offsets(model: HIME, lr: Tensor, features: Tensor) -> OffsetReport:
    """Offsets on LR faces [N, 3, h, w], each aligned with one exemplar's ``features`` [N, C, h, w]."""
    parts = list(model.config.feature_parts.values())
    g_ref = torch.split(features, parts, dim=1)[1]
    return distribution(model.rfa.offsets(g_ref, model.rfa.g_lr(model.lr_extractor(lr))), model.rfa.bound)


def distribution(offsets: Tensor, bound: float) -> OffsetReport:
    """Of offsets of any shape, in LR pixels."""
    sizes = offsets.abs().flatten()
    ranked = sizes.sort().values
    last = len(ranked) - 1
    return OffsetReport(
        bound=bound,
        quantiles={f"p{100 * q:g}": float(ranked[round(q * last)]) for q in QUANTILES},
        histogram=[float(count) / len(sizes) for count in torch.histc(sizes, BINS, 0.0, bound)],
        near_bound=float((sizes >= 0.99 * bound).float().mean()),
    )
