"""HIME's deployed form: what ``HIME.encode`` and ``HIME.restore`` compute, for one photo and one LR face at a time."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgesr.errors import UsageError
from edgesr.layers.blocks import Add
from edgesr.layers.convolution import convolution
from edgesr.layers.lowerings import lowering_named
from edgesr.layers.skip import skip_named
from edgesr.models.hime.config import HIMEConfig
from edgesr.models.hime.network import HIME, ReferenceFeatureAlignment
from edgesr.models.hime.rewrites import FoldedAggregation, split_offset_convolution


def graphs(model: HIME, config: HIMEConfig, lowering: str, skip: str) -> tuple[EncodeGraph, RestoreGraph]:
    """Both graphs of ``model``, whose parameters they share, with the sizes of ``config``.

    Raises:
        UsageError: unknown lowering or skip (the valid ones are listed), or the network is an ablation of HIME.
    """
    if not config.deployable:
        raise UsageError(
            f"{config.alignment} alignment with {config.aggregation} aggregation is an ablation of HIME",
            "it can be trained and evaluated; only deformable alignment with CoFA is converted",
        )
    return EncodeGraph(model), RestoreGraph(model, config, lowering, skip)


class EncodeGraph(nn.Module):
    """exemplar [1, 3, H, W] in [0, 1] -> features [1, C, h, w]: F_ref and, behind it, g_ref(F_ref)."""

    def __init__(self, model: HIME) -> None:
        super().__init__()
        self.exemplar_extractor = model.exemplar_extractor
        self.g_ref = model.rfa.g_ref

    def forward(self, exemplar: Tensor) -> Tensor:
        f_ref = self.exemplar_extractor(exemplar)
        return torch.cat((f_ref, self.g_ref(f_ref)), dim=1)


class Alignment(nn.Module):
    """RFA (Eq. 3, 4) of all slots at once: F_ref, g_ref [n, ., h, w] and F_L [1, ., h, w] -> [n, lr_channels, h, w]."""

    def __init__(self, rfa: ReferenceFeatureAlignment, config: HIMEConfig, lowering: str) -> None:
        super().__init__()
        self.bound = rfa.bound
        self.g_lr = rfa.g_lr
        self.sum = Add()
        self.hidden = rfa.hidden
        self.offset_y, self.offset_x = split_offset_convolution(rfa.offset, rfa.bound)
        self.sampling = lowering_named(lowering)(
            config.slots, config.exemplar_channels, config.offset_groups, config.lr_size, config.offset_bound
        )
        weight = self.sampling.pointwise_weight(rfa.deform.weight.detach())
        self.projection = convolution(weight, rfa.deform.bias.detach())

    def forward(self, f_ref: Tensor, g_ref: Tensor, f_lr: Tensor) -> Tensor:
        hidden = F.relu(self.hidden(F.relu(self.sum(g_ref, self.g_lr(f_lr)))))
        dy = torch.tanh(self.offset_y(hidden)) * self.bound
        dx = torch.tanh(self.offset_x(hidden)) * self.bound
        aligned: Tensor = self.projection(self.sampling(f_ref, dy, dx))
        return aligned


class RestoreGraph(nn.Module):
    """lr [1, 3, h, w], features [n, C, h, w], valid [n] in {0, 1} -> sr [1, 3, H, W], weights [n, h, w].

    n is the number of slots. ``sr`` is not clamped; the weights are CoFA's, 0 in an empty slot.
    """

    def __init__(self, model: HIME, config: HIMEConfig, lowering: str, skip: str) -> None:
        super().__init__()
        self.f_ref_channels = config.feature_parts["f_ref"]
        self.weights_shape = (config.slots, config.lr_size, config.lr_size)
        self.lr_extractor = model.lr_extractor
        self.alignment = Alignment(model.rfa, config, lowering)
        self.aggregation = FoldedAggregation(model.cofa)
        self.fusion = Add()
        self.reconstructor = model.reconstructor
        self.skip = skip_named(skip)(config.lr_size, config.scale)

    def forward(self, lr: Tensor, features: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        # Slices and not a split: XNNPACK takes these only.
        f_ref, g_ref = features[:, : self.f_ref_channels], features[:, self.f_ref_channels :]
        f_lr = self.lr_extractor(lr)
        aligned = self.alignment(f_ref, g_ref, f_lr)
        aggregated, weights = self.aggregation(aligned, f_lr, valid)
        sr = self.reconstructor(self.fusion(aggregated, f_lr)) + self.skip(lr)
        return sr, weights.reshape(self.weights_shape)
