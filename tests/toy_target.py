"""A target of somebody else's, outside the package and in one file: a program of torch.export for each graph."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from edgesr.convert.int8 import arithmetic_of, computes_in, wanted
from edgesr.convert.precision import Precision
from edgesr.convert.target import Conversion, ReadBack, Report, Target
from edgesr.deployment.graphs import GRAPHS, Graphs
from edgesr.runtime.base import GraphRuntime
from edgesr.runtime.engines import Engine

TARGET = Target(
    name="exported",
    title="torch.export",
    module="toy_target",
    stages=2,
    precisions=("fp32",),
    default_precision="fp32",
    lowerings=("rows", "grid_sample"),
    skip="matmul",
    extra="train",
    requires=("torch",),
    executes_on="any",
    roles=("encode", "restore"),
    executor=Engine("toy_target", "ExportedRuntime", "train"),
)
METADATA = "edgesr.json"


class ExportedRuntime(GraphRuntime):
    """Both programs as PyTorch runs them."""

    name = "torch.export"

    def _open(self, folder: Path, files: Mapping[str, str], threads: int) -> None:  # noqa: ARG002
        self._modules = {graph: torch.export.load(folder / files[graph]).module() for graph in self.specs}

    def _run(self, graph: str, inputs: list[npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
        with torch.inference_mode():
            outputs = self._modules[graph](*map(torch.from_numpy, inputs))
        return [np.asarray(one) for one in (outputs if isinstance(outputs, tuple) else (outputs,))]


def convert(graphs: Graphs, precision: Precision, folder: Path, report: Report) -> Conversion:
    files = {graph: f"{graph}.pt2" for graph in GRAPHS}
    for graph in GRAPHS:
        report(f"exporting {graph}")
        program = torch.export.export(getattr(graphs, graph), graphs.inputs(graph), strict=False)
        torch.export.save(program, folder / files[graph], extra_files={METADATA: json.dumps(graphs.metadata)})
    read = read_back(folder, files, precision)
    return Conversion(files, graphs.tensors(), read.arithmetic, read.computes_in, convolutions=read.convolutions)


def read_back(folder: Path, files: Mapping[str, str], precision: Precision) -> ReadBack:
    found, metadata = {}, {METADATA: ""}
    for graph in GRAPHS:
        program = torch.export.load(folder / files[graph], extra_files=metadata)
        found[graph] = wanted(program.module(check_guards=False))
    embedded = {key: str(value) for key, value in json.loads(metadata[METADATA]).items()}
    return ReadBack(found, arithmetic_of(precision, found), computes_in(found), embedded)
