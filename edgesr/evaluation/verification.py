"""Verified: whether a restored face passes as a person, by its mean distance to that person's exemplars.

The threshold is that which 1 % of other people's *sharp* photos pass, taken from the split itself, so that it means
the same for every network and embedder. The danger is measured beside it: faces restored with somebody else's gallery
that pass *as that person*.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesr.data.faces import EvalPair
from edgesr.errors import UsageError
from edgesr.evaluation.methods import Methods, Restored
from edgesr.evaluation.metrics import Interval, over_people
from edgesr.faces.identity import IdentityMeter, Vector
from edgesr.images.imaging import read_image

FALSE_ACCEPTANCE = 0.01
"""Share of other people's sharp photos that pass."""

Distances = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Originals:
    """The split's sharp photos: the threshold that they give, and how many pass as themselves (the ceiling)."""

    threshold: float
    verified: Interval
    passed: tuple[float, ...]
    """Whether each pair's target passes as its person: 1.0 or 0.0."""
    strangers: int
    """Pairs of a person's exemplars and somebody else's photo that the threshold comes from."""


class Verification:
    """Judges restored faces of one evaluation; every photo is embedded once."""

    def __init__(self, meter: IdentityMeter, pairs: Sequence[EvalPair], exemplars: int) -> None:
        """``pairs``: all of the split's; each person is known by the first ``exemplars`` photos of a pair.

        Raises:
            UsageError: fewer than two people, or no exemplars.
        """
        self.meter, self.pairs, self.exemplars = meter, pairs, exemplars
        if len({pair.person for pair in pairs}) < 2 or not exemplars:
            raise UsageError("nobody can be verified", "it takes two people with exemplars; or pass --no-identity")

    def embed_photos(self, progress: Callable[[Sequence[Path]], Iterator[Path]] = iter) -> None:
        """Embed every photo of the list, which is most of the work; without it that happens at the first face."""
        named = [path for pair in self.pairs for path in (pair.target, *pair.exemplars[: self.exemplars])]
        for path in progress(list(dict.fromkeys(named))):
            self._vector(path)

    @functools.cached_property
    def originals(self) -> Originals:
        """Threshold and ceiling.

        Raises:
            InputOutputError: a photo is unreadable.
        """
        people = np.array([pair.person for pair in self.pairs])
        photos = np.stack([self._vector(pair.target) for pair in self.pairs])
        distances = np.stack([self._distances(photos, pair.exemplars) for pair in self.pairs])
        stranger = people[:, None] != people[None]
        threshold = float(np.quantile(distances[stranger], FALSE_ACCEPTANCE))
        passed = (np.diagonal(distances) < threshold).astype(float).tolist()
        return Originals(threshold, over_people(passed, people.tolist()), tuple(passed), int(stranger.sum()))

    def summary(self) -> dict[str, Any]:
        """The figures as a JSON answer has them."""
        originals = self.originals
        return {
            "threshold": originals.threshold,
            "false_acceptance": FALSE_ACCEPTANCE,
            "strangers": originals.strangers,
            "originals": originals.verified.mean,
            "originals_95": [originals.verified.low, originals.verified.high],
        }

    def measure(self, restored: Restored, pair: EvalPair, wrong: Sequence[Path]) -> dict[str, dict[str, float]]:
        """By method two shares: ``verified`` as the pair's person, ``verified_as_wrong`` as the ``wrong`` person."""
        found: dict[str, dict[str, float]] = {}
        for method, image in restored.images.items():
            vector = self.meter.vector(image, restored.truth)
            found[method] = {"verified": self.passes(vector, pair.exemplars)}
            if wrong:
                found[method]["verified_as_wrong"] = self.passes(vector, wrong)
        return found

    def passes(self, vector: Vector, exemplars: Sequence[Path]) -> float:
        """1.0 where a face passes as the person of ``exemplars``, else 0.0; nan without exemplars."""
        if not exemplars:
            return math.nan
        return float(self._distances(vector[None], exemplars)[0] < self.originals.threshold)

    def every_stranger(
        self,
        methods: Methods,
        pairs: Sequence[EvalPair],
        progress: Callable[[Sequence[EvalPair]], Iterator[EvalPair]] = iter,
    ) -> tuple[Interval, int]:
        """Faces that pass as the wrong person, each target restored with every other person's gallery; how many."""
        passed, people = [], []
        for pair in progress(pairs):
            truth, lr = methods.target(pair)
            for person, exemplars in methods.galleries.items():
                if person != pair.person:
                    image = methods.restored_with(lr, exemplars)
                    passed.append(self.passes(self.meter.vector(image, truth), exemplars))
                    people.append(pair.person)
        return over_people(passed, people), len(passed)

    def _distances(self, vectors: Distances, exemplars: Sequence[Path]) -> Distances:
        known = np.stack([self._vector(path) for path in exemplars[: self.exemplars]])
        mean: Distances = np.linalg.norm(vectors[:, None] - known[None], axis=2).mean(1)
        return mean

    @functools.cache  # noqa: B019 - lives as long as the evaluation
    def _vector(self, path: Path) -> Vector:
        photo = read_image(path)
        return self.meter.vector(photo, photo)
