"""Rewrites for XNNPACK: the same numbers, other operators; what does not have the pattern stays as it is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from conftest import TINY, lively
from torch.fx import GraphModule, Node

pytest.importorskip("torchao")

from int8_networks import quantized, truth

from edgesr.convert.executorch import rewrites as xnnpack_rewrites
from edgesr.convert.executorch.rewrites import for_xnnpack
from edgesr.convert.int8 import DEQUANTIZE, QUANTIZE, is_operation
from edgesr.deployment.graphs import GraphName, Graphs, deployed_graphs
from edgesr.evaluation.metrics import psnr_unit
from edgesr.layers.deform import TAPS

aten = torch.ops.aten


def nodes(graph: torch.nn.Module, target: object) -> list[Node]:
    assert isinstance(graph, GraphModule)
    return [node for node in graph.graph.nodes if node.target == target]


def rewritten(graphs: Graphs) -> GraphModule:
    return for_xnnpack(graphs.restore, graphs.inputs("restore"))


def floats() -> Graphs:
    return deployed_graphs(lively(TINY), "rows")


@pytest.fixture(params=[1, 8])
def parts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """In how many parts a tiny face is sampled: a whole one has room in any cache."""
    number: int = request.param
    samples = TINY.slots * TINY.lr_size**2 * TINY.exemplar_channels * TAPS
    monkeypatch.setattr(xnnpack_rewrites, "PART_BYTES", 4 * samples // number)
    return number


def test_look_ups_are_int8_and_exact(parts: int) -> None:
    before, after = quantized("rows").restore, rewritten(quantized("rows"))
    assert all(is_operation(node.args[0], DEQUANTIZE) for node in nodes(before, aten.embedding.default))
    found = nodes(after, aten.embedding.default)
    assert len(found) == 4 * parts
    for node in found:
        assert is_operation(node.args[0], QUANTIZE)
        (read,) = node.users
        assert is_operation(read, DEQUANTIZE)
        # The step of the table, so that a row read from it is the row it was.
        assert read.args[1:] == node.args[0].args[1:]  # type: ignore[union-attr]


@pytest.mark.parametrize("make", [lambda: quantized("rows"), floats], ids=["int8", "float"])
def test_the_projection_is_a_product_of_rows(make: Callable[[], Graphs], parts: int) -> None:
    graphs = make()
    before = torch.export.export(graphs.restore, graphs.inputs("restore")).module()
    after = rewritten(graphs)
    assert len(nodes(after, aten.conv2d.default)) == len(nodes(before, aten.conv2d.default)) - 1
    assert len(nodes(after, aten.linear.default)) == len(nodes(before, aten.linear.default)) + parts


def test_a_graph_exported_from_within_another_has_the_same_product() -> None:
    """As the prefixes are by which a departing layer is located: their weights' names are paths."""

    class Whole(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = graphs.restore

        def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
            sr: torch.Tensor = self.inner(*inputs)[0]
            return sr

    graphs = quantized("rows")
    nested = torch.export.export(Whole(), graphs.inputs("restore")).module()
    assert any("." in str(node.target) for node in nested.graph.nodes if node.op == "get_attr")
    after = for_xnnpack(nested, graphs.inputs("restore"))
    assert len(nodes(after, aten.linear.default)) == len(nodes(nested, aten.linear.default)) + 1


@pytest.mark.usefixtures("parts")
@pytest.mark.parametrize("case", range(4))
def test_the_face_is_the_same_but_for_ties(case: int) -> None:
    """A product sums in another order than a convolution: what lies between two steps may fall on the other."""
    given, correct = truth("rows")
    graphs = quantized("rows")
    features = torch.zeros(graphs.shapes["features"])
    valid = torch.zeros(TINY.slots)
    for i, feature in enumerate(correct[case].features):
        features[i], valid[i] = torch.from_numpy(feature).permute(2, 0, 1), 1.0
    lr = torch.from_numpy(given[case].lr).permute(2, 0, 1)[None]
    with torch.inference_mode():
        sr = rewritten(graphs)(lr, features, valid)[0]
    assert psnr_unit(sr[0].permute(1, 2, 0).numpy(), correct[case].sr) > 55


def test_a_damaged_projection_shows() -> None:
    """Negative control of the test before: the product's weights in another order."""
    given, correct = truth("rows")
    after = rewritten(quantized("rows"))
    name = next(name for name, _ in after.named_buffers() if name.endswith("_matrix"))
    setattr(after, name, getattr(after, name).flip(1))
    graphs = quantized("rows")
    features = torch.stack([torch.from_numpy(f).permute(2, 0, 1) for f in correct[1].features])
    lr = torch.from_numpy(given[1].lr).permute(2, 0, 1)[None]
    with torch.inference_mode():
        sr = after(lr, features, torch.ones(graphs.config.slots))[0]
    assert psnr_unit(sr[0].permute(1, 2, 0).numpy(), correct[1].sr) < 55


@pytest.mark.usefixtures("parts")
def test_of_a_float_graph_the_last_bits_change() -> None:
    graphs = floats()
    inputs = graphs.inputs("restore")
    with torch.inference_mode():
        for got, wanted in zip(rewritten(graphs)(*inputs), graphs.restore(*inputs), strict=True):
            torch.testing.assert_close(got, wanted, rtol=0, atol=1e-5)


def test_a_part_may_be_a_pixel_and_no_less(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xnnpack_rewrites, "PART_BYTES", 4 * TINY.exemplar_channels * TAPS)
    after = rewritten(floats())
    assert len(nodes(after, aten.embedding.default)) == 4 * TINY.slots * TINY.lr_size**2


@pytest.mark.parametrize("graph", ["encode", "restore"])
def test_the_given_graph_and_other_lowerings_stay_as_they_are(graph: GraphName) -> None:
    graphs = quantized("grid_sample")
    other = getattr(graphs, graph)
    names = [node.name for node in other.graph.nodes]
    assert [node.name for node in for_xnnpack(other, graphs.inputs(graph)).graph.nodes] == names
    given = getattr(quantized("rows"), graph)
    code = given.code
    for_xnnpack(given, graphs.inputs(graph))
    assert given.code == code
