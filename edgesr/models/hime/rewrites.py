"""Exact rewrites: the same function as the trained network's, in a form that suits a deployed graph.

Each is proven equal to the form it replaces in ``tests/test_rewrites.py``.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgesr.layers.blocks import Stage, sum_over_slots
from edgesr.layers.convolution import convolution
from edgesr.models.hime.network import MU_FLOOR, ContentConditionedAggregation


def split_offset_convolution(conv: nn.Conv2d, bound: float) -> tuple[nn.Conv2d, nn.Conv2d]:
    """The convolution before o = R tanh(x / R) as one for dy and one for dx, both already divided by R.

    ``conv`` gives [N, G * 9 * 2, h, w], y before x of each tap; the parts give [N, G * 9, h, w] each. The
    deployed graph then needs no strided slice, which int8 runtimes take badly.
    """
    bias = None if conv.bias is None else conv.bias.detach() / bound
    weight = conv.weight.detach() / bound
    y, x = (convolution(weight[i::2], None if bias is None else bias[i::2], conv) for i in (0, 1))
    return y, x


class FoldedAggregation(Stage):
    """CoFA (Eq. 5 to 7) over a fixed number of slots, with g1 folded into g2.

    g1(a)^T g2(f) = a^T u(f) + v(f) with u = G1^T (G2 f + b2) and v = b1^T (G2 f + b2): two 1x1 convolutions
    of the LR feature, and none of the references. An empty slot has weight 0 and contributes exactly nothing.
    """

    def __init__(self, cofa: ContentConditionedAggregation) -> None:
        super().__init__()
        g1, b1 = cofa.g1.weight.detach().double().flatten(1), _bias(cofa.g1).double()
        g2, b2 = cofa.g2.weight.detach().double().flatten(1), _bias(cofa.g2).double()
        self.u = convolution((g1.T @ g2)[:, :, None, None].float(), (g1.T @ b2).float())
        self.v = convolution((b1 @ g2)[None, :, None, None].float(), (b1 @ b2)[None].float())
        # Sums over channels and slots as a convolution with ones and as additions: XNNPACK has no other.
        self.register_buffer("ones", torch.ones(1, cofa.g1.in_channels, 1, 1), persistent=False)
        self.ones: Tensor

    def forward(self, aligned: Tensor, f_lr: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """``aligned`` [n, C, h, w], ``f_lr`` [1, C, h, w], ``valid`` [n] -> F_a [1, C, h, w], weights [n, 1, h, w]."""
        similarity = F.conv2d(aligned * self.u(f_lr), self.ones) + self.v(f_lr)  # n, 1, h, w
        mu = torch.sigmoid(similarity) * valid.reshape(-1, 1, 1, 1)
        # Normalised before it is multiplied: a weight lies in [0, 1], where short floats are dense.
        weights = mu / (sum_over_slots(mu) + MU_FLOOR)
        return sum_over_slots(weights * aligned), weights


def _bias(conv: nn.Conv2d) -> Tensor:
    return torch.zeros(conv.out_channels) if conv.bias is None else conv.bias.detach()
