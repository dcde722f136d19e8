"""PWAve's deployed form: what ``encode`` and ``restore`` compute, for one photo and one LR face at a time."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgesr.errors import UsageError
from edgesr.layers.blocks import Add, Stage, sum_over_slots
from edgesr.layers.lowerings import lowering_named
from edgesr.layers.skip import skip_named
from edgesr.models.pwave.config import PWAveConfig
from edgesr.models.pwave.network import WEIGHT_FLOOR, Fusion, PWAve, WeightNetwork


def graphs(model: PWAve, config: PWAveConfig, lowering: str, skip: str) -> tuple[EncodeGraph, RestoreGraph]:
    """Both graphs of ``model``, whose parameters they share, with the sizes of ``config``; nothing is sampled, so that
    they are the same in every lowering.

    Raises:
        UsageError: unknown lowering or skip (the valid ones are listed), or the network is an ablation of PWAve.
    """
    lowering_named(lowering)
    if not config.deployable:
        raise UsageError(
            f"{config.aggregation} aggregation is an ablation of PWAve",
            "it can be trained and evaluated; only the pixel-wise weights are converted",
        )
    return EncodeGraph(model), RestoreGraph(model, config, skip)


class EncodeGraph(nn.Module):
    """exemplar [1, 3, H, W] in [0, 1] -> [f1, WNN-1's half] [1, ., h, w], [f2, WNN-2's half] [1, ., 2h, 2w]."""

    def __init__(self, model: PWAve) -> None:
        super().__init__()
        self.encoder = model.encoder
        self.reference1, self.reference2 = model.wnn1.reference, model.wnn2.reference

    def forward(self, exemplar: Tensor) -> tuple[Tensor, Tensor]:
        f1, f2 = self.encoder(exemplar)
        return torch.cat((f1, self.reference1(f1)), 1), torch.cat((f2, self.reference2(f2)), 1)


class Weights(nn.Module):
    """WNN without its reference half, of all slots at once: [n, C, h, w] and the LR face [1, 3, h, w] -> [n, 1, h, w],
    before the sigmoid."""

    def __init__(self, wnn: WeightNetwork) -> None:
        super().__init__()
        self.own, self.hidden, self.weight = wnn.own, wnn.hidden, wnn.weight
        self.sum = Add()

    def forward(self, reference: Tensor, face: Tensor) -> Tensor:
        weight: Tensor = self.weight(F.relu(self.hidden(F.relu(self.sum(reference, self.own(face))))))
        return weight


class Average(Stage):
    """f^c over a fixed number of slots, as additions: XNNPACK has no other sum over them."""

    def forward(self, weights: Tensor, features: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """[n, 1, h, w] before the sigmoid, [n, C, h, w], [n] -> f^c [1, C, h, w], weights [n, 1, h, w]."""
        masked = torch.sigmoid(weights) * valid.reshape(-1, 1, 1, 1)
        # Normalised before it is multiplied: a weight lies in [0, 1], where short floats are dense.
        shares = masked / (sum_over_slots(masked) + WEIGHT_FLOOR)
        return sum_over_slots(shares * features), shares


class Fused(nn.Module):
    """``Fusion`` with an addition that a quantizer finds."""

    def __init__(self, fusion: Fusion) -> None:
        super().__init__()
        self.own, self.exemplars = fusion.own, fusion.exemplars
        self.sum = Add()

    def forward(self, own: Tensor, combined: Tensor) -> Tensor:
        return F.relu(self.sum(self.own(own), self.exemplars(combined)))


class RestoreGraph(nn.Module):
    """lr [1, 3, h, w], maps [n, ., h, w] and [n, ., 2h, 2w], valid [n] in {0, 1} -> sr [1, 3, H, W], weights [n, h, w].

    n is the number of slots. ``sr`` is not clamped; the weights are WNN-1's, 0 in an empty slot.
    """

    def __init__(self, model: PWAve, config: PWAveConfig, skip: str) -> None:
        super().__init__()
        self.f1_channels, self.f2_channels = config.f1_channels, config.f2_channels
        self.weights_shape = (config.slots, config.lr_size, config.lr_size)
        isr = model.isr
        self.wnn1, self.average1 = Weights(model.wnn1), Average()
        self.guide, self.guide_skip = model.guide, skip_named(skip)(config.lr_size, 2)
        self.wnn2, self.average2 = Weights(model.wnn2), Average()
        self.stem, self.fuse1, self.blocks = isr.stem, Fused(isr.fuse1), isr.blocks
        self.up1, self.fuse2, self.ups, self.out = isr.up1, Fused(isr.fuse2), isr.ups, isr.out
        self.skip = skip_named(skip)(config.lr_size, config.scale)

    def forward(self, lr: Tensor, features_f1: Tensor, features_f2: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        # Slices and not a split: XNNPACK takes these only.
        f1, reference1 = features_f1[:, : self.f1_channels], features_f1[:, self.f1_channels :]
        f2, reference2 = features_f2[:, : self.f2_channels], features_f2[:, self.f2_channels :]
        combined1, weights = self.average1(self.wnn1(reference1, lr), f1, valid)
        guide = self.guide(lr) + self.guide_skip(lr)
        combined2, _ = self.average2(self.wnn2(reference2, guide), f2, valid)
        x = self.blocks(self.fuse1(F.relu(self.stem(lr)), combined1))
        x = F.relu(self.up1.conv(self.fuse2(self.up1.enlarged(x), combined2)))
        for up in self.ups:
            x = up(x)
        return self.out(x) + self.skip(lr), weights.reshape(self.weights_shape)
