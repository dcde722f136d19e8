"""SpyNet in the form that suits a deployed graph (equal, as ``tests/test_hime_large_graphs.py`` shows)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgesr.layers.blocks import for_every_slot
from edgesr.layers.convolution import convolution
from edgesr.layers.deform import Beyond
from edgesr.layers.lowerings import lowering_named
from edgesr.models.hime_large.config import COLOURS, HIMELargeConfig
from edgesr.models.hime_large.spynet import Level, SpyNet, bilinear_matrix

SCALED = 2.0
"""What the reference's map is multiplied by, and the weights that read it divided by: exact in floats, and in int8 it
keeps the border of zeros from the dequantized map, of which XNNPACK takes no padding."""


class Resize(nn.Module):
    """A constant matrix [s, h] on both sides, as linear layers: [n, C, h, h] -> [n, C, s, s]."""

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        self.register_buffer("matrix", matrix.clone(), persistent=False)
        self.matrix: Tensor

    def forward(self, x: Tensor) -> Tensor:
        columns = F.linear(x, self.matrix).transpose(2, 3)
        return F.linear(columns, self.matrix).transpose(2, 3)


def mean_matrix(size: int) -> Tensor:
    """M [size / 2, size]: means of pairs, which on both sides is pooling over 2x2 pixels."""
    return 0.5 * torch.eye(size // 2).repeat_interleave(2, dim=1)


class FlowLevel(nn.Module):
    """One level for all slots at once.

    Flows are in parts of the level's bound, since 2 U(R tanh a) / 2R = U(tanh a): what is enlarged needs no factor. The
    first convolution is its half of the face, computed once, and that of the slots; the last one gives x and y apart.
    The coarsest level has no flow before it, and so none in its first convolution. Of a batch of B faces all slots
    stand one behind the other, B * n for n.
    """

    def __init__(
        self, level: Level, config: HIMELargeConfig, halvings: int, lowering: str, *, first: bool, batch: int
    ) -> None:
        super().__init__()
        self.repeats = config.slots if batch > 1 else None
        size = config.lr_size // 2**halvings
        self.bound = config.flow_bound / 2**halvings
        opening, *hidden, last = level.convs
        assert isinstance(opening, nn.Conv2d)
        assert isinstance(last, nn.Conv2d)
        weight = opening.weight.detach()
        bias = None if opening.bias is None else opening.bias.detach()
        self.near = convolution(weight[:, :COLOURS], bias, opening)
        moved, flow = weight[:, COLOURS : 2 * COLOURS] / SCALED, weight[:, 2 * COLOURS :]
        self.far = convolution(moved if first else torch.cat((moved, flow), dim=1), None, opening)
        self.hidden = nn.ModuleList(hidden)
        weight, bias = last.weight.detach() / self.bound, last.bias
        for name, axis in (("x", slice(0, 1)), ("y", slice(1, 2))):
            part = None if bias is None else bias.detach()[axis] / self.bound
            setattr(self, f"step_{name}", convolution(weight[axis], part, last))
        self.step_x: nn.Conv2d
        self.step_y: nn.Conv2d
        self.enlarge = None if first else Resize(bilinear_matrix(size // 2))
        sizes = (batch * config.slots, COLOURS, 1, size, self.bound)
        self.sampling = None if first else lowering_named(lowering)(*sizes, kernel=1, beyond=Beyond.NEAREST)

    def forward(self, near: Tensor, far: Tensor, x: Tensor | None, y: Tensor | None) -> tuple[Tensor, Tensor]:
        """``near`` [B, c, s, s] of the face, ``far`` [n, 3, s, s], the last flow [n, 1, s / 2, s / 2] -> x and y
        [n, 1, s, s]."""
        if self.enlarge is None or self.sampling is None or x is None or y is None:
            flow_x = flow_y = None
            given = far
        else:
            flow_x, flow_y = self.enlarge(x), self.enlarge(y)
            dx, dy = flow_x * self.bound, flow_y * self.bound
            given = torch.cat((self.sampling(far, dy, dx), dx, dy), dim=1)
        if self.repeats is not None:
            near = for_every_slot(near, self.repeats)
        hidden = F.relu(self.far(given) + near)
        for conv in self.hidden:
            hidden = F.relu(conv(hidden))
        step_x, step_y = self.step_x(hidden), self.step_y(hidden)
        if flow_x is not None and flow_y is not None:
            step_x, step_y = step_x + flow_x, step_y + flow_y
        return torch.tanh(step_x), torch.tanh(step_y)


class DeployedFlow(nn.Module):
    """SpyNet on [1, 3, h, w] and [n, 3, h, w] at LR size -> its flow as dy and dx [n, 1, h, w] in LR pixels.

    For a batch of B faces B for 1, and B * n for n.
    """

    def __init__(self, spynet: SpyNet, config: HIMELargeConfig, lowering: str, batch: int = 1) -> None:
        super().__init__()
        self.bound = config.flow_bound
        sizes = [config.lr_size // 2**k for k in range(len(spynet.levels) - 1)]
        self.halvings = nn.ModuleList(Resize(mean_matrix(size)) for size in sizes)
        count = len(spynet.levels)
        self.levels = nn.ModuleList(
            FlowLevel(level, config, count - 1 - i, lowering, first=i == 0, batch=batch)  # type: ignore[arg-type]
            for i, level in enumerate(spynet.levels)
        )

    def forward(self, near: Tensor, far: Tensor) -> tuple[Tensor, Tensor]:
        # All of the face first: what follows is one chain, along which a departure can be looked for by halves.
        nears = [level.near(one) for level, one in zip(self.levels, self._pyramid(near), strict=True)]  # type: ignore[operator]
        x: Tensor | None = None
        y: Tensor | None = None
        for level, given, one in zip(self.levels, nears, self._pyramid(far * SCALED), strict=True):
            x, y = level(given, one, x, y)
        assert x is not None
        assert y is not None
        return y * self.bound, x * self.bound

    def _pyramid(self, finest: Tensor) -> list[Tensor]:
        """The coarsest first."""
        maps = [finest]
        for halve in self.halvings:
            maps.append(halve(maps[-1]))
        return maps[::-1]
