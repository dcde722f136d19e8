"""HIME: what ``encode`` and ``restore`` promise, whatever the configuration."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from conftest import TINY, lively
from PIL import Image
from torch import Tensor

from edgesr.errors import CheckpointError
from edgesr.layers.bicubic import bicubic_downsample, bicubic_upsample
from edgesr.models.hime.config import HIMEConfig
from edgesr.models.hime.network import HIME

OTHERS = [
    TINY.replace(scale=2),
    TINY.replace(scale=8),
    TINY.replace(lr_channels=12, exemplar_channels=16, offset_channels=4, offset_groups=4, tail_channels=6),
    TINY.replace(slots=5, lr_size=12, offset_groups=1, lr_blocks=2, exemplar_blocks=2, reconstruction_blocks=1),
]


def photos(config: HIMEConfig, batch: int = 1, slots: int | None = None, seed: int = 0) -> tuple[Tensor, Tensor]:
    """LR faces [B, 3, h, w] and exemplars [B, n, 3, H, W] of noise."""
    random = torch.Generator().manual_seed(seed)
    n = config.slots if slots is None else slots
    lr = torch.rand(batch, 3, config.lr_size, config.lr_size, generator=random)
    return lr, torch.rand(batch, n, 3, config.hr_size, config.hr_size, generator=random)


def encoded(model: HIME, exemplars: Tensor) -> Tensor:
    return model.encode(exemplars.flatten(0, 1)).unflatten(0, exemplars.shape[:2])


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("scale", 3, "power of two"),
        ("scale", 1, "power of two"),
        ("scale", 0, "whole number"),
        ("slots", 0, "whole number"),
        ("lr_channels", -8, "whole number"),
        ("lr_channels", 8.0, "whole number"),
        ("lr_blocks", True, "whole number"),
        ("tail_channels", "16", "whole number"),
        ("reconstruction_blocks", 10**9, "from 1 to"),
        ("lr_size", 2, "4 pixels"),
        ("offset_groups", 3, "multiple of offset_groups"),
        ("offset_bound", 0, "offset_bound"),
        ("offset_bound", float("nan"), "offset_bound"),
        ("offset_bound", 17, "offset_bound"),
        ("offset_bound", None, "offset_bound"),
    ],
)
def test_a_configuration_that_makes_no_network_is_refused(field: str, value: Any, message: str) -> None:
    with pytest.raises(CheckpointError, match=field) as refused:
        TINY.replace(**{field: value})
    assert message in str(refused.value)


def test_an_unknown_field_is_refused_and_the_known_ones_listed() -> None:
    with pytest.raises(CheckpointError, match=r"unknown field widht.*lr_channels"):
        HIMEConfig.from_dict(TINY.to_dict() | {"widht": 3})


def test_a_configuration_survives_its_dictionary() -> None:
    assert HIMEConfig.from_dict(TINY.to_dict()) == TINY


@pytest.mark.parametrize("config", [TINY, *OTHERS])
def test_shapes_follow_the_configuration(config: HIMEConfig) -> None:
    model, n, h = lively(config), config.slots, config.lr_size
    lr, exemplars = photos(config, batch=2)
    features = encoded(model, exemplars)
    assert features.shape == (2, n, config.feature_channels, h, h)
    sr, weights = model.restore(lr, features, torch.ones(2, n))
    assert sr.shape == (2, 3, config.hr_size, config.hr_size)
    assert weights.shape == (2, n, h, h)
    assert torch.isfinite(sr).all()


@pytest.mark.parametrize("config", [TINY, *OTHERS])
def test_forward_is_restore_of_encode(config: HIMEConfig) -> None:
    model = lively(config)
    lr, exemplars = photos(config, batch=2)
    valid = torch.tensor([[1.0] * config.slots, [1.0] + [0.0] * (config.slots - 1)])
    together = model(lr, exemplars, valid)
    apart = model.restore(lr, encoded(model, exemplars), valid)
    for one, other in zip(together, apart, strict=True):
        assert torch.equal(one, other)


def test_faces_need_not_have_the_size_of_the_configuration() -> None:
    model = lively(TINY)
    lr, exemplars = photos(TINY.replace(lr_size=12))
    sr, _ = model(lr, exemplars, torch.ones(1, TINY.slots))
    assert sr.shape == (1, 3, 48, 48)


@pytest.mark.parametrize("slots", [0, 2])
def test_without_a_valid_exemplar_only_the_lr_face_counts(slots: int) -> None:
    model = lively(TINY)
    lr, exemplars = photos(TINY, slots=slots)
    sr, weights = model(lr, exemplars, torch.zeros(1, slots))
    fused = model.lr_extractor(lr)  # F_a = 0
    torch.testing.assert_close(sr, model.reconstructor(fused) + bicubic_upsample(lr, TINY.scale))
    assert weights.shape == (1, slots, 8, 8)
    assert not weights.any()


def test_no_slots_and_empty_slots_are_the_same_face() -> None:
    model = lively(TINY)
    lr, exemplars = photos(TINY)
    none, _ = model(lr, exemplars[:, :0], torch.zeros(1, 0))
    empty, _ = model(lr, exemplars, torch.zeros(1, TINY.slots))
    assert torch.equal(none, empty)


def test_what_lies_in_an_empty_slot_changes_no_bit() -> None:
    model = lively(TINY)
    lr, exemplars = photos(TINY, slots=3)
    features, valid = encoded(model, exemplars), torch.tensor([[1.0, 0.0, 1.0]])
    sr, weights = model.restore(lr, features, valid)
    for content in (torch.zeros(()), torch.tensor(1e6), torch.randn(features.shape[2:])):
        features[:, 1] = content
        other, other_weights = model.restore(lr, features, valid)
        assert torch.equal(sr, other)
        assert torch.equal(weights, other_weights)
    assert not weights[:, 1].any()


def test_an_empty_slot_more_changes_nothing() -> None:
    model = lively(TINY)
    lr, exemplars = photos(TINY, slots=3)
    two, _ = model(lr, exemplars[:, :2], torch.ones(1, 2))
    three, _ = model(lr, exemplars, torch.tensor([[1.0, 1.0, 0.0]]))
    torch.testing.assert_close(two, three, rtol=0, atol=1e-6)


def test_the_order_of_exemplars_changes_nothing() -> None:
    model = lively(TINY)
    lr, exemplars = photos(TINY, slots=4)
    valid = torch.tensor([[1.0, 0.0, 1.0, 1.0]])
    order = torch.tensor([2, 3, 0, 1])
    sr, weights = model(lr, exemplars, valid)
    reordered, reordered_weights = model(lr, exemplars[:, order], valid[:, order])
    torch.testing.assert_close(sr, reordered, rtol=0, atol=1e-6)
    torch.testing.assert_close(weights[:, order], reordered_weights, rtol=0, atol=1e-6)


def test_exemplars_do_change_the_face() -> None:
    """The promises above would hold for a network that is blind to its exemplars."""
    model = lively(TINY)
    lr, exemplars = photos(TINY)
    _, strangers = photos(TINY, seed=1)
    ones = torch.ones(1, TINY.slots)
    assert (model(lr, exemplars, ones)[0] - model(lr, strangers, ones)[0]).abs().max() > 1e-3


def test_without_gradients_it_computes_what_it_is_trained_to_compute() -> None:
    """The deformable convolution then takes one exemplar's map after another."""
    model = lively(TINY)
    lr, exemplars = photos(TINY, batch=2, slots=3)
    ones = torch.ones(2, 3)
    with torch.enable_grad():
        trained = model(lr, exemplars, ones)
    with torch.no_grad():
        deployed = model(lr, exemplars, ones)
    for wanted, got in zip(trained, deployed, strict=True):
        torch.testing.assert_close(got, wanted, rtol=0, atol=1e-6)


def test_weights_of_the_valid_exemplars_sum_to_one() -> None:
    model = lively(TINY)
    lr, exemplars = photos(TINY, batch=2, slots=3)
    _, weights = model(lr, exemplars, torch.tensor([[1.0, 1.0, 1.0], [0.0, 1.0, 0.0]]))
    assert weights.min() >= 0
    assert weights.sum(1).max() <= 1
    torch.testing.assert_close(weights.sum(1), torch.ones(2, 8, 8), rtol=0, atol=0.05)  # MU_FLOOR keeps it below 1


@pytest.mark.parametrize("bound", [0.5, 2.0, 4.0])
def test_no_offset_exceeds_its_bound(bound: float) -> None:
    config = TINY.replace(offset_bound=bound)
    model = lively(config)
    with torch.no_grad():
        model.rfa.offset.weight.mul_(1000)
    lr, exemplars = photos(config)
    _, g_ref = model.encode(exemplars[0]).split(tuple(config.feature_parts.values()), dim=1)
    offsets = model.rfa.offsets(g_ref, model.rfa.g_lr(model.lr_extractor(lr)))
    assert offsets.abs().max() <= bound
    assert offsets.abs().max() > 0.99 * bound  # the bound is reached, so it is what holds them


def test_a_new_network_starts_undeformed_and_close_to_bicubic() -> None:
    torch.manual_seed(0)
    model = HIME(TINY)
    lr, exemplars = photos(TINY)
    assert not model.rfa.offset.weight.any()
    with torch.no_grad():
        sr, _ = model(lr, exemplars, torch.ones(1, TINY.slots))
    residual = sr - bicubic_upsample(lr, TINY.scale)
    assert residual.abs().mean() < 0.5


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_pixel_shuffle_starts_as_nearest_neighbour(scale: int) -> None:
    """ICNR: the pixels of an output block start equal, so training does not begin with a checkerboard."""
    torch.manual_seed(0)
    tail = HIME(TINY.replace(scale=scale)).reconstructor
    last = scale // 2
    with torch.no_grad():
        first = tail.shuffle1(tail.up1(torch.rand(1, TINY.lr_channels, 6, 6)))
        second = tail.shuffle2(tail.up2(torch.rand(1, TINY.tail_channels, 6, 6)))
    for image, block in ((first, 2), (second, last)):
        nearest = image[..., ::block, ::block].repeat_interleave(block, -1).repeat_interleave(block, -2)
        torch.testing.assert_close(image, nearest)
        assert image.std() > 0


def noise(*size: int) -> Tensor:
    """8-bit noise [1, 3, h, w] between 0.3 and 0.7: bicubic overshoots stay in range, where Pillow would clip."""
    random = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    return (0.3 + 0.4 * random).mul(255).round().div(255)


def to_image(face: Tensor) -> Image.Image:
    return Image.fromarray(face[0].mul(255).round().byte().permute(1, 2, 0).numpy())


def to_tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)[None].float() / 255


@pytest.mark.parametrize("scale", [2, 4, 8])
@pytest.mark.parametrize("size", [5, 8, 32])
def test_bicubic_upsampling_is_pillows(size: int, scale: int) -> None:
    lr = noise(size, size)
    ours = bicubic_upsample(lr, scale)
    pillows = to_tensor(to_image(lr).resize((size * scale, size * scale), Image.Resampling.BICUBIC))
    assert (ours - pillows).abs().max() < 1.5 / 255  # Pillow rounds after each axis


def test_bicubic_upsampling_of_a_rectangle_treats_each_axis_alone() -> None:
    lr = noise(6, 10)
    pillows = to_tensor(to_image(lr).resize((40, 24), Image.Resampling.BICUBIC))
    assert (bicubic_upsample(lr, 4) - pillows).abs().max() < 1.5 / 255


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_bicubic_downsampling_is_pillows_and_has_8_bits(scale: int) -> None:
    hr = noise(64, 64)
    ours = bicubic_downsample(hr, scale)
    pillows = to_tensor(to_image(hr).resize((64 // scale, 64 // scale), Image.Resampling.BICUBIC))
    levels = (ours - pillows).mul(255)
    assert levels.abs().max() <= 1.01  # Pillow rounds after each axis
    assert levels.abs().mean() < 0.3
    torch.testing.assert_close(ours * 255, (ours * 255).round(), rtol=0, atol=1e-4)
