"""Tables of finished rows, beside the paper's."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from edgesr.ablations.budget import Budget
from edgesr.ablations.runs import RowResult
from edgesr.ablations.tables import Entry, Table
from edgesr.evaluation.methods import Evaluation
from edgesr.evaluation.metrics import WITHIN, Interval, over_people

CHOSEN_ON, REPORTED_ON = "val", "test"
METRICS = {"psnr": ".2f", "ssim": ".4f", "identity": ".4f"}
NO_LPIPS = "the HIME paper's column LPIPS is left out: its weights are not here"


@dataclasses.dataclass(frozen=True)
class TableReport:
    """A table with the results that there are; rows that are not finished have no figures."""

    table: Table
    results: Mapping[str, RowResult]
    """The results by the row's name."""

    @property
    def heading(self) -> str:
        """What is compared, and beside what."""
        return self.table.title + (f", beside {self.table.source}" if self.table.source else "")

    def rows(self) -> list[dict[str, Any]]:
        """A row an entry, for JSON: figures on every split with 95 % intervals over people, and the paper's."""
        rows = []
        for entry in self.table.entries:
            result = self.results.get(entry.row)
            row: dict[str, Any] = {"label": entry.label, "row": entry.row, "finished": result is not None}
            if result is not None:
                row |= {
                    "about": result.row.about,
                    "exemplars": result.row.exemplars,
                    "steps": result.budget.steps,
                    "step_seconds": result.budget.step_seconds,
                    "shared_tensors": result.budget.shared_tensors,
                    "shared_parameters": result.budget.shared_parameters,
                    "splits": {split: self._figures(result, split) for split in result.splits},
                }
            rows.append(row | {"paper": {**entry.paper, "over_baseline": self.paper_gain(entry)}})
        return rows

    def compared(self, result: RowResult, split: str, metric: str = "psnr") -> Interval | None:
        """A row's figure minus the baseline's on the same targets; None for the baseline, or where it is missing."""
        baseline = self.results.get(self._baseline.row)
        if baseline is None or baseline.row.name == result.row.name:
            return None
        ours, theirs = result.splits[split], baseline.splits[split]
        if metric not in ours.scores or metric not in theirs.scores:
            return None
        pairs = zip(
            ours.scores[metric][result.method], theirs.scores[metric][baseline.method], ours.people, strict=True
        )
        differences = [(a - b, person) for a, b, person in pairs if not math.isnan(a - b)]
        return over_people([d for d, _ in differences], [person for _, person in differences])

    def paper_gain(self, entry: Entry) -> float | None:
        """The paper's PSNR of a row minus its baseline's, in dB."""
        base = self._baseline.paper.get("psnr")
        ours = entry.paper.get("psnr")
        return None if base is None or ours is None or entry is self._baseline else ours - base

    @property
    def printed(self) -> bool:
        """Whether a paper prints figures for this table."""
        return any(entry.paper for entry in self.table.entries)

    @property
    def _baseline(self) -> Entry:
        return next(entry for entry in self.table.entries if entry.label == self.table.baseline)

    def _figures(self, result: RowResult, split: str) -> dict[str, Any]:
        measured = result.splits[split]
        figures: dict[str, Any] = {"images": len(measured.people), "people": len(set(measured.people))}
        for metric in METRICS:
            if metric in measured.scores:
                figures |= _with_interval(metric, measured.interval(result.method, metric=metric))
                over = self.compared(result, split, metric)
                figures |= _with_interval(f"{metric}_over_baseline", over)
                figures[f"{metric}_over_baseline_within"] = over and over.holds_zero
                if gap := _right_minus_wrong(measured, result.method, metric):
                    figures |= _with_interval(f"{metric}_right_minus_wrong", gap)
        return figures | _with_interval("over_bicubic", measured.interval(result.method, "bicubic"))


def text(report: TableReport) -> tuple[list[str], list[list[str]]]:
    """Columns and rows for people: PSNR on ``val`` and ``test``, the rest on ``test``."""
    identity = any("identity" in result.splits[REPORTED_ON].scores for result in report.results.values())
    columns = [
        "row",
        "steps",
        f"PSNR {CHOSEN_ON}",
        f"PSNR {REPORTED_ON}",
        "SSIM",
        *(["identity"] if identity else []),
        "over bicubic",
        f"minus {report.table.baseline} [95 %]",
        "right minus wrong [95 %]",
        *(["identity right minus wrong [95 %]"] if identity else []),
        *(["paper: PSNR", "SSIM", f"minus {report.table.baseline}"] if report.printed else []),
    ]
    lines = []
    for entry in report.table.entries:
        result = report.results.get(entry.row)
        ours = _figures_as_text(report, result, identity) if result else ["not trained"]
        paper = _paper_as_text(report, entry) if report.printed else []
        empty = [""] * (len(columns) - 1 - len(ours) - len(paper))
        lines.append([entry.label, *ours, *empty, *paper])
    return columns, lines


def _figures_as_text(report: TableReport, result: RowResult, identity: bool) -> list[str]:
    val, test, method = result.splits[CHOSEN_ON], result.splits[REPORTED_ON], result.method
    metrics = ["psnr", "ssim", *(["identity"] if identity else [])]
    figures = [f"{test.interval(method, metric=m).mean:{METRICS[m]}}" if m in test.scores else "" for m in metrics]
    return [
        f"{result.budget.steps:,}",
        f"{val.interval(method).mean:.2f}",
        *figures,
        f"{test.interval(method, 'bicubic').mean:+.2f}",
        _decided(report.compared(result, REPORTED_ON)),
        _signed(_right_minus_wrong(test, method, "psnr")),
        *([_signed(_right_minus_wrong(test, method, "identity"))] if identity else []),
    ]


def _right_minus_wrong(measured: Evaluation, method: str, metric: str) -> Interval | None:
    scores = measured.scores.get(metric, {})
    return measured.interval(method, "wrong-person", metric) if "wrong-person" in scores else None


def _paper_as_text(report: TableReport, entry: Entry) -> list[str]:
    figures = [f"{entry.paper[m]:{METRICS[m]}}" if m in entry.paper else "" for m in ("psnr", "ssim")]
    gain = report.paper_gain(entry)
    return [*figures, "" if gain is None else f"{gain:+.2f}"]


def remarks(reports: Sequence[TableReport], minutes: float) -> list[str]:
    """How the rows were made equal, and what is odd about the paper's own."""
    odd = list(dict.fromkeys(report.table.note for report in reports if report.table.note))
    budgets = [result.budget for report in reports for result in report.results.values()]
    if not budgets:
        return odd
    clock = {"cpu": "CPU minutes", "wall": "minutes"}[budgets[0].clock]
    return [
        f"{minutes:g} {clock} of training a row: each row's step was timed beforehand, and its steps are the minutes"
        " over that, so rows differ in steps and a busy machine takes nothing from one of them",
        *([_started(budgets[0])] if budgets[0].start else []),
        f"{WITHIN}: the 95 % interval of the difference, face by face, holds 0, so that it does not tell which row is"
        " better",
        *odd,
        *([NO_LPIPS] if any("HIME" in report.table.source and report.printed for report in reports) else []),
        f"all figures but PSNR {CHOSEN_ON} are of {REPORTED_ON}; the paper trained longer, on another set of faces",
    ]


def _started(budget: Budget) -> str:
    if not budget.shared_tensors:
        return "every row starts from the same trained weights"
    return (
        f"every row starts from the same {budget.shared_tensors} trained tensors ({budget.shared_parameters:,}"
        " parameters), those that all rows have; the rest starts at random"
    )


def _decided(interval: Interval | None) -> str:
    within = interval is not None and interval.holds_zero
    return f"{_signed(interval)} {WITHIN}" if within else _signed(interval)


def _signed(interval: Interval | None) -> str:
    return "" if interval is None else f"{interval:+.3f}"


def _with_interval(name: str, interval: Interval | None) -> dict[str, Any]:
    return {name: interval and interval.mean, f"{name}_95": interval and [interval.low, interval.high]}
