"""What the papers compare RFA and CoFA with (HIME paper, Tables 2 and 3): to be trained and measured, not deployed."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgesr.layers.blocks import conv3x3
from edgesr.models.hime.config import HIMEConfig


class ConvolutionAlignment(nn.Module):
    """RFA without sampling: F_refA is convolved from [F_ref, F_L] by as deep a head, and nothing moves."""

    def __init__(self, config: HIMEConfig) -> None:
        super().__init__()
        self.g_ref = conv3x3(config.exemplar_channels, config.offset_channels, bias=False)
        self.g_lr = conv3x3(config.lr_channels, config.offset_channels)
        self.hidden = conv3x3(config.offset_channels, config.offset_channels)
        self.projection = conv3x3(config.offset_channels, config.lr_channels)

    def kept(self, f_ref: Tensor) -> Tensor:
        return f_ref

    def forward(self, kept: Tensor, g_ref: Tensor, g_lr: Tensor) -> Tensor:  # noqa: ARG002 - F_ref is in g_ref
        """Reference feature: [N, lr_channels, h, w]."""
        aligned: Tensor = self.projection(F.relu(self.hidden(F.relu(g_ref + g_lr))))
        return aligned


class AverageAggregation(nn.Module):
    """Mean of the valid references; arguments and results as ``ContentConditionedAggregation``'s."""

    def __init__(self, config: HIMEConfig) -> None:  # noqa: ARG002 - built as CoFA is
        super().__init__()

    def forward(self, aligned: Tensor, f_lr: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        share = valid / valid.sum(1, keepdim=True).clamp(min=1)
        weights = share[:, :, None, None].expand(*aligned.shape[:2], *aligned.shape[-2:])
        return (weights[:, :, None].to(aligned.dtype) * aligned).sum(1), weights


class MaxAggregation(nn.Module):
    """Largest value over the valid references, channel by channel; a slot's weight is its share of the channels."""

    def __init__(self, config: HIMEConfig) -> None:  # noqa: ARG002 - built as CoFA is
        super().__init__()

    def forward(self, aligned: Tensor, f_lr: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        empty = (valid == 0)[:, :, None, None, None]
        best, slot = aligned.masked_fill(empty, -torch.inf).max(1)
        some = (valid.sum(1) > 0)[:, None, None, None]
        weights = F.one_hot(slot, aligned.shape[1]).float().mean(1).permute(0, 3, 1, 2)  # B, n, h, w
        return torch.where(some, best, 0.0).to(aligned.dtype), weights * valid[:, :, None, None]
