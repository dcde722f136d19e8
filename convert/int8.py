"""Which convolutions run in int8: as a quantized graph wants it, and as a saved program has it.

Every target reads them back from its own file, so that a layer which a converter left in float, or gave another step
than the network was quantized with, is found by its name and not only by what it does to an image.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.fx import GraphModule, Node

from edgesr.deployment.graphs import GRAPHS, Graphs

from .parity import Check

STEP_TOLERANCE = 1e-5
"""Relative: what is left of a step after being written as a range and read back in float32."""

BIAS_TOLERANCE = 1e-5
"""Relative, beside one step of the accumulator: half of it is rounding."""

FP16_EPSILON, FP16_LEAST = 2.0**-11, 2.0**-25
"""Half a step of float16, relative; and of its smallest numbers, absolute."""

QUANTIZE, DEQUANTIZE = "quantize_per_tensor.default", "dequantize_per_tensor.default"
DEQUANTIZE_WEIGHTS = "dequantize_per_channel.default"
CONVOLUTIONS = (torch.ops.aten.conv2d.default, torch.ops.aten.convolution.default)


@dataclasses.dataclass(frozen=True)
class Step:
    """value = scale * (q - zero_point), q in -128..127 (what is stored in 0..255 has its zero point less 128)."""

    scale: float
    zero_point: int

    def departure(self, other: Step, dtype: str) -> float:
        """Relative difference of the scales as a ``dtype`` holds them; infinite where the zero points differ."""
        if self.zero_point != other.zero_point:
            return float("inf")
        return _departure(np.float64(self.scale), np.float64(other.scale), dtype)


@dataclasses.dataclass(frozen=True, eq=False)
class Int8Conv:
    """A convolution that takes int8 values, has int8 weights and gives int8 values."""

    name: str
    """The name of the network's layer where it is known, else the program's own."""
    weight: npt.NDArray[np.int8]
    """[C_out, C_in, kh, kw], symmetric."""
    weight_scales: npt.NDArray[np.float32]
    """[C_out]."""
    input: Step
    output: Step
    bias: npt.NDArray[np.float32]
    """[C_out]: zeros where there is none, NaN where it is no constant, which no network's is."""

    def departure(self, other: Int8Conv, dtype: str) -> float:
        """Largest relative difference of a step between this and a convolution with the same weights; infinite where
        a bias differs by more than its rounding, to the accumulator's steps or to ``dtype``."""
        used = (self.weight != 0).reshape(len(self.weight), -1).any(1)  # the step of zeros means nothing
        rounding = self.input.scale * self.weight_scales.astype(np.float64) + BIAS_TOLERANCE * np.abs(self.bias)
        if dtype == "float16":
            rounding += fp16_rounding(self.bias)
        if not (np.abs(self.bias.astype(np.float64) - other.bias) <= rounding).all():
            return float("inf")
        return max(
            _departure(self.weight_scales[used], other.weight_scales[used], dtype),
            self.input.departure(other.input, dtype),
            self.output.departure(other.output, dtype),
        )


@dataclasses.dataclass(frozen=True, eq=False)
class FloatConv:
    """A convolution that takes and gives floats."""

    name: str
    weight: npt.NDArray[np.float32]
    """[C_out, C_in, kh, kw], as it is computed with: what is stored in fewer bits is rounded to them."""
    bias: npt.NDArray[np.float32] | None = None
    """[C_out]; None where the program has it elsewhere, or has none."""
    stored: str = "float32"
    """Type that the file holds the weights in: float32, float16 or int8."""
    computed: str = "float32"
    """Type that the program computes with, which its biases are in."""

    @property
    def half(self) -> bool:
        """Whether its weights went through float16."""
        return "float16" in (self.stored, self.computed)


@dataclasses.dataclass(frozen=True)
class Convolutions:
    """All convolutions of one graph."""

    int8: tuple[Int8Conv, ...] = ()
    float: int = 0
    scales: str = "float32"
    """Type that the program holds steps in; float16 ones are those of the network rounded to it."""
    kernels: tuple[FloatConv, ...] = ()
    """The float convolutions whose weights the program says in one place."""
    steps: frozenset[Step] = frozenset()
    """The steps of every tensor that is rounded to int8, whatever takes or gives it."""


def fp16_rounding(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """How far values may be off that went through float16."""
    return 1.01 * (np.abs(values.astype(np.float64)) * FP16_EPSILON + FP16_LEAST)


def wanted(graph: nn.Module) -> Convolutions:
    """The convolutions of a graph as quantization left it; a float graph has none in int8."""
    if not isinstance(graph, GraphModule):
        named = [(name, module) for name, module in graph.named_modules() if isinstance(module, nn.Conv2d)]
        kernels = [FloatConv(name, _array(conv.weight), _array(conv.bias)) for name, conv in named]
        return Convolutions(float=len(named), kernels=tuple(kernels))
    int8, kernels, found = [], [], [node for node in graph.graph.nodes if node.target in CONVOLUTIONS]
    for node in found:
        if (conv := _int8_conv(graph, node)) is not None:
            int8.append(conv)
        elif (kernel := _float_conv(graph, node)) is not None:
            kernels.append(kernel)
    quantized = [node for node in graph.graph.nodes if is_operation(node, QUANTIZE) or is_operation(node, DEQUANTIZE)]
    steps = frozenset(_step(node) for node in quantized)
    return Convolutions(tuple(int8), len(found) - len(int8), kernels=tuple(kernels), steps=steps)


def count(saved: Mapping[str, Convolutions], graphs: Graphs) -> dict[str, dict[str, int]]:
    """Per graph, convolutions of the saved program in ``int8`` and ``float``, and how many are ``expected`` in int8."""
    return {
        name: {
            "int8": len(saved[name].int8),
            "float": saved[name].float,
            "expected": len(wanted(getattr(graphs, name)).int8),
        }
        for name in GRAPHS
        if name in saved
    }


def arithmetic_of(precision: str, saved: Mapping[str, Convolutions]) -> dict[str, str]:
    """``Conversion.arithmetic`` of an artifact that computes in fp32 what it does not compute in int8."""
    if any(convolutions.int8 for convolutions in saved.values()):
        return {"quantized convolutions and additions": "int8", "everything else": "fp32"}
    arithmetic = {"everything": "fp32"}
    if precision == "fp16":
        arithmetic["stored convolution weights"] = "fp16"
    return arithmetic


def computes_in(saved: Mapping[str, Convolutions]) -> str:
    """``Conversion.computes_in`` of such an artifact."""
    return "int8" if any(convolutions.int8 for convolutions in saved.values()) else "fp32"


def int8_checks(saved: Mapping[str, Convolutions], graphs: Graphs) -> tuple[Check, ...]:
    """Whether a saved program computes in int8 what the quantized ``graphs`` do, by the same weights and steps.

    Two checks a graph: the number of convolutions in int8, at least one, and the largest relative departure of a
    step; infinite, by the layer's name, where no convolution of the program has a layer's weights.
    """
    checks = []
    for name in GRAPHS:
        expected, found = wanted(getattr(graphs, name)).int8, saved.get(name, Convolutions())
        least, number = float(max(len(expected), 1)), float(len(found.int8))
        checks.append(Check(f"{name}: convolutions in int8", number >= least, number, least))
        departures = list(_departures(expected, found))
        if departures:
            layer, worst = max(departures, key=operator.itemgetter(1))
            checks.append(Check(f"{name}: int8 step of {layer}", worst <= STEP_TOLERANCE, worst, STEP_TOLERANCE))
    return tuple(checks)


def shortfall(checks: Sequence[Check]) -> str | None:
    """Say that convolutions are in float which should be in int8; None where none are."""
    short = [check for check in checks if not check.ok and check.name.endswith("convolutions in int8")]
    if not short:
        return None
    return "the conversion did not quantize: " + ", ".join(
        f"{check.name.split(':')[0]} has {check.value:.0f} of {check.threshold:.0f} convolutions in int8"
        for check in short
    )


def _departures(expected: Sequence[Int8Conv], found: Convolutions) -> Iterator[tuple[str, float]]:
    by_weight: dict[bytes, list[Int8Conv]] = {}
    for conv in found.int8:
        by_weight.setdefault(conv.weight.tobytes(), []).append(conv)
    for conv in expected:
        same = by_weight.get(conv.weight.tobytes(), [])
        yield conv.name, min((conv.departure(other, found.scales) for other in same), default=float("inf"))


def _departure(correct: npt.ArrayLike, got: npt.ArrayLike, dtype: str) -> float:
    ours, theirs = (np.asarray(np.asarray(scales, dtype), np.float64) for scales in (correct, got))
    # A float16 holds nothing below 6e-8: a step that vanished in it departs by 1.
    relative = np.abs(ours - theirs) / np.maximum(np.asarray(correct, np.float64), np.finfo(np.float64).tiny)
    return float(np.where(theirs > 0, relative, 1.0).max(initial=0.0))


def _int8_conv(module: GraphModule, node: Node) -> Int8Conv | None:
    x, weight, output = node.args[0], node.args[1], _output_step(node)
    if not is_operation(x, DEQUANTIZE) or not is_operation(weight, DEQUANTIZE_WEIGHTS) or output is None:
        return None
    assert isinstance(x, Node)
    assert isinstance(weight, Node)
    stored, scales = (constant(module, argument).numpy() for argument in weight.args[:2])  # type: ignore[arg-type]
    bias = _bias(module, node, len(stored))
    return Int8Conv(_layer(node), stored.astype(np.int8), scales.astype(np.float32), _step(x), output, bias)


def _bias(module: GraphModule, node: Node, count: int) -> npt.NDArray[np.float32]:
    bias = node.args[2] if len(node.args) > 2 else None
    if bias is None:
        return np.zeros(count, np.float32)
    if not isinstance(bias, Node) or bias.op != "get_attr":
        return np.full(count, np.nan, np.float32)
    known: npt.NDArray[np.float32] = _array(constant(module, bias))
    return known


def _float_conv(module: GraphModule, node: Node) -> FloatConv | None:
    weight, bias = node.args[1], node.args[2] if len(node.args) > 2 else None
    if not isinstance(weight, Node) or weight.op != "get_attr":
        return None
    read = constant(module, bias) if isinstance(bias, Node) and bias.op == "get_attr" else None
    return FloatConv(_layer(node), _array(constant(module, weight)), _array(read))


def _array(tensor: Tensor | None) -> Any:
    return None if tensor is None else tensor.detach().float().numpy()


def _output_step(node: Node) -> Step | None:
    """Step of the tensor that a convolution gives, behind its ReLU where it has one; None for a float tensor."""
    users = list(node.users)
    while len(users) == 1 and users[0].target in (torch.ops.aten.relu.default, torch.ops.aten.relu_.default):
        users = list(users[0].users)
    # With one reader in float the runtime computes the convolution in float for it.
    return _step(users[0]) if users and all(is_operation(user, QUANTIZE) for user in users) else None


def _step(node: Node) -> Step:
    scale, zero_point, least = node.args[1:4]
    assert isinstance(scale, float)
    assert isinstance(zero_point, int)
    assert isinstance(least, int)
    return Step(float(np.float32(scale)), zero_point - (least + 128))


def constant(module: GraphModule, node: Node) -> Tensor:
    """What a node reads from its module; its name is a path where the graph was exported from within another one."""
    value: Tensor = operator.attrgetter(str(node.target))(module)
    return value.detach()


def is_operation(node: Any, operation: str) -> bool:
    """Whether a node of a graph is this operation of quantization (``QUANTIZE``, ``DEQUANTIZE``, ...)."""
    return isinstance(node, Node) and str(node.target) == f"quantized_decomposed.{operation}"


def _layer(node: Node) -> str:
    """Path of the module that a convolution comes from."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    return str(stack[-1][0]) if stack else node.name
