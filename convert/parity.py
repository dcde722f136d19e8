"""The gate that decides trust: an artifact must compute what PyTorch computes, or nothing is written."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edgesr.data.samples import sample_faces
from edgesr.evaluation.methods import degrade
from edgesr.evaluation.metrics import psnr_unit
from edgesr.images.imaging import to_unit
from edgesr.models.interface import Interface, joined, separate
from edgesr.runtime.base import Array, Features, Runtime, fill_slots

from .precision import PRECISIONS

FP32_MAX_ABS_ERROR = 1e-4
"""Limits of the gate: on SR images in [0, 1], on CoFA's weights, and on features relative to their largest value."""


Least = Mapping[str, float]
"""PSNR in dB by output (sr, weights, features), where a target's arithmetic promises another than its precision."""


def psnr_threshold(precision: str, output: str, least: Least | None = None) -> float:
    """PSNR in dB that an output (sr, weights, features, features_NAME) must reach in a precision judged by it."""
    least = least or PRECISIONS[precision].psnr_db
    if least is None:
        raise ValueError(f"{precision} is judged by its largest error")
    return least[output.split("_")[0]]


@dataclasses.dataclass(frozen=True)
class Case:
    """A real LR face and the sharp photos it is restored with: arrays as ``Runtime`` takes them."""

    name: str
    lr: Array
    exemplars: tuple[Array, ...]


@dataclasses.dataclass(frozen=True)
class Expected:
    """What PyTorch makes of a case."""

    features: tuple[Features, ...]
    sr: Array
    weights: Array


@dataclasses.dataclass(frozen=True)
class Check:
    """One comparison of the gate: ``value`` against ``threshold``."""

    name: str
    ok: bool
    value: float
    threshold: float

    @property
    def sign(self) -> str:
        """What the value is to be beside the threshold."""
        if self.value == self.threshold:
            return "=" if self.ok else "≠"
        return "≥" if self.ok == (self.value > self.threshold) else "≤"

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it, which knows no infinity: the PSNR of equal outputs is null."""
        return dataclasses.asdict(self) | ({} if math.isfinite(self.value) else {"value": None})


@dataclasses.dataclass(frozen=True)
class Parity:
    """The worst figures over all cases, and the checks they passed or failed."""

    max_abs_error: float
    psnr_db: float
    evaluated_with: str
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """The figures that ``convert --json`` promises; the PSNR of equal outputs is null: JSON knows no infinity."""
        return {
            "max_abs_error": self.max_abs_error,
            "psnr_db": self.psnr_db if math.isfinite(self.psnr_db) else None,
            "evaluated_with": self.evaluated_with,
            "checks": [check.to_dict() for check in self.checks],
        }


def real_cases(interface: Interface) -> list[Case]:
    """The sample faces at the network's sizes: without an exemplar, with one, and with every slot filled.

    The samples hold one other photo a person, so a full set takes the other people's photos: enough to
    prove equality, no measure of quality.
    """
    faces = sample_faces(interface.hr_size)
    lr = [to_unit(degrade(face.target, interface.scale)) for face in faces]
    photos = [to_unit(face.exemplar) for face in faces]
    others = tuple(photos[i % len(photos)] for i in range(interface.slots))
    cases = [Case("n=0", lr[0], ()), Case(f"n={interface.slots}", lr[0], others)]
    return cases + [Case(face.person, lr[i], (photos[i],)) for i, face in enumerate(faces)]


def expected(reference: Runtime, cases: Sequence[Case]) -> list[Expected]:
    """The reference's outputs for every case."""
    results = []
    for case in cases:
        features = tuple(reference.encode(photo) for photo in case.exemplars)
        results.append(Expected(features, *reference.restore(case.lr, *fill_slots(features, reference.interface))))
    return results


def golden_vectors(case: Case, correct: Expected, interface: Interface) -> dict[str, Array]:
    """Inputs and outputs of both graphs in canonical layout, from a case that fills every slot."""
    stored, valid = fill_slots(correct.features, interface)
    vectors = {
        "encode.in.exemplar": case.exemplars[0],
        **{f"encode.out.{k}": one for k, one in zip(interface.kept, separate(correct.features[0]), strict=True)},
        "restore.in.lr": case.lr,
        **{f"restore.in.{k}": one for k, one in zip(interface.kept, separate(stored), strict=True)},
        "restore.in.valid": valid,
        "restore.out.sr": correct.sr,
        "restore.out.weights": correct.weights,
    }
    return {name: np.ascontiguousarray(array) for name, array in vectors.items()}


def measure_parity(
    artifact: Runtime, cases: Sequence[Case], truth: Sequence[Expected], precision: str, least: Least | None = None
) -> Parity:
    """Run the artifact on every case, its encoder feeding its restorer, and compare with PyTorch."""
    sr, weights, features = _Worst(), _Worst(), _of_each_kept(artifact)
    for case, correct in zip(cases, truth, strict=True):
        ours = [artifact.encode(photo) for photo in case.exemplars]
        image, mu = artifact.restore(case.lr, *fill_slots(ours, artifact.interface))
        sr.add(image, correct.sr)
        weights.add(mu, correct.weights)
        for got, wanted in zip(ours, correct.features, strict=True):
            for worst, one, other in zip(features.values(), separate(got), separate(wanted), strict=True):
                worst.add_relative(one, other)
    return _judge(artifact, {"sr": sr, "weights": weights, **features}, precision, least)


def measure_golden(
    artifact: Runtime, golden: Mapping[str, Array], precision: str, least: Least | None = None
) -> Parity:
    """Compare both graphs, each on its own, with a bundle's golden vectors; needs no checkpoint."""
    sr, weights, features = _Worst(), _Worst(), _of_each_kept(artifact)
    encoded = separate(artifact.encode(golden["encode.in.exemplar"]))
    for (name, worst), got in zip(features.items(), encoded, strict=True):
        worst.add_relative(got, golden[f"encode.out.{name}"])
    stored = joined([golden[f"restore.in.{name}"] for name in features])
    image, mu = artifact.restore(golden["restore.in.lr"], stored, golden["restore.in.valid"])
    sr.add(image, golden["restore.out.sr"])
    weights.add(mu, golden["restore.out.weights"])
    return _judge(artifact, {"sr": sr, "weights": weights, **features}, precision, least)


def _of_each_kept(artifact: Runtime) -> dict[str, _Worst]:
    return {name: _Worst() for name in artifact.interface.kept}


def _judge(artifact: Runtime, found: Mapping[str, _Worst], precision: str, least: Least | None) -> Parity:
    if PRECISIONS[precision].psnr_db is None:
        checks = [
            Check(f"{name}: max abs error", worst.error <= FP32_MAX_ABS_ERROR, worst.error, FP32_MAX_ABS_ERROR)
            for name, worst in found.items()
        ]
    else:
        checks = [
            Check(f"{name}: PSNR dB", worst.psnr >= asked, worst.psnr, asked)
            for name, worst in found.items()
            for asked in (psnr_threshold(precision, name, least),)
        ]
    return Parity(found["sr"].error, found["sr"].psnr, artifact.name, tuple(checks))


@dataclasses.dataclass
class _Worst:
    error: float = 0.0
    psnr: float = math.inf

    def add(self, got: Array, wanted: Array) -> None:
        difference = float(np.abs(got - wanted).max())
        # NaN compares false with everything and would pass as "not larger": it is the largest error there is.
        self.error = math.inf if math.isnan(difference) else max(self.error, difference)
        quality = psnr_unit(got, wanted)
        self.psnr = -math.inf if math.isnan(quality) else min(self.psnr, quality)

    def add_relative(self, got: Array, wanted: Array) -> None:
        """Count a comparison as ``add`` does, with the largest wanted value as the unit."""
        peak = np.float32(np.abs(wanted).max() or 1.0)
        self.add(got / peak, wanted / peak)
