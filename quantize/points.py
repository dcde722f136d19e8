"""Fake quantization: a point rounds a tensor to its int8 values, and can look at the tensor or let it through instead.

PT2E (torchao) inserts the modules and turns them into quantize and dequantize operators; which scale they have is
decided here and by the observers alone.
"""

from __future__ import annotations

import abc
from typing import Any

import torch
from torch import Tensor, nn

from edgesr.process.quiet import quiet

from .scheme import QUANT_MAX, QUANT_MIN, QParams

with quiet():  # torchao warns of itself while it is loaded
    from torchao.quantization.pt2e import FakeQuantizeBase

WEIGHT_MAX = 127
LEAST_SCALE = 1e-8


class Observer(abc.ABC):
    """Told of a tensor every time that it passes a point."""

    @abc.abstractmethod
    def observe(self, x: Tensor, point: Point) -> None:
        """Look at ``x``; may set the point's scale."""


class Point(FakeQuantizeBase):  # type: ignore[misc]
    """A tensor's quantization. One object stands wherever the tensor does, in every graph that has it."""

    dtype, qscheme = torch.int8, torch.per_tensor_affine
    quant_min, quant_max = QUANT_MIN, QUANT_MAX
    is_dynamic, ch_axis = False, -1
    scale: Tensor
    zero_point: Tensor

    def __init__(self, name: str, fixed: QParams | None = None) -> None:
        super().__init__()
        self.name = name
        self.fixed = fixed
        """The scale where it is given (the feature space's) and not to be observed."""
        self.register_buffer("scale", torch.ones(1))
        self.register_buffer("zero_point", torch.zeros(1))  # float: averages of a state take floats alone
        self.enabled = True
        self.observer: Observer | None = None
        self._learned: tuple[Tensor, int] | None = None
        if fixed is not None:
            self.set(fixed)

    def set(self, qparams: QParams) -> None:
        """Round by these from now on."""
        if self._learned is None:
            self.scale.fill_(qparams.scale)
        else:
            with torch.no_grad():
                self._learned[0][self._learned[1]] = qparams.scale
        self.zero_point.fill_(qparams.zero_point)

    def learn(self, steps: Tensor, index: int) -> None:
        """Take the step from a parameter's element, and give it a gradient."""
        self.__dict__["_learned"] = (steps, index)

    @property
    def step(self) -> Tensor:
        """[1], the scale in use."""
        if self._learned is None:
            return self.scale
        steps, index = self._learned
        return steps[index : index + 1]

    @property
    def qparams(self) -> QParams:
        return self.fixed or QParams(float(self.step.detach()), round(float(self.zero_point)))

    def forward(self, x: Tensor) -> Tensor:
        if self.observer is not None and self.fixed is None:
            self.observer.observe(x.detach(), self)
        if not self.enabled:
            return x
        step = self.step
        if step.requires_grad and torch.is_grad_enabled():
            # LSQ's balance of a step's gradient, which sums over the tensor, with a weight's.
            balance = (x.numel() * self.quant_max) ** -0.5
            return torch._fake_quantize_learnable_per_tensor_affine(
                x, step, self.zero_point, self.quant_min, self.quant_max, balance
            )
        zero_point = self.zero_point.round().to(torch.int32)
        return torch.fake_quantize_per_tensor_affine(x, step.detach(), zero_point, self.quant_min, self.quant_max)

    def calculate_qparams(self, **_: Any) -> tuple[Tensor, Tensor]:
        """Step and zero point, as PT2E asks for them when it converts."""
        return self.step.detach().clone(), self.zero_point.round().to(torch.int64)


class WeightPoint(FakeQuantizeBase):  # type: ignore[misc]
    """A convolution's weights, symmetric per output channel: step = max|w| / 127."""

    dtype, qscheme = torch.int8, torch.per_channel_symmetric
    quant_min, quant_max = -WEIGHT_MAX, WEIGHT_MAX
    is_dynamic, ch_axis = False, 0

    def __init__(self, layer: str) -> None:
        super().__init__()
        self.name = layer
        self.enabled = True
        self.last: Tensor | None = None
        self.range: tuple[float, float] | None = None
        """The range of the weights that were seen first."""

    def steps(self, weight: Tensor) -> Tensor:
        """One step for each output channel."""
        return (weight.detach().abs().flatten(1).amax(1) / WEIGHT_MAX).clamp(min=LEAST_SCALE)

    def forward(self, weight: Tensor) -> Tensor:
        self.last = steps = self.steps(weight)
        self.range = (float(weight.detach().min()), float(weight.detach().max())) if self.range is None else self.range
        if not self.enabled:
            return weight
        zero = torch.zeros(len(steps), dtype=torch.int32, device=weight.device)
        return torch.fake_quantize_per_channel_affine(weight, steps, zero, 0, self.quant_min, self.quant_max)

    def calculate_qparams(self, **_: Any) -> tuple[Tensor, Tensor]:
        """The steps of the weights that were seen last, and zero points of 0."""
        assert self.last is not None  # converted only after a run
        return self.last, torch.zeros(len(self.last), dtype=torch.int64)


class Points(nn.Module):
    """All points of a network's graphs by name; asking for one makes it."""

    def __init__(self, fixed: dict[str, QParams]) -> None:
        """``fixed`` are given scales; points that are not among them start with a step of 1."""
        super().__init__()
        self.fixed = fixed
        self.activations: dict[str, Point] = {}
        self.weights: dict[str, WeightPoint] = {}

    def point(self, name: str) -> Point:
        if name not in self.activations:
            self.activations[name] = Point(name, self.fixed.get(name))
        return self.activations[name]

    def weight(self, layer: str) -> WeightPoint:
        if layer not in self.weights:
            self.weights[layer] = WeightPoint(layer)
        return self.weights[layer]

    def set(self, qparams: dict[str, QParams]) -> None:
        """Load scales; points that are not among them keep theirs."""
        for name, point in self.activations.items():
            if name in qparams:
                point.set(qparams[name])

    def qparams(self) -> dict[str, QParams]:
        """The scale of every point."""
        return {name: point.qparams for name, point in self.activations.items()}

    def enable(self, enabled: bool) -> None:
        """Round, or let everything through."""
        every: list[Point | WeightPoint] = [*self.activations.values(), *self.weights.values()]
        for point in every:
            point.enabled = enabled
