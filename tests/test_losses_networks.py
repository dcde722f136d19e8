"""Losses that look through networks: each against its formula, and files of weights told apart by name."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from loss_inputs import EARLY, images, random_weights, saved
from torch import Tensor

from edgesr.errors import InputOutputError, UsageError
from edgesr.training.losses import (
    LPIPS,
    PerceptualLoss,
)
from edgesr.training.losses.backbones import ARCHITECTURES, Architecture, Backbone
from edgesr.training.losses.lpips import CHANNELS
from edgesr.training.losses.lpips import LAYERS as LPIPS_LAYERS

LAYOUTS = {
    "torchvision or timm": "features.{}",
    "wrapped": "module.vgg.features.{}",
    "lpips": "net.slice1.{}",
    "the features alone": "{}",
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_vgg_weights_load_from_every_layout(tmp_path: Path, layout: str) -> None:
    state = random_weights("vgg19", list(EARLY))
    stored = {layout.format(key): tensor.half() for key, tensor in state.items()}
    stored |= {layout.format("7.weight"): torch.zeros(9), "classifier.0.weight": torch.zeros(2, 2)}  # lie deeper
    safetensors.torch.save_file(stored, tmp_path / "vgg19.safetensors")
    loaded = Backbone.load("vgg19", list(EARLY), tmp_path / "vgg19.safetensors")
    assert loaded.features.state_dict().keys() == state.keys()
    for key, tensor in loaded.features.state_dict().items():
        assert torch.equal(tensor, state[key].half().float())
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


@pytest.mark.parametrize(
    ("architecture", "parameters"), [("vgg19", 20_024_384), ("vgg16", 14_714_688), ("alexnet", 2_469_696)]
)
def test_backbones_have_the_published_number_of_weights(architecture: Architecture, parameters: int) -> None:
    with torch.device("meta"):
        network = Backbone(architecture, list(ARCHITECTURES[architecture])[-1:])
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


@pytest.mark.parametrize(
    ("layer", "index"), [("conv1_2", 2), ("conv2_2", 7), ("conv3_4", 16), ("conv4_4", 25), ("conv5_4", 34)]
)
def test_vgg19s_layers_have_torchvisions_numbers(layer: str, index: int) -> None:
    with torch.device("meta"):
        assert Backbone("vgg19", [layer]).taps == {index: layer}


def no_vgg(path: Path) -> Path:
    return path / "none.safetensors"


def a_pickle(path: Path) -> Path:
    torch.save({}, path / "vgg19.pth")
    return path / "vgg19.pth"


def damaged(path: Path) -> Path:
    (path / "x.safetensors").write_bytes(b"no weights")
    return path / "x.safetensors"


def with_batch_norm(path: Path) -> Path:
    state = {f"features.{k}": v for k, v in random_weights("vgg19", list(EARLY)).items()}
    return saved(path, state | {"features.1.weight": torch.zeros(64)})


def a_layer_short(path: Path) -> Path:
    return saved(path, {f"features.{k}": v for k, v in random_weights("vgg19", ["conv1_2"]).items()})


def not_finite(path: Path) -> Path:
    state = {f"features.{k}": v for k, v in random_weights("vgg19", list(EARLY)).items()}
    state["features.5.bias"][0] = math.nan
    return saved(path, state)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (no_vgg, r"no vgg19 weights at .*none.*docs/losses\.md"),
        (a_pickle, r"vgg19\.pth is a pickle, .*never loaded.*docs/losses\.md"),
        (damaged, r"cannot read .*x\.safetensors"),
        (with_batch_norm, r"features\.1\.weight is 64 where it should be missing .*without batch norm"),
        (a_layer_short, r"features\.5\.(bias|weight) is missing where it should be 128"),
        (lambda path: saved(path, {"other": torch.zeros(1)}), r"does not hold vgg19: features\.0\.\w+ is missing"),
        (not_finite, r"not finite in features\.5\.bias"),
    ],
)
def test_a_wrong_file_of_weights_is_named(tmp_path: Path, make: object, message: str) -> None:
    with pytest.raises(InputOutputError, match=message):
        PerceptualLoss.load(make(tmp_path), EARLY)  # type: ignore[operator]


def test_a_layer_that_vgg_lacks_is_named() -> None:
    with pytest.raises(UsageError, match=r"no layer 'conv1_3' .*conv1_1"):
        Backbone("vgg19", ["conv1_3"])


def test_perceptual_loss_is_equation_11_on_features_before_the_relu(tmp_path: Path) -> None:
    state = random_weights("vgg19", list(EARLY))
    loss = PerceptualLoss.load(saved(tmp_path, {f"features.{k}": v for k, v in state.items()}), EARLY)

    def features(image: Tensor) -> tuple[Tensor, Tensor]:
        image = (image - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor(
            [[[0.229]], [[0.224]], [[0.225]]]
        )
        first = F.conv2d(image, state["0.weight"], state["0.bias"], padding=1).relu()
        second = F.conv2d(first, state["2.weight"], state["2.bias"], padding=1)
        pooled = F.max_pool2d(second.relu(), 2)
        return second, F.conv2d(pooled, state["5.weight"], state["5.bias"], padding=1)

    sr, hr = images(2, 3, 16, 16)
    assert min(float(feature.min()) for feature in features(sr)) < 0
    distances = [(a - b).abs().mean() for a, b in zip(features(sr), features(hr), strict=True)]
    torch.testing.assert_close(loss(sr, hr), 0.5 * distances[0] + 2.0 * distances[1])
    loss(sr.requires_grad_(True), hr.requires_grad_(True)).backward()
    assert sr.grad is not None
    assert sr.grad.abs().sum() > 0
    assert hr.grad is None


@pytest.mark.parametrize("names", ["lin{}.model.1.weight", "lins.{}.model.1.weight", "lin{}.weight"])
def test_lpips_is_its_formula(tmp_path: Path, names: str) -> None:
    layers = LPIPS_LAYERS["alexnet"]
    state = {f"features.{k}": v for k, v in random_weights("alexnet", list(layers)).items()}
    linear = [torch.rand(n) for n in CHANNELS["alexnet"]]
    state |= {names.format(i): weights.view(1, -1, 1, 1) for i, weights in enumerate(linear)}
    path = saved(tmp_path, state)
    lpips = LPIPS.load("alexnet", path, path)
    sr, hr = images(2, 3, 64, 64)

    def scaled(image: Tensor) -> Tensor:
        shift, scale = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])
        return ((2 * image - 1).permute(0, 2, 3, 1) - shift).div(scale).permute(0, 3, 1, 2)

    one, other = lpips.backbone(scaled(sr)), lpips.backbone(scaled(hr))
    assert [tuple(one[name].shape[1:]) for name in layers] == [
        (64, 15, 15), (192, 7, 7), (384, 3, 3), (256, 3, 3), (256, 3, 3)
    ]  # fmt: skip
    expected = torch.zeros(2)
    for name, weights in zip(layers, linear, strict=True):
        a, b = F.normalize(one[name], dim=1), F.normalize(other[name], dim=1)
        expected += torch.einsum("nchw,c->n", (a - b) ** 2, weights) / a[0, 0].numel()
    torch.testing.assert_close(lpips(sr, hr), expected, rtol=1e-3, atol=1e-6)
    assert torch.equal(lpips(sr, sr), torch.zeros(2))


def test_lpips_has_a_finite_gradient_where_features_are_all_zero(tmp_path: Path) -> None:
    state = {f"features.{k}": v for k, v in random_weights("alexnet", ["relu5"]).items()}
    state |= {f"lin{i}.model.1.weight": torch.rand(1, n, 1, 1) for i, n in enumerate(CHANNELS["alexnet"])}
    for key in state:
        if key.endswith("bias"):
            state[key] = torch.full_like(state[key], -100)
    path = saved(tmp_path, state)
    sr, hr = images(1, 3, 64, 64)
    LPIPS.load("alexnet", path, path)(sr.requires_grad_(True), hr).sum().backward()
    assert sr.grad is not None
    assert torch.isfinite(sr.grad).all()


def test_lpips_linear_layers_of_another_backbone_are_refused(tmp_path: Path) -> None:
    state = {f"features.{k}": v for k, v in random_weights("alexnet", ["relu5"]).items()}
    path = saved(tmp_path, state | {f"lin{i}.model.1.weight": torch.rand(1, 64, 1, 1) for i in range(5)})
    with pytest.raises(InputOutputError, match=r"linear layers for alexnet: channels \(64, 64"):
        LPIPS.load("alexnet", path, path)
