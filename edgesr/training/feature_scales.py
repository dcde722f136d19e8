"""The fixed int8 steps of a feature space."""

from __future__ import annotations

import torch
from torch import Tensor

from edgesr.models.hime.network import HIME

SAMPLE = 64
PERCENTILE = 0.9999


@torch.inference_mode()
def measure_feature_scales(model: HIME, images: Tensor) -> dict[str, float]:
    """int8 step of each part of the features (symmetric: value = step * q, q in -127..127).

    The 99.99 percentile of |value| over 64 photos of ``images`` (uint8 [N, 3, H, W], evenly taken): a maximum
    would spend the range on a handful of outliers.
    """
    stride = max(1, len(images) // SAMPLE)
    photos = images[::stride][:SAMPLE].cpu().float().div(255)
    features = torch.cat([model.encode(chunk) for chunk in photos.split(16)])
    parts = features.split(tuple(model.config.feature_parts.values()), dim=1)
    scales = {}
    for name, part in zip(model.config.feature_parts, parts, strict=True):
        values = part.abs().flatten()
        rank = max(1, int(len(values) * PERCENTILE))
        scales[name] = float(values.kthvalue(rank).values) / 127 or 1.0
    return scales
