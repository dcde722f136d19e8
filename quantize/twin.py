"""The deployed graphs for batches: what quantization-aware training trains, layer by layer the same by name.

The deployed restorer takes one face; training needs many. The twin has the same modules under the same names, so a
point's name means the same tensor in both, and its parameters are HIME's own or go back to them exactly.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgesr.deployment.graphs import GraphName
from edgesr.layers.blocks import Add
from edgesr.layers.convolution import convolution
from edgesr.layers.lowerings import GridSample
from edgesr.models.hime.config import HIMEConfig
from edgesr.models.hime.network import HIME, ContentConditionedAggregation
from edgesr.models.hime.rewrites import split_offset_convolution

CONVOLUTIONS = ("offset_y", "offset_x", "projection")
"""The alignment's convolutions, held in deployed form here."""


class TwinAlignment(nn.Module):
    """``models.hime.deployed.Alignment`` for B faces of n exemplars each."""

    def __init__(self, model: HIME, batch: int, slots: int) -> None:
        super().__init__()
        rfa, config = model.rfa, model.config
        self.bound = rfa.bound
        self.slots = slots
        self.g_lr = rfa.g_lr
        self.sum = Add()
        self.hidden = rfa.hidden
        self.offset_y, self.offset_x = split_offset_convolution(rfa.offset, rfa.bound)
        self.sampling = GridSample(
            batch * slots, config.exemplar_channels, config.offset_groups, config.lr_size, config.offset_bound
        )
        # The same beyond a border of zeros, and PyTorch's other mode crashes on NaN instead of passing it on.
        self.sampling.padding_mode = "zeros"
        self.projection = convolution(self.sampling.pointwise_weight(rfa.deform.weight.detach()), rfa.deform.bias)

    def forward(self, f_ref: Tensor, g_ref: Tensor, f_lr: Tensor) -> Tensor:
        g_lr = self.g_lr(f_lr)
        b, c, h, w = g_lr.shape
        repeated = g_lr.unsqueeze(1).expand(b, self.slots, c, h, w).reshape(b * self.slots, c, h, w)
        hidden = F.relu(self.hidden(F.relu(self.sum(g_ref, repeated))))
        dy = torch.tanh(self.offset_y(hidden)) * self.bound
        dx = torch.tanh(self.offset_x(hidden)) * self.bound
        aligned: Tensor = self.projection(self.sampling(f_ref, dy, dx))
        return aligned


class TwinAggregation(nn.Module):
    """CoFA as HIME has it: float in training, where folding g1 away would leave weights that cannot go back."""

    def __init__(self, cofa: ContentConditionedAggregation, slots: int) -> None:
        super().__init__()
        self.cofa = cofa
        self.slots = slots

    def forward(self, aligned: Tensor, f_lr: Tensor, valid: Tensor) -> Tensor:
        aggregated: Tensor = self.cofa(aligned.unflatten(0, (-1, self.slots)), f_lr, valid)[0]
        return aggregated


class RestoreTwin(nn.Module):
    """lr [B, 3, h, w], features [B * n, C, h, w], valid [B, n] -> the residual [B, 3, H, W] of the bicubic image."""

    def __init__(self, model: HIME, batch: int, slots: int) -> None:
        super().__init__()
        self.f_ref_channels = model.config.feature_parts["f_ref"]
        self.lr_extractor = model.lr_extractor
        self.alignment = TwinAlignment(model, batch, slots)
        self.aggregation = TwinAggregation(model.cofa, slots)
        self.fusion = Add()
        self.reconstructor = model.reconstructor

    def forward(self, lr: Tensor, features: Tensor, valid: Tensor) -> Tensor:
        f_ref, g_ref = features[:, : self.f_ref_channels], features[:, self.f_ref_channels :]
        f_lr = self.lr_extractor(lr)
        aggregated = self.aggregation(self.alignment(f_ref, g_ref, f_lr), f_lr, valid)
        residual: Tensor = self.reconstructor(self.fusion(aggregated, f_lr))
        return residual


class PlainTwin(nn.Module):
    """``RestoreTwin`` without exemplars: lr [B, 3, h, w] -> the residual."""

    def __init__(self, model: HIME) -> None:
        super().__init__()
        self.lr_extractor = model.lr_extractor
        self.fusion = Add()
        self.reconstructor = model.reconstructor

    def forward(self, lr: Tensor) -> Tensor:
        f_lr = self.lr_extractor(lr)
        # F_a is 0, and the deployed graph adds it all the same.
        residual: Tensor = self.reconstructor(self.fusion(torch.zeros_like(f_lr), f_lr))
        return residual


def share_alignment(first: TwinAlignment, other: TwinAlignment) -> None:
    """Make two twins of one network train the same convolutions."""
    for name in CONVOLUTIONS:
        setattr(other, name, getattr(first, name))


def inputs_of(config: HIMEConfig, batch: int, slots: int) -> dict[GraphName, tuple[Tensor, ...]]:
    """Example inputs to export the twins with."""
    h, hr = config.lr_size, config.hr_size
    lr = torch.rand(batch, 3, h, h)
    if not slots:
        return {"restore": (lr,)}
    features = torch.rand(batch * slots, config.feature_channels, h, h)
    return {
        "encode": (torch.rand(batch * slots, 3, hr, hr),),
        "restore": (lr, features, torch.ones(batch, slots)),
    }


@torch.no_grad()
def to_hime(model: HIME, alignment: TwinAlignment) -> HIME:
    """Bring the alignment's convolutions home: ``model`` shares everything else with its twins already."""
    rfa, bound = model.rfa, alignment.bound
    for part, conv in enumerate((alignment.offset_y, alignment.offset_x)):
        rfa.offset.weight[part::2] = conv.weight * bound
        assert rfa.offset.bias is not None
        assert conv.bias is not None
        rfa.offset.bias[part::2] = conv.bias * bound
    rfa.deform.weight.copy_(alignment.projection.weight.reshape(rfa.deform.weight.shape))
    assert alignment.projection.bias is not None
    rfa.deform.bias.copy_(alignment.projection.bias)
    return model
