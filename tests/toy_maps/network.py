"""A network of two maps and a code, and its deployed form: each restores with the exemplars' means of all three."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from toy_architecture.network import FLOOR

from edgesr.layers.bicubic import bicubic_upsample
from edgesr.layers.skip import skip_named
from edgesr.models.architecture import Complexity
from edgesr.models.network import Network
from toy_maps.config import MapsConfig


class Encoder(nn.Module):
    """[N, 3, H, W] -> deep [N, C, h, w], fine [N, C + 1, 2h, 2w] (detail and gate), tone [N, C]."""

    def __init__(self, config: MapsConfig) -> None:
        super().__init__()
        stride = config.scale // 2
        self.detail = nn.Conv2d(3, config.channels, stride, stride=stride)
        self.gate = nn.Conv2d(3, 1, stride, stride=stride)
        self.deep = nn.Conv2d(config.channels, config.channels, 2, stride=2)

    def forward(self, exemplar: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        detail = self.detail(exemplar)
        deep = self.deep(detail)
        return deep, torch.cat((detail, self.gate(exemplar)), 1), deep.mean((2, 3))


class Tail(nn.Module):
    """The difference to bicubic of LR faces [B, 3, h, w] and their exemplars' means of deep, detail and tone."""

    def __init__(self, config: MapsConfig) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3 + config.channels, 4 * config.channels, 3, padding=1)
        self.up = nn.PixelShuffle(2)
        self.last = nn.Conv2d(2 * config.channels, 3 * (config.scale // 2) ** 2, 3, padding=1)
        self.shuffle = nn.PixelShuffle(config.scale // 2)

    def forward(self, lr: Tensor, deep: Tensor, detail: Tensor, tone: Tensor) -> Tensor:
        coarse = self.up(self.conv(torch.cat((lr, deep), 1))) * (1.0 + tone)
        residual: Tensor = self.shuffle(self.last(torch.cat((coarse, detail), 1)))
        return residual


class Maps(Network):
    def __init__(self, config: MapsConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.tail = Tail(config)

    def encode(self, exemplars: Tensor) -> tuple[Tensor, ...]:
        kept: tuple[Tensor, ...] = self.encoder(exemplars)
        return kept

    def restore(self, lr: Tensor, features: tuple[Tensor, ...], valid: Tensor) -> tuple[Tensor, Tensor]:
        deep, fine, tone = features
        share = valid / (valid.sum(1, keepdim=True) + FLOOR)
        detail = fine[:, :, :-1] * torch.sigmoid(fine[:, :, -1:])
        means = [(one * share.reshape(*share.shape, *[1] * (one.ndim - 2))).sum(1) for one in (deep, detail, tone)]
        residual = self.tail(lr, means[0], means[1], means[2][:, :, None, None])
        weights = share[:, :, None, None].expand(*share.shape, *lr.shape[-2:])
        return residual + bicubic_upsample(lr, self.config.scale), weights


class RestoreGraph(nn.Module):
    def __init__(self, model: Maps, config: MapsConfig, skip: str) -> None:
        super().__init__()
        self.slots, self.channels = config.slots, config.channels
        self.tail = model.tail
        self.skip = skip_named(skip)(config.lr_size, config.scale)
        self.register_buffer("ones", torch.ones(1, config.lr_size, config.lr_size), persistent=False)
        self.ones: Tensor

    def forward(self, lr: Tensor, deep: Tensor, fine: Tensor, tone: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        shares = (valid / (self._sum(valid) + FLOOR)).reshape(-1, 1, 1, 1)
        detail = fine[:, : self.channels] * torch.sigmoid(fine[:, self.channels :])
        tones = tone.reshape(self.slots, self.channels, 1, 1)
        residual = self.tail(lr, *(self._sum(one * shares) for one in (deep, detail, tones)))
        return residual + self.skip(lr), shares[:, :, 0] * self.ones

    def _sum(self, one: Tensor) -> Tensor:
        return sum((one[i : i + 1] for i in range(1, self.slots)), one[0:1])


def graphs(model: Maps, config: MapsConfig, lowering: str, skip: str) -> tuple[Encoder, RestoreGraph]:  # noqa: ARG001
    return model.encoder, RestoreGraph(model, config, skip)


def complexity(config: MapsConfig) -> Complexity:
    c, area = config.channels, config.lr_size**2
    encode = 3 * (c + 1) * config.hr_size**2 + 4 * c**2 * area
    restore = 9 * area * ((3 + c) * 4 * c + 4 * 2 * c * 3 * (config.scale // 2) ** 2)
    parameters = sum(p.numel() for p in Maps(config).parameters())
    return Complexity(parameters, encode, restore, config.slots * encode + restore)
