"""The perceptual loss: VGG-19 features before the ReLU (HIME paper, Eq. 11), or those of EfficientNet-Lite0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from edgesr.training.losses import efficientnet
from edgesr.training.losses.backbones import Backbone

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

LAYERS: Mapping[str, float] = {"conv5_4": 1.0}
"""The paper names no layer; this is the one of ESRGAN, from which it has "before the ReLU"."""

LITE_LAYERS: Mapping[str, float] = dict.fromkeys(("stride2", "stride4", "stride8", "stride16"), 0.25)
"""Of EfficientNet-Lite0; at stride 32 a face of 128 pixels is a map of 4x4."""


class PerceptualLoss(nn.Module):
    """L_per = |Fea(HR) - Fea(SR)|, averaged, summed over ``layers`` with their weights.

    ``backbone`` must yield every layer named, of images normalised by ``mean`` and ``std``; its weights stay as they
    are. ``relative`` divides each layer's distance by the mean of |Fea(HR)|, so that layers of different scales count
    by their weights alone.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        backbone: nn.Module,
        layers: Mapping[str, float] = LAYERS,
        *,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        relative: bool = False,
    ) -> None:
        super().__init__()
        self.backbone, self.layers, self.relative = backbone, dict(layers), relative
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)

    @classmethod
    def load(cls, path: Path, layers: Mapping[str, float] = LAYERS) -> PerceptualLoss:
        """Build the loss with VGG-19's weights from a safetensors file.

        Raises:
            InputOutputError: missing, damaged, a pickle, or weights of another network.
            UsageError: a layer that VGG-19 does not have.
        """
        return cls(Backbone.load("vgg19", list(layers), path), layers)

    @classmethod
    def efficientnet_lite0(cls, layers: Mapping[str, float] = LITE_LAYERS) -> PerceptualLoss:
        """Build the loss on EfficientNet-Lite0, whose weights come with the extra ``perceptual``.

        Raises:
            UnavailableError: the extra is not installed.
            UsageError: a layer that it does not have.
        """
        backbone = efficientnet.EfficientNetLite(list(layers))
        return cls(backbone, layers, mean=efficientnet.MEAN, std=efficientnet.STD, relative=True)

    def forward(self, sr: Tensor, hr: Tensor) -> Tensor:
        """Images [N, 3, H, W] in [0, 1], at least 16 pixels wide -> scalar."""
        with torch.no_grad():
            wanted = self.backbone((hr - self.mean) / self.std)
        found = self.backbone((sr - self.mean) / self.std)
        return torch.stack([w * self._apart(found[name], wanted[name]) for name, w in self.layers.items()]).sum()

    def _apart(self, found: Tensor, wanted: Tensor) -> Tensor:
        distance = (found - wanted).abs().mean()
        return distance / wanted.abs().mean().clamp(min=1e-6) if self.relative else distance
