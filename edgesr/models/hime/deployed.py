"""HIME's deployed form: what ``HIME.encode`` and ``HIME.restore`` compute, for one photo and one LR face at a time.

The restorer exists for a batch too, with the same layers under the same names: in that form int8 is trained."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgesr.errors import UsageError
from edgesr.layers.blocks import Add, for_every_slot
from edgesr.layers.convolution import convolution
from edgesr.layers.lowerings import for_training, lowering_named
from edgesr.layers.skip import skip_named
from edgesr.models.hime.alignment import Alignment, ReferenceFeatureAlignment, WarpAlignment
from edgesr.models.hime.config import HIMEConfig
from edgesr.models.hime.network import HIME, ContentConditionedAggregation
from edgesr.models.hime.rewrites import FoldedAggregation, split_offset_convolution


def graphs(model: HIME, config: HIMEConfig, lowering: str, skip: str) -> tuple[EncodeGraph, RestoreGraph]:
    """Both graphs of ``model``, whose parameters they share, with the sizes of ``config``.

    Raises:
        UsageError: unknown lowering or skip (the valid ones are listed), or the network is an ablation of HIME.
    """
    if not config.deployable:
        raise UsageError(
            f"{config.alignment} alignment with {config.aggregation} aggregation is an ablation of HIME",
            "it can be trained and evaluated; deformable alignment or a warp, with CoFA, is converted",
        )
    return EncodeGraph(model), RestoreGraph(model, config, lowering, skip)


class EncodeGraph(nn.Module):
    """exemplar [1, 3, H, W] in [0, 1] -> features [1, C, h, w]: what is sampled and, behind it, g_ref(F_ref)."""

    def __init__(self, model: HIME) -> None:
        super().__init__()
        self.exemplar_extractor = model.exemplar_extractor
        self.g_ref = model.rfa.g_ref
        self.value = model.rfa.value if isinstance(model.rfa, WarpAlignment) else None

    def forward(self, exemplar: Tensor) -> Tensor:
        f_ref = self.exemplar_extractor(exemplar)
        kept = f_ref if self.value is None else self.value(f_ref)
        return torch.cat((kept, self.g_ref(f_ref)), dim=1)


class DeployedAlignment(nn.Module):
    """RFA (Eq. 3, 4) of all slots at once, or the edge variant's warp: what is sampled of the exemplars and g_ref
    [n, ., h, w], and F_L [1, ., h, w] -> [n, lr_channels, h, w].

    For a batch of B faces B * n for n, and B for 1.
    """

    def __init__(self, rfa: Alignment, config: HIMEConfig, lowering: str, batch: int | None = None) -> None:
        super().__init__()
        self.bound = rfa.bound
        self.repeats = None if batch is None else config.slots
        self.g_lr = rfa.g_lr
        self.sum = Add()
        self.hidden = rfa.hidden
        self.offset_y, self.offset_x = split_offset_convolution(rfa.offset, rfa.bound)
        deform = rfa.deform if isinstance(rfa, ReferenceFeatureAlignment) else None
        self.sampling = lowering_named(lowering)(
            (batch or 1) * config.slots,
            config.sampled_channels,
            config.offset_groups,
            config.lr_size,
            config.offset_bound,
            kernel=1 if deform is None else 3,
        )
        if batch is not None:
            for_training(self.sampling)
        self.projection: nn.Module = nn.Identity()
        if deform is not None:
            weight = self.sampling.pointwise_weight(deform.weight.detach())
            self.projection = convolution(weight, deform.bias.detach())

    def forward(self, kept: Tensor, g_ref: Tensor, f_lr: Tensor) -> Tensor:
        g_lr = self.g_lr(f_lr)
        if self.repeats is not None:
            g_lr = for_every_slot(g_lr, self.repeats)
        hidden = F.relu(self.hidden(F.relu(self.sum(g_ref, g_lr))))
        dy = torch.tanh(self.offset_y(hidden)) * self.bound
        dx = torch.tanh(self.offset_x(hidden)) * self.bound
        aligned: Tensor = self.projection(self.sampling(kept, dy, dx))
        return aligned


class BatchedAggregation(nn.Module):
    """CoFA as the network has it: float in training, where folding g1 away would leave weights that cannot go back."""

    def __init__(self, cofa: ContentConditionedAggregation, slots: int) -> None:
        super().__init__()
        self.cofa = cofa
        self.slots = slots

    def forward(self, aligned: Tensor, f_lr: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """As ``ContentConditionedAggregation``, with ``aligned`` [B * n, C, h, w]."""
        aggregated, weights = self.cofa(aligned.unflatten(0, (-1, self.slots)), f_lr, valid)
        return aggregated, weights


class RestoreGraph(nn.Module):
    """lr [1, 3, h, w], features [n, C, h, w], valid [n] in {0, 1} -> sr [1, 3, H, W], weights [n, h, w].

    n is the number of slots. ``sr`` is not clamped; the weights are CoFA's, 0 in an empty slot.

    With a ``batch`` of B faces: lr [B, 3, h, w], features [B * n, C, h, w], valid [B, n] -> weights [B, n, h, w], and
    in place of ``sr`` its difference [B, 3, H, W] to the bicubic image, which is no matter of rounding. Without
    ``features`` and ``valid`` there are no exemplars.
    """

    def __init__(self, model: HIME, config: HIMEConfig, lowering: str, skip: str, batch: int | None = None) -> None:
        super().__init__()
        self.sampled_channels = config.sampled_channels
        one = (config.slots, config.lr_size, config.lr_size)
        self.weights_shape = one if batch is None else (batch, *one)
        self.lr_extractor = model.lr_extractor
        self.alignment = DeployedAlignment(model.rfa, config, lowering, batch)
        deployed = batch is None
        self.aggregation = FoldedAggregation(model.cofa) if deployed else BatchedAggregation(model.cofa, config.slots)
        self.fusion = Add()
        self.reconstructor = model.reconstructor
        self.skip = skip_named(skip)(config.lr_size, config.scale) if deployed else None

    def forward(self, lr: Tensor, features: Tensor | None = None, valid: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if features is None:
            # F_a is 0, and is added all the same, as for a face whose slots are empty.
            f_lr = self.lr_extractor(lr)
            residual = self.reconstructor(self.fusion(torch.zeros_like(f_lr), f_lr))
            return residual, lr.new_zeros(len(lr), 0, *lr.shape[-2:])
        # Slices and not a split: XNNPACK takes these only.
        kept, g_ref = features[:, : self.sampled_channels], features[:, self.sampled_channels :]
        f_lr = self.lr_extractor(lr)
        aligned = self.alignment(kept, g_ref, f_lr)
        aggregated, weights = self.aggregation(aligned, f_lr, valid)
        sr = self.reconstructor(self.fusion(aggregated, f_lr))
        if self.skip is not None:
            sr = sr + self.skip(lr)
        return sr, weights.reshape(self.weights_shape)
