"""A graph of operators as inline SVG: a row each, lines to where it reads, coloured by what rounding loses there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape

from .graph import HIGH_DB, LOW_DB, GraphNode

ROW, LANE, TOP = 18, 12, 26
"""Pixels: of a row, between two lanes, and above the first row."""
COLUMNS = (("operator", 0), ("layer", 190), ("computes", 610), ("by", 680), ("SQNR dB", 790), ("ms", 850))
"""Texts of a row, and where they begin right of the lanes; of figures, where they end."""
WIDTH = 860
FIGURES = ("SQNR dB", "ms")
BINS = 7


def graph_svg(nodes: Sequence[GraphNode], label: str) -> str:
    """The graph; ``label`` is read aloud."""
    lanes, most = lanes_of(nodes)
    left = LANE * (most + 1) + 8
    height = TOP + ROW * len(nodes) + 6
    parts = [
        f'<svg role="img" aria-label="{escape(label)}" class="operators" viewBox="0 0 {left + WIDTH} {height}" '
        f'width="{left + WIDTH}" height="{height}">'
    ]
    parts += [_text(left + x, TOP - 12, name, "head", end=name in FIGURES) for name, x in COLUMNS]
    for place, node in enumerate(nodes):
        parts += [_edge(lanes[source], source, lanes[place], place) for source in node.reads]
    longest = max((node.ms for node in nodes if node.ms is not None), default=0.0)
    for place, node in enumerate(nodes):
        x, y = _x(lanes[place]), _y(place)
        parts.append(
            f'<circle cx="{x}" cy="{y}" r="5" class="{_tone(node)}"><title>{escape(_told(node))}</title></circle>'
        )
        if node.ms is not None and longest > 0:
            wide = 40 * node.ms / longest
            parts.append(
                f'<rect x="{left + WIDTH - 10 - wide:.1f}" y="{y - 6}" width="{wide:.1f}" height="12" class="time"/>'
            )
        texts = {
            "operator": node.kind,
            "layer": node.layer,
            "computes": "int8" if node.int8 else "float",
            "by": node.backend,
            "SQNR dB": "" if node.sqnr_db is None or not math.isfinite(node.sqnr_db) else f"{node.sqnr_db:.1f}",
            "ms": "" if node.ms is None else f"{node.ms:.3f}",
        }
        style = "int8" if node.int8 else ""
        parts += [
            _text(left + at, y + 4, texts[name], style, end=name in FIGURES) for name, at in COLUMNS if texts[name]
        ]
    return "".join([*parts, "</svg>"])


def lanes_of(nodes: Sequence[GraphNode]) -> tuple[list[int], int]:
    """A lane for each node, so that no line crosses a node that it has nothing to do with; and how many there are."""
    last = list(range(len(nodes)))
    for place, node in enumerate(nodes):
        for source in node.reads:
            last[source] = max(last[source], place)
    free: list[int] = []
    lanes: list[int] = []
    most = 0
    for place in range(len(nodes)):
        ended = [lanes[source] for source in nodes[place].reads if last[source] == place]
        free = sorted({*free, *ended})
        lane = free.pop(0) if free else most
        most = max(most, lane + 1)
        lanes.append(lane)
        if last[place] == place:
            free = sorted({*free, lane})
    return lanes, most


def _edge(source_lane: int, source: int, lane: int, place: int) -> str:
    x1, y1, x2, y2 = _x(source_lane), _y(source), _x(lane), _y(place)
    return f'<path d="M{x1} {y1}V{y2 - ROW}C{x1} {y2 - 6} {x2} {y2 - 12} {x2} {y2}"/>'


def _tone(node: GraphNode) -> str:
    """A class of the page's style: ``q0`` is the worst, ``float`` what is not rounded."""
    if node.sqnr_db is None:
        return "quiet8" if node.int8 else "float"
    share = (min(node.sqnr_db, HIGH_DB) - LOW_DB) / (HIGH_DB - LOW_DB)
    return f"q{min(BINS - 1, max(0, int(share * BINS)))}"


def _told(node: GraphNode) -> str:
    sqnr = "" if node.sqnr_db is None else f", SQNR {node.sqnr_db:.1f} dB"
    ms = "" if node.ms is None else f", {node.ms:.3f} ms alone"
    return f"{node.layer or node.kind}: {'int8' if node.int8 else 'float'} by {node.backend}{sqnr}{ms}"


def _text(x: float, y: float, text: str, style: str, end: bool) -> str:
    anchor = ' text-anchor="end"' if end else ""
    css = f' class="{style}"' if style else ""
    return f'<text x="{x}" y="{y}"{anchor}{css}>{escape(text)}</text>'


def _x(lane: int) -> int:
    return LANE * (lane + 1)


def _y(place: int) -> int:
    return TOP + ROW * place + ROW // 2
