"""Exact rewrites: the same function as the trained network's, in a form that suits a deployed graph.

Each is proven equal to the form it replaces in ``tests/test_rewrites.py``.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgesr.layers.convolution import convolution
from edgesr.layers.deform import TAPS
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


class FoldedAggregation(nn.Module):
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


def sum_over_slots(x: Tensor) -> Tensor:
    """[n, C, h, w] -> [1, C, h, w] for a static n."""
    total = x[0:1]
    for slot in range(1, len(x)):
        total = total + x[slot : slot + 1]
    return total


class WeightsBeforeSampling(nn.Module):
    """Sum_k W_k S_k[x] = Sum_k S_k[W_k x], per group: the deformable weights move to before the sampling.

    ``forward`` gives the maps W_k x [N, G * 9 * C_out, h, w], which need no LR face and could be stored with
    the exemplar; each is then sampled at one tap's offsets only, and all are summed. It pays where G is
    small, as G * 9 * C_out channels replace C.
    """

    def __init__(self, weight: Tensor, groups: int) -> None:
        super().__init__()
        out, channels = weight.shape[:2]
        self.groups = groups
        taps = weight.detach().reshape(out, groups, channels // groups, TAPS).permute(1, 3, 0, 2)
        self.maps = nn.Conv2d(channels, groups * TAPS * out, 1, groups=groups, bias=False)
        with torch.no_grad():
            self.maps.weight.copy_(taps.reshape(groups * TAPS * out, channels // groups, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        maps: Tensor = self.maps(x)
        return maps


def _bias(conv: nn.Conv2d) -> Tensor:
    return torch.zeros(conv.out_channels) if conv.bias is None else conv.bias.detach()
