"""Each exact rewrite computes what it replaces."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from conftest import TINY, lively
from torch import Tensor, nn

from edgesr.errors import UsageError
from edgesr.layers.bicubic import bicubic_upsample
from edgesr.layers.deform import TAPS
from edgesr.layers.skip import SKIPS, skip_named
from edgesr.models.hime.rewrites import FoldedAggregation, split_offset_convolution


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def close(got: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(got, wanted, atol=1e-5, rtol=0)


def test_offset_head_is_the_concatenated_convolution_of_the_paper() -> None:
    """g([F_ref, F_L]) of Eq. 3, whose first layer the network holds as g_ref and g_lr."""
    rfa = lively(TINY).rfa
    conv = nn.Conv2d(TINY.exemplar_channels + TINY.lr_channels, TINY.offset_channels, 3, padding=1)
    conv.requires_grad_(False)
    conv.weight.copy_(torch.cat((rfa.g_ref.weight, rfa.g_lr.weight), dim=1))
    conv.bias.copy_(rfa.g_lr.bias)
    f_ref, f_lr = torch.randn(2, TINY.exemplar_channels, 8, 8), torch.randn(2, TINY.lr_channels, 8, 8)
    close(rfa.g_ref(f_ref) + rfa.g_lr(f_lr), conv(torch.cat((f_ref, f_lr), dim=1)))


@pytest.mark.parametrize("bound", [2.0, 4.0, 2.7])
def test_offset_convolution_splits_into_dy_and_dx(bound: float) -> None:
    conv = nn.Conv2d(6, 2 * TAPS * 2, 3, padding=1).requires_grad_(False)
    hidden = torch.randn(2, 6, 8, 8) * 20  # well into tanh's bend
    offsets = (bound * torch.tanh(conv(hidden) / bound)).reshape(2, -1, 2, 8, 8)
    for axis, part in enumerate(split_offset_convolution(conv, bound)):
        close(torch.tanh(part(hidden)) * bound, offsets[:, :, axis])


@pytest.mark.parametrize("valid", [(1, 1, 1), (1, 0, 1), (0, 0, 1), (0, 0, 0)])
def test_aggregation_with_g1_folded_away(valid: tuple[int, ...]) -> None:
    cofa = lively(TINY).cofa
    cofa.g1.bias.normal_()
    cofa.g2.bias.normal_()
    aligned, f_lr, mask = torch.randn(3, 8, 6, 6), torch.randn(1, 8, 6, 6), torch.tensor(valid).float()
    got_map, got_weights = FoldedAggregation(cofa)(aligned, f_lr, mask)
    wanted_map, wanted_weights = cofa(aligned[None], f_lr, mask[None])
    close(got_map, wanted_map)
    close(got_weights[:, 0], wanted_weights[0])


@pytest.mark.parametrize("reach", [0.0, 0.5, 1.0, 5.0])
def test_zero_padding_is_a_border_of_zeros_and_border_padding(reach: float) -> None:
    x = torch.randn(2, 3, 6, 6)
    y, x_ = (torch.rand(2, 2, 9, 9) * (5 + 2 * reach) - reach).unbind(0)  # pixels, beyond the map by up to `reach`
    zeros = torch.stack((x_, y), dim=-1) * (2 / 5) - 1
    border = (torch.stack((x_, y), dim=-1) + 1) * (2 / 7) - 1
    close(
        F.grid_sample(F.pad(x, (1, 1, 1, 1)), border, padding_mode="border", align_corners=True),
        F.grid_sample(x, zeros, padding_mode="zeros", align_corners=True),
    )


@pytest.mark.parametrize("scale", [2, 4, 8])
@pytest.mark.parametrize("size", [4, 5, 8, 32])
@pytest.mark.parametrize("form", SKIPS)
def test_bicubic_skip_is_the_bicubic_to_the_last_border_pixel(form: str, size: int, scale: int) -> None:
    lr = torch.rand(1, 3, size, size)
    close(skip_named(form)(size, scale)(lr), bicubic_upsample(lr, scale))


@pytest.mark.parametrize("form", SKIPS)
def test_bicubic_skip_keeps_a_flat_image_flat(form: str) -> None:
    close(skip_named(form)(8, 4)(torch.ones(1, 3, 8, 8)), torch.ones(1, 3, 32, 32))


def test_unknown_skip_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match="matmul, conv"):
        skip_named("interpolate")
