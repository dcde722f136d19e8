"""The edge variant of HIME: what it computes, what it starts from, and that its deployed form is the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import EDGE, TINY, lively

from edgesr.errors import UsageError
from edgesr.layers.lowerings import LOWERINGS
from edgesr.models import PRESETS, load_checkpoint, save_checkpoint
from edgesr.models.hime.deployed import graphs
from edgesr.models.hime.network import HIME
from edgesr.training.setup import initial_weights


@pytest.fixture
def small(tmp_path: Path) -> Callable[[HIME], Any]:
    """A checkpoint of a network, as read."""

    def saved(model: HIME) -> Any:
        save_checkpoint(tmp_path / "small", "small", model, training={})
        return load_checkpoint(tmp_path / "small")

    return saved


def test_each_group_of_channels_is_read_where_its_one_offset_leads() -> None:
    """Beside a loop in float64: offsets are y before x, in LR pixels, and beyond the map lie zeros."""
    model = lively(EDGE).double()
    random = torch.Generator().manual_seed(0)
    side, groups = EDGE.lr_size, EDGE.offset_groups
    value, g_ref, g_lr = (
        torch.randn(1, channels, side, side, generator=random, dtype=torch.float64)
        for channels in (EDGE.lr_channels, EDGE.offset_channels, EDGE.offset_channels)
    )
    offsets = model.rfa.offsets(g_ref, g_lr).double()
    aligned = model.rfa(value, g_ref, g_lr)
    assert offsets.abs().mean() > 0.3, "they move something"

    def at(channel: int, y: int, x: int) -> float:
        return float(value[0, channel, y, x]) if 0 <= y < side and 0 <= x < side else 0.0

    for channel in range(EDGE.lr_channels):
        group = channel // (EDGE.lr_channels // groups)
        for y in range(side):
            for x in range(side):
                to_y, to_x = (float(offsets[0, 2 * group + k, y, x]) + p for k, p in ((0, y), (1, x)))
                top, left = (int(torch.tensor(p).floor()) for p in (to_y, to_x))
                wanted = sum(
                    at(channel, top + i, left + j) * (1 - abs(to_y - top - i)) * (1 - abs(to_x - left - j))
                    for i in (0, 1)
                    for j in (0, 1)
                )
                assert float(aligned[0, channel, y, x]) == pytest.approx(wanted, abs=1e-5)


def test_a_warp_that_has_learned_nothing_does_not_move_the_reference() -> None:
    torch.manual_seed(0)
    warp, f_ref, g = HIME(EDGE).rfa, torch.randn(1, 8, 8, 8), torch.randn(1, 8, 8, 8)
    torch.testing.assert_close(warp(warp.kept(f_ref), g, g), warp.value(f_ref), rtol=0, atol=1e-5)


@pytest.mark.parametrize("lowering", LOWERINGS)
def test_its_deployed_graphs_are_the_network_in_every_lowering(lowering: str) -> None:
    model, random = lively(EDGE), torch.Generator().manual_seed(0)
    lr = torch.rand(1, 3, EDGE.lr_size, EDGE.lr_size, generator=random)
    photos = torch.rand(EDGE.slots, 3, EDGE.hr_size, EDGE.hr_size, generator=random)
    valid = torch.tensor([1.0, 0.0])
    encode, restore = graphs(model, EDGE, lowering, "matmul")
    with torch.no_grad():
        features = model.encode(photos)
        torch.testing.assert_close(torch.cat([encode(photo[None]) for photo in photos]), features)
        wanted, weights = model.restore(lr, features[None], valid[None])
        sr, got = restore(lr, features, valid)
    torch.testing.assert_close(sr, wanted, atol=2e-5, rtol=0)
    torch.testing.assert_close(got, weights[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_it_starts_as_the_network_that_it_starts_from_where_that_moves_everything_alike(
    small: Callable[[HIME], Any], groups: int
) -> None:
    rfa = lively(TINY)
    with torch.no_grad():
        rfa.rfa.offset.weight.zero_()
        rfa.rfa.offset.bias.copy_(torch.tensor([0.8, -1.3]).repeat(len(rfa.rfa.offset.bias) // 2))  # type: ignore[arg-type, union-attr]
    config = EDGE.replace(offset_groups=groups, offset_bound=TINY.offset_bound)
    edge = HIME(config)
    edge.load_state_dict(initial_weights(small(rfa), config))
    for name in ("lr_extractor.conv.weight", "rfa.hidden.weight", "cofa.g1.bias", "reconstructor.up2.weight"):
        assert torch.equal(edge.state_dict()[name], rfa.state_dict()[name]), name
    photo = torch.rand(1, 3, TINY.hr_size, TINY.hr_size, generator=torch.Generator().manual_seed(0))
    g_lr = torch.zeros(1, TINY.offset_channels, TINY.lr_size, TINY.lr_size)
    with torch.no_grad():
        theirs, ours = (
            one.rfa(*one.encode(photo).split(tuple(one.config.feature_parts.values()), dim=1), g_lr)
            for one in (rfa, edge)
        )
    inside = slice(2, -3)  # a convolution pads before the way, or after it
    torch.testing.assert_close(ours[..., inside, inside], theirs[..., inside, inside], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    "other",
    [
        TINY.replace(lr_channels=12),
        TINY.replace(offset_channels=4),
        TINY.replace(aggregation="max"),
        TINY.replace(alignment="convolution"),
    ],
)
def test_a_start_of_other_widths_or_of_an_ablation_is_refused(small: Callable[[HIME], Any], other: Any) -> None:
    torch.manual_seed(0)
    with pytest.raises(UsageError, match="another network"):
        initial_weights(small(HIME(other)), EDGE)


def test_the_preset_starts_from_the_shipped_network() -> None:
    start = load_checkpoint("hime-small-x4-photo")
    model = HIME(PRESETS["hime-edge-x4"])  # type: ignore[arg-type]
    model.load_state_dict(initial_weights(start, model.config))
