"""Core AI: ``model.aimodel`` with two functions, ``encode`` and ``restore``, by coreai-torch.

Experimental: both packages are betas, and the format is that of systems yet to come. fp16 computes everything in
float16 and takes and gives float32.
"""

from __future__ import annotations

import contextlib
import copy
import importlib.metadata
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from edgesr.deployment.graphs import GRAPHS, Graphs
from edgesr.process.quiet import quiet

from ..int8 import Convolutions, arithmetic_of, computes_in
from ..precision import QUANTIZED, Precision
from ..target import Conversion, ReadBack, Report
from .int8 import convolutions, in_core_ai

FILE = "model.aimodel"
RESOURCE = re.compile(r'(\w+): "0x([0-9A-Fa-f]+)"')
PACKAGES = ("coreai-core", "coreai-torch")


class Half(nn.Module):
    """A graph computed in float16, with float32 outside."""

    def __init__(self, graph: nn.Module) -> None:
        super().__init__()
        self.whole = copy.deepcopy(graph).half()  # not `graph`: an exported module has one of its own

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        outputs = self.whole(*(tensor.half() for tensor in inputs))
        return tuple(one.float() for one in (outputs if isinstance(outputs, tuple) else (outputs,)))


def convert(graphs: Graphs, precision: Precision, folder: Path, report: Report) -> Conversion:
    """Write the asset, with the graphs' metadata as its creator's."""
    # Both packages print on stdout, which is for data, and warn of a build of torch by its name.
    with quiet(), contextlib.redirect_stdout(io.StringIO()):
        from coreai.runtime import AIModelAssetMetadata
        from coreai_torch import TorchConverter, get_decomp_table

        converter = TorchConverter()
        for graph in GRAPHS:
            report(f"exporting {graph}")
            module = getattr(graphs, graph)
            module = Half(module) if precision == "fp16" else in_core_ai(module)
            program = torch.export.export(module, graphs.inputs(graph), strict=False)
            converter.add_exported_program(
                program.run_decompositions(get_decomp_table()),
                input_names=list(graphs.input_names(graph)),
                output_names=list(graphs.output_names(graph)),
                entrypoint_name=graph,
            )
        report("converting to Core AI")
        metadata = AIModelAssetMetadata()
        for key, value in graphs.metadata.items():
            metadata.set_custom(key, str(value))
        converter.to_coreai().save_asset(folder / FILE, metadata=metadata)
    files = {"model": FILE}
    read = read_back(folder, files, precision)
    return Conversion(
        files=files,
        tensors=graphs.tensors(),
        arithmetic=read.arithmetic,
        computes_in=read.computes_in,
        operators=operators(folder / FILE),
        toolchain={name: importlib.metadata.version(name) for name in PACKAGES},
        convolutions=read.convolutions,
    )


def read_back(folder: Path, files: Mapping[str, str], precision: Precision) -> ReadBack:
    """What the asset says of itself: its convolutions, what they are computed in, and its metadata."""
    asset = _load(folder / files["model"])
    program = asset.program
    resources = dict(RESOURCE.findall(str(program)))
    found: dict[str, Convolutions] = {
        graph: convolutions(_operations(program._get_graph(graph)), resources) for graph in GRAPHS
    }
    metadata = dict(asset.metadata.creator_defined_metadata)
    if precision in QUANTIZED:
        return ReadBack(found, arithmetic_of(precision, found), computes_in(found), metadata)
    computed = "fp16" if all(kernel.half for one in found.values() for kernel in one.kernels) else "fp32"
    return ReadBack(found, {"everything": computed}, computed, metadata)


def operators(file: Path) -> dict[str, Any]:
    """Operators of each function of an asset, with their number."""
    program = _load(file).program
    counted: dict[str, Any] = {}
    for graph in GRAPHS:
        names = [operation.name for operation in _operations(program._get_graph(graph))]
        counted[graph] = {name: names.count(name) for name in sorted(set(names))}
    return counted


def _load(file: Path) -> Any:
    from coreai.authoring import AIModelAsset

    return AIModelAsset.load(file)


def _operations(graph: Any) -> list[Any]:
    return [one.operation for one in graph.operation.regions[0].blocks[0].operations]
