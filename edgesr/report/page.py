"""A report written down: one HTML page, a Markdown summary, and figures quoted in other Markdown files.

The page needs nothing but itself: no script, no font, no address outside it.

Quoted figures stand between ``<!-- figures:NETWORK/KIND -->`` and ``<!-- /figures -->``, each on a line of its own, and
are written anew from a report.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgesr.convert.targets import TARGETS, title
from edgesr.errors import UnavailableError, UsageError
from edgesr.files.atomic import file_aside
from edgesr.files.reading import read_text

from . import charts as drawn
from .drawn_graph import graph_svg
from .measure import Share
from .report import Missing, Report
from .rows import Row
from .verdict import decibel
from .worst import Pictures

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = Path(__file__).parent
TEMPLATE, STYLE = "report.html.j2", "report.css"
ATTRIBUTION = (
    "Face Research Lab London Set, Lisa DeBruine and Benedict Jones (2017), doi:10.6084/m9.figshare.5047666, "
    "CC-BY 4.0; aligned, cropped, degraded and restored"
)
DASH = "\N{EN DASH}"
COLUMNS = (
    "target",
    "precision",
    "PSNR dB",
    "lost, mean",
    "worst",
    "identity",
    "lost",
    "verified %",
    "size",
    "ms",
    "ratio",
    "int8 convs",
    "faces",
)
BLOCK = re.compile(r"^<!-- figures:([\w.-]+)/([\w-]+) -->\n(.*?)^<!-- /figures -->$", re.MULTILINE | re.DOTALL)
MARKER = re.compile(r"^<!-- /?figures\b.*$", re.MULTILINE)


# The page


@dataclasses.dataclass(frozen=True)
class Group:
    """A target's part of the table."""

    target: str
    rows: Sequence[Row]
    missing: Sequence[Missing]


def templates() -> Environment:
    """The pages of this folder, in which whatever is not marked as HTML is text.

    Raises:
        UnavailableError: Jinja is not installed.
    """
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError as error:
        raise UnavailableError("the report's page needs Jinja", "pip install 'edgesr[report]'") from error
    return Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def report_html(report: Report, pictures: Pictures | None = None) -> str:
    """The page; without pictures it shows no faces.

    Raises:
        UnavailableError: matplotlib or Jinja is not installed.
    """
    environment = templates()
    from markupsafe import Markup

    charts = {
        "loss": drawn.loss_distribution(report.rows, report.limits),
        "sensitivity": drawn.sensitivity(report.sensitivity) if report.sensitivity else None,
        "ranges": drawn.ranges(report.layers),
        "offsets": drawn.offset_histogram(report.offsets) if report.offsets else None,
    }
    parts = report.offsets.parts if report.offsets else {}
    charts |= {name: drawn.offset_histogram(part, name) for name, part in parts.items()}
    environment.filters |= {"db": decibel, "number": number, "megabytes": megabytes, "milliseconds": milliseconds}
    environment.filters["verified"] = verified
    return environment.get_template(TEMPLATE).render(
        r=report,
        pictures=pictures,
        charts={name: (Markup(chart.wide), Markup(chart.narrow)) for name, chart in charts.items() if chart},
        style=Markup((FOLDER / STYLE).read_text()),
        names={name: target.title for name, target in TARGETS.items()},
        shipped={(line.target, line.precision) for line in report.verdict.lines},
        groups=groups(report),
        attribution=ATTRIBUTION,
        sensitivity={row.layer: row for row in report.sensitivity},
        layers=layer_names(report),
        ranges={row.layer: row for row in report.layers},
        drawn={
            (one.target, one.precision, graph): Markup(graph_svg(nodes, f"{one.target} {one.precision}, {graph}"))
            for one in report.graphs
            for graph, nodes in one.graphs.items()
        },
    )


def groups(report: Report) -> list[Group]:
    """The table's rows by target, with those that could not be measured."""
    targets = dict.fromkeys([*(row.target for row in report.rows), *(one.target for one in report.missing)])
    return [
        Group(
            target,
            [row for row in report.rows if row.target == target],
            [one for one in report.missing if one.target == target],
        )
        for target in targets
    ]


def layer_names(report: Report) -> list[str]:
    """All layers that the report knows something of, in the order in which they run; blocks last."""
    blamed = [blame.layer for face in report.worst.faces for blame in face.blame]
    known = [row.layer for row in report.sensitivity] + [row.layer for row in report.layers]
    return list(dict.fromkeys([*known, *blamed]))


# The summary


def report_markdown(report: Report, page: str) -> str:
    """A summary that stands on its own; ``page`` is the name of the HTML file beside it."""
    split, anchors = report.split, report.anchors
    part = f" of {split.of}" if split.faces < split.of else ""
    lines = [
        f"# {report.name}: quantization accuracy",
        "",
        f"**{report.verdict.headline}**",
        "",
        *([report.few, ""] if report.few else []),
        *_verdict_lines(report),
        "",
        f"Through the converted artifacts on {split.faces}{part} faces of {report.people} people "
        f"(`{split.name}`), each with the exemplars that its list has, at most {report.slots}, "
        "against the float network in PyTorch on the same faces "
        f"({number(anchors['float'].psnr)} dB; bicubic {number(anchors['bicubic'].psnr)} dB). "
        f"Charts, layers and the worst faces: [{page}]({page}).",
        "",
        whole_table(report),
        "",
        *(f"- not measured: {title(one.target)} {one.precision}: {one.why}" for one in report.missing),
        *(f"- without {one.part}: {one.why}" + (f" (`{one.command}`)" if one.command else "") for one in report.absent),
        "",
        f"Machine: {report.machine.processor}, {report.machine.cores} cores. {report.date}.",
        *(["", "```text", report.command, "```"] if report.command else []),
    ]
    return "\n".join(lines) + "\n"


def table(report: Report) -> tuple[list[str], list[list[str]]]:
    """Columns and cells of the measured rows; a column that nothing stands in is left out."""
    rows = [
        [
            title(row.target),
            row.precision,
            number(row.loss.psnr),
            decibel(row.loss.psnr_loss_mean),
            decibel(row.loss.psnr_loss_max),
            number(row.loss.identity, 3),
            number(row.loss.identity_loss, 4),
            verified(row.verified),
            megabytes(row.size_bytes),
            milliseconds(row.latency.ms_median if row.latency else None),
            number(row.latency.ratio if row.latency else None),
            str(row.convolutions.int8),
            str(row.loss.faces),
        ]
        for row in report.rows
    ]
    kept = [i for i in range(len(COLUMNS)) if any(row[i] for row in rows)]
    return [COLUMNS[i] for i in kept], [[row[i] for i in kept] for row in rows]


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table, its first two columns left, the others right."""
    rule = ["---" if i < 2 else "---:" for i in range(len(columns))]
    return "\n".join(f"| {' | '.join(line)} |" for line in (columns, rule, *rows))


# Quoted figures


def whole_verdict(report: Report) -> str:
    """The headline and a line a target."""
    return "\n".join([report.verdict.headline, "", *_verdict_lines(report)])


def whole_table(report: Report) -> str:
    """Every measured row."""
    return markdown_table(*table(report))


def short_table(report: Report) -> str:
    """What a README quotes: losses, size and speed of every measured row."""
    named = {"lost, mean": "lost, mean dB", "worst": "worst face"}
    columns, rows = table(report)
    kept = [columns.index(name) for name in ("target", "precision", "lost, mean", "worst", "size", "ms", "ratio")]
    return markdown_table([named.get(columns[i], columns[i]) for i in kept], [[row[i] for i in kept] for row in rows])


KINDS: dict[str, Callable[[Report], str]] = {
    "verdict": whole_verdict,
    "table": whole_table,
    "short-table": short_table,
}


def with_figures(text: str, report: Report, source: str = "the text") -> str:
    """``text`` with the blocks of the report's network written anew; those of other networks stay.

    Raises:
        UsageError: a block of an unknown kind, or a marker without its twin.
    """

    def rewritten(block: re.Match[str]) -> str:
        network, kind, _ = block.groups()
        if kind not in KINDS:
            raise UsageError(f"{source} has a block of unknown figures {kind!r}", f"kinds: {', '.join(KINDS)}")
        if network != report.name:
            return block.group()
        return f"<!-- figures:{network}/{kind} -->\n{KINDS[kind](report)}\n<!-- /figures -->"

    if len(MARKER.findall(text)) != 2 * len(BLOCK.findall(text)):
        raise UsageError(
            f"{source} has a figures marker without its twin",
            "<!-- figures:NETWORK/KIND --> and <!-- /figures --> stand on lines of their own",
        )
    return BLOCK.sub(rewritten, text)


def rewrite(files: Sequence[Path], report: Report) -> list[Path]:
    """Write the blocks of all files anew; returns those that changed. Nothing is written where one is faulty."""
    before = {file: read_text(file) for file in files}
    after = {file: with_figures(text, report, str(file)) for file, text in before.items()}
    changed = [file for file in files if before[file] != after[file]]
    for file in changed:
        with file_aside(file) as aside:
            aside.write_text(after[file], encoding="utf-8")
    return changed


def _verdict_lines(report: Report) -> list[str]:
    return [f"- {title(line.target)}: {line.precision or 'none'}. {line.text}." for line in report.verdict.lines]


# Cells


def number(value: float | None, digits: int = 2) -> str:
    """A figure, or a dash where there is none."""
    if value is None or math.isnan(value):
        return DASH
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "\N{MINUS SIGN}")


def verified(share: Share | None) -> str:
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
