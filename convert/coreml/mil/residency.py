"""What the Neural Engine takes of a saved program, by rules: Apple publishes no list, and tells on a device alone.

The rules are those that agree among what developers found by experiment: it computes in float16 (and takes the int8 of
quantized operations), and it has no operations that look values up, sort, sample at computed places or keep a state. On
a Mac ``MLComputePlan`` of coremltools tells what Core ML really chooses.
"""

from __future__ import annotations

from typing import Any

from edgesr.residency import Node, Residency, reside

from .program import FUNCTIONS, dtype_name, inputs_of, operations

BACKEND = "Neural Engine"
_MISSING = """
gather gather_along_axis gather_nd scatter scatter_along_axis scatter_nd resample crop_resize affine argsort topk
non_zero non_maximum_suppression cumsum one_hot lstm gru rnn cond while_loop custom_layer
"""
WITHOUT = frozenset(_MISSING.split())
"""Operations that it has not."""
COMPUTED_IN = {"fp16", "int8", "uint8", "bool"}


def residency(program: Any) -> dict[str, tuple[Residency, ...]]:
    """Per function, where its operations run if Core ML may use the Neural Engine; constants are none."""
    found: dict[str, tuple[Residency, ...]] = {}
    for name in FUNCTIONS:
        nodes: list[Node] = []
        places: dict[Any, int] = {}
        for op in operations(program.functions[name]):
            if op.op_type.startswith("constexpr_"):
                continue  # weights, which are unpacked when the program is loaded
            reads = {places[var.op] for var in inputs_of(op) if var.op in places}
            places[op] = len(nodes)
            nodes.append(Node(op.op_type, _is_taken(op), reads))
        found[name] = (reside(BACKEND, nodes, "rules"),)
    return found


def _is_taken(op: Any) -> bool:
    if op.op_type in WITHOUT or not {dtype_name(var) for var in op.outputs} <= COMPUTED_IN:
        return False
    dilations = op.inputs.get("dilations") if op.op_type == "conv" else None
    return dilations is None or dilations.val is None or all(step == 1 for step in dilations.val)
