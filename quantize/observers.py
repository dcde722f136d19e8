"""From what a tensor holds to the range that its int8 values cover."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from .points import Observer, Point
from .scheme import QUANT_MAX, QUANT_MIN, QParams

ObserverName = Literal["cubic", "mse", "percentile"]
KEPT = 4096
"""Values kept of a tensor each time it is seen."""
PERCENTILE = 0.9999
CLIPS = tuple(0.3 + 0.02 * i for i in range(36))
"""Parts of the full range that are tried for the least squared error."""
BINS = 1 << 15
"""Bins of the histogram that stands for the values, at least 38 to a step. It costs a candidate's error a thousandth,
and a hundred candidates for each of 170 tensors take seconds where a million values each took many minutes."""


class Sampler(Observer):
    """Keeps a random sample of the values and the extremes, for ``RANGES`` to choose from."""

    def __init__(self, seed: int = 0) -> None:
        self._random = torch.Generator().manual_seed(seed)
        self._kept: list[Tensor] = []
        self.low = self.high = 0.0

    def observe(self, x: Tensor, point: Point) -> None:  # noqa: ARG002
        flat = x.flatten().float()
        self.low, self.high = min(self.low, float(flat.min())), max(self.high, float(flat.max()))
        if len(flat) > KEPT:
            flat = flat[torch.randint(len(flat), (KEPT,), generator=self._random)]
        self._kept.append(flat)

    @property
    def values(self) -> Tensor:
        return torch.cat(self._kept)


def range_by_error(seen: Sampler, power: float) -> QParams:
    """The clipped range of least mean |error|^power: outliers against resolution, and for them the more the higher."""
    values, counts = histogram(seen.values)

    def least(ranges: list[tuple[float, float]]) -> tuple[float, float]:
        return min(ranges, key=lambda r: rounding_error(values, counts, QParams.covering(*r), power))

    # Both ends at first, then each alone: a range is seldom as long-tailed on either side.
    best = least([(seen.low * clip, seen.high * clip) for clip in CLIPS])
    best = least([best, *((best[0], seen.high * clip) for clip in CLIPS)])
    best = least([best, *((seen.low * clip, best[1]) for clip in CLIPS)])
    return QParams.covering(*best)


def range_by_percentile(seen: Sampler) -> QParams:
    """Clips one value in ten thousand at either end."""
    values = seen.values.sort().values
    rank = round((1 - PERCENTILE) * len(values))
    return QParams.covering(float(values[rank]), float(values[-1 - rank]))


RANGES: dict[ObserverName, Callable[[Sampler], QParams]] = {
    "cubic": lambda seen: range_by_error(seen, 3.0),
    "mse": lambda seen: range_by_error(seen, 2.0),
    "percentile": range_by_percentile,
}
"""The first is the default: squared error clips the few faces with large values too much (docs/decisions.md)."""


def histogram(values: Tensor) -> tuple[Tensor, Tensor]:
    """At most ``BINS`` values and how many of ``values`` each stands for: the means of bins of equal width."""
    if len(values) <= BINS:
        return values, torch.ones_like(values)
    low, high = float(values.min()), float(values.max())
    bins = ((values - low) * ((BINS - 1) / max(high - low, torch.finfo(values.dtype).tiny))).long().clamp(0, BINS - 1)
    counts = torch.bincount(bins, minlength=BINS)
    sums = torch.bincount(bins, weights=values.double(), minlength=BINS)
    filled = counts > 0
    return (sums[filled] / counts[filled]).to(values.dtype), counts[filled].to(values.dtype)


def rounding_error(values: Tensor, counts: Tensor, qparams: QParams, power: float) -> float:
    """Mean |error|^power of rounding ``values``, each as often as ``counts`` says, by ``qparams``."""
    rounded = torch.fake_quantize_per_tensor_affine(values, qparams.scale, qparams.zero_point, QUANT_MIN, QUANT_MAX)
    return float((rounded.sub_(values).abs_().pow_(power).mul_(counts)).sum() / counts.sum())
