"""Which convolutions of a saved Core ML program run in int8, by the operations around them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...int8 import Convolutions, FloatConv, Int8Conv, Step
from .program import FUNCTIONS, dtype_name, operations

WEIGHTS = "constexpr_blockwise_shift_scale"
TYPES = {"fp32": "float32", "fp16": "float16", "int8": "int8"}


def convolutions(program: Any) -> dict[str, Convolutions]:
    """Per function: a conv of a dequantized tensor by constant int8 weights, quantized again, is int8."""
    return {name: _of_function(program.functions[name]) for name in FUNCTIONS}


def _of_function(function: Any) -> Convolutions:
    found = [op for op in operations(function) if op.op_type == "conv"]
    int8 = [conv for op in found if (conv := _int8_conv(op)) is not None]
    kernels = [kernel for op in found if _int8_conv(op) is None and (kernel := _float_conv(op)) is not None]
    rounding = [op for op in operations(function) if op.op_type in ("quantize", "dequantize")]
    steps = frozenset(_step(op, dtype_name(_stored(op))) for op in rounding)
    scales = {dtype_name(op.inputs["scale"]) for op in operations(function) if op.op_type == "quantize"}
    held = "float16" if "fp16" in scales else "float32"
    return Convolutions(tuple(int8), len(found) - len(int8), held, tuple(kernels), steps)


def _int8_conv(op: Any) -> Int8Conv | None:
    x, weight, readers = op.inputs["x"].op, op.inputs["weight"].op, op.outputs[0].child_ops
    while len(readers) == 1 and readers[0].op_type == "relu":
        readers = readers[0].outputs[0].child_ops
    given = x is not None and x.op_type == "dequantize"
    stored = bool(readers) and all(reader.op_type == "quantize" for reader in readers)
    if not given or not stored or weight is None or weight.op_type != WEIGHTS:
        return None
    data = np.asarray(weight.inputs["data"].val)
    if data.dtype != np.int8:
        return None
    bias = op.inputs.get("bias")
    known = np.zeros(len(data), np.float32) if bias is None else _value(bias)
    return Int8Conv(
        name=op.name,
        weight=np.ascontiguousarray(data),
        weight_scales=np.broadcast_to(np.asarray(weight.inputs["scale"].val, np.float32).reshape(-1), (len(data),)),
        input=_step(x, dtype_name(x.inputs["input"])),
        output=_step(readers[0], dtype_name(readers[0].outputs[0])),
        bias=np.full(len(data), np.nan, np.float32) if known is None else known,
    )


def _step(op: Any, stored_as: str) -> Step:
    """The step of a quantize or dequantize operation; coremltools stores what starts at 0 in uint8."""
    zero_point = op.inputs.get("zero_point")
    level = 0 if zero_point is None else int(zero_point.val)
    return Step(float(op.inputs["scale"].val), level - (128 if stored_as == "uint8" else 0))


def _stored(op: Any) -> Any:
    """What of a quantize or dequantize operation holds integers."""
    return op.outputs[0] if op.op_type == "quantize" else op.inputs["input"]


def _float_conv(op: Any) -> FloatConv | None:
    weight, bias = (_value(op.inputs.get(name)) for name in ("weight", "bias"))
    if weight is None:
        return None
    var = op.inputs["weight"]
    held = var.op.inputs["data"] if var.op is not None and var.op.op_type == WEIGHTS else var
    stored, computed = (TYPES.get(dtype_name(one), "float32") for one in (held, op.outputs[0]))
    return FloatConv(op.name, weight, bias, stored, computed)


def _value(var: Any) -> npt.NDArray[np.float32] | None:
    """What a constant is, or is made of when the program is loaded; None of what is computed."""
    if var is None:
        return None
    value = var.val
    if value is None and var.op is not None and var.op.op_type.startswith("constexpr_"):
        value = var.op.materialized_val_inference()
    return None if value is None else np.asarray(value, np.float32)
