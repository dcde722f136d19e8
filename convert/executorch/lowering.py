"""Lowering to XNNPACK: ExecuTorch's ``to_edge_transform_and_lower``, without what our graphs do not need of it."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Mapping
from typing import Any

from torch.export import ExportedProgram

from ..repeated_work import in_this_thread, this_thread

FUSED = ("upsample", "index", "attention", "softmax")
"""Parts of the names of operators that XNNPACK's patterns, bilinear upsampling and attention, are made of."""


def lower(programs: Mapping[Any, ExportedProgram], constant_methods: Mapping[str, Any]) -> Any:
    """ExecuTorch's ``EdgeProgramManager`` of programs, each a method, delegated to XNNPACK where it can compute them.

    ``to_edge_transform_and_lower`` traces each program three times so that operators which XNNPACK knows whole are
    decomposed where it cannot take them. Only ``linear`` of them is in our graphs, and that it always takes: then one
    time will do, and the file is the same.
    """
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import EdgeCompileConfig, to_edge, to_edge_transform_and_lower
    from torch import ops

    partitioner = XnnpackPartitioner()
    used = set().union(*(_operators(program) for program in programs.values()))
    whole = {op for program in programs.values() for op in partitioner.ops_to_not_decompose(program)[0]} & used
    fused = any(part in str(op) for op in used for part in FUSED)
    # As XNNPACK's own configuration has it: what computes otherwise than PyTorch, the gate finds.
    config = EdgeCompileConfig(_check_ir_validity=False)
    with contextlib.nullcontext() if fused else _without_patterns():
        if whole - {ops.aten.linear.default}:
            return to_edge_transform_and_lower(
                dict(programs),
                partitioner={name: [partitioner] for name in programs},
                constant_methods=dict(constant_methods),
                compile_config=config,
            )
        config.preserve_ops = list(whole)
        edge = to_edge(dict(programs), constant_methods=dict(constant_methods), compile_config=config)
        return edge.to_backend(dict.fromkeys(programs, partitioner))


def _operators(program: ExportedProgram) -> set[Any]:
    return {node.target for node in program.graph.nodes if node.op == "call_function"}


@contextlib.contextmanager
def _without_patterns() -> Iterator[None]:
    """In this thread XNNPACK's passes look for none of their patterns, each a network that they would export first."""
    with contextlib.suppress(ImportError, AttributeError):
        from executorch.backends.xnnpack.partition.graphs import bilinear_2d, sdpa

        for module, name, none in ((bilinear_2d, "get_graphs_dict", {}), (sdpa, "get_graphs", [])):
            if not hasattr(getattr(module, name), "skips"):
                setattr(module, name, _unless_skipped(getattr(module, name), none))
    with in_this_thread("skips_patterns"):
        yield


def _unless_skipped(graphs: Any, none: Any) -> Any:
    @functools.wraps(graphs)
    def found() -> Any:
        return none if getattr(this_thread, "skips_patterns", False) else graphs()

    found.skips = True  # type: ignore[attr-defined]
    return found
