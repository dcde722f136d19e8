"""Lowerings of the deformable convolution's sampling: the same function in operators that a target is good at.

Each is a module that takes ``f_ref`` [n, C, h, w] and the offsets ``dy``, ``dx`` [n, G * 9, h, w] in LR pixels
(channel g * 9 + k holds tap k of group g) and returns columns [n, C * 9, h, w], which a 1x1 convolution
turns into the aligned reference. The columns' order differs, so each lowering permutes the weights itself
(``pointwise_weight``). Sizes are static: slots n, channels C, groups G, side of the map, bound R of the offsets.

With a kernel of 1 there is one tap, where the pixel is, and the columns are the map itself, moved: the warp by a flow
[n, 1, h, w] of one group. Beyond the map lie zeros, or with ``Beyond.NEAREST`` the nearest pixel of its border.
"""

from __future__ import annotations

import abc
import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgesr.errors import UsageError
from edgesr.layers.deform import Beyond


class Sampling(nn.Module, abc.ABC):
    """What the lowerings share: their sizes, and the order of the weights."""

    def __init__(
        self,
        slots: int,
        channels: int,
        groups: int,
        size: int,
        bound: float,
        kernel: int = 3,
        beyond: Beyond = Beyond.ZEROS,
    ) -> None:
        super().__init__()
        self.slots = slots
        self.channels = channels
        self.groups = groups
        self.size = size
        self.kernel = kernel
        """Side of the kernel, odd."""
        self.taps = kernel**2
        self.rim = kernel // 2
        """Pixels from the kernel's middle to its outermost tap."""
        self.beyond = beyond
        self.reach = math.ceil(bound)
        """Whole pixels that no offset exceeds; R itself may be fractional."""

    @abc.abstractmethod
    def forward(self, f_ref: Tensor, dy: Tensor, dx: Tensor) -> Tensor:
        """Columns [n, C * 9, h, w]: bilinear samples of every tap, zero outside the map."""

    def pointwise_weight(self, weight: Tensor) -> Tensor:
        """Deformable weights [C_out, C, 3, 3] as those of a 1x1 convolution on these columns.

        Columns are ordered (group, tap, channel of the group) unless a lowering says otherwise.
        """
        grouped = weight.reshape(len(weight), self.groups, -1, self.taps)
        return grouped.transpose(2, 3).reshape(len(weight), -1, 1, 1)

    def taps_y(self) -> Tensor:
        """Row of each tap at each pixel, undisplaced: [K, h, w] float, from -rim to h - 1 + rim."""
        k, side = self.kernel, self.size
        # ExecuTorch takes no constant whose axes lie in another order.
        return self.taps_x().reshape(k, k, side, side).permute(1, 0, 3, 2).reshape(self.taps, side, side).contiguous()

    def taps_x(self) -> Tensor:
        """Column of each tap at each pixel, undisplaced: [K, h, w] float, from -rim to w - 1 + rim."""
        tap = torch.arange(float(self.kernel)).repeat(self.kernel).reshape(self.taps, 1, 1) - self.rim
        return (tap + torch.arange(float(self.size))).expand(self.taps, self.size, self.size).contiguous()


class Clamp(nn.Module):
    """Offsets that end at the map's border: with these, zeros beyond the map are never met, and what is found where
    they would be is the nearest pixel. Taps are those of one group."""

    def __init__(self, sampling: Sampling) -> None:
        super().__init__()
        last = float(sampling.size - 1)
        taps = {"y": sampling.taps_y(), "x": sampling.taps_x()}
        for axis, taps_at in taps.items():
            self.register_buffer(f"least_{axis}", -taps_at[None], persistent=False)
            self.register_buffer(f"most_{axis}", last - taps_at[None], persistent=False)
        self.least_y: Tensor
        self.most_y: Tensor
        self.least_x: Tensor
        self.most_x: Tensor

    def forward(self, dy: Tensor, dx: Tensor) -> tuple[Tensor, Tensor]:
        dy = torch.minimum(torch.maximum(dy, self.least_y), self.most_y)
        dx = torch.minimum(torch.maximum(dx, self.least_x), self.most_x)
        return dy, dx


class GridSample(Sampling):
    """One ``grid_sample`` for all taps and groups.

    A border of zeros with border padding stands for zero padding, and corners are aligned: Vulkan and Core ML
    both take this form, where they differ on others.
    """

    padding_mode = "border"

    def __init__(self, *sizes: Any, **form: Any) -> None:
        super().__init__(*sizes, **form)
        # Pixel p lies at p + 1 on the bordered map of size + 2, whose corners are at -1 and 1.
        self.border = 1 if self.beyond is Beyond.ZEROS else 0
        self.to_grid = 2.0 / max(self.size - 1 + 2 * self.border, 1)
        rows = (1, self.taps * self.size, self.size, 1)
        for name, taps in (("base_y", self.taps_y()), ("base_x", self.taps_x())):
            self.register_buffer(name, ((taps + self.border) * self.to_grid - 1.0).reshape(rows), persistent=False)
        self.base_y: Tensor
        self.base_x: Tensor

    def forward(self, f_ref: Tensor, dy: Tensor, dx: Tensor) -> Tensor:
        maps, side, p = self.slots * self.groups, self.size, self.border
        y = dy.reshape(maps, self.taps * side, side, 1) * self.to_grid + self.base_y
        x = dx.reshape(maps, self.taps * side, side, 1) * self.to_grid + self.base_x
        bordered = F.pad(f_ref, (p, p, p, p)) if p else f_ref
        bordered = bordered.reshape(maps, self.channels // self.groups, side + 2 * p, side + 2 * p)
        grid = torch.cat((x, y), dim=-1)  # n * G, K * h, w, 2
        columns = F.grid_sample(bordered, grid, mode="bilinear", padding_mode=self.padding_mode, align_corners=True)
        return columns.reshape(self.slots, self.channels * self.taps, side, side)

    def pointwise_weight(self, weight: Tensor) -> Tensor:
        """Columns are ordered (channel, tap), as the weights are."""
        return weight.reshape(len(weight), -1, 1, 1)


class Rows(Sampling):
    """Four look-ups of C / G values in a table of pixels, the map inside a border of zeros.

    Everything is ordered by pixel, then group, then tap: the table is the map with its channels last, and what is found
    for a pixel lies side by side, as a product with the weights takes it.

    Offsets never exceed R, so a border that wide makes every index valid without a clamp. Fractions come
    from the offsets and not from positions, and a pixel's index is an int32 constant, to which only the small way from
    there is added, so that nothing is lost where floats are short.
    """

    def __init__(self, *sizes: Any, **form: Any) -> None:
        super().__init__(*sizes, **form)
        slots, groups, size = self.slots, self.groups, self.size
        # A tap reaches further than its offset, and the bilinear neighbour of an exact +R one more.
        self.border = self.reach + self.rim + 1
        self.stride = size + 2 * self.border
        self.clamp = Clamp(self) if self.beyond is Beyond.NEAREST else None
        tap, side, rim = torch.arange(self.taps), self.kernel, self.rim
        taps = ((tap // side - rim) * self.stride + tap % side - rim) * groups + torch.arange(groups).reshape(-1, 1)
        pixel = (torch.arange(size) + self.border).reshape(-1, 1) * self.stride + torch.arange(size) + self.border
        pixels = (torch.arange(slots).reshape(-1, 1) * self.stride**2 + pixel.reshape(1, -1)) * groups  # n, h * w
        self.register_buffer("steps", taps.float().reshape(-1), persistent=False)  # G * K
        # Tensors and not Python integers: a quantizer turns `indices + 1` into an addition of floats.
        self.register_buffer("pixels", pixels.to(torch.int32).unsqueeze(-1), persistent=False)
        self.register_buffer("right", torch.tensor(groups, dtype=torch.int32), persistent=False)
        self.register_buffer("below", torch.tensor(groups * self.stride, dtype=torch.int32), persistent=False)
        self.steps: Tensor
        self.pixels: Tensor
        self.right: Tensor
        self.below: Tensor

    def forward(self, f_ref: Tensor, dy: Tensor, dx: Tensor) -> Tensor:
        p, width = self.border, self.channels // self.groups
        if self.clamp is not None:
            dy, dx = self.clamp(dy, dx)
        table = F.pad(f_ref, (p, p, p, p)).permute(0, 2, 3, 1)
        table = table.reshape(self.slots * self.stride**2 * self.groups, width)
        shape = self.slots, self.size**2, self.groups * self.taps
        # By way of a flat tensor: else it is a view with strides of its own, and whatever is reshaped later a copy.
        dy, dx = (d.permute(0, 2, 3, 1).flatten(1).reshape(shape) for d in (dy, dx))
        y0, x0 = torch.floor(dy), torch.floor(dx)
        fy, fx = dy - y0, dx - x0
        gy, gx = 1.0 - fy, 1.0 - fx
        from_pixel = y0 * float(self.stride * self.groups) + x0 * float(self.groups) + self.steps
        top_left = from_pixel.to(torch.int32) + self.pixels
        bottom_left = top_left + self.below
        samples = (
            F.embedding(top_left, table) * (gy * gx).unsqueeze(-1)
            + F.embedding(top_left + self.right, table) * (gy * fx).unsqueeze(-1)
            + F.embedding(bottom_left, table) * (fy * gx).unsqueeze(-1)
            + F.embedding(bottom_left + self.right, table) * (fy * fx).unsqueeze(-1)
        )  # n, h * w, G * K, C / G
        return samples.reshape(self.slots, self.size, self.size, self.channels * self.taps).permute(0, 3, 1, 2)


class Tent(Sampling):
    """Sum of static shifts, each weighted relu(1 - |d - i|): no gather, for targets that have none.

    Bilinear interpolation is this sum over all whole shifts i; within the bound only those from -R to R
    have a weight, so it is exact. Its cost grows with R squared.
    """

    def __init__(self, *sizes: Any, **form: Any) -> None:
        super().__init__(*sizes, **form)
        self.clamp = Clamp(self) if self.beyond is Beyond.NEAREST else None

    def forward(self, f_ref: Tensor, dy: Tensor, dx: Tensor) -> Tensor:
        side, reach, width = self.size, self.reach, self.channels // self.groups
        if self.clamp is not None:
            dy, dx = self.clamp(dy, dx)
        p = reach + self.rim
        span = side + 2 * reach
        bordered = F.pad(f_ref, (p, p, p, p)).reshape(self.slots * self.groups, width, side + 2 * p, side + 2 * p)
        offsets = range(self.kernel)
        taps = [bordered[:, :, ky : ky + span, kx : kx + span] for ky in offsets for kx in offsets]
        # Taps become part of the batch, so that one shift serves all of them: n * G * K, C / G, span, span.
        maps = torch.cat(taps, dim=1).reshape(self.slots * self.groups * self.taps, width, span, span)
        dy, dx = dy.reshape(-1, 1, side, side), dx.reshape(-1, 1, side, side)
        shifts = range(-reach, reach + 1)
        tents_x = [F.relu(1.0 - torch.abs(dx - float(i))) for i in shifts]
        columns: Tensor | None = None
        for i in shifts:
            rows = maps[:, :, reach + i : reach + i + side, :]
            row: Tensor | None = None
            for j, tent_x in zip(shifts, tents_x, strict=True):
                term = rows[:, :, :, reach + j : reach + j + side] * tent_x
                row = term if row is None else row + term
            assert row is not None  # reach >= 1, so there are shifts
            row = row * F.relu(1.0 - torch.abs(dy - float(i)))
            columns = row if columns is None else columns + row
        assert columns is not None
        return columns.reshape(self.slots, self.channels * self.taps, side, side)


def for_training(sampling: Sampling) -> Sampling:
    """The same sampling where weights may become NaN, which is to be passed on until the loss shows it.

    Beyond a border of zeros both modes of ``grid_sample`` are the same, and PyTorch's ``border`` crashes on NaN.
    """
    if isinstance(sampling, GridSample) and sampling.beyond is Beyond.ZEROS:
        sampling.padding_mode = "zeros"
    return sampling


LOWERINGS: dict[str, type[Sampling]] = {"grid_sample": GridSample, "rows": Rows, "tent": Tent}


def lowering_named(name: str) -> type[Sampling]:
    """The lowering's class; an unknown name lists the known ones."""
    if name not in LOWERINGS:
        raise UsageError(f"unknown lowering {name!r}", f"known lowerings: {', '.join(LOWERINGS)}")
    return LOWERINGS[name]
