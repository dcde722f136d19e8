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

import numpy as np
import torch
from torch import Tensor, nn

from edgesr.deployment.graphs import GRAPHS, Graphs
from edgesr.process.quiet import quiet

from ..int8 import Convolutions, FloatConv
from ..precision import Precision
from ..target import Conversion, ReadBack, Report

FILE = "model.aimodel"
CONVOLUTION = "coreai.conv2d"
RESOURCE = re.compile(r'(\w+): "0x([0-9A-Fa-f]+)"')
ALIGNMENT_BYTES = 4
"""Ahead of a resource's values, its alignment."""
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
            module = Half(module) if precision == "fp16" else module
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


def read_back(folder: Path, files: Mapping[str, str], precision: Precision) -> ReadBack:  # noqa: ARG001
    """What the asset says of itself: the weights of its convolutions, their type, and its metadata."""
    asset = _load(folder / files["model"])
    program = asset.program
    resources = dict(RESOURCE.findall(str(program)))
    found: dict[str, Convolutions] = {graph: _convolutions(program._get_graph(graph), resources) for graph in GRAPHS}
    half = all(kernel.half for convolutions in found.values() for kernel in convolutions.kernels)
    computed = "fp16" if half else "fp32"
    return ReadBack(found, {"everything": computed}, computed, dict(asset.metadata.creator_defined_metadata))


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


def _convolutions(graph: Any, resources: Mapping[str, str]) -> Convolutions:
    """Those of one function; a kernel that is no constant is counted and not read."""
    kernels, count = [], 0
    for operation in _operations(graph):
        if operation.name != CONVOLUTION:
            continue
        count += 1
        kernel = _constant(operation.operands[1], resources)
        if kernel is not None:
            name = f"{CONVOLUTION} {count}"
            kernels.append(FloatConv(name, kernel.astype(np.float32), None, str(kernel.dtype), str(kernel.dtype)))
    return Convolutions(float=count, kernels=tuple(kernels))


def _constant(value: Any, resources: Mapping[str, str]) -> Any:
    """The array that a constant holds, in the program's text or among its resources; None where it is no such."""
    shape = re.fullmatch(r"tensor<((?:\d+x)+)f(16|32)>", str(value.type))
    if shape is None or value.owner.name != "coreai.constant":
        return None
    sizes = [int(size) for size in shape[1].split("x")[:-1]]
    dtype = np.dtype(f"float{shape[2]}")
    attribute = value.owner.attributes["value"]
    if named := re.match(r"dense_resource<(\w+)>", str(attribute)):
        return np.frombuffer(bytes.fromhex(resources[named[1]])[ALIGNMENT_BYTES:], dtype).reshape(sizes)
    return np.broadcast_to(np.asarray(attribute, dtype), sizes)
