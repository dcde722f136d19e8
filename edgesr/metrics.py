"""Image metrics and their intervals over people."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edgesr.imaging import Pixels


def psnr(image: Pixels, truth: Pixels) -> float:
    """Peak signal-to-noise ratio in dB of two uint8 RGB images, no border crop (as HIME); inf where equal."""
    error = np.mean((image.astype(np.float64) - truth.astype(np.float64)) ** 2)
    return float("inf") if error == 0 else float(10 * np.log10(255.0**2 / error))


def psnr_unit(a: npt.NDArray[np.floating], b: npt.NDArray[np.floating]) -> float:
    """PSNR in dB of two float arrays with a peak of 1, as parity is stated; inf where equal."""
    error = np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2)
    return float("inf") if error == 0 else float(-10 * np.log10(error))


@dataclasses.dataclass(frozen=True)
class Interval:
    """A mean and its 95 % interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.2f} [{self.low:.2f}, {self.high:.2f}]"


def over_people(values: Sequence[float], person: Sequence[str], resamples: int = 4000) -> Interval:
    """Mean over people (each person's images averaged first) with a 95 % bootstrap interval over people.

    Images of one person are not independent, so people are resampled, not images. Deterministic.
    """
    by_person: dict[str, list[float]] = {}
    for name, value in zip(person, values, strict=True):
        by_person.setdefault(name, []).append(value)
    means = np.array([np.mean(v) for v in by_person.values()])
    random = np.random.default_rng(0)
    draws = means[random.integers(0, len(means), (resamples, len(means)))].mean(1)
    low, high = np.percentile(draws, [2.5, 97.5])
    return Interval(float(means.mean()), float(low), float(high))
