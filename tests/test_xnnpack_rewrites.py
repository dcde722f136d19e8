"""Rewrites for XNNPACK: the same integers, other operators; what does not have the pattern stays as it is."""

from __future__ import annotations

import pytest
import torch
from conftest import TINY, lively
from torch.fx import GraphModule, Node

pytest.importorskip("torchao")

from int8_networks import quantized, truth

from edgesr.convert.int8 import DEQUANTIZE, QUANTIZE, is_operation
from edgesr.convert.xnnpack_rewrites import for_xnnpack
from edgesr.deployment.graphs import deployed_graphs
from edgesr.metrics import psnr_unit

aten = torch.ops.aten


def nodes(graph: torch.nn.Module, target: object) -> list[Node]:
    assert isinstance(graph, GraphModule)
    return [node for node in graph.graph.nodes if node.target == target]


def test_look_ups_are_int8_and_exact() -> None:
    before, after = quantized("rows").restore, for_xnnpack(quantized("rows").restore)
    assert all(is_operation(node.args[0], DEQUANTIZE) for node in nodes(before, aten.embedding.default))
    found = nodes(after, aten.embedding.default)
    assert len(found) == 4
    for node in found:
        assert is_operation(node.args[0], QUANTIZE)
        (read,) = node.users
        assert is_operation(read, DEQUANTIZE)
        # The step of the table, so that a row read from it is the row it was.
        assert read.args[1:] == node.args[0].args[1:]  # type: ignore[union-attr]


def test_the_projection_is_a_product_of_rows() -> None:
    before, after = quantized("rows").restore, for_xnnpack(quantized("rows").restore)
    assert len(nodes(after, aten.conv2d.default)) == len(nodes(before, aten.conv2d.default)) - 1
    products = len(nodes(after, aten.linear.default)) - len(nodes(before, aten.linear.default))
    assert products == 1


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
    after = for_xnnpack(nested)
    assert len(nodes(after, aten.linear.default)) == len(nodes(nested, aten.linear.default)) + 1


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
        sr = for_xnnpack(graphs.restore)(lr, features, valid)[0]
    assert psnr_unit(sr[0].permute(1, 2, 0).numpy(), correct[case].sr) > 55


def test_a_damaged_projection_shows() -> None:
    """Negative control of the test before: the product's weights in another order."""
    given, correct = truth("rows")
    after = for_xnnpack(quantized("rows").restore)
    assert isinstance(after, GraphModule)
    name = next(name for name, _ in after.named_buffers() if name.endswith("_matrix"))
    setattr(after, name, getattr(after, name).flip(1))
    graphs = quantized("rows")
    features = torch.stack([torch.from_numpy(f).permute(2, 0, 1) for f in correct[1].features])
    lr = torch.from_numpy(given[1].lr).permute(2, 0, 1)[None]
    with torch.inference_mode():
        sr = after(lr, features, torch.ones(graphs.config.slots))[0]
    assert psnr_unit(sr[0].permute(1, 2, 0).numpy(), correct[1].sr) < 55


@pytest.mark.parametrize("graph", ["encode", "restore"])
def test_the_given_graph_and_other_lowerings_stay_as_they_are(graph: str) -> None:
    other = getattr(quantized("grid_sample"), graph)
    names = [node.name for node in other.graph.nodes]
    assert [node.name for node in for_xnnpack(other).graph.nodes] == names  # type: ignore[union-attr]
    given = getattr(quantized("rows"), graph)
    code = given.code
    for_xnnpack(given)
    assert given.code == code


def test_a_float_graph_is_given_back() -> None:
    graphs = deployed_graphs(lively(TINY), "rows")
    assert for_xnnpack(graphs.restore) is graphs.restore
