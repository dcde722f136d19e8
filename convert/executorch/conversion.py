"""ExecuTorch: one ``.pte`` with two methods, ``encode`` and ``restore``, delegated to XNNPACK."""

from __future__ import annotations

import collections
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from edgesr.deployment.graphs import GRAPHS, Graphs
from edgesr.process.quiet import quiet

from ..fx_graphs import computed_once, traced_when_changed
from ..int8 import arithmetic_of, computes_in
from ..precision import Precision
from ..repeated_work import share_provenance
from ..target import Conversion, ReadBack, Report
from .lowering import lower
from .nodes import graph_nodes as graph_nodes
from .program import constant_methods, load_program, residency, saved_convolutions
from .rewrites import for_xnnpack

FILE = "model.pte"
NO_KERNEL = "getitem"
"""Takes one of a delegate's several outputs: a node of the graph, but nothing that is computed."""


def convert(graphs: Graphs, precision: Precision, folder: Path, report: Report) -> Conversion:
    """Write ``model.pte``. The graphs' metadata become its constant methods, readable from any language.

    What int8 quantized graphs have, XNNPACK computes in int8: exactly as they do but for rare ties in rounding.
    ``for_xnnpack`` says in what form.
    """
    share_provenance()
    with quiet(), traced_when_changed(), computed_once():
        report("importing ExecuTorch")
        import executorch.exir  # noqa: F401 (takes seconds)

        report("exporting encoder and restorer")
        examples = {name: graphs.inputs(name) for name in GRAPHS}
        programs = {
            name: torch.export.export(for_xnnpack(getattr(graphs, name), inputs), inputs)
            for name, inputs in examples.items()
        }
        report("lowering to XNNPACK")
        edge = lower(programs, graphs.metadata)
        modules = {str(name): edge.exported_program(name).graph_module for name in programs}
        delegation = {name: describe_delegation(module) for name, module in modules.items()}
        report("writing the program")
        with (folder / FILE).open("wb") as file:
            edge.to_executorch().write_to_file(file)
    report("reading it back")
    files = {"model": FILE}
    read = read_back(folder, files, precision)
    return Conversion(
        files=files,
        tensors=graphs.tensors(),
        arithmetic=read.arithmetic,
        computes_in=read.computes_in,
        convolutions=read.convolutions,
        residency=read.residency,
        delegation=delegation,
        operators={name: described["remaining"] for name, described in delegation.items()},
    )


def read_back(folder: Path, files: Mapping[str, str], precision: Precision) -> ReadBack:
    """What the program says of itself; its metadata are constant methods."""
    file = load_program(folder / files["model"])
    found = saved_convolutions(file)
    return ReadBack(found, arithmetic_of(precision, found), computes_in(found), constant_methods(file), residency(file))


def describe_delegation(module: torch.fx.GraphModule) -> dict[str, Any]:
    """How much of a lowered graph XNNPACK computes: ``fraction`` of operators, and what is ``remaining`` by name."""
    from executorch.devtools.backend_debug import get_delegation_info

    info = get_delegation_info(module)
    delegated, remaining = 0, collections.Counter[str]()
    for name, found in info.delegation_by_operator.items():
        if name != NO_KERNEL:
            delegated += found.delegated
            remaining[name] += found.non_delegated
    total = delegated + remaining.total()
    return {
        "fraction": delegated / total if total else 0.0,
        "delegated": delegated,
        "operators": total,
        "subgraphs": info.num_delegated_subgraphs,
        "remaining": {_readable(name): count for name, count in sorted(remaining.items()) if count},
    }


def _readable(name: str) -> str:
    """``aten_embedding_default`` -> ``embedding``, and so on."""
    for affix in ("aten_", "dim_order_ops__"):
        name = name.removeprefix(affix)
    return name.removesuffix("_default").removesuffix("_tensor")
