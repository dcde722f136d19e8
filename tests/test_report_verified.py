"""A report's *verified* is that of ``edgesr eval``: threshold from others' sharp photos, share that passes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_verification import MeanColour, shade

from edgesr.faces.identity import IdentityMeter
from edgesr.report.measure import FigureCache, Figures, measure_faces, share, threshold
from edgesr.report.page import verified
from edgesr.report.subject import ReportFace

FACES = [
    ReportFace(person, f"{i}", "test", shade(level + i), (shade(level + 2), shade(level + 4)), 4)
    for person, level in (("ann", 40), ("bob", 120), ("eve", 200))
    for i in range(2)
]


def test_the_threshold_is_what_one_in_a_hundred_strangers_passes() -> None:
    levels = {face.label: int(face.truth[0, 0, 0]) for face in FACES}
    apart = [
        np.sqrt(3) * np.mean([abs(levels[other.label] - int(photo[0, 0, 0])) for photo in face.exemplars])
        for face in FACES
        for other in FACES
        if other.person != face.person
    ]
    assert threshold(FACES, IdentityMeter(MeanColour())) == pytest.approx(np.quantile(apart, 0.01))
    assert threshold(FACES[:2], IdentityMeter(MeanColour())) is None, "of one person nobody can be told"


def test_faces_that_pass_are_counted_by_person(tmp_path: Path) -> None:
    meter = IdentityMeter(MeanColour())
    below = threshold(FACES, meter)
    figures = measure_faces(lambda: lambda face: face.truth, FACES, FigureCache(tmp_path, "own"), meter)
    assert share(FACES, figures, below) == (1.0, 1.0, 1.0)
    everybody_bob = measure_faces(lambda: lambda _: shade(122), FACES, FigureCache(tmp_path, "bob"), meter)
    found = share(FACES, everybody_bob, below)
    assert found is not None
    assert found[0] == pytest.approx(1 / 3)
    kept = measure_faces(lambda: pytest.fail("kept"), FACES, FigureCache(tmp_path, "bob"), meter)
    assert kept == everybody_bob
    assert share(FACES, [Figures(30.0, 0.9, None)] * len(FACES), below) is None
    assert (verified(found), verified(None)) == (f"33.3 [{100 * found[1]:.1f}, {100 * found[2]:.1f}]", "")
