"""The table of a report: a row a precision and target, with what it loses against the float network."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from edgesr.evaluation.metrics import over_people

from .faces import ReportFace
from .measure import Figures

QUANTILES = (0.5, 0.9, 0.95, 0.99)


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a precision may lose to be shipped, against the float network on the same faces."""

    psnr_loss_mean: float = 0.05
    psnr_loss_max: float = 0.5
    identity_loss: float = 0.005

    def broken(self, row: dict[str, Any]) -> list[str]:
        """Which of them a row breaks, in words; a figure that was not measured breaks nothing."""
        found = []
        if row["psnr_loss_mean"] > self.psnr_loss_mean:
            found.append(f"mean loss {row['psnr_loss_mean']:.3f} dB, {self.psnr_loss_mean:g} allowed")
        if row["psnr_loss_max"] > self.psnr_loss_max:
            found.append(f"worst face {row['psnr_loss_max']:.2f} dB, {self.psnr_loss_max:g} allowed")
        if row["identity_loss"] is not None and row["identity_loss"] > self.identity_loss:
            found.append(f"identity {row['identity_loss']:.4f}, {self.identity_loss:g} allowed")
        return found


def losses(got: Sequence[Figures], wanted: Sequence[Figures]) -> list[float]:
    """PSNR in dB that each face loses: float minus artifact; 0 where both are equal to the original."""
    return [0.0 if a.psnr == b.psnr else b.psnr - a.psnr for a, b in zip(got, wanted, strict=True)]


def loss_figures(
    faces: Sequence[ReportFace], got: Sequence[Figures], wanted: Sequence[Figures], worst: int = 5
) -> dict[str, Any]:
    """Figures of one network on ``faces`` and its losses against the float one on the same faces.

    ``loss_per_face`` goes with ``faces``; the interval is over people, as everywhere. A face restored without any
    error has no finite PSNR and is left out of the means.
    """
    lost = losses(got, wanted)
    kept = [i for i, loss in enumerate(lost) if math.isfinite(loss)]
    interval = over_people([lost[i] for i in kept], [faces[i].person for i in kept])
    ranked = sorted(kept, key=lambda i: -lost[i])
    identity = _identity(faces, got, wanted)
    ssim_loss = [b.ssim - a.ssim for a, b in zip(got, wanted, strict=True)]
    return {
        "faces": len(faces),
        "people": len({face.person for face in faces}),
        "psnr": _mean([got[i].psnr for i in kept]),
        "psnr_float": _mean([wanted[i].psnr for i in kept]),
        "psnr_loss_mean": _mean([lost[i] for i in kept]),
        "psnr_loss_95": [interval.low, interval.high],
        "psnr_loss_max": lost[ranked[0]] if ranked else math.nan,
        "psnr_loss_quantiles": {
            f"p{100 * q:g}": float(np.quantile([lost[i] for i in kept], q)) if kept else math.nan for q in QUANTILES
        },
        "ssim": _mean([figures.ssim for figures in got]),
        "ssim_loss": _mean(ssim_loss),
        "ssim_loss_max": max(ssim_loss, default=math.nan),
        **identity,
        "worst": [
            {
                "face": faces[i].label,
                "split": faces[i].split,
                "exemplars": len(faces[i].exemplars),
                "psnr_loss": lost[i],
                "psnr": got[i].psnr,
                "identity_loss": _difference(wanted[i].identity, got[i].identity),
            }
            for i in ranked[:worst]
        ],
        "loss_per_face": [round(loss, 5) for loss in lost],
    }


def delegated(manifest: dict[str, Any]) -> dict[str, float] | None:
    """Share of each graph's operators that the delegate took; None where the target has no delegate."""
    found = manifest.get("delegation")
    return {graph: float(part["fraction"]) for graph, part in found.items()} if found else None


def convolutions(manifest: dict[str, Any]) -> dict[str, int | None]:
    """``int8`` and ``all`` convolutions of both graphs, as read back from the artifact; ``all`` None where unknown."""
    counted = manifest.get("int8_convs", 0)
    if isinstance(counted, dict):  # by graph: a number, or {"int8": n, "float": m}
        parts = [part if isinstance(part, dict) else {"int8": part} for part in counted.values()]
        quantized = sum(int(part.get("int8", 0)) for part in parts)
        known = all("float" in part for part in parts)
        return {"int8": quantized, "all": quantized + sum(int(part["float"]) for part in parts) if known else None}
    return {"int8": int(counted or 0), "all": None}


def _identity(
    faces: Sequence[ReportFace], got: Sequence[Figures], wanted: Sequence[Figures]
) -> dict[str, float | list[float] | None]:
    lost = [_difference(b.identity, a.identity) for a, b in zip(got, wanted, strict=True)]
    known = [(loss, face.person) for loss, face in zip(lost, faces, strict=True) if loss is not None]
    if not known:
        return {"identity": None, "identity_loss": None, "identity_loss_95": None, "identity_loss_max": None}
    interval = over_people([loss for loss, _ in known], [person for _, person in known])
    return {
        "identity": _mean([figures.identity for figures in got if figures.identity is not None]),
        "identity_loss": _mean([loss for loss, _ in known]),
        "identity_loss_95": [interval.low, interval.high],
        "identity_loss_max": max(loss for loss, _ in known),
    }


def _difference(wanted: float | None, got: float | None) -> float | None:
    return None if wanted is None or got is None else wanted - got


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else math.nan
