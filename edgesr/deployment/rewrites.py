"""Exact rewrites: the same function as the trained network's, in a form that suits a deployed graph.

Each is proven equal to the form it replaces in ``tests/test_rewrites.py``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgesr.errors import UsageError
from edgesr.models.bicubic import bicubic_matrix
from edgesr.models.deform import TAPS
from edgesr.models.hime import MU_FLOOR, ContentConditionedAggregation


def split_convolution(conv: nn.Conv2d, channels: Sequence[int]) -> list[nn.Conv2d]:
    """g([a, b, ...]) = g_a(a) + g_b(b) + ...: a convolution of concatenated maps as one per part.

    ``channels`` are the parts' widths in order; the bias stays with the last. HIME's offset head is born
    split like this, so that g_ref belongs to the encoder.
    """
    if sum(channels) != conv.in_channels:
        raise UsageError(f"parts of {list(channels)} channels do not make up the convolution's {conv.in_channels}")
    weights = torch.split(conv.weight.detach(), list(channels), dim=1)
    bias = None if conv.bias is None else conv.bias.detach()
    return [convolution(w, bias if i == len(weights) - 1 else None, conv) for i, w in enumerate(weights)]


def split_offset_convolution(conv: nn.Conv2d, bound: float) -> tuple[nn.Conv2d, nn.Conv2d]:
    """The convolution before o = R tanh(x / R) as one for dy and one for dx, both already divided by R.

    ``conv`` gives [N, G * 9 * 2, h, w], y before x of each tap; the parts give [N, G * 9, h, w] each. The
    deployed graph then needs no strided slice, which int8 runtimes take badly.
    """
    bias = None if conv.bias is None else conv.bias.detach() / bound
    weight = conv.weight.detach() / bound
    y, x = (convolution(weight[i::2], None if bias is None else bias[i::2], conv) for i in (0, 1))
    return y, x


def convolution(weight: Tensor, bias: Tensor | None, like: nn.Conv2d | None = None) -> nn.Conv2d:
    """A ``Conv2d`` with these weights, padded as ``like`` (by default not at all)."""
    padding = 0 if like is None else like.padding
    conv = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2:], padding=padding, bias=bias is not None)  # type: ignore[arg-type]
    with torch.no_grad():
        conv.weight.copy_(weight)
        if conv.bias is not None and bias is not None:
            conv.bias.copy_(bias)
    return conv


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


class MatmulSkip(nn.Module):
    """Bicubic upsampling as a constant matrix on both sides, U x U^T: [1, 3, h, w] -> [1, 3, h * s, w * s]."""

    def __init__(self, size: int, scale: int) -> None:
        super().__init__()
        self.register_buffer("matrix", bicubic_matrix(size, scale).clone(), persistent=False)
        self.matrix: Tensor

    def forward(self, lr: Tensor) -> Tensor:
        # As linear layers: batched products of a constant and an image are not delegated everywhere.
        columns = F.linear(lr, self.matrix).transpose(2, 3)
        return F.linear(columns, self.matrix).transpose(2, 3)


class ConvSkip(nn.Module):
    """Bicubic upsampling as a fixed grouped 5x5 convolution (one kernel a phase) and PixelShuffle(s).

    At the border our bicubic leaves out the taps outside the image and renormalises the rest: here they are
    zeros, and a constant map multiplies by what the missing weights would have been.
    """

    def __init__(self, size: int, scale: int) -> None:
        super().__init__()
        # Far from the border a phase's taps are those of any pixel; 16 pixels have such a middle.
        middle, reach = 8, 2
        matrix = bicubic_matrix(16, scale).double()
        phases = matrix[middle * scale : (middle + 1) * scale, middle - reach : middle + reach + 1]  # s, 5
        kernels = torch.einsum("ai,bj->abij", phases, phases).reshape(scale**2, 1, 5, 5)
        inside = F.pad(torch.ones(size, dtype=torch.float64), (reach, reach)).unfold(0, 5, 1)  # h, 5
        norm = 1.0 / (inside @ phases.T).reshape(size * scale)
        self.register_buffer("kernels", kernels.repeat(3, 1, 1, 1).float(), persistent=False)
        self.register_buffer("norm", torch.outer(norm, norm).float()[None, None], persistent=False)
        self.shuffle = nn.PixelShuffle(scale)
        self.kernels: Tensor
        self.norm: Tensor

    def forward(self, lr: Tensor) -> Tensor:
        upsampled: Tensor = self.shuffle(F.conv2d(lr, self.kernels, padding=2, groups=3))
        return upsampled * self.norm


SKIPS: dict[str, type[MatmulSkip] | type[ConvSkip]] = {"matmul": MatmulSkip, "conv": ConvSkip}


def skip_named(name: str) -> type[MatmulSkip] | type[ConvSkip]:
    """The bicubic skip's form; an unknown name lists the known ones."""
    if name not in SKIPS:
        raise UsageError(f"unknown skip {name!r}", f"known skips: {', '.join(SKIPS)}")
    return SKIPS[name]


def _bias(conv: nn.Conv2d) -> Tensor:
    return torch.zeros(conv.out_channels) if conv.bias is None else conv.bias.detach()
