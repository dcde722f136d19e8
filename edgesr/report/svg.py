"""Matplotlib figures as inline SVG that takes its colours and its type from the page around it.

Every colour in a figure is a stand-in that becomes a CSS variable, so that one figure serves a light and a dark page;
text stays text.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from edgesr.convert.precision import PRECISIONS
from edgesr.errors import UnavailableError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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
