"""The deployed graphs compute what the network computes, whatever is in their slots."""

from __future__ import annotations

import itertools
from functools import cache

import pytest
import torch
from conftest import TINY, lively
from torch import Tensor

from edgesr.deployment.graphs import Graphs, deployed_graphs
from edgesr.errors import CheckpointError, UsageError
from edgesr.layers.lowerings import LOWERINGS
from edgesr.layers.skip import SKIPS
from edgesr.models.hime.config import HIMEConfig
from edgesr.models.hime.network import HIME

CONFIGS = {
    "tiny": TINY,
    "scale 8, four groups, three slots": TINY.replace(scale=8, offset_groups=4, slots=3, lr_size=6, offset_bound=1.5),
    "scale 2, one group, one slot": TINY.replace(scale=2, offset_groups=1, slots=1, lr_size=9, lr_channels=6),
    "five slots, narrow exemplars": TINY.replace(slots=5, exemplar_channels=6, offset_channels=10, offset_groups=3),
}
FORMS = list(itertools.product(LOWERINGS, SKIPS))


@cache
def network(name: str) -> HIME:
    """A random network whose offsets reach its bound and lie between pixels, and whose CoFA is far from a mean."""
    model = lively(CONFIGS[name])
    model.rfa.offset.bias.normal_()
    for conv in (model.cofa.g1, model.cofa.g2):
        conv.weight.normal_(std=3)
        conv.bias.normal_()
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


def masks(slots: int) -> list[tuple[int, ...]]:
    """Every slot filled, only the last, all but the first, none."""
    last_only, all_but_first = [0] * slots, [1] * slots
    last_only[-1], all_but_first[0] = 1, 0
    return sorted({(1,) * slots, tuple(last_only), tuple(all_but_first), (0,) * slots})


def test_offsets_of_these_tests_are_large_and_fractional() -> None:
    model, (lr, features) = network("tiny"), inputs("tiny")
    g_ref = features[:, TINY.exemplar_channels :]
    offsets = model.rfa.offsets(g_ref, model.rfa.g_lr(model.lr_extractor(lr)))
    assert offsets.abs().max() > 0.9 * TINY.offset_bound
    assert offsets.abs().quantile(0.5) > 0.2 * TINY.offset_bound
    assert (offsets - offsets.round()).abs().mean() > 0.1


@pytest.mark.parametrize(("lowering", "skip"), FORMS)
@pytest.mark.parametrize("name", CONFIGS)
def test_restore_graph_is_the_network(name: str, lowering: str, skip: str) -> None:
    lr, features = inputs(name)
    graphs = deployed_graphs(network(name), lowering, skip=skip)
    for mask in masks(CONFIGS[name].slots):
        valid = torch.tensor(mask).float()
        sr, weights = graphs.restore(lr, features, valid)
        wanted_sr, wanted_weights = network(name).restore(lr, features[None], valid[None])
        close(sr, wanted_sr)
        close(weights, wanted_weights[0])


@pytest.mark.parametrize("name", CONFIGS)
def test_encode_graph_is_the_network(name: str) -> None:
    graphs = deployed_graphs(network(name), "rows")
    (exemplar,) = graphs.inputs("encode")
    close(graphs.encode(exemplar), network(name).encode(exemplar))


@pytest.mark.parametrize("lowering", LOWERINGS)
def test_empty_slots_are_no_exemplars(lowering: str) -> None:
    """A restorer of three slots with one filled is a network given one exemplar; with none, plain SR."""
    name = "scale 8, four groups, three slots"
    lr, features = inputs(name)
    graphs, model = deployed_graphs(network(name), lowering), network(name)
    one = graphs.restore(lr, features, torch.tensor([0.0, 1.0, 0.0]))[0]
    close(one, model.restore(lr, features[None, 1:2], torch.ones(1, 1))[0])
    none, weights = graphs.restore(lr, features, torch.zeros(3))
    close(none, model.restore(lr, features[None, :0], torch.ones(1, 0))[0])
    assert not weights.any()


@pytest.mark.parametrize("lowering", LOWERINGS)
def test_empty_slot_contributes_exactly_nothing(lowering: str) -> None:
    """Not a bit of the output depends on what lies in an empty slot."""
    lr, features = inputs("tiny")
    graphs = deployed_graphs(network("tiny"), lowering)
    valid = torch.tensor([1.0, 0.0])
    before = graphs.restore(lr, features, valid)
    features = features.clone()
    for rubbish in (torch.zeros_like(features[1]), torch.randn_like(features[1]) * 100):
        features[1] = rubbish
        for got, wanted in zip(graphs.restore(lr, features, valid), before, strict=True):
            assert torch.equal(got, wanted)


@pytest.mark.parametrize("lowering", LOWERINGS)
def test_order_of_exemplars_changes_nothing(lowering: str) -> None:
    name = "five slots, narrow exemplars"
    lr, features = inputs(name)
    graphs = deployed_graphs(network(name), lowering)
    valid, order = torch.tensor([1.0, 1.0, 0.0, 1.0, 0.0]), torch.tensor([3, 2, 0, 4, 1])
    sr, weights = graphs.restore(lr, features, valid)
    shuffled_sr, shuffled_weights = graphs.restore(lr, features[order], valid[order])
    close(shuffled_sr, sr)
    close(shuffled_weights, weights[order])


def test_weights_of_these_tests_are_far_from_a_mean() -> None:
    lr, features = inputs("tiny")
    weights = network("tiny").restore(lr, features[None], torch.ones(1, 2))[1]
    assert weights.std() > 0.05


def test_exemplars_change_the_result() -> None:
    """The promises above would hold for a graph that ignores its exemplars too."""
    lr, features = inputs("tiny")
    restore = deployed_graphs(network("tiny"), "rows").restore
    results = [restore(lr, features, torch.tensor(mask))[0] for mask in ([0.0, 0.0], [1.0, 0.0], [0.0, 1.0])]
    assert all((a - b).abs().max() > 1e-3 for a, b in itertools.combinations(results, 2))


def test_sizes_of_a_conversion_replace_the_networks() -> None:
    graphs = deployed_graphs(network("tiny"), "rows", lr_size=12, slots=3)
    assert (graphs.config.lr_size, graphs.config.slots) == (12, 3)
    outputs = graphs.restore(*graphs.inputs("restore"))
    assert [tuple(t.shape) for t in outputs] == [(1, 3, 48, 48), (3, 12, 12)]
    assert graphs.encode(*graphs.inputs("encode")).shape == (1, TINY.feature_channels, 12, 12)


def test_graphs_describe_their_tensors() -> None:
    graphs = deployed_graphs(network("tiny"), "rows")
    for graph, sides in graphs.tensors().items():
        arrays = graphs.inputs(graph)  # type: ignore[arg-type]
        outputs = getattr(graphs, graph)(*arrays)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        assert [tuple(t["shape"]) for t in sides["inputs"]] == [tuple(a.shape) for a in arrays]
        assert [tuple(t["shape"]) for t in sides["outputs"]] == [tuple(a.shape) for a in outputs]


def test_graphs_are_a_copy() -> None:
    """Damaging or converting the graphs leaves the network as it was."""
    model = lively(TINY)
    graphs: Graphs = deployed_graphs(model, "rows")
    before = model.reconstructor.up1.weight.clone()
    graphs.restore.reconstructor.up1.weight.zero_()
    assert torch.equal(model.reconstructor.up1.weight, before)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"lowering": "gather"}, "known lowerings: grid_sample, rows, tent"),
        ({"lowering": "rows", "skip": "nearest"}, "known skips: matmul, conv"),
    ],
)
def test_unknown_names_list_the_known_ones(arguments: dict[str, str], error: str) -> None:
    with pytest.raises(UsageError, match=error):
        deployed_graphs(network("tiny"), **arguments)


@pytest.mark.parametrize("sizes", [{"lr_size": 3}, {"slots": 0}])
def test_sizes_out_of_range_are_refused(sizes: dict[str, int]) -> None:
    with pytest.raises(CheckpointError):
        deployed_graphs(network("tiny"), "rows", **sizes)


def test_default_configuration_is_the_products() -> None:
    graphs = deployed_graphs(lively(HIMEConfig()), "rows")
    assert graphs.shapes["features"] == (3, 128, 32, 32)
    assert graphs.shapes["sr"] == (1, 3, 128, 128)
