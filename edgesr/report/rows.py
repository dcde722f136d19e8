"""The table of a report: a row a precision and target, with what it loses against the float network."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from edgesr.evaluation.metrics import over_people
from edgesr.residency import Residency

from .measure import Figures, Share
from .subject import Limits, ReportFace

QUANTILES = (0.5, 0.9, 0.95, 0.99)
Span = tuple[float, float]
"""Low and high end."""


@dataclasses.dataclass(frozen=True)
class FaceLoss:
    """What one face loses, in dB and in similarity to the original (None where identity was not measured)."""

    face: str
    split: str
    exemplars: int
    psnr_loss: float
    psnr: float
    identity_loss: float | None


@dataclasses.dataclass(frozen=True)
class Losses:
    """Figures of one network on some faces, and what it loses against the float network on the same faces.

    Losses are the float network's figure minus the artifact's. Intervals are over people. Identity is the cosine
    similarity of the face's embedding to the original's, None where it was not measured.
    """

    faces: int
    people: int
    psnr: float
    psnr_float: float
    psnr_loss_mean: float
    psnr_loss_95: Span
    psnr_loss_max: float
    psnr_loss_quantiles: dict[str, float]
    """``p50`` ... ``p99``: so many of a hundred faces lose less."""
    ssim: float
    ssim_loss: float
    ssim_loss_max: float
    identity: float | None
    identity_loss: float | None
    identity_loss_95: Span | None
    identity_loss_max: float | None
    worst: tuple[FaceLoss, ...]
    """The faces that lose most, the worst first."""
    loss_per_face: tuple[float, ...]
    """PSNR lost in dB, in the order of the faces."""


@dataclasses.dataclass(frozen=True)
class Latency:
    """Milliseconds of the restorer for one face, in one run with all other networks of the report."""

    ms_median: float
    ms_p10: float
    ms_p90: float
    ratio: float
    """To the first row's, round by round; ``ratio_p10`` and ``ratio_p90`` over the rounds."""
    ratio_p10: float
    ratio_p90: float
    encode_ms_median: float
    """The encoder's, for one exemplar."""
    peak_mib: float
    threads: int
    runs: int


@dataclasses.dataclass(frozen=True)
class Convolutions:
    """Convolutions of both graphs, as read back from the artifact."""

    int8: int
    all: int | None
    """None where the target does not tell."""


@dataclasses.dataclass(frozen=True)
class Parity:
    """How near the artifact is to PyTorch, as its manifest says."""

    max_abs_error: float | None
    psnr_db: float | None
    evaluated_with: str | None


@dataclasses.dataclass(frozen=True)
class Row:
    """One precision on one target, through its converted artifact."""

    precision: str
    target: str
    bundle: str
    bundle_sha256: str
    """Of its ``manifest.json``."""
    checkpoint_sha256: str
    executed: bool
    """Whether the program ran; else it was evaluated op by op."""
    faces_of: int
    """Faces that the split has."""
    loss: Losses
    verified: Share | None
    verified_float: Share | None
    """The float network's on the same faces."""
    size_bytes: int
    computes_in: str
    lowering: str
    delegation: dict[str, float] | None
    """Share of each graph's operators that the delegate took; None where the target has no delegate."""
    convolutions: Convolutions
    parity: Parity
    latency: Latency | None = None
    """None where it was not timed."""
    residency: dict[str, tuple[Residency, ...]] = dataclasses.field(default_factory=dict)
    """By graph, what each backend takes of it; empty in reports and of bundles from before that was told."""

    @property
    def name(self) -> tuple[str, str]:
        """Target and precision: what a report has once."""
        return self.target, self.precision

    def to_dict(self) -> dict[str, Any]:
        """Flat, as the JSON has it: figures of the loss and of the latency stand among the others."""
        fields = dataclasses.asdict(self)
        loss, latency = fields.pop("loss"), fields.pop("latency")
        untimed = dict.fromkeys(field.name for field in dataclasses.fields(Latency))
        return {**fields, **loss, **(latency or untimed)}


def broken(loss: Losses, limits: Limits) -> list[str]:
    """Which limits a row's losses break, in words; a figure that was not measured breaks nothing."""
    found = []
    if loss.psnr_loss_mean > limits.psnr_loss_mean:
        found.append(f"mean loss {loss.psnr_loss_mean:.3f} dB, {limits.psnr_loss_mean:g} allowed")
    if loss.psnr_loss_max > limits.psnr_loss_max:
        found.append(f"worst face {loss.psnr_loss_max:.2f} dB, {limits.psnr_loss_max:g} allowed")
    if loss.identity_loss is not None and loss.identity_loss > limits.identity_loss:
        found.append(f"identity {loss.identity_loss:.4f}, {limits.identity_loss:g} allowed")
    return found


def losses(got: Sequence[Figures], wanted: Sequence[Figures]) -> list[float]:
    """PSNR in dB that each face loses: float minus artifact; 0 where both are equal to the original."""
    return [0.0 if a.psnr == b.psnr else b.psnr - a.psnr for a, b in zip(got, wanted, strict=True)]


def loss_figures(
    faces: Sequence[ReportFace], got: Sequence[Figures], wanted: Sequence[Figures], worst: int = 5
) -> Losses:
    """Figures of one network on ``faces`` and its losses against the float one on the same faces.

    ``loss_per_face`` goes with ``faces``; the intervals are over people, as everywhere. A face restored without any
    error has no finite PSNR and is left out of the means.
    """
    lost = losses(got, wanted)
    kept = [i for i, loss in enumerate(lost) if math.isfinite(loss)]
    finite = [lost[i] for i in kept]
    interval = over_people(finite, [faces[i].person for i in kept])
    ranked = sorted(kept, key=lambda i: -lost[i])
    less_alike = [_difference(b.identity, a.identity) for a, b in zip(got, wanted, strict=True)]
    known = [(loss, face.person) for loss, face in zip(less_alike, faces, strict=True) if loss is not None]
    alike = over_people([loss for loss, _ in known], [person for _, person in known])
    ssim_loss = [b.ssim - a.ssim for a, b in zip(got, wanted, strict=True)]
    return Losses(
        faces=len(faces),
        people=len({face.person for face in faces}),
        psnr=mean([got[i].psnr for i in kept]),
        psnr_float=mean([wanted[i].psnr for i in kept]),
        psnr_loss_mean=mean(finite),
        psnr_loss_95=(interval.low, interval.high),
        psnr_loss_max=lost[ranked[0]] if ranked else math.nan,
        psnr_loss_quantiles={f"p{100 * q:g}": float(np.quantile(finite, q)) if kept else math.nan for q in QUANTILES},
        ssim=mean([figures.ssim for figures in got]),
        ssim_loss=mean(ssim_loss),
        ssim_loss_max=max(ssim_loss, default=math.nan),
        identity=mean([figures.identity for figures in got if figures.identity is not None]) if known else None,
        identity_loss=mean([loss for loss, _ in known]) if known else None,
        identity_loss_95=(alike.low, alike.high) if known else None,
        identity_loss_max=max(loss for loss, _ in known) if known else None,
        worst=tuple(
            FaceLoss(
                face=faces[i].label,
                split=faces[i].split,
                exemplars=len(faces[i].exemplars),
                psnr_loss=lost[i],
                psnr=got[i].psnr,
                identity_loss=less_alike[i],
            )
            for i in ranked[:worst]
        ),
        loss_per_face=tuple(round(loss, 5) for loss in lost),
    )


def delegated(manifest: dict[str, Any]) -> dict[str, float] | None:
    """Share of each graph's operators that the delegate took; None where the target has no delegate."""
    found = manifest.get("delegation")
    return {graph: float(part["fraction"]) for graph, part in found.items()} if found else None


def convolutions(manifest: dict[str, Any]) -> Convolutions:
    """Convolutions of both graphs, as read back from the artifact."""
    counted = manifest.get("int8_convs", 0)
    if isinstance(counted, dict):  # by graph: a number, or {"int8": n, "float": m}
        parts = [part if isinstance(part, dict) else {"int8": part} for part in counted.values()]
        quantized = sum(int(part.get("int8", 0)) for part in parts)
        known = all("float" in part for part in parts)
        return Convolutions(quantized, quantized + sum(int(part["float"]) for part in parts) if known else None)
    return Convolutions(int(counted or 0), None)


def mean(values: Sequence[float]) -> float:
    """nan of none."""
    return float(np.mean(values)) if values else math.nan


def _difference(wanted: float | None, got: float | None) -> float | None:
    return None if wanted is None or got is None else wanted - got
