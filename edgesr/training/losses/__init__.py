"""Losses of the HIME paper (Sections 3.4, 4 and 5.1), LPIPS, and an identity loss; docs/losses.md."""

from edgesr.training.losses.adversarial import discriminator_loss, generator_loss
from edgesr.training.losses.correlation import correlation_loss
from edgesr.training.losses.discriminator import Discriminator, DiscriminatorConfig
from edgesr.training.losses.identity import EmbedderInput, FaceEmbedder, IdentityLoss
from edgesr.training.losses.lpips import LPIPS
from edgesr.training.losses.objective import (
    RECONSTRUCTION,
    LossConfig,
    LossFiles,
    LossWeights,
    PerceptionLoss,
    Shown,
)
from edgesr.training.losses.perceptual import PerceptualLoss
from edgesr.training.losses.reconstruction import charbonnier

__all__ = [
    "charbonnier",
    "correlation_loss",
    "generator_loss",
    "discriminator_loss",
    "Discriminator",
    "DiscriminatorConfig",
    "PerceptualLoss",
    "LPIPS",
    "EmbedderInput",
    "FaceEmbedder",
    "IdentityLoss",
    "LossWeights",
    "RECONSTRUCTION",
    "LossConfig",
    "LossFiles",
    "PerceptionLoss",
    "Shown",
]
