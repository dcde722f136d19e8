"""The report as one HTML file that needs nothing but itself: no script, no font, no address outside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgesr.convert.targets import TARGETS
from edgesr.errors import UnavailableError

from . import charts as report_charts
from .rows import Limits
from .verdict import decibel

FOLDER = Path(__file__).parent
DASH = "\N{EN DASH}"
TEMPLATE, STYLE = "report.html.j2", "report.css"
ATTRIBUTION = (
    "Face Research Lab London Set, Lisa DeBruine and Benedict Jones (2017), doi:10.6084/m9.figshare.5047666, "
    "CC-BY 4.0; aligned, cropped, degraded and restored"
)


def report_html(report: dict[str, Any], pictures: dict[str, Any]) -> str:
    """The page of a report (``report.measure_report``).

    Raises:
        UnavailableError: matplotlib or Jinja is not installed.
    """
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
        from markupsafe import Markup
    except ImportError as error:
        raise UnavailableError("the report's page needs Jinja", "pip install 'edgesr[report]'") from error
    limits = Limits(**report["limits"])
    charts = {"loss": report_charts.loss_distribution(report["rows"], limits)}
    if report["sensitivity"]:
        charts["sensitivity"] = report_charts.sensitivity(report["sensitivity"])
    charts["ranges"] = report_charts.ranges(report["layers"])
    if report["offsets"]:
        charts["offsets"] = report_charts.offset_histogram(report["offsets"])
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"db": decibel, "number": number, "megabytes": megabytes, "milliseconds": milliseconds}
    environment.filters["verified"] = verified
    return environment.get_template(TEMPLATE).render(
        r=report,
        pictures=pictures,
        charts={name: {size: Markup(text) for size, text in chart.items()} for name, chart in charts.items()},
        style=Markup((FOLDER / STYLE).read_text()),
        names={name: target.title for name, target in TARGETS.items()},
        limits=limits,
        shipped={(line["target"], line["precision"]) for line in report["verdict"]["lines"]},
        groups=groups(report),
        attribution=ATTRIBUTION,
        sensitivity={row["layer"]: row for row in report["sensitivity"]},
        layers=layer_names(report),
        ranges={row["layer"]: row for row in report["layers"]},
        blamed=[face["blame"] for face in report["worst"]["faces"]],
    )


def groups(report: dict[str, Any]) -> list[dict[str, Any]]:
    """The table's rows by target, with those that could not be measured behind the others."""
    everything = [*report["rows"], *report["missing"]]
    targets = list(dict.fromkeys(row["target"] for row in everything))
    return [
        {
            "target": target,
            "rows": [row for row in report["rows"] if row["target"] == target],
            "missing": [row for row in report["missing"] if row["target"] == target],
        }
        for target in targets
    ]


def layer_names(report: dict[str, Any]) -> list[str]:
    """All layers that the report knows something of, in the order in which they run; blocks last."""
    sensitive = [row["layer"] for row in report["sensitivity"]]
    blamed = [layer["layer"] for face in report["worst"]["faces"] for layer in face["blame"]]
    return list(dict.fromkeys([*sensitive, *(row["layer"] for row in report["layers"]), *blamed]))


def number(value: float | None, digits: int = 2) -> str:
    """A figure, or a dash where there is none."""
    if value is None or math.isnan(value):
        return DASH
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "\N{MINUS SIGN}")


def verified(share: Sequence[float] | None) -> str:
    """A share that passes as its person, in per cent with its interval."""
    return "" if share is None else "{:.1f} [{:.1f}, {:.1f}]".format(*(100 * part for part in share))


def megabytes(count: int) -> str:
    """1.04 MB."""
    return f"{count / 1e6:.2f}\N{NO-BREAK SPACE}MB"


def milliseconds(value: float | None) -> str:
    """Three digits, whatever their size."""
    if value is None:
        return DASH
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
