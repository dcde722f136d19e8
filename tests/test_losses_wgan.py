"""WGAN-GP as PWAve is trained with it: the critic's loss by its formula, and a penalty that is differentiated twice."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor, nn

from edgesr.errors import UsageError
from edgesr.layers.bicubic import bicubic_downsample
from edgesr.training.losses import Discriminator, DiscriminatorConfig, LossConfig, LossWeights, PerceptionLoss
from edgesr.training.losses.adversarial import gradient_penalty

CRITIC = DiscriminatorConfig(16, 4, 6, batch_norm=False)
LOSS = LossConfig(LossWeights(adv=0.5, per=0, cor=0), discriminator=CRITIC, gan="wgan-gp")


class Plane(nn.Module):
    """D(x) = <w, x>: its gradient is w everywhere."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, images: Tensor) -> Tensor:
        return (images * self.weight).flatten(1).sum(1)


def faces(count: int = 3, seed: int = 0) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, 16, 16, generator=random), torch.rand(count, 3, 16, 16, generator=random)


def objective() -> PerceptionLoss:
    torch.manual_seed(0)
    return PerceptionLoss(LOSS, discriminator=Discriminator(CRITIC))


@pytest.mark.parametrize("norm", [0.25, 1.0, 3.0])
def test_the_penalty_is_how_far_the_gradients_norm_is_from_one(norm: float) -> None:
    weight = torch.randn(3, 16, 16, generator=torch.Generator().manual_seed(1))
    plane = Plane(weight * (norm / weight.norm()))
    penalty = gradient_penalty(plane, *faces(), torch.Generator())
    torch.testing.assert_close(penalty, torch.tensor((norm - 1) ** 2), atol=1e-5, rtol=0)
    penalty.backward()
    # d/dw (|w| - 1)^2 = 2 (|w| - 1) w / |w|: the gradient of a gradient.
    wanted = 2 * (norm - 1) * plane.weight.detach() / norm
    torch.testing.assert_close(plane.weight.grad, wanted, atol=1e-5, rtol=0)


def test_the_penalty_is_in_float32_also_where_half_precision_surrounds_it() -> None:
    hr, sr = faces()
    critic = Discriminator(CRITIC)
    alone = gradient_penalty(critic, hr, sr, torch.Generator())
    with torch.autocast("cpu", torch.bfloat16):
        surrounded = gradient_penalty(critic, hr, sr, torch.Generator())
    assert surrounded.dtype == torch.float32
    assert torch.equal(alone, surrounded)


def test_the_critic_and_the_generator_pull_in_opposite_directions() -> None:
    """Eq. 5 as printed, D(SR) + D(HR), would not tell them apart."""
    loss, (hr, sr) = objective(), faces()
    critic = loss.discriminator
    assert critic is not None
    penalty = gradient_penalty(critic, hr, sr, torch.Generator().manual_seed(2))
    wanted = critic(sr).mean() - critic(hr).mean() + LOSS.gradient_penalty * penalty
    torch.testing.assert_close(loss.discriminator_loss(sr, hr, torch.Generator().manual_seed(2)), wanted)
    _, terms = loss(sr, hr)
    torch.testing.assert_close(terms["adv"], -critic(sr).mean().detach())


def test_a_critic_learns_to_tell_faces_apart_and_its_slope_stays_near_one() -> None:
    loss, (hr, sr) = objective(), faces(8)
    sr, critic = sr * 0.2, loss.discriminator
    assert critic is not None
    optimizer = torch.optim.Adam(critic.parameters(), 3e-3, betas=(0.0, 0.99))
    for step in range(60):
        optimizer.zero_grad()
        loss.discriminator_loss(sr, hr, torch.Generator().manual_seed(step)).backward()
        optimizer.step()
    assert critic(hr).mean() - critic(sr).mean() > 1
    assert gradient_penalty(critic, hr, sr, torch.Generator()) < 0.2


def test_each_face_is_judged_alone() -> None:
    """Batch norm would let the others' faces into its penalty."""
    critic, (hr, _) = Discriminator(CRITIC), faces()
    torch.testing.assert_close(critic(hr)[:1], critic(hr[:1]))
    assert not any(isinstance(module, nn.BatchNorm2d) for module in critic.modules())


@pytest.mark.parametrize(
    "changes",
    [
        {"gan": "lsgan"},
        {"gradient_penalty": -1.0},
        {"smaller_perceptual": -1.0},
        {"discriminator": DiscriminatorConfig(16)},
        {"gan": "relativistic"},
    ],
)
def test_what_does_not_go_together_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        dataclasses.replace(LOSS, **changes)  # type: ignore[arg-type]


def test_a_smaller_face_is_compared_with_the_original_at_its_size() -> None:
    """Eq. 2 and 4, without the GAN."""
    hr, _ = faces()
    small = torch.rand(3, 3, 8, 8)
    epsilon = 1e-6
    loss = PerceptionLoss(dataclasses.replace(LOSS, charbonnier_epsilon=epsilon), discriminator=Discriminator(CRITIC))
    total, terms = loss.of_smaller(small, hr)
    assert set(terms) == {"rec"}
    torch.testing.assert_close(total, (small - bicubic_downsample(hr, 2)).abs().mean(), atol=2 * epsilon, rtol=0)
