"""What the report says about layers: the values each really holds, and the offsets against their bound."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from edgesr.deployment.graphs import deployed_graphs
from edgesr.images.imaging import Pixels, to_unit
from edgesr.models.checkpoint import Checkpoint
from edgesr.models.hime.offsets import report_offsets

from .faces import ReportFace

QUANTILES = (0.001, 0.01, 0.5, 0.99, 0.999)
SAMPLED = 4096
"""Values looked at of each layer's output on each face."""


@torch.inference_mode()
def layer_ranges(
    checkpoint: Checkpoint, faces: Sequence[ReportFace], points: Mapping[str, Sequence[float]] | None = None
) -> list[dict[str, Any]]:
    """What every convolution's weights and float outputs hold on ``faces``, in the order in which they run.

    A row has ``layer``, ``weights`` and ``activations``, each ``min``, ``max`` and quantiles ``p0.1`` ... ``p99.9``;
    ``channel_spread``, the largest over the smallest per-channel weight range; and ``int8``, the range that its int8
    output covers (None where it stays in float). Activations are the convolution's own, before a ReLU.

    ``points`` are a quantization's: name to [scale, zero point].
    """
    graphs = deployed_graphs(checkpoint.model, "grid_sample")
    seen: dict[str, list[Tensor]] = {}
    weights: dict[str, Tensor] = {}
    extremes: dict[str, tuple[float, float]] = {}
    random = torch.Generator().manual_seed(0)

    def watch(name: str, convolution: nn.Conv2d) -> None:
        weights[name] = convolution.weight.detach()

        def hook(_: nn.Module, __: Any, output: Tensor) -> None:
            low, high = extremes.get(name, (math.inf, -math.inf))
            extremes[name] = min(low, float(output.min())), max(high, float(output.max()))
            flat = output.flatten()
            seen.setdefault(name, []).append(flat[torch.randint(len(flat), (SAMPLED,), generator=random)])

        convolution.register_forward_hook(hook)

    for graph_name, graph in (("encode", graphs.encode), ("restore", graphs.restore)):
        for path, module in graph.named_modules():
            if isinstance(module, nn.Conv2d):
                watch(f"{graph_name}.{path}", module)
    for face in faces:
        features, valid = torch.zeros(graphs.shapes["features"]), torch.zeros(graphs.config.slots)
        for i, photo in enumerate(face.exemplars):
            features[i], valid[i] = graphs.encode(_nchw([photo]))[0], 1.0
        graphs.restore(_nchw([face.lr]), features, valid)
    return [
        {
            "layer": name,
            "weights": _summary(weights[name].flatten(), float(weights[name].min()), float(weights[name].max())),
            "channel_spread": _channel_spread(weights[name]),
            "activations": _summary(torch.cat(samples), *extremes[name]),
            "int8": _covered(points or {}, name),
        }
        for name, samples in seen.items()
    ]


@torch.inference_mode()
def offsets(checkpoint: Checkpoint, faces: Sequence[ReportFace]) -> dict[str, Any] | None:
    """Offsets on ``faces``, each aligned with its first exemplar, against the bound; None without an exemplar."""
    able = [face for face in faces if face.exemplars]
    if not able:
        return None
    features = checkpoint.model.encode(_nchw([face.exemplars[0] for face in able]))
    found = report_offsets(checkpoint.model, _nchw([face.lr for face in able]), features).to_dict()
    return {**found, "faces": len(able)}


def _nchw(photos: Sequence[Pixels]) -> Tensor:
    return torch.stack([torch.from_numpy(to_unit(photo)).permute(2, 0, 1) for photo in photos]).contiguous()


def _summary(values: Tensor, low: float, high: float) -> dict[str, float]:
    found = np.quantile(values.numpy(), QUANTILES)
    quantiles = {f"p{100 * q:g}": float(v) for q, v in zip(QUANTILES, found, strict=True)}
    return {"min": low, "max": high, **quantiles}


def _channel_spread(weight: Tensor) -> float:
    ranges = weight.abs().flatten(1).amax(1)
    return float(ranges.max() / ranges.min().clamp(min=1e-12))


def _covered(points: Mapping[str, Sequence[float]], layer: str) -> list[float] | None:
    if f"{layer}:out" not in points:
        return None
    scale, zero_point = points[f"{layer}:out"]
    return [scale * (-128 - zero_point), scale * (127 - zero_point)]
