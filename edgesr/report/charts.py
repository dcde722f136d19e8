"""The report's charts as inline SVG, each drawn twice: for a wide window and for a narrow one.

Colours and type are the page's: every colour in a figure is a stand-in that becomes a CSS variable, so that one figure
serves a light and a dark page; text stays text.
"""

from __future__ import annotations

import dataclasses
import io
import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from edgesr.convert.precision import PRECISIONS
from edgesr.convert.targets import title
from edgesr.errors import UnavailableError
from edgesr.quantize.scheme import LayerSensitivity

from .layers import Distribution, LayerRange
from .rows import Row
from .subject import Limits

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDE, NARROW = 1160, 344
LAYERS_SHOWN = 24
"""Layers in the chart of sensitivity: those that matter most; the table below it has all."""
SHORTER = (
    ("encode.exemplar_extractor.", "exemplar."),
    ("restore.lr_extractor.", "lr."),
    ("restore.reconstructor.", "trunk."),
    ("restore.", ""),
    (".blocks.", "."),
)
Draw = Callable[[float], str]
COLOURS = (
    *("ink", "muted", "line", "surface", "accent", "warn"),
    *PRECISIONS,
)
"""Names of the page's CSS variables: ``--ink`` and so on."""
TEXT = 11
"""Size of the text in pixels, at the size that a chart is drawn for."""
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",  # for the layout; the page puts its own in place
    "font.size": TEXT,
    "axes.titlesize": TEXT,
    "axes.labelsize": TEXT,
    "xtick.labelsize": TEXT,
    "ytick.labelsize": TEXT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.linewidth": 1,
    "axes.axisbelow": True,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "xtick.major.pad": 6,
    "ytick.major.pad": 8,
    "grid.linewidth": 1,
    "figure.dpi": 72,
}


@dataclasses.dataclass(frozen=True)
class Chart:
    """One chart for either window."""

    wide: str
    narrow: str


def both(draw: Draw) -> Chart:
    """Drawn for either window."""
    return Chart(draw(WIDE), draw(NARROW))


def loss_distribution(rows: Sequence[Row], limits: Limits) -> Chart:
    """A dot a face for every measured row: PSNR lost against the float network, mean and worst marked."""

    def draw(width: float) -> str:
        narrow, step = width == NARROW, 34
        height = step * len(rows) + 64
        with drawing(width, height) as figure:
            left = 126 if narrow else 190
            axes = figure.add_axes((left / width, 44 / height, 1 - (left + 16) / width, 1 - 64 / height))
            random = np.random.default_rng(0)
            for i, row in enumerate(rows):
                lost = np.array([loss for loss in row.loss.loss_per_face if math.isfinite(loss)])
                hue = colour(row.precision)
                jitter = random.uniform(-0.26, 0.26, len(lost)) if len(lost) > 1 else np.zeros(len(lost))
                axes.scatter(lost, i + jitter, s=9, color=hue, alpha=0.45, linewidths=0)
                mean = row.loss.psnr_loss_mean
                axes.plot([mean, mean], [i - 0.36, i + 0.36], color=colour("ink"), linewidth=2, solid_capstyle="butt")
                # Over the dots' right end, where nothing else stands.
                axes.annotate(
                    f"{row.loss.psnr_loss_max:.2f}", (row.loss.psnr_loss_max, i), xytext=(6, 0), va="center",
                    textcoords="offset points", color=colour("muted"),
                )  # fmt: skip
            for value, name in ((limits.psnr_loss_mean, "mean"), (limits.psnr_loss_max, "worst face")):
                axes.axvline(value, color=colour("warn"), linewidth=1, dashes=(3, 3))
                axes.annotate(
                    name if narrow else f"limit, {name}", (value, 1), xycoords=("data", "axes fraction"),
                    xytext=(0, 5), textcoords="offset points", ha="center", color=colour("warn"),
                )  # fmt: skip
            names = [f"{title(row.target)} {row.precision}" for row in rows]
            axes.set_yticks(range(len(rows)), names)
            axes.set_ylim(len(rows) - 0.5, -0.5)
            axes.set_xscale("symlog", linthresh=0.05, linscale=0.9)
            all_lost = [loss for row in rows for loss in row.loss.loss_per_face if math.isfinite(loss)]
            low, high = min(all_lost, default=0.0), max(all_lost, default=0.0)
            axes.set_xlim(min(-0.02, low * 1.2), max(1.0, high * 1.6))
            ticks = [-1, -0.2, -0.05, 0, 0.05, 0.2, 0.5, 1, 2, 5] if not narrow else [-0.2, 0, 0.05, 0.5, 2]
            shown = [tick for tick in ticks if axes.get_xlim()[0] <= tick <= axes.get_xlim()[1]]
            axes.set_xticks(shown, [f"{tick:g}" for tick in shown])
            axes.minorticks_off()
            axes.set_xlabel("PSNR lost against the float network, dB")
            axes.grid(axis="x")
            axes.spines["bottom"].set_visible(False)
            return svg(figure, f"loss-{width:g}", "PSNR lost on each face, by target and precision")

    return both(draw)


def sensitivity(rows: Sequence[LayerSensitivity]) -> Chart:
    """Bars: what a layer costs alone in int8, and what sparing it alone gives back."""
    layers = [row for row in rows if row.kind != "block"]
    ranked = sorted(layers, key=lambda row: -max(row.only_loss_db, row.spared_gain_db))[:LAYERS_SHOWN]

    def draw(width: float) -> str:
        narrow, step = width == NARROW, 26
        height = step * len(ranked) + 72
        with drawing(width, height) as figure:
            left = 122 if narrow else 280
            axes = figure.add_axes((left / width, 40 / height, 1 - (left + 34) / width, 1 - 72 / height))
            for i, row in enumerate(ranked):
                axes.barh(i - 0.19, row.only_loss_db, 0.34, color=colour("int8-ptq"))
                axes.barh(i + 0.19, row.spared_gain_db, 0.34, color=colour("int8"))
            _legend(axes, [("only it in int8: dB lost", "int8-ptq"), ("only it spared: dB gained", "int8")], narrow)
            _layer_ticks(axes, [row.layer for row in ranked], narrow)
            axes.axvline(0, color=colour("ink"), linewidth=1)
            axes.set_xlabel("dB, mean over faces")
            axes.grid(axis="x")
            axes.spines["bottom"].set_visible(False)
            axes.locator_params(axis="x", nbins=3 if narrow else 8)
            return svg(figure, f"sensitivity-{width:g}", "Sensitivity of the layers that matter most")

    return both(draw)


def ranges(rows: Sequence[LayerRange]) -> Chart:
    """Ranges of every convolution's weights and outputs: thin all, thick all but one in a thousand at either end."""

    def draw(width: float) -> str:
        narrow, step = width == NARROW, 15
        height = step * len(rows) + 70
        with drawing(width, height) as figure:
            left, gap = (118, 14) if narrow else (280, 28)
            panel = (width - left - gap - 10) / 2
            bottom, tall = 42 / height, 1 - 66 / height
            weights = figure.add_axes((left / width, bottom, panel / width, tall))
            outputs = figure.add_axes(((left + panel + gap) / width, bottom, panel / width, tall))
            for axes, linear in ((weights, 0.25), (outputs, 1.0)):
                for i, row in enumerate(rows):
                    part = row.weights if axes is weights else row.activations
                    axes.plot([part["min"], part["max"]], [i, i], color=colour("muted"), linewidth=1)
                    thick = [part["p0.1"], part["p99.9"]]
                    axes.plot(thick, [i, i], color=colour("accent"), linewidth=5, solid_capstyle="butt")
                    if axes is outputs and row.int8:
                        axes.plot(row.int8, [i, i], "|", color=colour("warn"), markersize=9, markeredgewidth=1.5)
                axes.set_ylim(len(rows) - 0.4, -0.6)
                axes.grid(axis="x")
                axes.spines["bottom"].set_visible(False)
                # Most layers hold little and a few hold much: linear in the middle, logarithmic beyond.
                axes.set_xscale("symlog", linthresh=linear, linscale=1.0)
                low, high = axes.get_xlim()
                ticks = (-100, -10, -1, 0, 1, 10, 100) if narrow else (-100, -10, -4, -1, -0.25, 0, 0.25, 1, 4, 10, 100)
                shown = [tick for tick in ticks if low <= tick <= high]
                axes.set_xticks(shown, [f"{tick:g}" for tick in shown])
                axes.minorticks_off()
            _layer_ticks(weights, [row.layer for row in rows], narrow)
            outputs.set_yticks([])
            for axes, name in ((weights, "weights"), (outputs, "outputs")):
                axes.annotate(name, (0, 1), xycoords="axes fraction", xytext=(0, 6), textcoords="offset points")
            return svg(figure, f"ranges-{width:g}", "Ranges of weights and outputs, by layer")

    return both(draw)


def offset_histogram(found: Distribution, name: str = "offsets") -> Chart:
    """Shares of |offset| in equal parts of [0, bound], with the quantiles and the bound."""
    shares, bound = found.histogram, found.bound
    part = bound / len(shares)

    def draw(width: float) -> str:
        width = min(width, 620)
        narrow, height = width == NARROW, 240
        with drawing(width, height) as figure:
            axes = figure.add_axes((12 / width, 44 / height, 1 - 44 / width, 1 - 84 / height))
            middles = [part * (i + 0.5) for i in range(len(shares))]
            axes.bar(middles, shares, part * 0.86, color=colour("accent"))
            for x, share in zip(middles, shares, strict=True):
                # One in a million, say, is not nothing.
                text = f"{share:.0%}" if share >= 0.1 else f"{share:.1%}" if share >= 0.001 or not share else "<0.1%"
                axes.annotate(
                    text, (x, share), xytext=(0, 4), textcoords="offset points", ha="center",
                    color=colour("muted"), fontsize=9 if narrow else TEXT,
                )  # fmt: skip
            top = max(shares)
            axes.axvline(bound, color=colour("warn"), linewidth=1.5)
            axes.annotate(
                f"bound {bound:g}", (bound, 1), xycoords=("data", "axes fraction"), xytext=(-6, 10),
                textcoords="offset points", ha="right", color=colour("warn"),
            )  # fmt: skip
            for quantile in ("p99", "p99.9", "p100"):
                if quantile in found.quantiles:
                    x = found.quantiles[quantile]
                    axes.plot([x], [0], "^", color=colour("ink"), markersize=6, clip_on=False)
            axes.set_xlim(0, bound * 1.02)
            axes.set_ylim(0, top * 1.12)
            axes.set_yticks([])
            axes.set_xlabel(f"|{name.removesuffix('s')}| in LR pixels")
            return svg(figure, f"{name}-{width:g}", f"Histogram of the {name} against their bound")

    return both(draw)


def shortened(layer: str) -> str:
    """A layer's name for a narrow window: what all names have in common is left out."""
    for long, short in SHORTER:
        layer = layer.replace(long, short)
    return layer


def _layer_ticks(axes: Axes, layers: Sequence[str], narrow: bool) -> None:
    names = [shortened(layer) if narrow else layer for layer in layers]
    axes.set_yticks(range(len(layers)), names, fontsize=TEXT - 1)
    axes.set_ylim(len(layers) - 0.4, -0.6)


def _legend(axes: Axes, entries: Sequence[tuple[str, str]], narrow: bool) -> None:
    from matplotlib.patches import Patch

    axes.legend(
        handles=[Patch(color=colour(variable), label=text) for text, variable in entries],
        loc="lower right" if narrow else "lower left",
        bbox_to_anchor=(1, 1) if narrow else (0, 1),
        ncols=1 if narrow else len(entries),
        frameon=False,
        borderaxespad=0.2,
        borderpad=0,
        handlelength=0.9,
        handleheight=0.9,
        labelspacing=0.2,
    )


def colour(name: str) -> str:
    """The stand-in for a variable of the page."""
    return f"#0a0b{COLOURS.index(name):02x}"


@contextmanager
def drawing(width: float, height: float) -> Iterator[Figure]:
    """A figure of so many CSS pixels in the report's style.

    Raises:
        UnavailableError: matplotlib is not installed.
    """
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UnavailableError("the report's charts need matplotlib", "pip install 'edgesr[report]'") from error
    from edgesr.process.quiet import quiet

    ink, muted, line = colour("ink"), colour("muted"), colour("line")
    colours: dict[Any, Any] = {
        "text.color": ink,
        "axes.labelcolor": muted,
        "axes.edgecolor": line,
        "xtick.color": muted,
        "ytick.color": ink,
        "grid.color": line,
    }
    with quiet(), matplotlib.rc_context({**STYLE, **colours}):
        yield Figure(figsize=(width / 72, height / 72), facecolor="none")


def svg(figure: Figure, name: str, label: str) -> str:
    """The figure as an ``<svg>`` element; ``name`` keeps its ids apart from other figures', ``label`` is read aloud."""
    import matplotlib

    buffer = io.StringIO()
    nothing: dict[str, Any] = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    for i, variable in enumerate(COLOURS):
        text = text.replace(f"#0a0b{i:02x}", f"var(--{variable})")
    text = re.sub(r"font: (?:[\w]+ )*([\d.]+px) [^;\"]+", r"font-size: \1", text)
    text = re.sub(r"font-family: [^;\"]+;?", "", text)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", text)
    width = re.search(r'width="([\d.]+)pt"', text)
    text = re.sub(r' (?:width|height)="[\d.]+pt"', "", text, count=2)
    width_px = float(width.group(1)) if width else 0.0
    opening = f'<svg role="img" aria-label="{_escaped(label)}" style="max-width:{width_px:g}px" '
    return re.sub(r"\n\s*\n+", "\n", text.replace("<svg ", opening, 1)).strip()


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
