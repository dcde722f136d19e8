"""What an evaluation says: rows with intervals over people, comparisons, worst images, a CSV, a contact sheet."""

from __future__ import annotations

import csv
import dataclasses
import math
from collections.abc import Sequence
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

METRICS = ("psnr", "ssim", "identity", "identity_distance", "lpips", "verified", "verified_as_wrong")
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

    def rows(self) -> list[dict[str, Any]]:
        """A row a method: every metric with its 95 % interval over people, targets, cost."""
        rows = []
        for method in self.measured:
            people = {p for p, v in zip(self.result.people, self.result.psnr[method], strict=True) if not math.isnan(v)}
            gain = self.result.interval(method, minus="bicubic")
            cost = self.cost(method)
            rows.append(
                {
                    "method": method,
                    **self._figures(method),
                    "over_bicubic": gain.mean,
                    "over_bicubic_95": [gain.low, gain.high],
                    "images": self.result.images(method),
                    "people": len(people),
                    "parameters": cost.parameters,
                    "gmacs_offline": cost.macs_offline / 1e9,
                    "gmacs_online": cost.macs_online / 1e9,
                }
            )
        return rows

    def comparisons(self) -> list[dict[str, Any]]:
        """Differences on the same targets, the first method's figure minus the second's, with their intervals."""
        wanted = [
            (self.most, "wrong-person"),
            (self.most, "blank"),
            (self.most, "n=0"),
            (self.most, "no-exemplar-net"),
            ("n=0", "no-exemplar-net"),
        ]
        return [
            {"method": method, "minus": minus, **self._figures(method, minus)}
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

    def target(self, index: int) -> dict[str, Any]:
        """One target's figures by its exemplars."""
        row: dict[str, Any] = {"person": self.pairs[index].person, "target": self.pairs[index].target.name}
        row["over_bicubic"] = self.result.values(self.most, minus="bicubic")[index]
        return row | {metric: self.result.scores[metric][self.most][index] for metric in self.result.scores}

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
        gain = self.target(index)["over_bicubic"]
        label = f"{pair.person}/{pair.target.name}: {gain:+.2f} dB over bicubic with {self.methods.control}"
        return SheetRow(label, [*tiles, (restored.truth, "")])

    def _figures(self, method: str, minus: str | None = None) -> dict[str, Any]:
        figures: dict[str, Any] = {}
        for metric in METRICS:
            interval = self.interval(metric, method, minus)
            figures[metric] = interval and interval.mean
            figures[f"{metric}_95"] = interval and [interval.low, interval.high]
        return figures


def cost_with(config: NetworkConfig, exemplars: int) -> Cost:
    """Cost of a network with so many exemplars, 0 included: a slot adds the same whatever their number."""
    one, two = (architecture_of(config).complexity(config.replace(slots=slots)) for slots in (1, 2))
    per_slot = two.macs_restore - one.macs_restore
    return Cost(one.parameters, exemplars * one.macs_encode, one.macs_restore + (exemplars - 1) * per_slot)
