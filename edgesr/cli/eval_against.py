"""``edgesr eval --against``: the table of differences to another network's evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgesr.cli.eval_text import METRICS, Table, percent
from edgesr.evaluation.metrics import WITHIN

if TYPE_CHECKING:
    from edgesr.evaluation.against import Difference

NAMES = METRICS | {"psnr": "PSNR dB", "verified_as_wrong": "verified as the wrong person %"}
SHARES = ("verified", "verified_as_wrong")


def table(found: Sequence[Difference]) -> Table:
    """A line a method and figure, which says where the interval does not tell who is better."""
    lines = []
    for one in found:
        of = percent(one.interval) if one.metric in SHARES else one.interval
        digits = {"psnr": "+.3f"}.get(one.metric, "+.1f" if one.metric in SHARES else "+.4f")
        within = WITHIN if one.interval.holds_zero else ""
        lines.append([one.of, NAMES.get(one.metric, one.metric), format(of, digits), within])
    return ["method", "figure", "difference [95 %]", ""], lines
