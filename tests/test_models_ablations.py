"""What RFA and CoFA are compared with: each does what it stands for, and an empty slot adds nothing to any."""

from __future__ import annotations

import pytest
import torch
from conftest import TINY
from torch import Tensor

from edgesr.models.hime.ablations import AverageAggregation, ConvolutionAlignment, MaxAggregation
from edgesr.models.hime.config import VARIANTS, HIMEConfig
from edgesr.models.hime.network import HIME

AGGREGATIONS = VARIANTS["aggregation"]
CONFIGS = [
    TINY.replace(alignment=alignment, aggregation=aggregation)
    for alignment in VARIANTS["alignment"]
    for aggregation in AGGREGATIONS
]


def name(config: HIMEConfig) -> str:
    return f"{config.alignment}-{config.aggregation}"


def alive(config: HIMEConfig) -> HIME:
    """Random weights, also where training starts from zero."""
    torch.manual_seed(0)
    model = HIME(config).eval().requires_grad_(False)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model


def inputs(slots: int) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(1)
    lr = torch.rand(2, 3, 8, 8, generator=random)
    return lr, torch.rand(2, slots, 3, 32, 32, generator=random)


@pytest.mark.parametrize("config", CONFIGS, ids=name)
def test_an_empty_slot_contributes_nothing(config: HIMEConfig) -> None:
    model = alive(config)
    lr, exemplars = inputs(3)
    valid = torch.tensor([[1.0, 0, 1], [0, 1, 0]])
    sr, weights = model(lr, exemplars, valid)
    exemplars[valid == 0] = torch.rand(3, 3, 32, 32)
    other, _ = model(lr, exemplars, valid)
    assert torch.equal(other, sr)
    assert (weights[valid == 0] == 0).all()
    alone, _ = model(lr[1:], exemplars[1:, 1:2], torch.ones(1, 1))
    torch.testing.assert_close(alone, sr[1:], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("config", CONFIGS, ids=name)
def test_without_exemplars_it_is_the_network_without_slots(config: HIMEConfig) -> None:
    model = alive(config)
    lr, exemplars = inputs(2)
    empty, weights = model(lr, exemplars, torch.zeros(2, 2))
    none, no_weights = model(lr, exemplars[:, :0], torch.zeros(2, 0))
    torch.testing.assert_close(empty, none, rtol=0, atol=1e-6)
    assert torch.isfinite(empty).all()
    assert (weights == 0).all()
    assert no_weights.shape == (2, 0, 8, 8)


@pytest.mark.parametrize("config", CONFIGS, ids=name)
def test_the_order_of_exemplars_does_not_matter_and_each_counts(config: HIMEConfig) -> None:
    model = alive(config)
    lr, exemplars = inputs(3)
    valid = torch.tensor([[1.0, 1, 1], [1, 1, 0]])
    sr, weights = model(lr, exemplars, valid)
    order = torch.tensor([2, 0, 1])
    turned, turned_weights = model(lr, exemplars[:, order], valid[:, order])
    torch.testing.assert_close(turned, sr, rtol=1e-4, atol=1e-4)
    # Beyond the map a warp finds zeros, of which the maximum takes the first; no offset leads there from this far in.
    rim = int(config.offset_bound) if name(config) == "warp-max" else 0
    inside = slice(rim, weights.shape[-1] - rim)
    turned_weights, weights = (one[..., inside, inside] for one in (turned_weights, weights))
    torch.testing.assert_close(turned_weights, weights[:, order], rtol=0, atol=1e-5)
    for slot in range(3):
        without = valid.clone()
        without[0, slot] = 0
        assert (model(lr, exemplars, without)[0][0] - sr[0]).abs().max() > 1e-4


@pytest.mark.parametrize("aggregation", ["average", "max"])
def test_weights_sum_to_one_where_an_exemplar_is_valid(aggregation: str) -> None:
    model = alive(TINY.replace(aggregation=aggregation))
    lr, exemplars = inputs(3)
    _, weights = model(lr, exemplars, torch.tensor([[1.0, 0, 1], [0, 0, 0]]))
    torch.testing.assert_close(weights[0].sum(0), torch.ones(8, 8))
    assert (weights[1] == 0).all()
    assert weights.min() >= 0


def test_average_and_maximum_are_those_of_the_valid_references() -> None:
    aligned = torch.randn(2, 4, 6, 3, 3, generator=torch.Generator().manual_seed(0))
    f_lr, valid = torch.zeros(2, 6, 3, 3), torch.tensor([[1.0, 1, 0, 1], [0, 0, 1, 0]])
    kept = [aligned[i, valid[i] == 1] for i in range(2)]
    average, _ = AverageAggregation(TINY)(aligned, f_lr, valid)
    torch.testing.assert_close(average, torch.stack([k.mean(0) for k in kept]))
    largest, weights = MaxAggregation(TINY)(aligned, f_lr, valid)
    assert torch.equal(largest, torch.stack([k.amax(0) for k in kept]))
    share = (aligned[0, 1] == largest[0]).float().mean(0)
    torch.testing.assert_close(weights[0, 1], share)


def test_a_convolution_does_not_move_the_reference() -> None:
    torch.manual_seed(0)
    alignment, f_ref, g = ConvolutionAlignment(TINY), torch.randn(1, 8, 8, 8), torch.randn(1, 8, 8, 8)
    shifted = torch.roll(g, 2, -1)
    torch.testing.assert_close(
        torch.roll(alignment(f_ref, g, g), 2, -1)[..., 5:-3], alignment(f_ref, shifted, shifted)[..., 5:-3]
    )
