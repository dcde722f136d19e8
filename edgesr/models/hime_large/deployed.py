"""HIME-large's deployed form: what its ``encode`` and ``restore`` compute, for one photo and one LR face at a time.

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
from edgesr.models.hime.deployed import BatchedAggregation
from edgesr.models.hime.rewrites import FoldedAggregation, split_offset_convolution
from edgesr.models.hime_large.config import HIMELargeConfig
from edgesr.models.hime_large.flow import MapFlow
from edgesr.models.hime_large.network import FlowGuidedAlignment, HIMELarge
from edgesr.models.hime_large.rewrites import DeployedFlow


def graphs(model: HIMELarge, config: HIMELargeConfig, lowering: str, skip: str) -> tuple[EncodeGraph, RestoreGraph]:
    """Both graphs of ``model``, whose parameters they share, with the sizes of ``config``.

    Raises:
        UsageError: unknown lowering or skip (the valid ones are listed), or the network is another form of HIME-large.
    """
    flow = model.rfa.flow
    if not config.deployable or not isinstance(flow, MapFlow):
        raise UsageError(
            f"a flow on {config.flow} with {config.aggregation} aggregation is for training and tables",
            "an encoder that keeps a small picture of each exemplar is not for phones: convert the form with "
            "learned maps and CoFA (hime-large-x4)",
        )
    return EncodeGraph(model, flow), RestoreGraph(model, flow, config, lowering, skip)


class EncodeGraph(nn.Module):
    """exemplar [1, 3, H, W] in [0, 1] -> features [1, C, h, w]: F_ref, G F_ref and the map that the flow reads."""

    def __init__(self, model: HIMELarge, flow: MapFlow) -> None:
        super().__init__()
        self.exemplar_extractor = model.exemplar_extractor
        self.g_ref = model.rfa.g_ref
        self.reference = flow.reference

    def forward(self, exemplar: Tensor) -> Tensor:
        f_ref = self.exemplar_extractor(exemplar)
        return torch.cat((f_ref, self.g_ref(f_ref), self.reference(exemplar)), dim=1)


class Alignment(nn.Module):
    """RFA (Eq. 2 to 4) of all slots at once: F_ref and G F_ref [n, ., h, w], g_L(F_L) [1, ., h, w] and the flow
    [n, 1, h, w] -> [n, lr_channels, h, w].

    For a batch of B faces B * n for n, and B for 1.
    """

    def __init__(
        self, rfa: FlowGuidedAlignment, config: HIMELargeConfig, lowering: str, batch: int | None = None
    ) -> None:
        super().__init__()
        self.bound = rfa.bound
        self.repeats = None if batch is None else config.slots
        self.g_lr = rfa.g_lr
        self.sum = Add()
        self.hidden = rfa.hidden
        self.offset_y, self.offset_x = split_offset_convolution(rfa.offset, rfa.bound)
        sampling, slots, size = lowering_named(lowering), (batch or 1) * config.slots, config.lr_size
        self.warp = sampling(slots, config.offset_channels, 1, size, config.flow_bound, kernel=1)
        self.sampling = sampling(slots, config.exemplar_channels, config.offset_groups, size, config.reach)
        if batch is not None:
            for_training(self.warp)
            for_training(self.sampling)
        weight = self.sampling.pointwise_weight(rfa.deform.weight.detach())
        self.projection = convolution(weight, rfa.deform.bias.detach())

    def forward(self, f_ref: Tensor, g_ref: Tensor, g_lr: Tensor, flow_y: Tensor, flow_x: Tensor) -> Tensor:
        if self.repeats is not None:
            g_lr = for_every_slot(g_lr, self.repeats)
        moved = self.warp(g_ref, flow_y, flow_x)
        hidden = F.relu(self.hidden(F.relu(self.sum(moved, g_lr))))
        dy = torch.tanh(self.offset_y(hidden)) * self.bound + flow_y
        dx = torch.tanh(self.offset_x(hidden)) * self.bound + flow_x
        aligned: Tensor = self.projection(self.sampling(f_ref, dy, dx))
        return aligned


class RestoreGraph(nn.Module):
    """lr [1, 3, h, w], features [n, C, h, w], valid [n] in {0, 1} -> sr [1, 3, H, W], weights [n, h, w].

    n is the number of slots. ``sr`` is not clamped; the weights are CoFA's, 0 in an empty slot.

    With a ``batch`` of B faces: lr [B, 3, h, w], features [B * n, C, h, w], valid [B, n] -> weights [B, n, h, w], and
    in place of ``sr`` its difference [B, 3, H, W] to the bicubic image, which is no matter of rounding. Without
    ``features`` and ``valid`` there are no exemplars.
    """

    def __init__(
        self,
        model: HIMELarge,
        flow: MapFlow,
        config: HIMELargeConfig,
        lowering: str,
        skip: str,
        batch: int | None = None,
    ) -> None:
        super().__init__()
        deployed = batch is None
        self.ends = (config.exemplar_channels, config.exemplar_channels + config.offset_channels)
        one = (config.slots, config.lr_size, config.lr_size)
        self.weights_shape = one if batch is None else (batch, *one)
        self.lr_extractor = model.lr_extractor
        self.face = flow.face
        self.flow = DeployedFlow(flow.spynet, config, lowering, batch or 1)
        self.alignment = Alignment(model.rfa, config, lowering, batch)
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
        first, second = self.ends
        f_ref, g_ref, reference = features[:, :first], features[:, first:second], features[:, second:]
        f_lr = self.lr_extractor(lr)
        g_lr = self.alignment.g_lr(f_lr)
        flow_y, flow_x = self.flow(self.face(lr), reference)
        aligned = self.alignment(f_ref, g_ref, g_lr, flow_y, flow_x)
        aggregated, weights = self.aggregation(aligned, f_lr, valid)
        sr = self.reconstructor(self.fusion(aggregated, f_lr))
        if self.skip is not None:
            sr = sr + self.skip(lr)
        return sr, weights.reshape(self.weights_shape)
