"""Exemplars are believed as far as the face they make is still the face in the photo."""

from __future__ import annotations

import numpy as np

from edgesr.enhance.detail import resize_planes
from edgesr.images.imaging import Pixels

BELIEVED, NOT_BELIEVED = 1.022, 1.04
"""Up to the first ratio of disagreements exemplars count in full, from the second on not at all."""

LEAST_ERROR = 0.5
"""Levels of 255 added to both disagreements: rounding to 8 bits is no disagreement."""


def disagreement(sr: Pixels, none: Pixels, lr: Pixels) -> float:
    """How much worse the face restored with exemplars, ``sr``, explains ``lr`` than the one without, ``none``.

    The ratio (e(sr) + c) / (e(none) + c), e the root mean square of the differences between ``lr`` and the face scaled
    down to it (bicubic, antialiased), in levels of 255. 1: the exemplars take nothing from the likeness.
    """
    return (_error(sr, lr) + LEAST_ERROR) / (_error(none, lr) + LEAST_ERROR)


def believe(sr: Pixels, none: Pixels, lr: Pixels) -> tuple[Pixels, float]:
    """``sr`` as far as it is believed, blended with ``none`` for the rest, and the exemplars' share in [0, 1]."""
    share = float(np.clip((NOT_BELIEVED - disagreement(sr, none, lr)) / (NOT_BELIEVED - BELIEVED), 0, 1))
    if share == 1:
        return sr, share
    blended = none + share * (sr.astype(np.float32) - none)
    return np.rint(blended).astype(np.uint8), share


def _error(face: Pixels, lr: Pixels) -> float:
    down = resize_planes(face.astype(np.float32), lr.shape[0])
    return float(np.sqrt(np.mean((down - lr) ** 2)))
