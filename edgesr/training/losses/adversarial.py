"""The relativistic average GAN (Jolicoeur-Martineau 2018) as in the HIME paper, Eq. 12 to 14.

With D_Ra(a, b) = sigmoid(C(a) - E[C(b)]), -log sigmoid(x) is softplus(-x) and -log(1 - sigmoid(x)) is softplus(x),
which neither overflows nor loses its gradient where the sigmoid is 0 or 1.

And the Wasserstein GAN with gradient penalty (Gulrajani et al. 2017) as in the PWAve paper. Its Eq. 5 is misprinted:
D(SR) + D(HR) - penalty would be neither maximised nor minimised by a critic. What WGAN-GP minimises is
D(SR) - D(HR) + lambda_gp * penalty, with the generator's -D(SR) as the paper has it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def generator_loss(c_hr: Tensor, c_sr: Tensor) -> Tensor:
    """L_adv of Eq. 12 from the discriminator's outputs C on a batch of each: [N] -> scalar."""
    return F.softplus(c_hr - c_sr.mean()).mean() + F.softplus(c_hr.mean() - c_sr).mean()


def discriminator_loss(c_hr: Tensor, c_sr: Tensor) -> Tensor:
    """L_D of Eq. 14 from the discriminator's outputs C on a batch of each: [N] -> scalar."""
    return F.softplus(c_sr.mean() - c_hr).mean() + F.softplus(c_sr - c_hr.mean()).mean()


def wasserstein_loss(c_hr: Tensor, c_sr: Tensor) -> Tensor:
    """What the critic minimises without the penalty: D(SR) - D(HR), averaged over [N]."""
    return c_sr.mean() - c_hr.mean()


def gradient_penalty(critic: nn.Module, hr: Tensor, sr: Tensor, random: torch.Generator) -> Tensor:
    """(|gradient of D| - 1)^2 at a random point between each pair of faces [N, 3, S, S], averaged.

    In float32 whatever surrounds it: the loss is differentiated twice, and squares of small gradients vanish in half
    precision. ``random`` draws the points.
    """
    with torch.autocast(hr.device.type, enabled=False):
        share = torch.rand(len(hr), 1, 1, 1, generator=random).to(hr.device)
        between = torch.lerp(hr.detach().float(), sr.detach().float(), share).requires_grad_(True)
        (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
        return ((slope.flatten(1).norm(dim=1) - 1) ** 2).mean()
