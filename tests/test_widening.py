"""A widened network starts by computing what the narrow one does, and every weight of it learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TINY, lively

from edgesr.errors import UsageError
from edgesr.models import Checkpoint, load_checkpoint, save_checkpoint
from edgesr.models.hime.network import HIME
from edgesr.training.setup import initial_weights

WIDER = {
    "trunk": {"lr_channels": 12},
    "tail": {"tail_channels": 6},
    "deeper": {"lr_blocks": 2, "exemplar_blocks": 3, "reconstruction_blocks": 4},
    "all, other bound": {"lr_channels": 16, "tail_channels": 8, "exemplar_blocks": 2, "offset_bound": 4.0},
}


@pytest.fixture
def narrow(tmp_path: Path) -> Checkpoint:
    model = lively(TINY)
    save_checkpoint(tmp_path / "narrow", "narrow", model, training={})
    return load_checkpoint(tmp_path / "narrow")


def restored(model: HIME) -> torch.Tensor:
    torch.manual_seed(1)
    lr, exemplars = torch.rand(2, 3, 8, 8), torch.rand(4, 3, 32, 32)
    features = model.encode(exemplars).unflatten(0, (2, 2))
    return model.restore(lr, features, torch.tensor([[1.0, 1.0], [1.0, 0.0]]))[0]


@pytest.mark.parametrize("grown", WIDER.values(), ids=WIDER)
def test_a_widened_network_computes_the_same_and_learns_everywhere(narrow: Checkpoint, grown: dict[str, Any]) -> None:
    config = narrow.model.config.replace(**grown)
    wide = HIME(config)
    wide.load_state_dict(initial_weights(narrow, config))
    # A changed bound moves offsets: only what widening does is to be seen.
    wide.rfa.bound = narrow.model.rfa.bound
    with torch.no_grad():
        wanted = restored(narrow.model)
    torch.testing.assert_close(restored(wide), wanted, atol=1e-5, rtol=0)
    optimizer = torch.optim.SGD(wide.parameters(), 1e-2)
    start = {name: parameter.detach().clone() for name, parameter in wide.named_parameters()}
    for _ in range(3):  # weights behind a 0 have no gradient before that one has moved
        optimizer.zero_grad()
        restored(wide).square().mean().backward()
        optimizer.step()
    still = [name for name, p in wide.named_parameters() if torch.equal(p, start[name])]
    assert not still


def test_widening_is_always_the_same(narrow: Checkpoint) -> None:
    config = narrow.model.config.replace(lr_channels=12)
    first = initial_weights(narrow, config)
    torch.rand(1)
    second = initial_weights(narrow, config)
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    "other",
    [
        {"lr_channels": 6},
        {"lr_channels": 12, "reconstruction_blocks": 1},
        {"exemplar_channels": 16},
        {"offset_channels": 16},
        {"offset_groups": 4},
        {"aggregation": "max"},
    ],
    ids=str,
)
def test_what_is_no_wider_form_of_a_network_is_refused(narrow: Checkpoint, other: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="another network"):
        initial_weights(narrow, narrow.model.config.replace(**other))


def test_one_of_twice_the_scale_is_halved_and_widened(tmp_path: Path) -> None:
    whole = lively(TINY.replace(scale=8, lr_size=8))
    save_checkpoint(tmp_path / "whole", "whole", whole, training={})
    start = load_checkpoint(tmp_path / "whole")
    config = whole.config.replace(scale=4, lr_size=16)
    half, wide = HIME(config), HIME(config.replace(lr_channels=12))
    half.load_state_dict(initial_weights(start, half.config))
    wide.load_state_dict(initial_weights(start, wide.config))
    with torch.no_grad():
        torch.testing.assert_close(restored(wide), restored(half), atol=1e-5, rtol=0)
