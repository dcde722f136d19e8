"""Core ML, on a Mac."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesr.errors import UnavailableError
from edgesr.runtime.base import GraphRuntime


class CoreMLRuntime(GraphRuntime):
    """Runs the functions ``encode`` and ``restore`` of a ``.mlpackage``."""

    name = "coreml"
    accelerator = "the Neural Engine or the GPU"
    units = "ALL"
    """What Core ML may use, as coremltools names it."""
    models: dict[str, Any]

    def _open(self, folder: Path, files: Mapping[str, str], threads: int) -> None:  # noqa: ARG002
        """``threads`` has no effect: Core ML chooses compute units and threads itself.

        Raises:
            UnavailableError: this is not a Mac.
        """
        if sys.platform != "darwin":
            raise UnavailableError(
                "Core ML executes only on a Mac", "`edgesr verify` evaluates the saved program on any machine"
            )
        import coremltools as ct

        self.models = {
            graph: ct.models.MLModel(
                str(folder / files["model"]), function_name=graph, compute_units=ct.ComputeUnit[self.units]
            )
            for graph in self.specs
        }

    def _run(self, graph: str, inputs: list[npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
        specs = self.specs[graph]
        named = {spec.file_name: array for spec, array in zip(specs["inputs"], inputs, strict=True)}
        outputs = self.models[graph].predict(named)
        return [np.asarray(outputs[spec.file_name]) for spec in specs["outputs"]]


class CoreMLOnCpu(CoreMLRuntime):
    """The same on the CPU alone."""

    name = "coreml on the CPU"
    accelerator = ""
    units = "CPU_ONLY"
