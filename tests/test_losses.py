"""Losses: each against its formula written out, its gradients, and weights files told apart by name."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgesr.errors import EdgesrError, InputOutputError, UsageError
from edgesr.training.losses import (
    LPIPS,
    RECONSTRUCTION,
    Discriminator,
    DiscriminatorConfig,
    IdentityLoss,
    LossConfig,
    LossFiles,
    LossWeights,
    PerceptionLoss,
    PerceptualLoss,
    charbonnier,
    correlation_loss,
    discriminator_loss,
    generator_loss,
)
from edgesr.training.losses.backbones import ARCHITECTURES, Architecture, Backbone
from edgesr.training.losses.lpips import CHANNELS
from edgesr.training.losses.lpips import LAYERS as LPIPS_LAYERS

EARLY = {"conv1_2": 0.5, "conv2_1": 2.0}
"""Layers so early that their weights are small."""


def images(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    sr, hr = torch.rand(2, *shape, generator=random, dtype=torch.float64).to(dtype)
    return sr, hr


# Correlation


def correlation_map(image: Tensor, window: int, dilation: int) -> list[float]:
    """Eq. 8 in loops; [C, H, W] -> k * k * H * W values."""
    pixels = (image.double() - image.double().mean(dim=(1, 2), keepdim=True)).tolist()
    channels, height, width = image.shape
    reach, values = (window - 1) // 2, []
    for i in range(-reach, reach + 1):
        for j in range(-reach, reach + 1):
            for y in range(height):
                for x in range(width):
                    v, u = y - i * dilation, x - j * dilation
                    inside = 0 <= v < height and 0 <= u < width
                    product = sum(pixels[c][y][x] * pixels[c][v][u] for c in range(channels)) if inside else 0.0
                    values.append(product / window**2)
    return values


@pytest.mark.parametrize(
    ("window", "dilation", "height", "width"),
    [(1, 1, 5, 6), (3, 1, 5, 6), (5, 1, 6, 5), (3, 2, 7, 5), (5, 3, 6, 8), (7, 2, 4, 9)],
)
def test_correlation_loss_is_equations_8_and_9(window: int, dilation: int, height: int, width: int) -> None:
    sr, hr = images(2, 3, height, width, dtype=torch.float64)
    differences = [
        abs(a - b)
        for one, other in zip(sr, hr, strict=True)
        for a, b in zip(correlation_map(one, window, dilation), correlation_map(other, window, dilation), strict=True)
    ]
    expected = sum(differences) / len(differences)
    assert float(correlation_loss(sr, hr, window, dilation)) == pytest.approx(expected, rel=1e-12)


def test_a_window_of_one_pixel_compares_squared_pixels() -> None:
    sr, hr = images(2, 3, 8, 8)
    squares = [((x - x.mean((2, 3), keepdim=True)) ** 2).sum(1) for x in (sr, hr)]
    torch.testing.assert_close(correlation_loss(sr, hr, window=1), (squares[0] - squares[1]).abs().mean())


def test_correlation_sees_texture_and_not_brightness() -> None:
    sr, _ = images(1, 3, 16, 16)
    assert float(correlation_loss(sr + 0.3, sr)) == pytest.approx(0, abs=1e-7)
    assert float(correlation_loss(F.avg_pool2d(sr, 3, 1, 1), sr)) > 1e-3


def test_correlation_of_half_precision_images_is_computed_in_full() -> None:
    sr, hr = (x.bfloat16() for x in images(1, 3, 8, 8))
    loss = correlation_loss(sr, hr)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, correlation_loss(sr.float(), hr.float()))


@pytest.mark.parametrize(("window", "dilation", "what"), [(4, 1, "window is 4"), (0, 1, "window"), (3, 0, "dilation")])
def test_a_window_without_a_centre_is_refused(window: int, dilation: int, what: str) -> None:
    sr, hr = images(1, 3, 8, 8)
    with pytest.raises(UsageError, match=what):
        correlation_loss(sr, hr, window, dilation)
    with pytest.raises(UsageError, match=what):
        LossConfig(correlation_window=window, correlation_dilation=dilation)


@pytest.mark.parametrize("loss", [charbonnier, correlation_loss, lambda a, b: correlation_loss(a, b, 3, 2)])
def test_gradients_are_those_of_finite_differences(loss: nn.Module) -> None:
    sr, hr = images(1, 2, 5, 4, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: loss(x, hr), sr.requires_grad_(True))


# Relativistic average GAN


def d_ra(a: list[float], b: list[float]) -> list[float]:
    """Eq. 13."""
    return [1 / (1 + math.exp(-(value - sum(b) / len(b)))) for value in a]


def test_gan_losses_are_equations_12_to_14() -> None:
    hr, sr = [0.3, -1.2, 2.0], [-0.7, 0.1, 0.4]
    n = len(hr)
    real, fake = d_ra(hr, sr), d_ra(sr, hr)
    generator = -sum(math.log(1 - d) for d in real) / n - sum(math.log(d) for d in fake) / n
    discriminator = -sum(math.log(d) for d in real) / n - sum(math.log(1 - d) for d in fake) / n
    c_hr, c_sr = torch.tensor(hr), torch.tensor(sr)
    assert float(generator_loss(c_hr, c_sr)) == pytest.approx(generator, rel=1e-6)
    assert float(discriminator_loss(c_hr, c_sr)) == pytest.approx(discriminator, rel=1e-6)


@pytest.mark.parametrize("loss", [generator_loss, discriminator_loss])
@pytest.mark.parametrize("sign", [1, -1])
def test_gan_losses_stay_finite_where_the_sigmoid_saturates(loss: nn.Module, sign: int) -> None:
    c_hr = torch.tensor([500.0, 900.0]).mul(sign).requires_grad_(True)
    c_sr = torch.tensor([-500.0, -900.0]).mul(sign).requires_grad_(True)
    value = loss(c_hr, c_sr)
    value.backward()
    assert math.isfinite(float(value))
    assert c_hr.grad is not None
    assert torch.isfinite(c_hr.grad).all()
    losing = (sign == 1) == (loss is generator_loss)
    assert (float(value) > 1000) == losing
    assert bool(c_hr.grad.abs().sum() > 0.5) == losing  # who is losing has something to learn from


@pytest.mark.parametrize("loss", [generator_loss, discriminator_loss])
def test_gan_gradients_are_those_of_finite_differences(loss: nn.Module) -> None:
    c = torch.randn(2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_(True)
    assert torch.autograd.gradcheck(lambda x: loss(x[0], x[1]), c)


@pytest.mark.parametrize("size", [16, 32])
def test_the_discriminator_judges_each_image(size: int) -> None:
    network = Discriminator(DiscriminatorConfig(size, channels=4, hidden=8))
    faces = torch.rand(3, 3, size, size)
    assert network(faces).shape == (3,)
    assert all(not list(module.buffers(recurse=False)) for module in network.modules())  # weights are all its state
    network(faces).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    with pytest.raises(UsageError, match=rf"for {size} px was given 8x8"):
        network(torch.rand(1, 3, 8, 8))


def test_the_discriminator_for_128_pixels_is_esrgans() -> None:
    with torch.device("meta"):
        network = Discriminator()
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert [c.out_channels for c in convolutions] == [64, 64, 128, 128, 256, 256, 512, 512, 512, 512]
    assert sum(parameter.numel() for parameter in network.parameters()) == 14_499_401


@pytest.mark.parametrize("size", [0, 4, 100, 96])
def test_a_size_that_cannot_be_halved_down_to_4_is_refused(size: int) -> None:
    with pytest.raises(UsageError, match=f"size is {size}"):
        DiscriminatorConfig(size)


# Networks that losses look through


def random_weights(architecture: Architecture, layers: list[str]) -> dict[str, Tensor]:
    torch.manual_seed(0)
    return Backbone(architecture, layers).features.state_dict()


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


def saved(path: Path, state: dict[str, Tensor]) -> Path:
    safetensors.torch.save_file(state, path / "x.safetensors")
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


# The objective


class Blind(nn.Module):
    """An embedder: means of the four quarters of each channel."""

    def forward(self, faces: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(faces, 2).flatten(1)


ALL = LossWeights(lpips=0.3, identity=0.2)


def everything(tmp_path: Path, weights: LossWeights = ALL) -> PerceptionLoss:
    state = {f"features.{k}": v for k, v in random_weights("vgg19", list(EARLY)).items()}
    alex = {f"features.{k}": v for k, v in random_weights("alexnet", ["relu5"]).items()}
    alex |= {f"lin{i}.model.1.weight": torch.rand(1, n, 1, 1) for i, n in enumerate(CHANNELS["alexnet"])}
    safetensors.torch.save_file(alex, tmp_path / "alex.safetensors")
    return PerceptionLoss(
        LossConfig(weights, correlation_window=3),
        discriminator=Discriminator(DiscriminatorConfig(32, channels=2, hidden=4)),
        perceptual=PerceptualLoss.load(saved(tmp_path, state), EARLY),
        lpips=LPIPS.load("alexnet", tmp_path / "alex.safetensors", tmp_path / "alex.safetensors"),
        identity=IdentityLoss(Blind()),
    )


def test_the_default_weights_are_equation_10s() -> None:
    assert LossWeights() == LossWeights(rec=1.0, adv=0.1, per=0.01, cor=0.1, lpips=0.0, identity=0.0)
    assert LossWeights(rec=1.0, adv=0.0, per=0.0, cor=0.0) == RECONSTRUCTION


def test_the_objective_is_the_weighted_sum_of_its_terms(tmp_path: Path) -> None:
    objective = everything(tmp_path)
    sr, hr = images(2, 3, 32, 32)
    total, terms = objective(sr.requires_grad_(True), hr)
    assert list(terms) == ["rec", "adv", "per", "cor", "lpips", "identity"]
    expected = sum(getattr(ALL, name) * float(value) for name, value in terms.items())
    assert float(total) == pytest.approx(expected)
    assert not any(value.requires_grad for value in terms.values())
    assert terms["rec"] == charbonnier(sr, hr)
    assert terms["cor"] == correlation_loss(sr, hr, 3)
    assert objective.discriminator is not None
    c_hr, c_sr = objective.discriminator(hr), objective.discriminator(sr)
    torch.testing.assert_close(terms["adv"], generator_loss(c_hr, c_sr).detach())
    total.backward()
    assert sr.grad is not None
    assert torch.isfinite(sr.grad).all()


@pytest.mark.parametrize("term", ["rec", "adv", "per", "cor", "lpips", "identity"])
def test_every_term_reaches_the_image_and_nothing_else(tmp_path: Path, term: str) -> None:
    nothing = dict.fromkeys(("rec", "adv", "per", "cor", "lpips", "identity"), 0.0)
    objective = everything(tmp_path, LossWeights(**{**nothing, term: 1.0}))
    sr, hr = images(2, 3, 32, 32)
    total, terms = objective(sr.requires_grad_(True), hr)
    assert list(terms) == [term]
    total.backward()
    assert sr.grad is not None
    assert sr.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in objective.parameters())


def test_the_discriminators_step_reaches_the_discriminator_alone(tmp_path: Path) -> None:
    objective = everything(tmp_path)
    sr, hr = images(2, 3, 32, 32)
    objective(sr.requires_grad_(True), hr)  # leaves the discriminator as able to learn as before
    loss = objective.discriminator_loss(sr, hr)
    loss.backward()
    assert sr.grad is None
    assert objective.discriminator is not None
    assert all(parameter.grad is not None for parameter in objective.discriminator.parameters())
    learning = {name.split(".")[0] for name, p in objective.named_parameters() if p.requires_grad}
    assert learning == {"discriminator"}
    torch.testing.assert_close(loss, discriminator_loss(objective.discriminator(hr), objective.discriminator(sr)))


def test_generator_and_discriminator_pull_against_each_other() -> None:
    weights = LossWeights(rec=0, adv=1, per=0, cor=0)
    objective = PerceptionLoss.build(LossConfig(weights, discriminator=DiscriminatorConfig(16, channels=4)))
    assert objective.discriminator is not None
    optimizer = torch.optim.Adam(objective.discriminator.parameters(), 1e-3)
    sr, hr = images(4, 3, 16, 16)
    sr = F.avg_pool2d(sr, 3, 1, 1)
    before = float(objective(sr, hr)[0].detach())
    for _ in range(10):
        optimizer.zero_grad()
        objective.discriminator_loss(sr, hr).backward()
        optimizer.step()
    assert float(objective(sr, hr)[0].detach()) > before


def test_reconstruction_alone_needs_nothing_and_is_the_charbonnier_loss() -> None:
    sr, hr = images(2, 3, 8, 8)
    objective = PerceptionLoss.build(LossConfig())
    total, terms = objective(sr, hr)
    assert torch.equal(total, charbonnier(sr, hr))
    assert list(terms) == ["rec"]
    assert list(objective.parameters()) == []
    with pytest.raises(UsageError, match="no discriminator"):
        objective.discriminator_loss(sr, hr)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (LossWeights(), r"per loss has weight 0\.01 but needs the weights of VGG-19 .*per=0"),
        (LossWeights(per=0, lpips=1), "lpips loss .*VGG-16"),
        (LossWeights(per=0, identity=1), "identity loss .*embedder"),
    ],
)
def test_a_loss_without_its_network_is_an_error_with_a_way_out(weights: LossWeights, message: str) -> None:
    config = LossConfig(weights, discriminator=DiscriminatorConfig(8, channels=1))
    with pytest.raises(UsageError, match=message):
        PerceptionLoss.build(config)


def test_a_file_that_is_not_there_is_named_by_the_objective(tmp_path: Path) -> None:
    config = LossConfig(LossWeights(adv=0))
    with pytest.raises(InputOutputError, match="no vgg19 weights"):
        PerceptionLoss.build(config, LossFiles(vgg19=tmp_path / "none.safetensors"))


@pytest.mark.parametrize("bad", [{"rec": -1.0}, {"cor": math.nan}, {"adv": math.inf}])
def test_weights_that_make_no_sense_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(EdgesrError, match=f"weight of the {next(iter(bad))} loss"):
        LossWeights(**bad)


def test_an_objective_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="every loss has weight 0"):
        LossWeights(rec=0, adv=0, per=0, cor=0)
