"""`edgesr report --graph` of a real bundle: where its operators run, drawn, and as Model Explorer's node data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("jinja2")
pytest.importorskip("executorch")

from conftest import Call

from edgesr.convert.pipeline import convert, plan
from edgesr.errors import EXIT_OK


def test_a_bundles_graphs_are_drawn_and_written(call: Call, tiny_checkpoint: Path, tmp_path: Path) -> None:
    convert(plan("executorch", checkpoint=tiny_checkpoint, precision="fp32", output=tmp_path / "face.bundle"))
    options = ("--limit", "2", "--no-latency", "--no-identity", "--sensitivity-faces", "0", "--graph")
    code, _, _ = call(
        "report", "-c", tiny_checkpoint, "--bundles", tmp_path / "face.bundle", *options, "-o", tmp_path / "r.html"
    )
    assert code == EXIT_OK
    (row,) = json.loads((tmp_path / "r.json").read_text())["rows"]
    taken = row["residency"]["restore"]
    assert taken[0]["backend"] == "XNNPACK"
    data = {path.name: json.loads(path.read_text()) for path in (tmp_path / "r.graph").iterdir()}
    assert set(data) == {"face.bundle.backend.json", "face.bundle.int8.json"}, "no figure that nobody measured"
    delegated = [graph for graph in data["face.bundle.backend.json"] if graph.startswith("model.pte::")]
    assert len(delegated) == sum(one["partitions"] for graph in row["residency"].values() for one in graph)
    page = (tmp_path / "r.html").read_text()
    assert "Where operators run" in page
    drawn = page.count("<title>")
    assert drawn > sum(len(graph["results"]) for graph in data["face.bundle.backend.json"].values())
