"""HIME-large: a flow that leads the deformable sampling, on maps that are no pictures."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from large import LARGE, large
from torch.utils.flop_counter import FlopCounterMode

import edgesr
from edgesr.cli.main import run
from edgesr.deployment.graphs import deployed_graphs
from edgesr.errors import EXIT_USAGE, CheckpointError, UsageError
from edgesr.layers.deform import Beyond, warp
from edgesr.models import PRESETS, save_checkpoint
from edgesr.models.hime_large.complexity import complexity, macs_by_module
from edgesr.models.hime_large.config import HIMELargeConfig
from edgesr.models.hime_large.offsets import report_offsets
from edgesr.models.hime_large.spynet import SpyNet, enlarged
from edgesr.models.registry import architecture_of

Image = npt.NDArray[np.float64]


def spynet(levels: int = 3, bound: float = 2.0) -> SpyNet:
    """Random, with flows that are fractional and of which some reach the bound."""
    torch.manual_seed(0)
    net = SpyNet(levels, 4, bound).requires_grad_(False)
    for level in net.levels:
        level.convs[-1].weight.mul_(4)  # type: ignore[union-attr, operator]
        level.convs[-1].bias.normal_(std=0.3)  # type: ignore[union-attr, operator]
    return net


def convolve(x: Image, conv: torch.nn.Conv2d) -> Image:
    """A 7x7 convolution with zeros around, in float64, pixel by pixel."""
    weight, bias = conv.weight.double().numpy(), conv.bias.double().numpy()  # type: ignore[union-attr]
    padded, (_, h, w) = np.pad(x, ((0, 0), (3, 3), (3, 3))), x.shape
    out = np.empty((len(weight), h, w))
    for row, column in np.ndindex(h, w):
        patch = padded[:, row : row + 7, column : column + 7]
        out[:, row, column] = (weight * patch).sum((1, 2, 3)) + bias
    return out


def at(image: Image, y: float, x: float) -> Image:
    """Bilinear value, beyond the border that of its nearest pixel."""
    h, w = image.shape[1:]
    y, x = min(max(y, 0.0), h - 1.0), min(max(x, 0.0), w - 1.0)
    top, left = math.floor(y), math.floor(x)
    below, right = min(top + 1, h - 1), min(left + 1, w - 1)
    fy, fx = y - top, x - left
    upper = image[:, top, left] * (1 - fx) + image[:, top, right] * fx
    lower = image[:, below, left] * (1 - fx) + image[:, below, right] * fx
    value: Image = upper * (1 - fy) + lower * fy
    return value


def spynet_loop(net: SpyNet, face: Image, reference: Image) -> Image:
    """Ranjan and Black's pyramid with bounded flows, in float64: [2, s, s], x before y."""
    pyramid = [(face, reference)]
    for _ in range(len(net.levels) - 1):
        pyramid.append(
            tuple(one.reshape(3, one.shape[1] // 2, 2, -1, 2).mean((2, 4)) for one in pyramid[-1])  # type: ignore[arg-type]
        )
    flow = np.zeros((2, *pyramid[-1][0].shape[1:]))
    for i, (near, far) in enumerate(reversed(pyramid)):
        bound, (h, w) = net.bound / 2 ** (len(net.levels) - 1 - i), near.shape[1:]
        if i:
            halved = [[at(flow, (r - 0.5) / 2, (c - 0.5) / 2) for c in range(w)] for r in range(h)]
            flow = 2 * np.stack(halved).transpose(2, 0, 1)
        read = [[at(far, r + flow[1, r, c], c + flow[0, r, c]) for c in range(w)] for r in range(h)]
        moved = np.stack(read).transpose(2, 0, 1)
        x, convs = np.concatenate([near, moved, flow]), list(net.levels[i].convs)  # type: ignore[arg-type]
        for conv in convs[:-1]:
            x = np.maximum(convolve(x, conv), 0)
        flow = bound * np.tanh((flow + convolve(x, convs[-1])) / bound)
    return flow


def test_spynet_is_its_definition() -> None:
    """Sign, order of axes, scale between levels, borders and bound, against a loop that shares nothing with it."""
    net, generator = spynet(), torch.Generator().manual_seed(1)
    face, reference = (torch.rand(1, 3, 16, 16, generator=generator) for _ in range(2))
    flows = net(face, reference)
    assert [tuple(one.shape) for one in flows] == [(1, 2, 4, 4), (1, 2, 8, 8), (1, 2, 16, 16)]
    defined = spynet_loop(net, face[0].double().numpy(), reference[0].double().numpy())
    np.testing.assert_allclose(flows[-1][0].numpy(), defined, atol=2e-5)
    x, y = flows[-1][0]
    assert (x - y).abs().mean() > 0.1, "the axes differ, so that swapping them would show"
    assert 0.3 < flows[-1].abs().max() < net.bound


@pytest.mark.parametrize("bound", [0.5, 2.0])
def test_the_flow_stays_within_its_bound_at_every_level(bound: float) -> None:
    net = spynet(bound=bound)
    for level in net.levels:
        level.convs[-1].weight.mul_(1e3)  # type: ignore[union-attr, operator]
    for k, flow in zip((2, 1, 0), net(torch.rand(1, 3, 16, 16), torch.rand(1, 3, 16, 16)), strict=True):
        assert 0.9 * bound / 2**k < flow.abs().max() <= bound / 2**k


def test_enlarging_a_flow_keeps_what_is_even_and_goes_no_further() -> None:
    even, rough = torch.full((1, 2, 4, 4), 0.7), torch.rand(1, 2, 4, 4)
    torch.testing.assert_close(enlarged(even), torch.full((1, 2, 8, 8), 0.7))
    assert enlarged(rough).max() <= rough.max()
    slope = torch.arange(4.0).expand(1, 1, 4, 4)
    torch.testing.assert_close(enlarged(slope)[0, 0, 0], torch.tensor([0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.0]))


def test_a_warped_feature_convolved_is_the_convolved_feature_warped() -> None:
    """G warp(F) = warp(G F), which puts G F into the gallery; beyond the map too, since G has no bias."""
    torch.manual_seed(0)
    conv = large().rfa.g_ref
    f_ref, flow = torch.randn(2, LARGE.exemplar_channels, 8, 8), torch.randn(2, 2, 8, 8) * 3
    torch.testing.assert_close(conv(warp(f_ref, flow)), warp(conv(f_ref), flow), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("right", "down"), [(1.0, 0.0), (0.0, 1.0), (-1.0, 1.0)])
def test_references_are_aligned_along_the_flow(right: float, down: float) -> None:
    """A whole flow and no residual: as if the reference had been moved. Swapped axes, or a tap left out, would show."""
    rfa = large().rfa
    rfa.offset.weight.zero_()
    rfa.offset.bias.zero_()
    f_ref, g = torch.randn(1, LARGE.exemplar_channels, 8, 8), torch.zeros(1, LARGE.offset_channels, 8, 8)
    flow = torch.tensor([right, down])[None, :, None, None].expand(1, 2, 8, 8)
    got = rfa(f_ref, g, g, flow)
    still = rfa(warp(f_ref, flow, Beyond.ZEROS), g, g, torch.zeros_like(flow))
    inner = (..., slice(2, -2), slice(2, -2))
    torch.testing.assert_close(got[inner], still[inner], atol=1e-5, rtol=0)
    assert (got - rfa(f_ref, g, g, flow.flip(1)))[inner].abs().max() > 0.01 or right == down


def test_an_empty_set_of_exemplars_is_plain_super_resolution() -> None:
    model, lr = large(), torch.rand(1, 3, LARGE.lr_size, LARGE.lr_size)
    features = model.encode(torch.rand(2, 3, LARGE.hr_size, LARGE.hr_size))[None]
    none = model.restore(lr, features[:, :0], torch.ones(1, 0))[0]
    masked, weights = model.restore(lr, features, torch.zeros(1, 2))
    torch.testing.assert_close(masked, none)
    assert not weights.any()


# Cost


def test_the_product_restores_a_face_within_its_budget() -> None:
    cost = complexity(HIMELargeConfig())
    assert cost.macs_restore <= 2.0e9
    assert f"{cost.macs_restore / 1e9:.2f}" == "1.78"
    assert f"{cost.macs_encode / 1e9:.2f}" == "0.25"


@pytest.mark.parametrize(
    ("preset", "lr_size", "gmacs"),
    [("hime-large-x4-paper", 32, "3.93"), ("hime-large-x4-paper", 64, "15.72"), ("hime-large-x8-paper", 16, "3.93")],
)
def test_the_papers_flow_costs_what_its_table_leaves_for_it(preset: str, lr_size: int, gmacs: str) -> None:
    """Three SpyNets of six levels at half the HR size: what the paper's GMACs of both networks (Table 1) differ by."""
    config = PRESETS[preset].replace(lr_size=lr_size)
    with torch.device("meta"):
        macs = macs_by_module(architecture_of(config).build(config))
    spynets = 3 * sum(count for name, count in macs.items() if ".spynet." in name)
    assert f"{spynets / 1e9:.2f}" == gmacs


@pytest.mark.parametrize("slots", [1, 3])
def test_counts_agree_with_pytorch_flop_counter(slots: int) -> None:
    config = LARGE.replace(slots=slots)
    cost, graphs = complexity(config), deployed_graphs(large(config), "grid_sample")
    with FlopCounterMode(display=False) as encoding:
        graphs.encode(*graphs.inputs("encode"))
    assert encoding.get_total_flops() == 2 * cost.macs_encode
    with FlopCounterMode(display=False) as restoring:
        graphs.restore(*graphs.inputs("restore"))
    lr, hr, c = config.lr_size, config.hr_size, config.lr_channels
    bicubic = 3 * (hr * lr * lr + hr * lr * hr)
    sides = [(lr // 2**k, lr // 2 ** (k + 1)) for k in range(config.flow_levels - 1)]
    enlarging = sum(2 * slots * (wide * small * small + wide * small * wide) for wide, small in sides)
    halving = sum((slots + 1) * 3 * (small * wide * wide + small * wide * small) for wide, small in sides)
    folded = (slots + 1) * c * lr**2  # CoFA's v, and its sums over channels
    assert restoring.get_total_flops() == 2 * (cost.macs_restore + bicubic + enlarging + halving + folded)


# Configuration, and what is not for galleries


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"lr_size": 9}, "cannot be halved so often"),
        ({"flow_levels": 9}, "cannot be halved so often"),
        ({"flow": "landmarks"}, "known: maps, images, half-hr"),
        ({"flow_bound": 0.0}, "flow_bound is 0.0"),
        ({"flow_channels": 5}, "must be even"),
        ({"alignment": "warp"}, "known: deformable"),
    ],
)
def test_configurations_that_make_no_sense_are_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(CheckpointError) as refused:
        LARGE.replace(**changes)
    assert said in f"{refused.value.what} {refused.value.hint}"


@pytest.mark.parametrize(("flow", "levels", "channels"), [("images", 2, 3), ("half-hr", 3, 12)])
def test_the_papers_forms_restore_from_photos_and_write_no_gallery(
    flow: str, levels: int, channels: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = LARGE.replace(flow=flow, flow_levels=levels)
    model, photos = large(config), torch.rand(2, 3, config.hr_size, config.hr_size)
    features = model.encode(photos)
    assert config.feature_parts["flow"] == channels
    sr, _ = model.restore(torch.rand(1, 3, 8, 8), features[None], torch.ones(1, 2))
    assert sr.shape == (1, 3, config.hr_size, config.hr_size)
    with pytest.raises(UsageError, match="is for training and tables"):
        deployed_graphs(model, "rows")
    save_checkpoint(tmp_path / "paper", "paper", model, training={})
    with pytest.raises(UsageError, match="keeps a small picture of each exemplar, and galleries hold none"):
        edgesr.load(tmp_path / "paper").section("fp16")
    (tmp_path / "photos").mkdir()
    arguments = ["gallery", "build", str(tmp_path / "photos"), "-o", str(tmp_path / "me.gallery")]
    assert run([*arguments, "--model", str(tmp_path / "paper"), "--dtype", "fp16"]) == EXIT_USAGE
    assert not (tmp_path / "me.gallery").exists()
    assert "Traceback" not in capsys.readouterr().err


def test_offsets_are_reported_whole_and_by_part() -> None:
    model = large()
    features = model.encode(torch.rand(2, 3, LARGE.hr_size, LARGE.hr_size))
    report = report_offsets(model, torch.rand(2, 3, 8, 8), features)
    assert report.bound == LARGE.flow_bound + LARGE.offset_bound
    assert report.parts is not None
    assert {name: part.bound for name, part in report.parts.items()} == {
        "flow": LARGE.flow_bound,
        "residual": LARGE.offset_bound,
    }
    for one in (report, *report.parts.values()):
        assert all(a <= b for a, b in itertools.pairwise(one.quantiles.values()))
        assert 0 < one.quantiles["p100"] <= one.bound
