"""The search names the module that departs. What is converted runs in PyTorch here, so that nothing but it departs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from conftest import TINY, lively
from damages import DAMAGES, drop_offset
from int8_networks import found_by_prefixes
from large import large
from pwave_networks import lively_pwave
from torch import nn

from edgesr.convert.locate import first_departing_module
from edgesr.convert.parity import real_cases
from edgesr.convert.target import Conversion
from edgesr.deployment.graphs import GraphName, Graphs, deployed_graphs
from edgesr.quantize.graphs import GraphsRuntime
from edgesr.runtime.base import fill_slots, restorer_inputs


class InPyTorch:
    """A target that stores a prefix as it is."""

    def __init__(self) -> None:
        self.made: dict[Path, Graphs] = {}

    def convert(self, prefix: Graphs, folder: Path) -> Conversion:
        self.made[folder] = prefix
        return Conversion({}, prefix.tensors(), {}, "fp32")

    def open(self, folder: Path, _: Conversion) -> GraphsRuntime:
        return GraphsRuntime(self.made.pop(folder))


@pytest.fixture(autouse=True)
def _no_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


@pytest.mark.parametrize(
    ("damage", "precision"),
    [*((damage, "fp32") for damage in DAMAGES), (drop_offset, "fp16")],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_damaged_module_of_a_float_network_is_found(damage: Callable[[Graphs], None], precision: str) -> None:
    assert found(lambda: lively(TINY), damage, DAMAGES[damage], precision) == DAMAGES[damage]


def halve_a_flow_step(graphs: Graphs) -> None:
    graphs.restore.flow.levels[1].step_x.weight.mul_(0.5)


def scale_a_fusing_kernel(graphs: Graphs) -> None:
    graphs.restore.fuse2.exemplars.weight[0] *= 1.3


@pytest.mark.parametrize(
    ("network", "damage", "module"),
    [
        (large, halve_a_flow_step, "restore.flow.levels.1.step_x"),
        (lively_pwave, scale_a_fusing_kernel, "restore.fuse2.exemplars"),
    ],
)
def test_so_it_is_of_other_networks(
    network: Callable[[], nn.Module], damage: Callable[[Graphs], None], module: str
) -> None:
    assert found(network, damage, module) == module


def found(
    network: Callable[[], nn.Module], damage: Callable[[Graphs], None], module: str, precision: str = "fp32"
) -> str:
    """What the search over a whole graph names."""
    correct, damaged = (deployed_graphs(network(), "rows") for _ in range(2))
    damage(damaged)
    case, runtime, target = real_cases(correct.interface)[1], GraphsRuntime(correct), InPyTorch()
    graph: GraphName = "encode" if module.startswith("encode") else "restore"
    if graph == "encode":
        inputs = {"exemplar": case.exemplars[0]}
    else:
        stored = fill_slots([runtime.encode(photo) for photo in case.exemplars], correct.interface)
        inputs = restorer_inputs(correct.interface, case.lr, *stored)
    return first_departing_module(
        damaged, correct, graph, inputs, precision, target.convert, target.open, report=lambda stage: None
    )


@pytest.mark.parametrize("layer", ["alignment.projection", "reconstructor.up1"])
def test_a_departing_layer_of_a_quantized_network_is_found(layer: str) -> None:
    target = InPyTorch()
    assert found_by_prefixes(layer, "rows", target.convert, target.open) == f"restore.{layer}"


def test_of_a_sound_network_no_module_departs() -> None:
    graphs, target = deployed_graphs(lively(TINY), "rows"), InPyTorch()
    inputs = {"exemplar": real_cases(TINY.interface)[1].exemplars[0]}
    named = first_departing_module(
        graphs, graphs, "encode", inputs, "fp32", target.convert, target.open, report=lambda stage: None
    )
    assert named.startswith("none alone")
