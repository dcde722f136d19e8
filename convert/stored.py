"""What an artifact holds against what the network has: every weight of its float convolutions, every int8 step.

Outputs alone would pass a kernel that hardly shows in them: 50 dB, which is all that int8 can promise, hide a step that
is off by 3 %, and 40 dB a doubled kernel. Int8 convolutions are compared in ``int8``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from edgesr.deployment.graphs import GRAPHS, Graphs

from .int8 import FP16_LEAST, STEP_TOLERANCE, Convolutions, FloatConv, Step, fp16_rounding, wanted
from .parity import Check
from .precision import PRECISIONS, Precision

FP32_EPSILON = 2.0**-23
INT8_STEPS = 0.75 / 127
"""How far a stored weight may be off, over its channel's largest: half a step of int8, and what float16 adds."""


def stored_checks(saved: dict[str, Convolutions], graphs: Graphs, precision: Precision) -> tuple[Check, ...]:
    """Checks of each graph: its float convolutions' weights by the worst layer, and its int8 steps.

    The value of a weight's check is its largest departure in units of what the precision's rounding explains, so that
    1 passes; it is infinite where the program has no convolution of the layer's shape.
    """
    checks = []
    for name in GRAPHS:
        expected, found = wanted(getattr(graphs, name)), saved.get(name, Convolutions())
        layer, worst = _worst_kernel(expected.kernels, found, precision)
        if layer:
            checks.append(Check(f"{name}: weights of {layer}", worst <= 1.0, worst, 1.0))
        record = PRECISIONS[precision]
        if record.stored:
            count = float(sum(kernel.stored == record.stored for kernel in found.kernels))
            # Of int8 weights some stay in float16 (``coreml``); a bundle that has none in int8 goes by a wrong name.
            least = float(len(expected.kernels)) if record.all_stored else 1.0
            checks.append(Check(f"{name}: convolutions stored as {record.stored}", count >= least, count, least))
        if record.quantized:
            worst = _worst_step(expected.steps, found)
            checks.append(Check(f"{name}: int8 steps", worst <= STEP_TOLERANCE, worst, STEP_TOLERANCE))
        else:
            count = float(len(found.int8))
            checks.append(Check(f"{name}: no convolution in int8", count == 0, count, 0.0))
    return tuple(checks)


def _worst_kernel(expected: Sequence[FloatConv], found: Convolutions, precision: Precision) -> tuple[str, float]:
    layer, worst, free = "", -1.0, list(found.kernels)
    for conv in expected:
        ranked = sorted(
            (departure(conv, other, precision), at)
            for at, other in enumerate(free)
            if other.weight.shape == conv.weight.shape
        )
        least = ranked[0][0] if ranked else float("inf")
        if ranked:
            free.pop(ranked[0][1])  # two layers are not both the same one
        if least > worst:
            layer, worst = conv.name, least
    return layer, worst


def departure(conv: FloatConv, other: FloatConv, precision: Precision) -> float:
    """Largest difference of a weight or a bias, in units of what rounding to the precision may do to it."""
    worst = float((np.abs(other.weight - conv.weight) / _allowed(conv.weight, other, precision)).max(initial=0.0))
    if conv.bias is not None and other.bias is not None:
        rounding = fp16_rounding(conv.bias) if other.half else _fp32(conv.bias)
        worst = max(worst, float((np.abs(other.bias - conv.bias) / rounding).max(initial=0.0)))
    return float("inf") if math.isnan(worst) else worst


def _allowed(weight: npt.NDArray[np.float32], other: FloatConv, precision: Precision) -> npt.NDArray[np.float64]:
    if PRECISIONS[precision].stored == "int8" and other.stored == "int8":
        largest = np.abs(weight).reshape(len(weight), -1).max(1)[:, None, None, None].astype(np.float64)
        return np.broadcast_to(np.maximum(INT8_STEPS * largest, FP16_LEAST), weight.shape)
    return fp16_rounding(weight) if other.half else _fp32(weight)


def _fp32(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    # A converter that moves a constant through another form of it may lose its last bit.
    return np.abs(values.astype(np.float64)) * FP32_EPSILON + float(np.finfo(np.float32).tiny)


def _worst_step(expected: Iterable[Step], found: Convolutions) -> float:
    """How far the step that fits worst is from the nearest of the others, looked for from both sides."""
    there, here = list(expected), list(found.steps)
    if not there or not here:
        return 0.0 if there == here else float("inf")
    nearest = [min(step.departure(other, found.scales) for other in here) for step in there]
    nearest += [min(other.departure(step, found.scales) for other in there) for step in here]
    return max(nearest)
