"""Verified, as ``edgesr eval`` means it, on a report's faces: who passes as the person of the exemplars."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgesr.evaluation.metrics import over_people
from edgesr.evaluation.verification import FALSE_ACCEPTANCE
from edgesr.faces.identity import IdentityMeter

from .faces import ReportFace
from .measure import Figures, to_exemplars


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


def share(faces: Sequence[ReportFace], figures: Sequence[Figures], below: float | None) -> list[float] | None:
    """Share that passes, with its 95 % interval over people: [mean, low, high]; None where nobody is verified."""
    known = [
        (float(one.to_exemplars < below), face.person)
        for one, face in zip(figures, faces, strict=True)
        if below is not None and one.to_exemplars is not None
    ]
    if not known:
        return None
    found = over_people([passed for passed, _ in known], [person for _, person in known])
    return [found.mean, found.low, found.high]
