"""PWAve's deployed form: what ``encode`` and ``restore`` compute, for one photo and one LR face at a time.

The restorer exists for a batch too, with the same layers under the same names: in that form int8 is trained."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgesr.errors import UsageError
from edgesr.layers.blocks import Add, Stage, for_every_slot, sum_over_slots
from edgesr.layers.lowerings import lowering_named
from edgesr.layers.skip import skip_named
from edgesr.models.pwave.config import PWAveConfig
from edgesr.models.pwave.network import WEIGHT_FLOOR, Fusion, PWAve, WeightNetwork, average


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
    before the sigmoid. For a batch of B faces, of ``slots`` exemplars each, B * n for n, and B for 1."""

    def __init__(self, wnn: WeightNetwork, slots: int | None = None) -> None:
        super().__init__()
        self.repeats = slots
        self.own, self.hidden, self.weight = wnn.own, wnn.hidden, wnn.weight
        self.sum = Add()

    def forward(self, reference: Tensor, face: Tensor) -> Tensor:
        own = self.own(face)
        if self.repeats is not None:
            own = for_every_slot(own, self.repeats)
        weight: Tensor = self.weight(F.relu(self.hidden(F.relu(self.sum(reference, own)))))
        return weight


class Average(Stage):
    """f^c over a fixed number of slots, as additions: XNNPACK has no other sum over them."""

    def forward(self, weights: Tensor, features: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """[n, 1, h, w] before the sigmoid, [n, C, h, w], [n] -> f^c [1, C, h, w], weights [n, 1, h, w]."""
        masked = torch.sigmoid(weights) * valid.reshape(-1, 1, 1, 1)
        # Normalised before it is multiplied: a weight lies in [0, 1], where short floats are dense.
        shares = masked / (sum_over_slots(masked) + WEIGHT_FLOOR)
        return sum_over_slots(shares * features), shares


class BatchedAverage(Stage):
    """``Average`` for a batch: [B * n, 1, h, w], [B * n, C, h, w], [B, n] -> [B, C, h, w], [B * n, 1, h, w]."""

    def forward(self, weights: Tensor, features: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        b, n = valid.shape
        combined, shares = average(torch.sigmoid(weights).unflatten(0, (b, n)), features.unflatten(0, (b, n)), valid)
        return combined, shares.flatten(0, 1).unsqueeze(1)


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

    With a ``batch`` of B faces: lr [B, 3, h, w], maps [B * n, ...], valid [B, n] -> weights [B, n, h, w], and in place
    of ``sr`` its difference [B, 3, H, W] to the bicubic image, which is no matter of rounding. Without maps and
    ``valid`` there are no exemplars.
    """

    def __init__(self, model: PWAve, config: PWAveConfig, skip: str, batch: int | None = None) -> None:
        super().__init__()
        deployed = batch is None
        repeats = None if deployed else config.slots
        self.f1_channels, self.f2_channels = config.f1_channels, config.f2_channels
        one = (config.slots, config.lr_size, config.lr_size)
        self.weights_shape = one if batch is None else (batch, *one)
        isr = model.isr
        self.wnn1, self.average1 = Weights(model.wnn1, repeats), Average() if deployed else BatchedAverage()
        self.guide, self.guide_skip = model.guide, skip_named(skip)(config.lr_size, 2)
        self.wnn2, self.average2 = Weights(model.wnn2, repeats), Average() if deployed else BatchedAverage()
        self.stem, self.fuse1, self.blocks = isr.stem, Fused(isr.fuse1), isr.blocks
        self.up1, self.fuse2, self.ups, self.out = isr.up1, Fused(isr.fuse2), isr.ups, isr.out
        self.skip = skip_named(skip)(config.lr_size, config.scale) if deployed else None

    def forward(
        self,
        lr: Tensor,
        features_f1: Tensor | None = None,
        features_f2: Tensor | None = None,
        valid: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        # First, with exemplars and without: what rounds the LR face is named after the layer that reads it first.
        own = F.relu(self.stem(lr))
        if features_f1 is None or features_f2 is None or valid is None:
            b, _, h, w = lr.shape
            f1, f2 = lr.new_zeros(b, self.f1_channels, h, w), lr.new_zeros(b, self.f2_channels, 2 * h, 2 * w)
            return self._reconstruct(lr, own, f1, f2), lr.new_zeros(b, 0, h, w)
        # Slices and not a split: XNNPACK takes these only.
        f1, reference1 = features_f1[:, : self.f1_channels], features_f1[:, self.f1_channels :]
        f2, reference2 = features_f2[:, : self.f2_channels], features_f2[:, self.f2_channels :]
        combined1, weights = self.average1(self.wnn1(reference1, lr), f1, valid)
        guide = self.guide(lr) + self.guide_skip(lr)
        combined2, _ = self.average2(self.wnn2(reference2, guide), f2, valid)
        return self._reconstruct(lr, own, combined1, combined2), weights.reshape(self.weights_shape)

    def _reconstruct(self, lr: Tensor, own: Tensor, combined1: Tensor, combined2: Tensor) -> Tensor:
        x = self.blocks(self.fuse1(own, combined1))
        x = F.relu(self.up1.conv(self.fuse2(self.up1.enlarged(x), combined2)))
        for up in self.ups:
            x = up(x)
        sr: Tensor = self.out(x)
        return sr if self.skip is None else sr + self.skip(lr)
