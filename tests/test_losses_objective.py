"""The objective: the weighted sum of its terms, whose gradients go where they should."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from loss_inputs import EARLY, images, random_weights, saved
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
    Shown,
    charbonnier,
    correlation_loss,
    discriminator_loss,
    generator_loss,
)
from edgesr.training.losses.lpips import CHANNELS


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
    assert LossWeights() == LossWeights(
        rec=1.0, adv=0.1, per=0.01, cor=0.1, lpips=0.0, identity=0.0, impostor=0.0, identity_maps=0.0
    )
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


def test_the_impostor_loss_joins_the_sum_and_wants_exemplars() -> None:
    class Means(torch.nn.Module):
        def forward(self, faces: Tensor) -> Tensor:
            return F.normalize(faces.mean((2, 3)) - 0.5, dim=1)

    weights = LossWeights(rec=1, adv=0, per=0, cor=0, identity=0.2, impostor=0.5)
    objective = PerceptionLoss(LossConfig(weights), identity=IdentityLoss(Means()))
    sr, hr, exemplars = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 8, 8), torch.rand(2, 3, 3, 8, 8)
    every, none = torch.ones(2, 3, dtype=torch.bool), torch.zeros(2, 3, dtype=torch.bool)
    total, terms = objective(sr, hr, Shown(exemplars, own=none, foreign=every))
    assert list(terms) == ["rec", "identity", "impostor"]
    assert float(total) == pytest.approx(float(terms["rec"] + 0.2 * terms["identity"] + 0.5 * terms["impostor"]))
    assert float(objective(sr, hr, Shown(exemplars, own=every, foreign=none))[1]["impostor"]) == 0
    with pytest.raises(UsageError, match="given none"):
        objective(sr, hr)


def test_an_exemplar_takes_its_share_of_what_identity_compares_with() -> None:
    class Means(torch.nn.Module):
        def forward(self, faces: Tensor) -> Tensor:
            return F.normalize(faces.mean((2, 3)), dim=1)

    def faces(*colours: tuple[float, float, float]) -> Tensor:
        return torch.tensor(colours)[:, :, None, None].expand(-1, 3, 8, 8).clone()

    red, green, blue = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
    weights = LossWeights(rec=0, adv=0, per=0, cor=0, identity=1)
    objective = PerceptionLoss(LossConfig(weights, identity_reference=0.25), identity=IdentityLoss(Means()))
    exemplars = torch.stack([faces(blue, green), faces(green, green)])
    own = torch.tensor([[False, True], [False, False]])
    # The first face is its own exemplar, and nothing of the original; the second has no exemplar of its own.
    total, _ = objective(faces(green, red), faces(red, red), Shown(exemplars, own, ~own))
    assert float(total) == pytest.approx(1 - (0.25 + 1) / 2)
    assert float(objective(faces(red, red), faces(red, red), Shown(exemplars, own, ~own))[0]) == pytest.approx(0.125)
    with pytest.raises(UsageError, match="given none"):
        objective(faces(green), faces(red))


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_of_the_identity_loss_is_refused(share: float) -> None:
    with pytest.raises(UsageError, match="share"):
        LossConfig(LossWeights(identity=1), identity_reference=share)


def test_a_share_without_an_identity_loss_is_refused() -> None:
    with pytest.raises(UsageError, match="weight 0"):
        LossConfig(LossWeights(), identity_reference=0.2)


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
    blunt = PerceptionLoss.build(LossConfig(charbonnier_epsilon=0.1))
    assert torch.equal(blunt(sr, hr)[0], charbonnier(sr, hr, 0.1))
    with pytest.raises(UsageError, match="Charbonnier"):
        LossConfig(charbonnier_epsilon=0)
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
        (LossWeights(per=0, impostor=1), "impostor loss .*embedder"),
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
