"""PWAve: what ``encode`` and ``restore`` promise, what it costs, and that its deployed form computes the same."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from pwave_networks import TINY_PWAVE, lively_pwave, pwave_inputs
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from edgesr.deployment.graphs import deployed_graphs
from edgesr.errors import CheckpointError, UsageError
from edgesr.layers.bicubic import bicubic_upsample
from edgesr.models import PRESETS
from edgesr.models.pwave.complexity import complexity
from edgesr.models.pwave.config import PWAveConfig
from edgesr.models.pwave.deployed import Average
from edgesr.models.pwave.network import PWAve, average

OTHERS = [
    TINY_PWAVE.replace(scale=2, up_channels=(6,)),
    TINY_PWAVE.replace(scale=16, up_channels=(6, 4, 4, 2), lr_size=4, slots=3),
]


def close(got: Tensor, wanted: Tensor, atol: float = 1e-5) -> None:
    torch.testing.assert_close(got, wanted, atol=atol, rtol=0)


def encoded(model: PWAve, exemplars: Tensor) -> tuple[Tensor, Tensor]:
    f1, f2 = model.encode(exemplars.flatten(0, 1))
    return f1.unflatten(0, exemplars.shape[:2]), f2.unflatten(0, exemplars.shape[:2])


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("scale", 3, "power of two"),
        ("scale", 8, "3|width"),
        ("up_channels", (6, 0), "whole number"),
        ("up_channels", "wide", "list"),
        ("slots", True, "whole number"),
        ("f1_channels", 10**9, "from 1 to"),
        ("lr_size", 2, "4 pixels"),
        ("aggregation", "max", "known: pwave, average"),
    ],
)
def test_a_configuration_that_makes_no_network_is_refused(field: str, value: Any, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        TINY_PWAVE.replace(**{field: value})


def test_a_configuration_survives_json_and_an_unknown_field_is_refused() -> None:
    assert PWAveConfig.from_dict(TINY_PWAVE.to_dict()) == TINY_PWAVE
    with pytest.raises(CheckpointError, match=r"unknown field widht"):
        PWAveConfig.from_dict(TINY_PWAVE.to_dict() | {"widht": 3})


def test_presets_cost_and_keep_what_they_should() -> None:
    """1.12 GMAC a face at x8 with three slots; two int8 maps of 104 KiB an exemplar; M1 = 3 and 4, M2 = 1."""
    eight, sixteen = PRESETS["pwave-x8"], PRESETS["pwave-x16"]
    assert f"{complexity(eight).macs_restore / 1e9:.2f}" == "1.12"
    assert eight.interface.kept == {"features_f1": (16, 16, 96), "features_f2": (32, 32, 80)}
    assert sum(h * w * c for h, w, c in eight.interface.kept.values()) == 104 * 1024
    assert (eight.lr_size, eight.hr_size, sixteen.lr_size, sixteen.hr_size) == (16, 128, 8, 128)
    assert [len(config.up_channels) for config in (eight, sixteen)] == [3, 4]  # type: ignore[attr-defined]


@pytest.mark.parametrize("config", [TINY_PWAVE, *OTHERS], ids=lambda config: f"x{config.scale}")
def test_counts_agree_with_pytorchs_flop_counter(config: PWAveConfig) -> None:
    model, cost = lively_pwave(config), complexity(config)
    n, lr, hr = config.slots, config.lr_size, config.hr_size
    with FlopCounterMode(display=False) as encoding:
        maps = model.encode(torch.rand(1, 3, hr, hr))
    assert encoding.get_total_flops() == 2 * cost.macs_encode
    with FlopCounterMode(display=False) as restoring:
        kept = tuple(one.repeat(n, 1, 1, 1)[None] for one in maps)
        model.restore(torch.rand(1, 3, lr, lr), kept, torch.ones(1, n))  # type: ignore[arg-type]
    skips = sum(3 * (size * lr * lr + size * lr * size) for size in (2 * lr, hr))
    assert restoring.get_total_flops() == 2 * (cost.macs_restore + skips)
    assert cost.macs_paper > n * cost.macs_encode + cost.macs_restore  # a LR half of each WNN for each reference


@pytest.mark.parametrize("config", [TINY_PWAVE, *OTHERS], ids=lambda config: f"x{config.scale}")
def test_shapes_follow_the_configuration_and_forward_is_restore_of_encode(config: PWAveConfig) -> None:
    model, n, h = lively_pwave(config), config.slots, config.lr_size
    lr, exemplars = pwave_inputs(config, batch=2)
    valid = torch.tensor([[1.0] * n, [1.0] + [0.0] * (n - 1)])
    kept = encoded(model, exemplars)
    assert [tuple(one.shape[2:]) for one in kept] == [(c, side, side) for side, _, c in config.interface.kept.values()]
    sr, weights, guide = model(lr, exemplars, valid)
    assert sr.shape == (2, 3, config.hr_size, config.hr_size)
    assert weights.shape == (2, n, h, h)
    assert guide.shape == (2, 3, 2 * h, 2 * h)
    apart = model.restore(lr, kept, valid)
    assert torch.equal(apart[0], sr)
    assert torch.equal(apart[1], weights)


@pytest.mark.parametrize("slots", [0, 2])
def test_without_a_valid_exemplar_only_the_lr_face_counts(slots: int) -> None:
    model = lively_pwave()
    lr, exemplars = pwave_inputs(slots=slots)
    sr, weights, _ = model(lr, exemplars, torch.zeros(1, slots))
    nothing = torch.zeros(1, TINY_PWAVE.f1_channels, 8, 8), torch.zeros(1, TINY_PWAVE.f2_channels, 16, 16)
    close(sr, model.isr(lr, *nothing) + bicubic_upsample(lr, TINY_PWAVE.scale))
    assert not weights.any()


def test_what_lies_in_an_empty_slot_changes_no_bit() -> None:
    model = lively_pwave()
    lr, exemplars = pwave_inputs(slots=3)
    kept, valid = encoded(model, exemplars), torch.tensor([[1.0, 0.0, 1.0]])
    sr, weights = model.restore(lr, kept, valid)
    for content in (0.0, 1e6):
        for one in kept:
            one[:, 1] = content
        other = model.restore(lr, kept, valid)
        assert torch.equal(sr, other[0])
        assert torch.equal(weights, other[1])
    assert not weights[:, 1].any()


def test_the_order_of_exemplars_changes_nothing_and_who_they_are_does() -> None:
    model = lively_pwave()
    lr, exemplars = pwave_inputs(slots=3)
    ones, order = torch.ones(1, 3), torch.tensor([2, 0, 1])
    sr, weights, _ = model(lr, exemplars, ones)
    reordered, moved, _ = model(lr, exemplars[:, order], ones)
    close(sr, reordered)
    close(weights[:, order], moved)
    assert (model(lr, pwave_inputs(slots=3, seed=1)[1], ones)[0] - sr).abs().max() > 1e-3
    assert weights.std(1).max() > 0.01, "the weights choose"
    assert weights.sum(1).max() <= 1
    assert weights.sum(1).min() > 0.5  # the floor keeps it below 1, the more the less alike exemplars and face are


@pytest.mark.parametrize("name", ["wnn1", "wnn2"])
def test_a_wnns_first_convolution_is_that_of_features_and_face_together(name: str) -> None:
    """The reference half lies in the gallery, the LR half has the bias: their sum is the paper's convolution."""
    wnn = getattr(lively_pwave(), name)
    wnn.own.bias.normal_()
    features = wnn.reference.in_channels
    conv = nn.Conv2d(features + 3, TINY_PWAVE.wnn_channels, 3, padding=1).requires_grad_(False)
    conv.weight.copy_(torch.cat((wnn.reference.weight, wnn.own.weight), 1))
    conv.bias.copy_(wnn.own.bias)
    f, face = torch.randn(2, features, 8, 8), torch.rand(2, 3, 8, 8)
    close(wnn.reference(f) + wnn.own(face), conv(torch.cat((f, face), 1)))


def test_a_fusion_is_the_convolution_of_both_together() -> None:
    fusion = lively_pwave().isr.fuse1
    fusion.own.bias.normal_()
    conv = nn.Conv2d(12, 8, 3, padding=1).requires_grad_(False)
    conv.weight.copy_(torch.cat((fusion.own.weight, fusion.exemplars.weight), 1))
    conv.bias.copy_(fusion.own.bias)  # type: ignore[union-attr, arg-type]
    own, combined = torch.randn(2, 6, 8, 8), torch.randn(2, 6, 8, 8)
    close(fusion(own, combined), F.relu(conv(torch.cat((own, combined), 1))))


@pytest.mark.parametrize("valid", [(1, 1, 1), (1, 0, 1), (0, 0, 0)])
def test_the_average_over_slots_is_that_of_a_batch(valid: tuple[int, ...]) -> None:
    logits, features, mask = torch.randn(3, 1, 6, 6), torch.randn(3, 5, 6, 6), torch.tensor(valid).float()
    got, got_weights = Average()(logits, features, mask)
    wanted, wanted_weights = average(torch.sigmoid(logits)[None], features[None], mask[None])
    close(got, wanted)
    close(got_weights[:, 0], wanted_weights[0])


@pytest.mark.parametrize("skip", ["matmul", "conv"])
@pytest.mark.parametrize("config", [TINY_PWAVE, OTHERS[1]], ids=lambda config: f"x{config.scale}")
def test_the_deployed_graphs_compute_what_the_network_does(config: PWAveConfig, skip: str) -> None:
    model = lively_pwave(config)
    graphs = deployed_graphs(model, "rows", skip=skip)
    lr, exemplars = pwave_inputs(config)
    f1, f2 = (torch.cat(one) for one in zip(*(graphs.encode(photo[None]) for photo in exemplars[0]), strict=True))
    for mask in (torch.ones(config.slots), torch.zeros(config.slots), torch.eye(config.slots)[0]):
        sr, weights = graphs.restore(lr, f1, f2, mask)
        wanted = model(lr, exemplars, mask[None])
        close(sr, wanted[0])
        close(weights, wanted[1][0])


def test_an_ablation_averages_and_is_not_deployed() -> None:
    model = lively_pwave(TINY_PWAVE.replace(aggregation="average"))
    lr, exemplars = pwave_inputs(slots=3)
    _, weights, _ = model(lr, exemplars, torch.tensor([[1.0, 0.0, 1.0]]))
    close(weights, torch.tensor([0.5, 0.0, 0.5])[None, :, None, None].expand(1, 3, 8, 8))
    assert not model(lr, exemplars, torch.zeros(1, 3))[1].any()
    with pytest.raises(UsageError, match="an ablation of PWAve"):
        deployed_graphs(model, "rows")


def test_a_new_network_averages_and_is_close_to_bicubic() -> None:
    torch.manual_seed(0)
    model = PWAve(TINY_PWAVE)
    lr, exemplars = pwave_inputs(slots=3)
    sr, weights, guide = model(lr, exemplars, torch.ones(1, 3))
    close(weights, torch.full((1, 3, 8, 8), 0.5 / 1.51))
    assert (sr - bicubic_upsample(lr, 4)).abs().mean() < 0.5
    assert (guide - bicubic_upsample(lr, 2)).abs().mean() < 0.5


def test_each_bracket_of_the_loss_trains_its_own_part() -> None:
    """Eq. 6: the first everything but G_S, the second G_S alone."""
    model = lively_pwave().requires_grad_(True)
    lr, exemplars = pwave_inputs()
    sr, _, guide = model(lr, exemplars, torch.ones(1, 2))
    for loss, own in ((sr.square().sum(), False), (guide.square().sum(), True)):
        model.zero_grad()
        loss.backward()
        moved = {name for name, p in model.named_parameters() if p.grad is not None and p.grad.any()}
        assert {name.startswith("guide.") for name in moved} == {own}
        if not own:
            assert moved == {name for name, _ in model.named_parameters() if not name.startswith("guide.")}
