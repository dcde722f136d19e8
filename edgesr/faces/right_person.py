"""Whether a tiny face is the person of a gallery: a gallery of somebody else puts that person's features into it.

``docs/right-person.md`` says how often this errs. A tiny face says little of who it is; restored without exemplars it
says more than enlarged, and still little below 40 pixels.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import numpy.typing as npt

from edgesr.errors import UsageError
from edgesr.faces.identity import Embedder
from edgesr.images.imaging import Pixels

SIZES = (24, 32, 48, 64)
"""Sides of faces in a phone's photos, in pixels. Thresholds were chosen there on ``val``, errors counted on
``test``."""

TELLS_FROM = 48
"""Pixels from which most faces of the gallery's own person pass. Of smaller ones about half and more do not, so one
that fails may well be the right one's: the gallery is not used, and that is all that can be said."""

NO_EMBEDDINGS = (
    "whether this face is the gallery's person cannot be told: the gallery holds no face embeddings, "
    "or no embedder is there"
)


@dataclasses.dataclass(frozen=True)
class ErrorRates:
    """``false_alarm``: shares of faces taken for another person's that are not; ``miss``: of another person's faces
    that are not noticed. On the ``test`` split: 20 people, galleries of five photos, of three from 48 pixels on."""

    false_alarm: float
    miss: float


@dataclasses.dataclass(frozen=True)
class Verdict:
    """``similarity``: mean cosine similarity to the gallery's entries; ``is_other`` where it is below ``threshold``.
    ``error_rates``: at the nearest smaller size that was measured; None for an embedder that was not."""

    similarity: float
    threshold: float
    is_other: bool
    error_rates: ErrorRates | None


@dataclasses.dataclass(frozen=True)
class Calibration:
    """The thresholds and error rates of one embedder at ``SIZES``."""

    thresholds: tuple[float, float, float, float]
    errors: tuple[ErrorRates, ErrorRates, ErrorRates, ErrorRates]


ARCFACE = Calibration(
    (0.251, 0.237, 0.204, 0.224),
    (ErrorRates(0.830, 0.002), ErrorRates(0.524, 0.005), ErrorRates(0.131, 0.014), ErrorRates(0.044, 0.014)),
)
DLIB = Calibration(
    (0.907, 0.911, 0.911, 0.911),
    (ErrorRates(0.799, 0.006), ErrorRates(0.661, 0.003), ErrorRates(0.269, 0.002), ErrorRates(0.100, 0.003)),
)
CALIBRATIONS = {"dlib ResNet": DLIB, "face_embedding_mobilefacenet.onnx": ARCFACE}
"""The calibrations by ``Embedder.name``."""


def other_person(embedder: Embedder, restored: Pixels, lr_size: float, embeddings: npt.ArrayLike) -> Verdict:
    """Whether a face is somebody else than the person of a gallery.

    ``restored`` uint8 [S, S, 3]: the aligned face restored with no exemplar at all (with exemplars it would look
    like them, whoever they are); ``lr_size``: how many pixels it had before (the side of its square in the photo);
    ``embeddings`` [N, E]: of the gallery's entries, made by the same embedder, any length but 0.

    Raises:
        UsageError: no embeddings, or of another embedder.
    """
    gallery = np.asarray(embeddings, np.float64)
    frame, _ = embedder.locate(restored)
    face = np.asarray(embedder.embed(restored, frame), np.float64)
    if gallery.ndim != 2 or not len(gallery) or gallery.shape[1] != face.size or not np.isfinite(gallery).all():
        raise UsageError(
            f"embeddings of shape {gallery.shape} for a face of {face.size}",
            f"build the gallery with embeddings by {embedder.name}",
        )
    alike = similarity(face, gallery)
    calibration = CALIBRATIONS.get(embedder.name)
    threshold = threshold_at(lr_size, calibration or ARCFACE)
    errors = calibration.errors[_measured_below(lr_size)] if calibration else None
    return Verdict(alike, threshold, alike < threshold, errors)


def similarity(face: npt.ArrayLike, embeddings: npt.ArrayLike) -> float:
    """Mean cosine similarity of a face's embedding [E] to those of a gallery [N, E]: in [-1, 1]."""
    vector, gallery = np.asarray(face, np.float64), np.asarray(embeddings, np.float64)
    lengths = np.linalg.norm(gallery, axis=1) * np.linalg.norm(vector)
    return float((gallery @ vector / np.maximum(lengths, 1e-12)).mean())


def threshold_at(lr_size: float, calibration: Calibration) -> float:
    """The threshold for a face of so many pixels: linear in the logarithm of its size, constant beyond ``SIZES``."""
    at = [math.log2(size) for size in SIZES]
    return float(np.interp(math.log2(max(lr_size, 1.0)), at, calibration.thresholds))


def _measured_below(lr_size: float) -> int:
    """Index of the largest of ``SIZES`` that is no larger; the smallest where none is."""
    return max((i for i, size in enumerate(SIZES) if size <= lr_size), default=0)
