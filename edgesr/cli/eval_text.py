"""How ``edgesr eval`` reads on a terminal and in Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgesr.evaluation.metrics import Interval

if TYPE_CHECKING:
    from edgesr.evaluation.bins import BinRow
    from edgesr.evaluation.report import Report
    from edgesr.faces.identity import IdentityMeter

METRICS = {
    "psnr": "PSNR dB [95 %]",
    "ssim": "SSIM",
    "lpips": "LPIPS",
    "identity": "identity",
    "identity_distance": "distance",
    "verified": "verified %",
}

Table = tuple[list[str], list[list[str]]]
"""Columns and rows."""
FEW = 10
"""The number of people below which a bootstrap interval is too narrow."""


def table(report: Report, originals: Interval | None = None) -> Table:
    """Columns and rows; a metric that was not asked for has no column.

    Below the methods stand the difference of the right person's exemplars to the wrong one's, and the share of the
    ``originals`` that pass, which is the ceiling of ``verified``.
    """
    metrics = [metric for metric in METRICS if metric in report.result.scores]
    named = [METRICS[metric] for metric in metrics]
    columns = ["method", named[0], "over bicubic", *named[1:], "GMACs offline", "online", "images"]
    rows = []
    for row in report.rows():
        intervals = [report.result.interval(row.method, metric=metric) for metric in metrics]
        figures = [_figure(metric, interval) for metric, interval in zip(metrics, intervals, strict=True)]
        cost = [f"{macs / 1e9:.3f}" for macs in (row.cost.macs_offline, row.cost.macs_online)]
        gain = f"{row.over_bicubic.mean:+.2f}"
        rows.append([row.method, figures[0], gain, *figures[1:], *cost, str(row.images)])
    if "wrong-person" in report.measured and report.most in report.measured and report.methods.control:
        gaps = [_figure(m, report.result.interval(report.most, "wrong-person", m), "+") for m in metrics]
        rows.append([f"{report.most} minus wrong-person", gaps[0], "", *gaps[1:], "", "", ""])
    if originals is not None:
        ceiling = [_figure(metric, originals) if metric == "verified" else "" for metric in metrics]
        rows.append(["original", ceiling[0], "", *ceiling[1:], "", "", ""])
    return columns, rows


def bin_tables(rows: Sequence[BinRow]) -> list[Table]:
    """Tables by size, yaw or light: a line a method and bin, and where people are verified one a bin.

    Two, and a line a method instead of a column, so that they fit 100 columns.
    """
    judged = bool(rows[0].verified)
    lines = []
    for method in rows[0].psnr:
        for row in rows:
            line = [method, row.name, str(row.images), str(row.people), _figure("psnr", row.psnr[method])]
            lines.append([*line, *([_figure("verified", row.verified.get(method))] if judged else [])])
    columns = ["method", "bin", "images", "people", METRICS["psnr"], *([METRICS["verified"]] if judged else [])]
    if not judged:
        return [(columns, lines)]
    by_bin = [
        [
            row.name,
            _figure("verified", row.originals),
            _figure("verified", row.verified_as_wrong),
            _figure("identity_distance", row.distance_right_minus_wrong, "+"),
        ]
        for row in rows
    ]
    return [(columns, lines), (["bin", "original %", "as wrong person %", "distance, right minus wrong"], by_bin)]


def _figure(metric: str, interval: Interval | None, sign: str = "") -> str:
    if interval is None or math.isnan(interval.mean):
        return "-"
    if metric == "verified":
        return f"{percent(interval):{sign}.1f}"
    return f"{interval:{sign}.2f}" if metric == "psnr" else f"{interval:{sign}.4f}"


def percent(share: Interval) -> Interval:
    """A share as per cent."""
    return Interval(*(100 * value for value in (share.mean, share.low, share.high)))


def remarks(
    report: Report, meter: IdentityMeter | None, worst: int, verification: dict[str, Any] | None = None
) -> list[str]:
    """What the table does not say: differences, parameters, what identity is, who is verified, the worst images."""
    lines = []
    people = len(set(report.result.people))
    if people < FEW:
        lines.append(f"only {people} {'person' if people == 1 else 'people'}: such intervals are too narrow to rely on")
    for row in report.comparisons():
        method, minus = row.method, row.minus
        if minus == "wrong-person":  # a row of the table
            continue
        lines.append(f"{method} minus {minus}: {report.result.interval(method, minus):+.2f} dB")
        if "identity" in report.result.scores:
            lines[-1] += f", identity {report.result.interval(method, minus, 'identity'):+.4f}"
            lines[-1] += f", distance {report.result.interval(method, minus, 'identity_distance'):+.4f}"
        if (verified := report.interval("verified", method, minus)) is not None and not math.isnan(verified.mean):
            lines[-1] += f", verified {percent(verified):+.1f} points"
    own = {row.method: row.cost.parameters for row in report.rows() if row.method in ("n=0", "no-exemplar-net")}
    lines.append("parameters: " + ", ".join(f"{count:,} ({method})" for method, count in own.items()))
    if meter:
        lines.append(f"identity: cosine similarity to the original by {meter.embedder.name}, higher is better")
        if meter.undetected:
            lines.append(
                f"no face found in {meter.undetected} of {len(report.pairs)} originals: their usual place in an aligned"
                " crop was taken, for every method alike"
            )
    if verification:
        lines += _verified(report, verification)
    for i in report.worst(worst):
        target = report.target(i)
        name, reached = f"{target.person}/{target.target}", target.scores["psnr"]
        lines.append(f"worst: {name}  {reached:.2f} dB, {target.over_bicubic:+.2f} over bicubic")
    return lines


def _verified(report: Report, verification: dict[str, Any]) -> list[str]:
    originals = Interval(verification["originals"], *verification["originals_95"])
    lines = [
        "verified: nearer on average to the person's exemplars than all but 1 % of other people's sharp photos "
        f"(threshold {verification['threshold']:.3f}); of the originals {percent(originals):.1f} %"
    ]
    wrong = report.interval("verified_as_wrong", "wrong-person")
    if wrong is not None and not math.isnan(wrong.mean):
        without = report.interval("verified_as_wrong", "n=0") if "n=0" in report.measured else None
        beside = f"; without exemplars {percent(without):.1f} %" if without is not None else ""
        lines.append(f"with a wrong person's exemplars, verified as that person: {percent(wrong):.1f} %{beside}")
    if "every_stranger" in verification:
        every = Interval(verification["every_stranger"], *verification["every_stranger_95"])
        pairs = verification["every_stranger_pairs"]
        lines.append(f"the same with every other person's, {pairs} restored faces: {percent(every):.2f} %")
    return lines


def markdown(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], remarks: Sequence[str]) -> str:
    """The same as a Markdown section."""
    rule = ["---", *["---:"] * (len(columns) - 1)]
    lines = [f"| {' | '.join(line)} |" for line in (columns, rule, *rows)]
    return "\n".join((f"**{title}**", "", *lines, "", *(f"- {remark}" for remark in remarks)))
