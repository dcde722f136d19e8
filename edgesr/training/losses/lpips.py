"""LPIPS (Zhang et al. 2018): distance of deep features, weighted by how much people notice each channel."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from edgesr.errors import InputOutputError
from edgesr.training.losses.backbones import Architecture, Backbone, read_weights

LAYERS: dict[Architecture, tuple[str, ...]] = {
    "alexnet": ("relu1", "relu2", "relu3", "relu4", "relu5"),
    "vgg16": ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3"),
}
CHANNELS: dict[Architecture, tuple[int, ...]] = {
    "alexnet": (64, 192, 384, 256, 256),
    "vgg16": (64, 128, 256, 512, 512),
}

# ImageNet's mean and deviation for images in [-1, 1], in LPIPS's own digits.
SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)
EPSILON = 1e-10

# lpips: lin0.model.1.weight, and with its backbone lins.0.model.1.weight.
_LINEAR = re.compile(r"(?:^|\.)lins?\.?(\d)\.(?:model\.)?(?:\d\.)?weight$")


class LPIPS(nn.Module):
    """LPIPS version 0.1 on AlexNet (as a metric) or VGG-16 (as a loss), frozen.

    ``linear`` holds a weight per channel of each of the five layers.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, backbone: Backbone, linear: Sequence[Tensor]) -> None:
        super().__init__()
        self.backbone = backbone
        self.layers = LAYERS[backbone.architecture]
        for name, weights in zip(self.layers, linear, strict=True):
            self.register_buffer(f"linear_{name}", weights.flatten(), persistent=False)
        self.register_buffer("shift", torch.tensor(SHIFT).view(3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor(SCALE).view(3, 1, 1), persistent=False)

    @classmethod
    def load(cls, architecture: Literal["alexnet", "vgg16"], backbone: Path, linear: Path) -> LPIPS:
        """Read it from two safetensors files: torchvision's network and LPIPS's linear layers (one file may hold both).

        Raises:
            InputOutputError: missing, damaged, a pickle, or weights of another network.
        """
        network = Backbone.load(architecture, LAYERS[architecture], backbone)
        return cls(network, _linear_weights(linear, architecture))

    def forward(self, sr: Tensor, hr: Tensor) -> Tensor:
        """Images [N, 3, H, W] in [0, 1], at least 32 pixels wide -> distances [N], 0 for equal images."""
        a, b = self._features(sr), self._features(hr)
        distance = sr.new_zeros(len(sr))
        for name in self.layers:
            weights = getattr(self, f"linear_{name}").view(-1, 1, 1)
            distance = distance + ((a[name] - b[name]) ** 2 * weights).sum(dim=1).mean(dim=(-2, -1))
        return distance

    def _features(self, images: Tensor) -> dict[str, Tensor]:
        outputs = self.backbone((images * 2 - 1 - self.shift) / self.scale)
        # Below the root, or a pixel whose channels are all 0 would have an infinite gradient.
        return {k: v / torch.sqrt((v**2).sum(dim=1, keepdim=True) + EPSILON) for k, v in outputs.items()}


def _linear_weights(path: Path, architecture: Architecture) -> list[Tensor]:
    found = {}
    for key, tensor in read_weights(path, "LPIPS").items():
        if match := _LINEAR.search(key):
            found[int(match[1])] = tensor.float().flatten()
    expected = CHANNELS[architecture]
    sizes = tuple(len(found[i]) if i in found else 0 for i in range(len(expected)))
    if sizes != expected:
        raise InputOutputError(
            f"{path} does not hold LPIPS's linear layers for {architecture}: channels {sizes} instead of {expected}",
            "take the v0.1 file of that backbone, with tensors called lin0.model.1.weight to lin4.model.1.weight",
        )
    return [found[i] for i in range(len(expected))]
