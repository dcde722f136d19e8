"""Two reports side by side: what a retraining, another recipe or newer tools changed, and what was measured otherwise.

A figure counts as changed where its interval or its spread leaves the other's: a mean loss over people, a verified
share, a latency's p10 to p90. Others are shown without a verdict, for a report of a few faces has no more to say.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from pathlib import Path

from edgesr.convert.targets import title
from edgesr.errors import UsageError
from edgesr.residency import Residency

from .measure import Share
from .page import DASH, FOLDER, STYLE, markdown_table, megabytes, milliseconds, number, templates
from .report import Report
from .rows import Row, Span
from .verdict import decibel

TEMPLATE = "compare.html.j2"


@dataclasses.dataclass(frozen=True)
class Figure:
    """A figure of one artifact in both reports."""

    name: str
    old: str
    new: str
    change: str
    """The difference, or empty where one of the two has none."""
    better: bool | None
    """Whether the new one is, beyond the spread of both; None where that cannot be said."""


@dataclasses.dataclass(frozen=True)
class Pair:
    """An artifact of both reports, or of one of them."""

    target: str
    precision: str
    figures: tuple[Figure, ...]
    """Empty where one report has no such artifact."""
    only_in: str = ""
    """``old`` or ``new``, where the other has none."""


@dataclasses.dataclass(frozen=True)
class Difference:
    """A circumstance that the reports do not share."""

    name: str
    old: str
    new: str


@dataclasses.dataclass(frozen=True)
class Shipped:
    """Which precision each report would ship on a target."""

    target: str
    old: str | None
    new: str | None


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Everything that the page shows."""

    old: Report
    new: Report
    shipped: tuple[Shipped, ...]
    pairs: tuple[Pair, ...]
    differences: tuple[Difference, ...]
    incomparable: tuple[str, ...]
    """What the differences make incomparable, in words."""

    @property
    def worse(self) -> list[tuple[Pair, Figure]]:
        """What got worse beyond the spread of both."""
        return [(pair, figure) for pair in self.pairs for figure in pair.figures if figure.better is False]

    @property
    def headline(self) -> str:
        """What changed, in a sentence."""
        better = sum(figure.better is True for pair in self.pairs for figure in pair.figures)
        if not self.worse and not better:
            return "Nothing changed beyond the spread of both reports"
        return f"{better} figures are better beyond the spread of both reports, {len(self.worse)} are worse"


def check_alike(old: Report, name: str, scale: int, lr_size: int) -> None:
    """Raises UsageError: the report is of a network that does something else than this one."""
    if (old.scale, old.lr_size) != (scale, lr_size):
        raise UsageError(
            f"{old.name} restores {old.lr_size} pixels x{old.scale}, {name} {lr_size} x{scale}",
            "compare reports of networks that do the same",
        )


def compare(old: Report, new: Report) -> Comparison:
    """Two reports of one kind of network.

    Raises:
        UsageError: they share no artifact, or are of networks that do other things.
    """
    check_alike(old, new.name, new.scale, new.lr_size)
    before, after = ({row.name: row for row in report.rows} for report in (old, new))
    if not before.keys() & after.keys():
        raise UsageError("the reports share no artifact", "give reports with a target and a precision in common")
    differences = tuple(_differences(old, new))
    named = {one.name for one in differences}
    faces_differ, timing_differs = bool(named & {"split", "faces", "degradation"}), bool(named & {"processor", "load"})
    first = old.rows[0].name == new.rows[0].name
    pairs = []
    for name in dict.fromkeys([*after, *before]):
        if name in before and name in after:
            found = _figures(before[name], after[name], not faces_differ, not timing_differs and first)
            pairs.append(Pair(*name, found))
        else:
            pairs.append(Pair(*name, (), "new" if name in after else "old"))
    shipped = _shipped(old, new)
    incomparable = []
    if faces_differ:
        incomparable.append("Faces differ, so qualities are shown and not judged")
    if timing_differs or not first:
        incomparable.append(
            "Machine, its load or the first row differ, so milliseconds and ratios are shown and not judged"
        )
    return Comparison(old, new, shipped, tuple(pairs), differences, tuple(incomparable))


def _shipped(old: Report, new: Report) -> tuple[Shipped, ...]:
    before, after = ({line.target: line.precision for line in report.verdict.lines} for report in (old, new))
    return tuple(Shipped(name, before.get(name), after.get(name)) for name in dict.fromkeys([*after, *before]))


def _figures(old: Row, new: Row, same_faces: bool, same_timing: bool) -> tuple[Figure, ...]:
    """The figures of an artifact; those that cannot be judged have no ``better``."""
    a, b = old.loss, new.loss
    identity_apart = _apart(a.identity_loss_95, b.identity_loss_95)
    found = [
        _figure("PSNR dB", a.psnr, b.psnr, number),
        _figure("lost, mean dB", a.psnr_loss_mean, b.psnr_loss_mean, decibel, _apart(a.psnr_loss_95, b.psnr_loss_95)),
        _figure("lost, worst face dB", a.psnr_loss_max, b.psnr_loss_max, decibel),
        _figure("identity", a.identity, b.identity, _four),
        _figure("identity lost", a.identity_loss, b.identity_loss, _four, identity_apart),
        _figure("verified %", _per_cent(old.verified), _per_cent(new.verified), _one),
    ]
    if old.verified and new.verified:
        # More is better here, less everywhere else.
        apart = _apart(new.verified[1:], old.verified[1:])
        found[-1] = dataclasses.replace(found[-1], better=apart)
    if not same_faces:
        found = [dataclasses.replace(one, better=None) for one in found]
    # A tool's update moves a few bytes: what readers see no difference of is none.
    shown = megabytes(old.size_bytes) != megabytes(new.size_bytes)
    less = _less(old.size_bytes, new.size_bytes) if shown else None
    found.append(_figure("size", old.size_bytes, new.size_bytes, megabytes, less))
    if old.latency and new.latency:
        was, now = old.latency, new.latency
        ratios = _apart((was.ratio_p10, was.ratio_p90), (now.ratio_p10, now.ratio_p90))
        times = _apart((was.ms_p10, was.ms_p90), (now.ms_p10, now.ms_p90))
        judged = same_timing or None
        found.append(_figure("ms a face", was.ms_median, now.ms_median, milliseconds, judged and times))
        found.append(_figure("ratio to the first row", was.ratio, now.ratio, number, judged and ratios))
    for graph in dict.fromkeys([*new.residency, *old.residency]):
        found += _residency(graph, old.residency.get(graph, ()), new.residency.get(graph, ()))
    return tuple(one for one in found if (one.old, one.new) != (DASH, DASH))


def _residency(graph: str, old: Sequence[Residency], new: Sequence[Residency]) -> list[Figure]:
    """Operators that a backend takes of a graph, which are counted and have no spread."""
    before, after = ({one.backend: one for one in ones} for ones in (old, new))
    found = []
    for backend in dict.fromkeys([*after, *before]):
        was, now = before.get(backend), after.get(backend)
        texts = [f"{one.nodes} of {one.of}" if one else DASH for one in (was, now)]
        more = _less(now.share, was.share) if was and now else None
        change = f"{100 * (now.share - was.share):+.1f} %" if was and now and now.share != was.share else ""
        found.append(Figure(f"{graph} on {backend}", texts[0], texts[1], change.replace("-", "\N{MINUS SIGN}"), more))
    return found


def _figure(
    name: str, old: float | None, new: float | None, shown: Callable[..., str], better: bool | None = None
) -> Figure:
    texts = [DASH if value is None or math.isnan(value) else shown(value) for value in (old, new)]
    change = ""
    if DASH not in texts and old is not None and new is not None and texts[0] != texts[1]:
        relative = name in ("size", "ms a face")
        value = 100 * (new / old - 1) if relative and old else new - old
        change = f"{value:+.1f} %" if relative else f"{value:+.4f}".rstrip("0").rstrip(".")
    return Figure(name, texts[0], texts[1], change.replace("-", "\N{MINUS SIGN}"), better)


def _apart(old: Sequence[float] | Span | None, new: Sequence[float] | Span | None) -> bool | None:
    """Whether the new span lies below the old one; False where above, None where they meet or one is unknown."""
    if old is None or new is None or any(map(math.isnan, (*old, *new))):
        return None
    return True if new[1] < old[0] else False if new[0] > old[1] else None


def _less(old: float, new: float) -> bool | None:
    return None if old == new else new < old


def _per_cent(share: Share | None) -> float | None:
    return None if share is None else 100 * share[0]


def _four(value: float) -> str:
    return number(value, 4)


def _one(value: float) -> str:
    return number(value, 1)


def _differences(old: Report, new: Report) -> Sequence[Difference]:
    """Circumstances that are not the same, the weightiest first."""

    def facts(report: Report) -> dict[str, str]:
        load = report.machine.load
        # A loaded machine and a free one differ; the tenths of a load do not.
        busy = "unknown" if load is None else "busy" if load > (report.machine.cores or 1) else "free"
        return {
            "network": report.name,
            "weights": report.checkpoint_sha256[:16],
            "feature space": report.feature_space,
            "degradation": report.degradation,
            "split": report.split.name,
            "faces": f"{report.split.faces} of {report.people} people",
            "identity by": report.identity_embedder or DASH,
            "limits": ", ".join(f"{field} {value:g}" for field, value in dataclasses.asdict(report.limits).items()),
            "date": report.date,
            "processor": f"{report.machine.processor}, {report.machine.cores} cores",
            "load": busy,
            **{f"version of {tool}": version for tool, version in report.versions.items()},
        }

    before, after = facts(old), facts(new)
    names = dict.fromkeys([*before, *after])
    return [
        Difference(name, before.get(name, DASH), after.get(name, DASH))
        for name in names
        if before.get(name) != after.get(name)
    ]


# Written down


def comparison_html(found: Comparison) -> str:
    """The page, which needs nothing but itself.

    Raises:
        UnavailableError: Jinja is not installed.
    """
    environment = templates()
    from markupsafe import Markup

    environment.filters["title"] = title
    return environment.get_template(TEMPLATE).render(c=found, style=Markup((FOLDER / STYLE).read_text()))


def comparison_markdown(found: Comparison, page: str) -> str:
    """The same as a summary; ``page`` is the name of the HTML file beside it."""
    rows = [
        [f"{title(pair.target)} {pair.precision}", one.name, one.old, one.new, one.change, _word(one.better)]
        for pair in found.pairs
        for one in pair.figures
    ]
    ships = [[title(one.target), one.old or "none", one.new or "none"] for one in found.shipped]
    lines = [
        f"# {found.old.name} of {found.old.date} beside {found.new.name} of {found.new.date}",
        "",
        f"**{found.headline}.** As a page: [{page}]({page}).",
        *(f"{line}." for line in found.incomparable),
        "",
        markdown_table(("ships on", "before", "now"), ships),
        "",
        markdown_table(("artifact", "figure", "before", "now", "change", ""), rows),
        "",
        *(f"- only {'before' if pair.only_in == 'old' else 'now'}: {title(pair.target)} {pair.precision}"
          for pair in found.pairs if pair.only_in),
        "",
        "## What was otherwise",
        "",
        markdown_table(("", "before", "now"), [[one.name, one.old, one.new] for one in found.differences]),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _word(better: bool | None) -> str:
    return "" if better is None else "better" if better else "**worse**"


def write_comparison(found: Comparison, page: Path) -> Path:
    """Write the page and its Markdown summary, each whole or not at all; returns the summary's place."""
    from edgesr.files.atomic import file_aside

    summary = page.with_suffix(".md")
    for file, text in ((page, comparison_html(found)), (summary, comparison_markdown(found, page.name))):
        with file_aside(file) as aside:
            aside.write_text(text, encoding="utf-8")
    return summary
