"""float16 for Core ML with sampling coordinates left in float32, as a graph pass of coremltools.

A float16 position on a 32-pixel map can be 0.008 pixels off, and twice that on a 64-pixel one. The ``op_selector``
of coremltools decides by operation, which would put the whole of ``resample`` in float32; the operation itself
takes float16 features at float32 coordinates, so this pass decides by parameter.
"""

from __future__ import annotations

from typing import Any

import coremltools as ct
from coremltools.converters.mil.mil.passes.pass_registry import register_pass

from .mil.program import coordinate_operations

REPLACED = "common::add_fp16_cast"
RESCALED = "common::distributive_quantized_binary_op_scale_normalization"
"""Computes an addition in steps of one operand: a block's residual can be 200 times finer than what it is added to,
and float16 then ends at 65504 or rounds by 16 of those steps."""


@register_pass(namespace="edgesr", override=True)
class float16_but_coordinates(ct.transform.FP16ComputePrecision):  # type: ignore[misc]  # noqa: N801
    """Casts everything to float16 but the operations on coordinates and the coordinates that ``resample`` takes."""

    def apply(self, prog: Any) -> None:
        self.coordinates = {op for function in prog.functions.values() for op in coordinate_operations(function)}
        super().apply(prog)

    def is_valid_op(self, op: Any) -> bool:
        return op not in self.coordinates and bool(super().is_valid_op(op))

    def should_cast_parameter(self, op: Any, param_name: str) -> bool:
        if op.op_type == "resample" and param_name == "coordinates":
            return False
        return bool(super().should_cast_parameter(op, param_name))


def pipeline_with_float32_coordinates() -> Any:
    """coremltools' default pipeline with this pass in the place of its own, and int8 additions in their own steps."""
    pipeline = ct.PassPipeline()
    pipeline.remove_passes({RESCALED})
    pipeline.passes = [f"edgesr::{float16_but_coordinates.__name__}" if p == REPLACED else p for p in pipeline.passes]
    return pipeline
