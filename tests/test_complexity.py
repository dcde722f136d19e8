"""The cost of the networks is the paper's: Table 1's parameters and GMACs, and what a gallery saves of them."""

from __future__ import annotations

import pytest
import torch
from conftest import TINY, lively
from torch.utils.flop_counter import FlopCounterMode

from edgesr.models import PRESETS
from edgesr.models.hime.complexity import complexity, macs_by_module
from edgesr.models.hime.config import HIMEConfig


@pytest.mark.parametrize(
    ("preset", "parameters", "gmacs_paper"),
    [
        ("hime-small-x4", 868_816, "1.87"),
        ("hime-small-x4-64", 868_816, "7.48"),
        ("hime-small-x8", 901_684, "0.495"),
    ],
)
def test_parameters_and_gmacs_are_those_of_the_paper(preset: str, parameters: int, gmacs_paper: str) -> None:
    cost = complexity(PRESETS[preset])
    assert cost.parameters == parameters
    decimals = len(gmacs_paper.split(".")[1])
    assert f"{cost.macs_paper / 1e9:.{decimals}f}" == gmacs_paper


def test_a_gallery_more_than_halves_the_cost_of_a_face() -> None:
    cost = complexity(HIMEConfig())
    assert f"{cost.macs_restore / 1e9:.2f}" == "0.82"
    assert f"{cost.macs_encode / 1e9:.2f}" == "0.27"


@pytest.mark.parametrize("slots", [1, 2, 5])
def test_another_slot_costs_one_alignment_online(slots: int) -> None:
    more, less = (complexity(TINY.replace(slots=n)) for n in (slots + 1, slots))
    macs = macs_by_module(lively(TINY))
    assert more.macs_restore - less.macs_restore == sum(macs[f"rfa.{part}"] for part in ("hidden", "offset", "deform"))
    assert (more.parameters, more.macs_encode) == (less.parameters, less.macs_encode)


@pytest.mark.parametrize("config", [TINY, TINY.replace(scale=8), TINY.replace(scale=2, lr_channels=12)])
def test_counts_agree_with_pytorch_flop_counter(config: HIMEConfig) -> None:
    model, cost, macs = lively(config), complexity(config), macs_by_module(lively(config))
    n, lr, hr = config.slots, config.lr_size, config.hr_size
    with FlopCounterMode(display=False) as encoding:
        features = model.encode(torch.rand(1, 3, hr, hr))
    assert encoding.get_total_flops() == 2 * cost.macs_encode

    with FlopCounterMode(display=False) as restoring:
        model.restore(torch.rand(1, 3, lr, lr), features.repeat(n, 1, 1, 1)[None], torch.ones(1, n))
    bicubic = 3 * (hr * lr * lr + hr * lr * hr)  # the skip's two matrix products, which we leave out
    g1 = n * macs["cofa.g1"]  # folded away in the deployed restorer
    assert restoring.get_total_flops() == 2 * (cost.macs_restore + g1 + bicubic)


def test_the_paper_counts_what_encoding_and_restoring_cost_together() -> None:
    """Its other terms: g1, and the LR extraction and g_L repeated for each reference."""
    cost, macs, n = complexity(TINY), macs_by_module(lively(TINY)), TINY.slots
    repeated = sum(v for k, v in macs.items() if k.startswith(("lr_extractor.", "rfa.g_lr")))
    precomputed = n * cost.macs_encode + cost.macs_restore
    assert cost.macs_paper == precomputed + n * macs["cofa.g1"] + (n - 1) * repeated
