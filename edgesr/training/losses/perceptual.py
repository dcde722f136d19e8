"""The perceptual loss: VGG-19 features before the ReLU (HIME paper, Eq. 11)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from edgesr.training.losses.backbones import Backbone

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

LAYERS: Mapping[str, float] = {"conv5_4": 1.0}
"""The paper names no layer; this is the one of ESRGAN, from which it has "before the ReLU"."""


class PerceptualLoss(nn.Module):
    """L_per = |Fea(HR) - Fea(SR)|, averaged, summed over ``layers`` with their weights.

    ``backbone`` must yield every layer named; its weights stay as they are.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, backbone: Backbone, layers: Mapping[str, float] = LAYERS) -> None:
        super().__init__()
        self.backbone, self.layers = backbone, dict(layers)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(3, 1, 1), persistent=False)

    @classmethod
    def load(cls, path: Path, layers: Mapping[str, float] = LAYERS) -> PerceptualLoss:
        """Build the loss with VGG-19's weights from a safetensors file.

        Raises:
            InputOutputError: missing, damaged, a pickle, or weights of another network.
            UsageError: a layer that VGG-19 does not have.
        """
        return cls(Backbone.load("vgg19", list(layers), path), layers)

    def forward(self, sr: Tensor, hr: Tensor) -> Tensor:
        """Images [N, 3, H, W] in [0, 1], at least 16 pixels wide -> scalar."""
        with torch.no_grad():
            wanted = self.backbone((hr - self.mean) / self.std)
        found = self.backbone((sr - self.mean) / self.std)
        terms = [weight * (found[name] - wanted[name]).abs().mean() for name, weight in self.layers.items()]
        return torch.stack(terms).sum()
