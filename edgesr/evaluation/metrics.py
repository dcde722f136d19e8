"""Image metrics and their intervals over people."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edgesr.images.imaging import Pixels


def psnr(image: Pixels, truth: Pixels) -> float:
    """Peak signal-to-noise ratio in dB of two uint8 RGB images, no border crop (as HIME); inf where equal."""
    error = np.mean((image.astype(np.float64) - truth.astype(np.float64)) ** 2)
    return float("inf") if error == 0 else float(10 * np.log10(255.0**2 / error))


def psnr_unit(a: npt.NDArray[np.floating], b: npt.NDArray[np.floating]) -> float:
    """PSNR in dB of two float arrays with a peak of 1, as parity is stated; inf where equal."""
    error = np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2)
    return float("inf") if error == 0 else float(-10 * np.log10(error))


def ssim(image: Pixels, truth: Pixels) -> float:
    """Structural similarity of two uint8 RGB images of at least 11x11 pixels, in [-1, 1]; 1 where equal.

    Wang et al., 2004: Gaussian window of 11x11 with sigma 1.5, K = (0.01, 0.03), variances of the window as a
    population, averaged over the windows that lie inside the image and over R, G and B.
    """
    import torch
    import torch.nn.functional as F

    offsets = torch.arange(-5, 6, dtype=torch.float64)
    window = torch.exp(-(offsets**2) / (2 * 1.5**2))
    window = window / window.sum()
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    a, b = (torch.from_numpy(i.astype(np.float64)).permute(2, 0, 1)[:, None] for i in (image, truth))  # 3, 1, H, W
    moments = torch.cat((a, b, a * a, b * b, a * b))
    moments = F.conv2d(F.conv2d(moments, window.reshape(1, 1, 11, 1)), window.reshape(1, 1, 1, 11))
    mean_a, mean_b, aa, bb, ab = moments.chunk(5)
    luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    structure = (2 * (ab - mean_a * mean_b) + c2) / (aa - mean_a**2 + bb - mean_b**2 + c2)
    return float((luminance * structure).mean())


WITHIN = "within its interval"
"""What tables say of a difference whose interval holds 0."""


@dataclasses.dataclass(frozen=True)
class Interval:
    """A mean and its 95 % interval; all three are nan where nothing was measured."""

    mean: float
    low: float
    high: float

    @property
    def holds_zero(self) -> bool:
        """Of a difference: whether it does not tell which of the two is more."""
        return self.low <= 0 <= self.high

    def __format__(self, spec: str) -> str:
        spec = spec or ".2f"
        return f"{self.mean:{spec}} [{self.low:{spec}}, {self.high:{spec}}]"

    def __str__(self) -> str:
        return format(self)


def over_people(values: Sequence[float], person: Sequence[str], resamples: int = 4000) -> Interval:
    """Mean over people (each person's images averaged first) with a 95 % bootstrap interval over people.

    Images of one person are not independent, so people are resampled, not images. Deterministic.
    """
    by_person: dict[str, list[float]] = {}
    for name, value in zip(person, values, strict=True):
        by_person.setdefault(name, []).append(value)
    if not by_person:
        return Interval(math.nan, math.nan, math.nan)
    means = np.array([np.mean(v) for v in by_person.values()])
    random = np.random.default_rng(0)
    draws = means[random.integers(0, len(means), (resamples, len(means)))].mean(1)
    low, high = np.percentile(draws, [2.5, 97.5])
    return Interval(float(means.mean()), float(low), float(high))
