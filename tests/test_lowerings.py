"""Every lowering of the deformable convolution computes the deformable convolution."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torch.nn.functional as F
from conftest import TINY, lively
from torch import Tensor

from edgesr.errors import UsageError
from edgesr.layers.deform import TAPS, Beyond, DeformableConv2d, warp
from edgesr.layers.lowerings import LOWERINGS, Sampling, lowering_named
from edgesr.models.hime.offsets import report_offsets

SIZES = {  # slots, channels, groups, side, bound
    "tiny": (2, 8, 2, 8, 2.0),
    "one slot, one group": (1, 4, 1, 5, 4.0),
    "five slots": (5, 8, 4, 4, 1.0),
    "fractional bound": (2, 6, 3, 6, 2.5),
    "bound below a pixel": (2, 4, 2, 6, 0.5),
    "bound beyond the map": (1, 4, 2, 4, 6.0),
}
OFFSETS = ("fractional", "integer", "bound", "minus bound", "just inside", "zero", "outwards")


def make_offsets(kind: str, shape: tuple[int, ...], bound: float, generator: torch.Generator) -> Tensor:
    """dy or dx [n, G * 9, h, w] of a kind, all within the bound."""
    uniform = (torch.rand(shape, generator=generator) * 2 - 1) * bound
    rows = torch.linspace(-bound, bound, shape[-1]).expand(shape)
    return {
        "fractional": uniform,
        "integer": uniform.trunc(),
        "bound": torch.full(shape, bound),
        "minus bound": torch.full(shape, -bound),
        "just inside": torch.full(shape, math.nextafter(bound, 0.0)),
        "zero": torch.zeros(shape),
        "outwards": rows,  # at each border, away from the map
    }[kind]


def deformable_loop(x: Tensor, dy: Tensor, dx: Tensor, weight: Tensor, bias: Tensor) -> npt.NDArray[np.float64]:
    """Dai et al.'s definition, pixel by pixel in float64: no grid, no tensor operation shared with the product."""
    n, c, h, w = x.shape
    groups = dy.shape[1] // 9
    maps, oy, ox = (t.double().numpy() for t in (x, dy, dx))
    kernel = weight.double().numpy().reshape(len(weight), groups, c // groups, 9)
    out = np.tile(bias.double().numpy()[None, :, None, None], (n, 1, h, w))
    for i, g, k, row, column in np.ndindex(n, groups, 9, h, w):
        y = row + k // 3 - 1 + oy[i, g * 9 + k, row, column]
        x_ = column + k % 3 - 1 + ox[i, g * 9 + k, row, column]
        value = np.zeros(c // groups)
        for y_near in (math.floor(y), math.floor(y) + 1):
            for x_near in (math.floor(x_), math.floor(x_) + 1):
                if 0 <= y_near < h and 0 <= x_near < w:
                    share = (1 - abs(y - y_near)) * (1 - abs(x_ - x_near))
                    value += share * maps[i, g * (c // groups) : (g + 1) * (c // groups), y_near, x_near]
        out[i, :, row, column] += kernel[:, g, :, k] @ value
    return out


def interleaved(dy: Tensor, dx: Tensor) -> Tensor:
    """dy, dx [n, G * 9, h, w] as one [n, G * 9 * 2, h, w], y before x of each tap."""
    return torch.stack((dy, dx), dim=2).flatten(1, 2)


def problem(size: str, kind: str) -> tuple[Tensor, Tensor, Tensor, DeformableConv2d]:
    """A random map, offsets of the kind, and a deformable convolution."""
    slots, channels, groups, side, bound = SIZES[size]
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(slots, channels, side, side, generator=generator)
    shape = (slots, groups * TAPS, side, side)
    dy = make_offsets(kind, shape, bound, generator)
    dx = make_offsets(kind, shape, bound, generator)
    if kind == "outwards":
        dy = dy.transpose(2, 3)
    torch.manual_seed(1)
    deform = DeformableConv2d(channels, 7, groups).requires_grad_(False)
    deform.bias.normal_()
    return x, dy, dx, deform


def lowered(name: str, size: str, x: Tensor, dy: Tensor, dx: Tensor, deform: DeformableConv2d) -> Tensor:
    """The deformable convolution through a lowering and a 1x1 convolution."""
    sampling: Sampling = lowering_named(name)(*SIZES[size])
    return F.conv2d(sampling(x, dy, dx), sampling.pointwise_weight(deform.weight), deform.bias)


@pytest.mark.parametrize("kind", OFFSETS)
@pytest.mark.parametrize("size", SIZES)
def test_deformable_convolution_is_its_definition(size: str, kind: str) -> None:
    x, dy, dx, deform = problem(size, kind)
    defined = deformable_loop(x, dy, dx, deform.weight, deform.bias)
    np.testing.assert_allclose(deform(x, interleaved(dy, dx)).numpy(), defined, atol=1e-5)


@pytest.mark.parametrize("kind", OFFSETS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", LOWERINGS)
def test_lowering_is_exact_within_the_bound(name: str, size: str, kind: str) -> None:
    x, dy, dx, deform = problem(size, kind)
    got = lowered(name, size, x, dy, dx, deform)
    torch.testing.assert_close(got, deform(x, interleaved(dy, dx)), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", LOWERINGS)
def test_lowering_keeps_slots_apart(name: str) -> None:
    """What lies in one slot changes no other, by not a bit."""
    x, dy, dx, deform = problem("five slots", "fractional")
    before = lowered(name, "five slots", x, dy, dx, deform)
    x[2] = 1e6
    after = lowered(name, "five slots", x, dy, dx, deform)
    assert torch.equal(before[[0, 1, 3, 4]], after[[0, 1, 3, 4]])
    assert not torch.equal(before[2], after[2])


@pytest.mark.parametrize("name", LOWERINGS)
def test_a_dropped_offset_is_noticed(name: str) -> None:
    """The comparison above is sensitive: one tap whose offset is ignored fails it."""
    x, dy, dx, deform = problem("tiny", "fractional")
    right = deform(x, interleaved(dy, dx))
    dy[:, 4] = 0
    assert (lowered(name, "tiny", x, dy, dx, deform) - right).abs().max() > 1e-2


def warp_loop(x: Tensor, dy: Tensor, dx: Tensor, beyond: Beyond) -> npt.NDArray[np.float64]:
    """A map read at p + d(p), pixel by pixel in float64."""
    n, _, h, w = x.shape
    maps, oy, ox = (t.double().numpy() for t in (x, dy, dx))
    out = np.zeros(x.shape)
    for i, row, column in np.ndindex(n, h, w):
        y, x_ = row + oy[i, 0, row, column], column + ox[i, 0, row, column]
        for y_near in (math.floor(y), math.floor(y) + 1):
            for x_near in (math.floor(x_), math.floor(x_) + 1):
                share = (1 - abs(y - y_near)) * (1 - abs(x_ - x_near))
                at = min(max(y_near, 0), h - 1), min(max(x_near, 0), w - 1)
                if beyond is Beyond.NEAREST or at == (y_near, x_near):
                    out[i, :, row, column] += share * maps[i, :, at[0], at[1]]
    return out


@pytest.mark.parametrize("kind", OFFSETS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("beyond", Beyond)
def test_warps_read_the_map_at_the_flow_with_zeros_or_the_nearest_pixel_beyond(
    beyond: Beyond, size: str, kind: str
) -> None:
    """The plain form and every lowering's, of one tap and one group, against the definition."""
    slots, channels, _, side, bound = SIZES[size]
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(slots, channels, side, side, generator=generator)
    dy, dx = (make_offsets(kind, (slots, 1, side, side), bound, generator) for _ in range(2))
    if kind == "outwards":
        dy = dy.transpose(2, 3)
    defined = warp_loop(x, dy, dx, beyond)
    np.testing.assert_allclose(warp(x, torch.cat((dx, dy), 1), beyond).numpy(), defined, atol=1e-5)
    for name in LOWERINGS:
        sampling = lowering_named(name)(slots, channels, 1, side, bound, kernel=1, beyond=beyond)
        np.testing.assert_allclose(sampling(x, dy, dx).numpy(), defined, atol=1e-5, err_msg=name)


def test_unknown_lowering_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match="grid_sample, rows, tent"):
        lowering_named("gather")


@pytest.mark.parametrize(("size", "median", "near_bound"), [(0.0, 0.0, 0.0), (1.0, 1.0, 0.0), (100.0, 2.0, 1.0)])
def test_offsets_are_reported_against_the_bound(size: float, median: float, near_bound: float) -> None:
    """A network whose every offset is about ``size`` pixels before the bound of 2 bends it."""
    model = lively(TINY)
    model.rfa.offset.weight.zero_()
    model.rfa.offset.bias.fill_(size)
    lr, photos = torch.rand(2, 3, TINY.lr_size, TINY.lr_size), torch.rand(2, 3, TINY.hr_size, TINY.hr_size)
    report = report_offsets(model, lr, model.encode(photos))
    assert report.bound == TINY.offset_bound == 2.0
    assert report.quantiles["p50"] == pytest.approx(2 * math.tanh(median / 2) if size < 10 else median)
    assert report.near_bound == near_bound
    assert sum(report.histogram) == pytest.approx(1.0)


def test_offset_quantiles_are_ordered_and_bounded() -> None:
    model = lively(TINY)
    model.rfa.offset.weight.mul_(10)
    model.rfa.offset.bias.normal_()
    lr, photos = torch.rand(2, 3, TINY.lr_size, TINY.lr_size), torch.rand(2, 3, TINY.hr_size, TINY.hr_size)
    quantiles = list(report_offsets(model, lr, model.encode(photos)).quantiles.values())
    assert quantiles == sorted(quantiles)
    assert 0.0 < quantiles[0] < quantiles[-1] <= TINY.offset_bound
