"""What an evaluation says: rows with intervals over people, comparisons, worst images, a CSV, a contact sheet."""

from __future__ import annotations

import csv
import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from edgesr.data.faces import EvalPair
from edgesr.evaluation.methods import Evaluation, Methods
from edgesr.evaluation.metrics import Interval, psnr
from edgesr.images.contact_sheet import SheetRow, contact_sheet
from edgesr.images.imaging import Pixels, read_image
from edgesr.models.architecture import NetworkConfig
from edgesr.models.registry import architecture_of

SHEET_SIDE = 192
SPREAD = 6
"""People on the contact sheet, besides the worst images."""


@dataclasses.dataclass(frozen=True)
class Cost:
    """What a method takes: parameters, MACs once per gallery (its exemplars encoded) and per face."""

    parameters: int = 0
    macs_offline: int = 0
    macs_online: int = 0


@dataclasses.dataclass(frozen=True)
class Metrics:
    """Every metric of a method, or the differences of two, over people; None where one was not asked for."""

    psnr: Interval | None
    ssim: Interval | None
    identity: Interval | None
    identity_distance: Interval | None
    lpips: Interval | None
    verified: Interval | None
    verified_as_wrong: Interval | None

    def to_dict(self) -> dict[str, Any]:
        """Flat, as the JSON has it: ``psnr`` and its interval ``psnr_95``."""
        found: dict[str, Any] = {}
        for field in dataclasses.fields(self):
            interval: Interval | None = getattr(self, field.name)
            found[field.name] = interval and interval.mean
            found[f"{field.name}_95"] = interval and [interval.low, interval.high]
        return found


@dataclasses.dataclass(frozen=True)
class MethodRow:
    """One method: its metrics, its gain over bicubic in dB, on how many targets of how many people, its cost."""

    method: str
    metrics: Metrics
    over_bicubic: Interval
    images: int
    people: int
    cost: Cost

    def to_dict(self) -> dict[str, Any]:
        """Flat, as the JSON has it; MACs in thousands of millions."""
        return {
            "method": self.method,
            **self.metrics.to_dict(),
            "over_bicubic": self.over_bicubic.mean,
            "over_bicubic_95": [self.over_bicubic.low, self.over_bicubic.high],
            "images": self.images,
            "people": self.people,
            "parameters": self.cost.parameters,
            "gmacs_offline": self.cost.macs_offline / 1e9,
            "gmacs_online": self.cost.macs_online / 1e9,
        }


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The first method's metrics minus the second's, on the same targets."""

    method: str
    minus: str
    metrics: Metrics

    def to_dict(self) -> dict[str, Any]:
        """Flat, as the JSON has it."""
        return {"method": self.method, "minus": self.minus, **self.metrics.to_dict()}


@dataclasses.dataclass(frozen=True)
class TargetFigures:
    """One target by its exemplars: its gain over bicubic in dB, and what each metric that was asked for says."""

    person: str
    target: str
    over_bicubic: float
    scores: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Flat, as the JSON has it."""
        fields = {"person": self.person, "target": self.target, "over_bicubic": self.over_bicubic}
        return {**fields, **self.scores}


@dataclasses.dataclass(frozen=True)
class Report:
    """An evaluation, with the networks and targets it is about."""

    result: Evaluation
    pairs: Sequence[EvalPair]
    methods: Methods
    config: NetworkConfig
    """Of the network that is evaluated."""
    no_exemplar_config: NetworkConfig | None = None
    """Of the network trained without exemplars, where there is one."""

    @property
    def measured(self) -> list[str]:
        """Methods that apply to at least one target."""
        return [name for name in self.methods.names if self.result.images(name)]

    @property
    def most(self) -> str:
        """The right person's exemplars, as many as the controls have."""
        return f"n={self.methods.control}"

    @property
    def shown_by_bin(self) -> list[str]:
        """Methods of tables by bin: the anchor, no exemplars, the right person's and the wrong person's."""
        return [m for m in dict.fromkeys(("bicubic", "n=0", self.most, "wrong-person")) if m in self.measured]

    def rows(self) -> list[MethodRow]:
        """A row a method that applies to at least one target."""
        rows = []
        for method in self.measured:
            people = {p for p, v in zip(self.result.people, self.result.psnr[method], strict=True) if not math.isnan(v)}
            rows.append(
                MethodRow(
                    method=method,
                    metrics=self._metrics(method),
                    over_bicubic=self.result.interval(method, minus="bicubic"),
                    images=self.result.images(method),
                    people=len(people),
                    cost=self.cost(method),
                )
            )
        return rows

    def comparisons(self) -> list[Comparison]:
        """The methods that are to be held against each other, as far as they were measured."""
        wanted = [
            (self.most, "bicubic"),
            (self.most, "wrong-person"),
            (self.most, "blank"),
            (self.most, "n=0"),
            (self.most, "no-exemplar-net"),
            ("n=0", "no-exemplar-net"),
        ]
        return [
            Comparison(method, minus, self._metrics(method, minus))
            for method, minus in wanted
            if method in self.measured and minus in self.measured and method != minus
        ]

    def interval(self, metric: str, method: str, minus: str | None = None) -> Interval | None:
        """None where the metric was not asked for."""
        return self.result.interval(method, minus, metric) if metric in self.result.scores else None

    def cost(self, method: str) -> Cost:
        """Cost of a method, in graphs made for just its number of exemplars."""
        if method == "bicubic":
            return Cost()
        if method == "no-exemplar-net":
            assert self.no_exemplar_config is not None
            return cost_with(self.no_exemplar_config, 0)
        exemplars = int(method.removeprefix("n=")) if method.startswith("n=") else max(self.methods.control, 1)
        return cost_with(self.config, exemplars)

    def worst(self, count: int) -> list[int]:
        """Indices of the targets that gain least over bicubic with their exemplars, the worst first."""
        gains = self.result.values(self.most, minus="bicubic")
        return sorted((i for i, gain in enumerate(gains) if not math.isnan(gain)), key=gains.__getitem__)[:count]

    def target(self, index: int) -> TargetFigures:
        """One target's figures by its exemplars."""
        pair = self.pairs[index]
        gain = self.result.values(self.most, minus="bicubic")[index]
        scores = {metric: by_method[self.most][index] for metric, by_method in self.result.scores.items()}
        return TargetFigures(pair.person, pair.target.name, gain, scores)

    def write_csv(self, path: Path) -> None:
        """A line for every target and method that applies to it."""
        with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as stream:
            writer = csv.writer(stream)
            writer.writerow(["person", "target", "method", *self.result.scores])
            for i, pair in enumerate(self.pairs):
                for method in self.measured:
                    values = [by_method[method][i] for by_method in self.result.scores.values()]
                    if not math.isnan(values[0]):
                        writer.writerow([pair.person, pair.target.name, method, *(f"{v:.6f}" for v in values)])

    def shown(self, worst: int) -> list[int]:
        """Targets for a contact sheet: the worst, then the first of each of a few people spread over the list."""
        first = {pair.person: i for i, pair in reversed(list(enumerate(self.pairs)))}
        spread = sorted(first.values())[:: math.ceil(len(first) / SPREAD)]
        return list(dict.fromkeys([*self.worst(worst), *spread]))

    def sheet(self, worst: int) -> Image.Image:
        """The contact sheet; its targets are restored once more."""
        rows = [self._sheet_row(i) for i in self.shown(worst)]
        return contact_sheet(("exemplar", "LR", *self.measured, "original"), rows, SHEET_SIDE)

    def _sheet_row(self, index: int) -> SheetRow:
        pair = self.pairs[index]
        restored = self.methods.restore(pair)
        tiles: list[tuple[Pixels | None, str]] = [
            (read_image(pair.exemplars[0]) if pair.exemplars else None, f"1 of {len(pair.exemplars)}"),
            (restored.lr, f"{restored.lr.shape[1]} px"),
        ]
        for method in self.measured:
            image = restored.images.get(method)
            tiles.append((image, "" if image is None else f"{psnr(image, restored.truth):.2f} dB"))
        gain = self.target(index).over_bicubic
        label = f"{pair.label}: {gain:+.2f} dB over bicubic with {self.methods.control}"
        return SheetRow(label, [*tiles, (restored.truth, "")])

    def _metrics(self, method: str, minus: str | None = None) -> Metrics:
        return Metrics(
            **{field.name: self.interval(field.name, method, minus) for field in dataclasses.fields(Metrics)}
        )


def cost_with(config: NetworkConfig, exemplars: int) -> Cost:
    """Cost of a network with so many exemplars, 0 included: a slot adds the same whatever their number."""
    one, two = (architecture_of(config).complexity(config.replace(slots=slots)) for slots in (1, 2))
    per_slot = two.macs_restore - one.macs_restore
    return Cost(one.parameters, exemplars * one.macs_encode, one.macs_restore + (exemplars - 1) * per_slot)
