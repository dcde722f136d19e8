"""RFA, reference feature alignment (HIME paper, Section 3.1), and its edge variant: what moves features of an exemplar
to where the face has them."""

from __future__ import annotations

import abc

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgesr.layers.blocks import conv3x3
from edgesr.layers.deform import TAPS, DeformableConv2d, warp
from edgesr.models.hime.config import HIMEConfig


class Alignment(nn.Module, abc.ABC):
    """Offsets from content, g([F_ref, F_L]) (Eq. 3), at which the features of an exemplar are then sampled.

    The first convolution of g is held as its two halves, g_ref(F_ref) + g_L(F_L), which is the same sum; g_ref needs no
    LR face, so it is computed once with the gallery.
    """

    def __init__(self, config: HIMEConfig, taps: int) -> None:
        super().__init__()
        self.bound = float(config.offset_bound)
        self.groups = config.offset_groups
        self.g_ref = conv3x3(config.exemplar_channels, config.offset_channels, bias=False)
        self.g_lr = conv3x3(config.lr_channels, config.offset_channels)
        self.hidden = conv3x3(config.offset_channels, config.offset_channels)
        self.offset = conv3x3(config.offset_channels, 2 * taps * config.offset_groups)
        # Alignment starts as a plain convolution and learns to move from there.
        nn.init.zeros_(self.offset.weight)
        nn.init.zeros_(self.offset.bias)  # type: ignore[arg-type]

    @abc.abstractmethod
    def kept(self, f_ref: Tensor) -> Tensor:
        """What is stored of an exemplar besides g_ref(F_ref): the map that is sampled."""

    def offsets(self, g_ref: Tensor, g_lr: Tensor) -> Tensor:
        """Bounded offsets [N, groups * taps * 2, h, w] in LR pixels (per group and tap: y, x)."""
        raw = self.offset(F.relu(self.hidden(F.relu(g_ref + g_lr))))
        return self.bound * torch.tanh(raw.float() / self.bound)

    @abc.abstractmethod
    def forward(self, kept: Tensor, g_ref: Tensor, g_lr: Tensor) -> Tensor:
        """Aligned reference F_refA: [N, lr_channels, h, w]."""


class ReferenceFeatureAlignment(Alignment):
    """RFA of HIME-small: deformable sampling (Eq. 4), an offset for each group and tap."""

    def __init__(self, config: HIMEConfig) -> None:
        super().__init__(config, TAPS)
        self.deform = DeformableConv2d(config.exemplar_channels, config.lr_channels, config.offset_groups)

    def kept(self, f_ref: Tensor) -> Tensor:
        return f_ref

    def forward(self, kept: Tensor, g_ref: Tensor, g_lr: Tensor) -> Tensor:
        return self.deform(kept, self.offsets(g_ref, g_lr))


class WarpAlignment(Alignment):
    """The edge variant: a plain convolution of F_ref, of which each group of channels is then moved by one offset.

    The convolution looks at the exemplar alone and is stored with the gallery, as g_ref is; what is left for each face
    is a thin end of the offset head, and one bilinear sample a channel of F_refA where RFA takes nine of each of F_ref.
    """

    def __init__(self, config: HIMEConfig) -> None:
        super().__init__(config, 1)
        self.value = conv3x3(config.exemplar_channels, config.lr_channels)

    def kept(self, f_ref: Tensor) -> Tensor:
        kept: Tensor = self.value(f_ref)
        return kept

    def forward(self, kept: Tensor, g_ref: Tensor, g_lr: Tensor) -> Tensor:
        h, w = kept.shape[-2:]
        way = self.offsets(g_ref, g_lr).reshape(-1, 2, h, w).flip(1)
        return warp(kept.reshape(len(way), -1, h, w), way).reshape(kept.shape)
