"""The drawn graph of an artifact: a row a node, lanes that keep lines apart, and nothing that a reader cannot see."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from edgesr.report.drawn_graph import graph_svg, lanes_of
from edgesr.report.graph import ArtifactGraph, GraphNode, node_data, write_node_data


def node(key: str, *reads: int, sqnr: float | None = None, ms: float | None = None) -> GraphNode:
    return GraphNode(key, "CONV_2D", f"layer.{key}", reads, sqnr is not None, "LiteRT", sqnr, ms, "restore")


CHAIN = (node("a"), node("b", 0), node("c", 1))
SKIP = (node("a"), node("b", 0), node("c", 1), node("d", 0, 2))
TWO = (node("a"), node("b"), node("c", 0, 1), node("d", 2))


@pytest.mark.parametrize(
    ("nodes", "lanes"), [(CHAIN, [0, 0, 0]), (SKIP, [0, 1, 1, 0]), (TWO, [0, 1, 0, 0])], ids=["chain", "skip", "two"]
)
def test_a_line_crosses_no_node_that_it_has_nothing_to_do_with(nodes: tuple[GraphNode, ...], lanes: list[int]) -> None:
    found, most = lanes_of(nodes)
    assert (found, most) == (lanes, max(lanes) + 1)
    for place, one in enumerate(nodes):
        for source in one.reads:
            between = range(source + 1, place)
            assert all(found[other] != found[source] for other in between)


def test_every_node_is_drawn_with_what_is_known_of_it() -> None:
    nodes = (node("a", sqnr=12.0, ms=0.5), node("b", 0, sqnr=44.0, ms=0.25), node("c", 1), node("<d>", 1, 2))
    svg = graph_svg(nodes, "TFLite int8 & more")
    root = ElementTree.fromstring(svg)
    shown = [element.text for element in root.iter("text")]
    assert {"12.0", "44.0", "0.500", "0.250", "int8", "float", "layer.a", "layer.<d>"} <= set(shown)
    classes = [element.get("class") for element in root.iter("circle")]
    assert classes == ["q0", "q6", "float", "float"]
    assert len(list(root.iter("path"))) == sum(len(one.reads) for one in nodes)
    assert not re.search(r"https?://", svg)


def test_node_data_has_a_file_a_figure_and_leaves_out_what_is_not_known(tmp_path: Path) -> None:
    nodes = (node("a", sqnr=12.0, ms=0.5), node("b", 0, sqnr=float("inf")), node("c", 1))
    graph = ArtifactGraph("tflite", "int8", "face.bundle", {"restore": nodes})
    data = node_data(graph)
    assert data["sqnr_db"]["restore"]["results"] == {"a": {"value": 12.0}}
    assert [stop["stop"] for stop in data["sqnr_db"]["restore"]["gradient"]] == [0, 0.5, 1]
    assert {key: value["value"] for key, value in data["int8"]["restore"]["results"].items()} == {
        "a": "int8",
        "b": "int8",
        "c": "float",
    }
    untimed = ArtifactGraph("executorch", "int8", "face.bundle", {"restore": nodes[1:]})
    assert "ms" not in node_data(untimed)
    written = write_node_data(graph, tmp_path / "graphs")
    assert sorted(path.name for path in written) == [
        f"face.bundle.{name}.json" for name in ("backend", "int8", "ms", "sqnr_db")
    ]
