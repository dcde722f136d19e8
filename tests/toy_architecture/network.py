"""A toy network and its deployed form: one convolution of the LR face and the exemplars' mean, added to bicubic."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgesr.layers.bicubic import bicubic_upsample
from edgesr.layers.skip import skip_named
from edgesr.models.architecture import Complexity
from edgesr.models.network import Network
from toy_architecture.config import ToyConfig

FLOOR = 1e-2
"""Added to the number of exemplars, so that none of them give nothing."""


class Encoder(nn.Module):
    """[N, 3, H, W] -> [N, C, h, w]."""

    def __init__(self, config: ToyConfig) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, config.channels, config.scale, stride=config.scale)

    def forward(self, exemplar: Tensor) -> Tensor:
        features: Tensor = self.conv(exemplar)
        return features


class Toy(Network):
    def __init__(self, config: ToyConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.conv = nn.Conv2d(3 + config.channels, 3 * config.scale**2, 3, padding=1)
        self.shuffle = nn.PixelShuffle(config.scale)

    def encode(self, exemplars: Tensor) -> Tensor:
        features: Tensor = self.encoder(exemplars)
        return features

    def restore(self, lr: Tensor, features: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        share = valid / (valid.sum(1, keepdim=True) + FLOOR)
        mean = (features * share[:, :, None, None, None]).sum(1)
        sr = self.shuffle(self.conv(torch.cat((lr, mean), 1))) + bicubic_upsample(lr, self.config.scale)
        return sr, share[:, :, None, None].expand(*share.shape, *lr.shape[-2:])


class RestoreGraph(nn.Module):
    def __init__(self, model: Toy, config: ToyConfig, skip: str) -> None:
        super().__init__()
        self.slots = config.slots
        self.conv, self.shuffle = model.conv, model.shuffle
        self.skip = skip_named(skip)(config.lr_size, config.scale)
        self.register_buffer("ones", torch.ones(1, config.lr_size, config.lr_size), persistent=False)
        self.ones: Tensor

    def forward(self, lr: Tensor, features: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        shares = valid / (sum((valid[i : i + 1] for i in range(1, self.slots)), valid[0:1]) + FLOOR)
        weighted = features * shares.reshape(-1, 1, 1, 1)
        mean = sum((weighted[i : i + 1] for i in range(1, self.slots)), weighted[0:1])
        return self.shuffle(self.conv(torch.cat((lr, mean), 1))) + self.skip(lr), shares.reshape(-1, 1, 1) * self.ones


def graphs(model: Toy, config: ToyConfig, lowering: str, skip: str) -> tuple[Encoder, RestoreGraph]:  # noqa: ARG001
    return model.encoder, RestoreGraph(model, config, skip)


def complexity(config: ToyConfig) -> Complexity:
    encode = 3 * config.channels * config.hr_size**2
    restore = 27 * (3 + config.channels) * config.scale**2 * config.lr_size**2
    parameters = sum(p.numel() for p in Toy(config).parameters())
    return Complexity(parameters, encode, restore, config.slots * encode + restore)
