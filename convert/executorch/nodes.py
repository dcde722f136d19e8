"""The operators of a ``.pte`` as a graph: XNNPACK's own nodes in each delegate, and the calls of other kernels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..int8 import Step
from ..nodes import ArtifactNode
from .program import BACKEND, DELEGATE, QINT8, load_program, node_weights, readable, unpacked, value_step

OWN = "ExecuTorch"
"""Its own kernels."""
ONLY_ROUND = ("XNNConvert",)


def graph_nodes(folder: Path, files: Mapping[str, str]) -> dict[str, list[ArtifactNode]]:
    """Per method that computes, its operators in their order, named as Model Explorer's adapter for ``.pte`` does."""
    name = files["model"]
    file = load_program(folder / name)
    found: dict[str, list[ArtifactNode]] = {}
    for plan in file.program.execution_plan:
        nodes: list[ArtifactNode] = []
        makers: dict[int, int] = {}
        for number, chain in enumerate(plan.chains):
            for place, instruction in enumerate(chain.instructions):
                call, key = instruction.instr_args, f"{plan.name}_{number}_{place}"
                kind = type(call).__name__
                if kind == "KernelCall":
                    reads = _reads(call.args, makers)
                    makers |= {index: len(nodes) for index in call.args if index not in makers}
                    title = readable(plan.operators[call.op_index].name)
                    nodes.append(ArtifactNode(key, title, reads, False, OWN, str(plan.name)))
                elif kind == "DelegateCall" and plan.delegates[call.delegate_index].id == DELEGATE:
                    within = f"{Path(name).name}::{key}"
                    _add_delegate(file, plan.delegates[call.delegate_index], call.args, makers, nodes, within)
        if nodes:
            found[str(plan.name)] = nodes
    return found


def _add_delegate(
    file: Any, delegate: Any, arguments: list[int], makers: dict[int, int], nodes: list[ArtifactNode], within: str
) -> None:
    """A delegate's nodes behind those that there are; what it takes and gives is the method's."""
    graph, values, constants = unpacked(file, delegate)
    own: dict[int, int] = {}
    outside = {number: value.get("external_id") for number, value in values.items()}
    for number, external in outside.items():
        if isinstance(external, int) and external < len(arguments) and arguments[external] in makers:
            own[number] = makers[arguments[external]]
    for place, node in enumerate(graph["xnodes"]):
        kind, fields = node["xnode_union_type"], node["xnode_union"]
        inputs = [value for key, value in fields.items() if key.startswith("input") and key.endswith("_id")]
        outputs = [value for key, value in fields.items() if key.startswith("output") and key.endswith("_id")]
        given = values.get(outputs[0], {})
        is_int8 = given.get("datatype") in QINT8
        step: Step | None = value_step(given) if given.get("datatype") == QINT8[0] else None
        nodes.append(
            ArtifactNode(
                key=str(place),
                kind=kind.removeprefix("XNN"),
                reads=_reads(inputs, own),
                int8=is_int8 and kind not in ONLY_ROUND,
                backend=BACKEND,
                within=within,
                step=step,
                weights=node_weights(fields, values, constants, graph["constant_data"]),
            )
        )
        for value in outputs:
            own[value] = len(nodes) - 1
            external = outside.get(value)
            if isinstance(external, int) and external < len(arguments):
                makers[arguments[external]] = len(nodes) - 1


def _reads(indices: list[int], makers: Mapping[int, int]) -> tuple[int, ...]:
    return tuple(sorted({makers[index] for index in indices if index in makers}))
