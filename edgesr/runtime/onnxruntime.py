"""ONNX Runtime: runs ``encode.onnx`` and ``restore.onnx`` on this host's CPU."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt

from edgesr.runtime.base import GraphRuntime

ERRORS_ONLY = 3


class OnnxRuntime(GraphRuntime):
    """Both graphs on ONNX Runtime's CPU provider. A session takes several threads at once."""

    name = "onnxruntime"
    alone = False

    def _open(self, folder: Path, files: Mapping[str, str], threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = ERRORS_ONLY
        options.intra_op_num_threads = threads
        self._sessions = {
            graph: onnxruntime.InferenceSession(folder / files[graph], options, providers=["CPUExecutionProvider"])
            for graph in self.specs
        }

    def _run(self, graph: str, inputs: list[npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
        specs = self.specs[graph]
        feed = {spec.file_name: array for spec, array in zip(specs["inputs"], inputs, strict=True)}
        outputs: list[npt.NDArray[Any]] = self._sessions[graph].run([s.file_name for s in specs["outputs"]], feed)
        return outputs
