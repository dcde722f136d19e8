"""The fixed int8 steps of a feature space."""

from __future__ import annotations

import torch
from torch import Tensor

from edgesr.models.interface import separate
from edgesr.models.network import Network

SAMPLE = 64
PERCENTILE = 0.9999


@torch.inference_mode()
def measure_feature_scales(model: Network, images: Tensor) -> dict[str, float]:
    """int8 step of each part of the maps (symmetric: value = step * q, q in -127..127).

    The 99.99 percentile of |value| over 64 photos of ``images`` (uint8 [N, 3, H, W], evenly taken): a maximum
    would spend the range on a handful of outliers.
    """
    stride = max(1, len(images) // SAMPLE)
    photos = images[::stride][:SAMPLE].cpu().float().div(255)
    kept = [separate(model.encode(chunk)) for chunk in photos.split(16)]
    scales = {}
    for i, one in enumerate(model.interface.feature_maps):
        features = torch.cat([chunk[i] for chunk in kept])
        parts = features.split([channels for _, channels in one.parts], dim=1)
        for (name, _), part in zip(one.parts, parts, strict=True):
            values = part.abs().flatten()
            rank = max(1, int(len(values) * PERCENTILE))
            scales[name] = float(values.kthvalue(rank).values) / 127 or 1.0
    return scales
