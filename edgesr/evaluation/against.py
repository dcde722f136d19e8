"""Two networks on the same faces: differences face by face, of an evaluation and the CSV that another one wrote."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgesr.data.layout import EvalPair
from edgesr.errors import InputOutputError, UsageError
from edgesr.evaluation.metrics import Interval, over_people
from edgesr.evaluation.report import Report
from edgesr.files.reading import read_table

ANCHOR, WRONG = "bicubic", "wrong-person"
SAME = 1e-4
"""Bicubic's figures may differ by so much: a CSV has six digits."""

Figures = dict[tuple[str, str], dict[str, dict[str, float]]]
"""By person and target, then by method, then by metric."""


@dataclasses.dataclass(frozen=True)
class Difference:
    """A figure of this network minus the other's, over people; ``of`` is a method, or one minus another."""

    of: str
    metric: str
    interval: Interval

    def to_dict(self) -> dict[str, Any]:
        """Flat, as the JSON has it; ``within``: the interval holds 0."""
        found = self.interval
        return {
            "of": self.of,
            "metric": self.metric,
            "difference": found.mean,
            "difference_95": [found.low, found.high],
            "within": found.holds_zero,
        }


@dataclasses.dataclass(frozen=True)
class Other:
    """Another network's evaluation, as ``edgesr eval --csv`` wrote it."""

    path: Path
    figures: Figures

    @classmethod
    def read(cls, path: Path, pairs: Sequence[EvalPair]) -> Other:
        """What is to be held against an evaluation of ``pairs``.

        Raises:
            InputOutputError: it is no such file.
            UsageError: it is of other faces.
        """
        hint = "edgesr eval --csv FILE writes one, of another network on the same split"
        found: Figures = {}
        for row in read_table(path, hint, ("person", "target", "method", "psnr")):
            name, method = (row.pop("person"), row.pop("target")), row.pop("method")
            if method in found.get(name, {}):
                raise InputOutputError(f"{path} has {method} on {'/'.join(name)} twice", hint)
            try:
                found.setdefault(name, {})[method] = {metric: float(value) for metric, value in row.items()}
            except ValueError as error:
                raise InputOutputError(f"{path} has no figures of {method} on {'/'.join(name)}", hint) from error
        names = {_name(pair) for pair in pairs}
        if names != set(found):
            common = len(names & set(found))
            raise UsageError(
                f"{path} is of other faces: {common} of {len(names)} here are among its {len(found)}",
                "give what --csv wrote of the same --data, --split and --limit",
            )
        return cls(path, found)

    def differences(self, report: Report) -> list[Difference]:
        """What ``report`` has more: without exemplars, with the person's, with a wrong person's, and right minus wrong,
        in every metric that both have.

        Raises:
            UsageError: the other was judged otherwise: bicubic, which is no network, has other figures there.
        """
        metrics = [m for m in report.result.scores if all(m in by.get(ANCHOR, {}) for by in self.figures.values())]
        unlike = [m for m in metrics if not all(abs(a - b) <= SAME for a, b in self._pairs(report, ANCHOR, m))]
        if unlike or not metrics:
            what = f"{unlike[0]} of {ANCHOR} is not the same there" if unlike else f"it has no {ANCHOR}"
            raise UsageError(
                f"{self.path} was judged otherwise: {what}", "both need one degradation, LR size and embedder"
            )
        people = report.result.people
        found = []
        for method in dict.fromkeys(("n=0", report.most, WRONG)):
            for metric in metrics:
                each = [_minus(a, b) for a, b in self._pairs(report, method, metric)]
                found += _difference(method, metric, each, people)
        for metric in metrics:
            right, wrong = self._pairs(report, report.most, metric), self._pairs(report, WRONG, metric)
            each = [_minus(a, c) - _minus(b, d) for (a, b), (c, d) in zip(right, wrong, strict=True)]
            found += _difference(f"{report.most} minus {WRONG}", metric, each, people)
        return found

    def _pairs(self, report: Report, method: str, metric: str) -> list[tuple[float, float]]:
        """Ours and theirs on every face; nan where a method was not measured."""
        ours = report.result.scores[metric].get(method, [math.nan] * len(report.pairs))
        theirs = [self.figures[_name(pair)].get(method, {}).get(metric, math.nan) for pair in report.pairs]
        return list(zip(ours, theirs, strict=True))


def _name(pair: EvalPair) -> tuple[str, str]:
    return pair.person, pair.target.name


def _minus(a: float, b: float) -> float:
    return 0.0 if a == b else a - b  # also where both are infinite


def _difference(of: str, metric: str, each: list[float], people: Sequence[str]) -> list[Difference]:
    measured = [(value, person) for value, person in zip(each, people, strict=True) if not math.isnan(value)]
    if not measured:
        return []
    return [Difference(of, metric, over_people([v for v, _ in measured], [person for _, person in measured]))]
