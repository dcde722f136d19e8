"""Which exemplars serve this LR face best: those that look and turn as it does, by their descriptors alone.

``docs/personalization.md`` says what was tried and what choosing is worth; ``docs/gallery-format.md`` writes the
arithmetic down for other languages.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgesr.errors import UsageError
from edgesr.faces.descriptor import GRID, HAS_LANDMARKS, LANDMARKS, LUMINANCE, SIZE

Array = npt.NDArray[np.float64]

CENTRE, SPREAD = (3.5, 4.0), (2.0, 2.5)
"""Cells count by a Gaussian around the face's middle (x, y in cells): hair and background differ from day to day."""

LEAST_DIFFERENCE, LEAST_TURN = 1e-3, 1e-5
"""Added to differences of pixels and of landmarks: below them is rounding, and a product must not vanish by it."""

SHARPNESS_POWER = 0.25


def choose(
    descriptors: npt.ArrayLike, query: npt.ArrayLike, slots: int, quality: npt.ArrayLike | None = None
) -> list[int]:
    """Indices of the best ``slots`` exemplars (fewer where the gallery has fewer), the best first.

    ``descriptors`` [N, D] of the gallery, ``query`` [D] of the LR face, both from ``describe``; ``quality`` [N], the
    exemplars' ``Quality.sharpness``, where it is known. Deterministic: of equals the first is taken.

    Raises:
        UsageError: the arrays do not fit each other, or hold numbers that are none.
    """
    distances = distance(descriptors, query, quality)
    return [int(i) for i in np.argsort(distances, kind="stable")[: max(slots, 0)]]


def distance(descriptors: npt.ArrayLike, query: npt.ArrayLike, quality: npt.ArrayLike | None = None) -> Array:
    """How far each exemplar is from the LR face, [N], lower is better: (A + a)(E + a) sqrt(P + p) / sharpness^(1/4).

    A: weighted mean of the squared differences of the luminance cells; E: the same of the differences between
    neighbouring cells, right and below added up; P: mean of the squared differences of the landmarks. A product has
    no weights between unlike things. P is 1 where the LR face's landmarks are not known; an exemplar without landmarks
    takes the mean P of the others.

    Raises:
        UsageError: as ``choose``.
    """
    gallery = np.asarray(descriptors, np.float64)
    face = np.asarray(query, np.float64)
    if gallery.size == 0:
        return np.zeros(0)
    if gallery.ndim != 2 or gallery.shape[1] != SIZE or face.shape != (SIZE,):
        raise UsageError(f"descriptors of shape {gallery.shape} for one of {face.shape}", f"they have {SIZE} numbers")
    if not (np.isfinite(gallery).all() and np.isfinite(face).all()):
        raise UsageError("a descriptor holds numbers that are none", "build the gallery again")
    off = (gallery[:, LUMINANCE] - face[LUMINANCE]).reshape(-1, GRID, GRID)
    right = off[:, :-1, 1:] - off[:, :-1, :-1]
    below = off[:, 1:, :-1] - off[:, :-1, :-1]
    appearance = (off**2 * _WEIGHTS).sum((1, 2)) / _WEIGHTS.sum()
    edges = ((right**2 + below**2) * _WEIGHTS[:-1, :-1]).sum((1, 2)) / _WEIGHTS[:-1, :-1].sum()
    result: Array = (appearance + LEAST_DIFFERENCE) * (edges + LEAST_DIFFERENCE) * np.sqrt(_turn(gallery, face))
    if quality is not None:
        sharpness = np.asarray(quality, np.float64)
        if sharpness.shape != (len(gallery),) or not np.isfinite(sharpness).all():
            raise UsageError(f"{sharpness.size} qualities for {len(gallery)} exemplars", "one finite number each")
        result /= np.maximum(sharpness, LEAST_DIFFERENCE) ** SHARPNESS_POWER
    return result


def _turn(gallery: Array, face: Array) -> Array:
    """P + p of each exemplar, [N]."""
    known = gallery[:, HAS_LANDMARKS] > 0
    if face[HAS_LANDMARKS] <= 0 or not known.any():
        return np.ones(len(gallery))
    off: Array = ((gallery[:, LANDMARKS] - face[LANDMARKS]) ** 2).mean(1)
    return np.where(known, off, off[known].mean()) + LEAST_TURN


def _weights() -> Array:
    cell = np.arange(GRID)
    x, y = ((cell - centre) / spread for centre, spread in zip(CENTRE, SPREAD, strict=True))
    return np.exp(-(x[None, :] ** 2) - y[:, None] ** 2)


_WEIGHTS = _weights()
