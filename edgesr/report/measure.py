"""One network on every face: figures that are kept as they come, so that an interrupted report goes on.

*Verified* is what ``edgesr eval`` means by it: who passes as the person of the exemplars.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgesr.bundle import Bundle
from edgesr.errors import InputOutputError
from edgesr.evaluation.metrics import over_people, psnr, ssim
from edgesr.evaluation.verification import FALSE_ACCEPTANCE
from edgesr.faces.identity import IdentityMeter, Vector
from edgesr.files.reading import read_text
from edgesr.images.imaging import Pixels, resize_bicubic, to_pixels, to_unit
from edgesr.models.checkpoint import Checkpoint
from edgesr.runtime.base import Features, Runtime, fill_slots

from .subject import ReportFace

MEASURED_WITH = 2
"""Raised whenever what is measured changes its meaning, so that figures kept from before are not mixed in."""
Track = Callable[[Sequence[ReportFace]], Iterator[ReportFace]]
Share = tuple[float, float, float]
"""A share of the faces and its 95 % interval over people: mean, low, high."""


@dataclasses.dataclass(frozen=True)
class Figures:
    """Of one restored face against its original."""

    psnr: float
    """dB; inf where equal."""
    ssim: float
    identity: float | None
    """Cosine similarity of the face's embedding to the original's; None where it was not measured."""
    to_exemplars: float | None = None
    """Mean distance of the face's embedding to those of its exemplars; None without either."""


class FigureCache:
    """Figures by face, one file a network, a line a face: a line torn by an interruption is left out."""

    def __init__(self, folder: Path, network: str) -> None:
        self.path = folder / f"{network[:32]}.jsonl"
        self._known: dict[str, dict[str, Any]] = {}
        if self.path.exists():
            for line in read_text(self.path).splitlines():
                with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
                    row = json.loads(line)
                    if row["measured_with"] == MEASURED_WITH:
                        self._known[row["face"] + row["embedder"]] = row

    def get(self, face: ReportFace, embedder: str) -> Figures | None:
        """None where this face was not measured yet (or not by this embedder)."""
        row = self._known.get(face.key + embedder)
        if row is None:
            return None
        return Figures(
            math.inf if row["psnr"] is None else row["psnr"], row["ssim"], row["identity"], row["to_exemplars"]
        )

    def put(self, face: ReportFace, embedder: str, figures: Figures) -> None:
        """Keep it at once."""
        row = {"face": face.key, "embedder": embedder, "measured_with": MEASURED_WITH, **dataclasses.asdict(figures)}
        row["psnr"] = None if math.isinf(figures.psnr) else figures.psnr
        self._known[face.key + embedder] = row
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            torn = self.path.is_file() and not self.path.read_bytes().endswith(b"\n")
            with self.path.open("a") as stream:
                stream.write("\n" * torn + json.dumps(row) + "\n")
        except OSError as error:
            raise InputOutputError(f"cannot write {self.path}: {error.strerror}", "choose another --work") from error


class Restorer:
    """A runtime that restores a ``ReportFace``, and keeps the features of the exemplars it saw last."""

    KEPT = 16

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self._features: dict[str, Features] = {}

    def __call__(self, face: ReportFace) -> Pixels:
        """The restored face, uint8 [S, S, 3]."""
        features = [self._encode(photo) for photo in face.exemplars]
        sr, _ = self.runtime.restore(to_unit(face.lr), *fill_slots(features, self.runtime.interface))
        return to_pixels(sr)

    def _encode(self, photo: Pixels) -> Features:
        key = hashlib.sha256(photo.tobytes()).hexdigest()
        if key not in self._features:
            if len(self._features) >= self.KEPT:
                del self._features[next(iter(self._features))]
            self._features[key] = self.runtime.encode(to_unit(photo))
        return self._features[key]


def to_exemplars(vector: Vector, face: ReportFace, meter: IdentityMeter) -> float | None:
    """Mean distance of an embedding to those of the face's exemplars; None where it has none."""
    if not face.exemplars:
        return None
    return float(np.mean([np.linalg.norm(vector - meter.vector(photo, photo)) for photo in face.exemplars]))


def bicubic(face: ReportFace) -> Pixels:
    """The anchor."""
    return resize_bicubic(face.lr, *face.truth.shape[:2])


def measure_faces(
    open_restorer: Callable[[], Callable[[ReportFace], Pixels]],
    faces: Sequence[ReportFace],
    cache: FigureCache,
    meter: IdentityMeter | None,
    track: Track = iter,
) -> list[Figures]:
    """Figures of every face; the network is opened only where a face is not known yet."""
    embedder = meter.embedder.name if meter else ""
    restore: Callable[[ReportFace], Pixels] | None = None
    for face in track([face for face in faces if cache.get(face, embedder) is None]):
        restore = restore or open_restorer()
        image = restore(face)
        identity = meter.compare(image, face.truth)["identity"] if meter else None
        away = to_exemplars(meter.vector(image, face.truth), face, meter) if meter else None
        cache.put(face, embedder, Figures(psnr(image, face.truth), ssim(image, face.truth), identity, away))
    found = [cache.get(face, embedder) for face in faces]
    return [figures for figures in found if figures is not None]


def threshold(faces: Sequence[ReportFace], meter: IdentityMeter) -> float | None:
    """The distance that 1 % of other people's sharp photos of these faces stay below; None of fewer than two people."""
    sharp = [meter.vector(face.truth, face.truth) for face in faces]
    apart = [
        found
        for face in faces
        for other, vector in zip(faces, sharp, strict=True)
        if other.person != face.person and (found := to_exemplars(vector, face, meter)) is not None
    ]
    return float(np.quantile(apart, FALSE_ACCEPTANCE)) if apart else None


def share(faces: Sequence[ReportFace], figures: Sequence[Figures], below: float | None) -> Share | None:
    """Share that passes; None where nobody is verified."""
    known = [
        (float(one.to_exemplars < below), face.person)
        for one, face in zip(figures, faces, strict=True)
        if below is not None and one.to_exemplars is not None
    ]
    if not known:
        return None
    found = over_people([passed for passed, _ in known], [person for _, person in known])
    return found.mean, found.low, found.high


def float_key(checkpoint: Checkpoint, lr_size: int) -> str:
    """Id of what the float network computes at an LR size."""
    return f"float-{checkpoint.sha256[:20]}-{lr_size}"


def bundle_key(bundle: Bundle) -> str:
    """Id of what a bundle computes: its model files, by content. Golden vectors and times do not count."""
    roles = tuple(str(name) for name in bundle.manifest["files"].values())
    files = {
        name: digest
        for name, digest in bundle.manifest["sha256"].items()
        if any(name == role or name.startswith(f"{role}/") for role in roles)
    }
    return hashlib.sha256(json.dumps([files, bundle.manifest["tensors"]], sort_keys=True).encode()).hexdigest()
