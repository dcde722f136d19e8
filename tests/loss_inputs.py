"""What tests of losses share: images, and random weights of the networks that losses look through."""

from __future__ import annotations

from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from edgesr.training.losses.backbones import Architecture, Backbone

EARLY = {"conv1_2": 0.5, "conv2_1": 2.0}
"""Layers so early that their weights are small."""


def images(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    sr, hr = torch.rand(2, *shape, generator=random, dtype=torch.float64).to(dtype)
    return sr, hr


def random_weights(architecture: Architecture, layers: list[str]) -> dict[str, Tensor]:
    torch.manual_seed(0)
    return Backbone(architecture, layers).features.state_dict()


def saved(path: Path, state: dict[str, Tensor]) -> Path:
    safetensors.torch.save_file(state, path / "x.safetensors")
    return path / "x.safetensors"
