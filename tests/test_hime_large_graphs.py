"""HIME-large's deployed graphs compute what the network computes, whatever is in their slots."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from large import LARGE, flow_of, large
from torch import Tensor

from edgesr.deployment.graphs import deployed_graphs
from edgesr.layers.lowerings import LOWERINGS
from edgesr.layers.skip import SKIPS
from edgesr.models.hime_large.network import HIMELarge

CONFIGS = {
    "tiny": LARGE,
    "scale 8, four groups, three slots": LARGE.replace(
        scale=8, offset_groups=4, slots=3, lr_size=12, offset_bound=1.5, flow_levels=3, flow_bound=2.5
    ),
    "one level, one slot": LARGE.replace(scale=2, offset_groups=1, slots=1, lr_size=9, lr_channels=6, flow_levels=1),
}


@cache
def network(name: str) -> HIMELarge:
    model = large(CONFIGS[name])
    for conv in (model.cofa.g1, model.cofa.g2):
        conv.weight.normal_(std=3)
        conv.bias.normal_()  # type: ignore[union-attr]
    return model


@cache
def inputs(name: str) -> tuple[Tensor, Tensor]:
    """An LR face of noise and features that differ between slots."""
    config, generator = CONFIGS[name], torch.Generator().manual_seed(2)
    lr = torch.rand(1, 3, config.lr_size, config.lr_size, generator=generator)
    photos = torch.rand(config.slots, 3, config.hr_size, config.hr_size, generator=generator)
    return lr, network(name).encode(photos)


def close(got: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(got, wanted, atol=1e-5, rtol=0)


def test_flows_of_these_tests_are_large_fractional_and_differ_by_slot_and_axis() -> None:
    flow = flow_of(network("tiny"), *inputs("tiny"))
    assert 0.5 * LARGE.flow_bound < flow.abs().max() <= LARGE.flow_bound
    assert flow.std() > 0.2
    assert (flow - flow.round()).abs().mean() > 0.1
    assert (flow[0] - flow[1]).abs().max() > 0.05
    assert (flow[:, 0] - flow[:, 1]).abs().mean() > 0.1


@pytest.mark.parametrize("skip", SKIPS)
@pytest.mark.parametrize("lowering", LOWERINGS)
@pytest.mark.parametrize("name", CONFIGS)
def test_restore_graph_is_the_network(name: str, lowering: str, skip: str) -> None:
    lr, features = inputs(name)
    graphs, slots = deployed_graphs(network(name), lowering, skip=skip), CONFIGS[name].slots
    for mask in {(1,) * slots, (0,) * (slots - 1) + (1,), (0,) * slots}:
        valid = torch.tensor(mask).float()
        sr, weights = graphs.restore(lr, features, valid)
        wanted_sr, wanted_weights = network(name).restore(lr, features[None], valid[None])
        close(sr, wanted_sr)
        close(weights, wanted_weights[0])


@pytest.mark.parametrize("lowering", LOWERINGS)
@pytest.mark.parametrize("name", CONFIGS)
def test_the_deployed_flow_is_the_networks(name: str, lowering: str) -> None:
    lr, features = inputs(name)
    restore = deployed_graphs(network(name), lowering).restore
    dy, dx = restore.flow(restore.face(lr), features[:, -3:])  # type: ignore[operator]
    close(torch.cat((dx, dy), dim=1), flow_of(network(name), lr, features))


@pytest.mark.parametrize("name", CONFIGS)
def test_encode_graph_is_the_network(name: str) -> None:
    graphs = deployed_graphs(network(name), "rows")
    (exemplar,) = graphs.inputs("encode")
    close(graphs.encode(exemplar), network(name).encode(exemplar))


@pytest.mark.parametrize("lowering", LOWERINGS)
def test_empty_slot_contributes_exactly_nothing(lowering: str) -> None:
    """Not a bit of the output depends on what lies in an empty slot."""
    lr, features = inputs("tiny")
    graphs = deployed_graphs(network("tiny"), lowering)
    valid = torch.tensor([1.0, 0.0])
    before = graphs.restore(lr, features, valid)
    features = features.clone()
    features[1] = torch.randn_like(features[1]) * 100
    for got, wanted in zip(graphs.restore(lr, features, valid), before, strict=True):
        assert torch.equal(got, wanted)


@pytest.mark.parametrize("lowering", LOWERINGS)
def test_a_flow_with_its_axes_swapped_is_noticed(lowering: str) -> None:
    """The comparisons above are sensitive."""
    lr, features = inputs("tiny")
    graphs, valid = deployed_graphs(network("tiny"), lowering), torch.ones(2)
    right = graphs.restore(lr, features, valid)[0]
    last = graphs.restore.flow.levels[-1]  # type: ignore[union-attr, index]
    last.step_x, last.step_y = last.step_y, last.step_x
    assert (graphs.restore(lr, features, valid)[0] - right).abs().max() > 1e-3


def test_default_configuration_is_the_products() -> None:
    graphs = deployed_graphs(large(LARGE.replace(exemplar_channels=64, offset_channels=64, lr_size=32)), "rows")
    assert graphs.shapes["features"] == (2, 64 + 64 + 3, 32, 32)
