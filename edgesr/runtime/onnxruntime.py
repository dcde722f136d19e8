"""ONNX Runtime: runs ``encode.onnx`` and ``restore.onnx`` on this host's CPU."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt

from edgesr.runtime.base import GraphRuntime

FATAL_ONLY = 4
"""Severity from which on ONNX Runtime writes to the log: its errors are raised too."""
EXACT_INT8 = ("session.x64quantprecision", "1")
"""On x86 processors without VNNI, sums of uint8 times int8 would saturate at 16 bits: int8 networks lost 13 dB."""

SHARED = "replace the existing tensor"
"""What it says of int8 files of before weights had zero points of their own: it makes a new one of each."""


class OnnxRuntime(GraphRuntime):
    """Both graphs on ONNX Runtime's CPU provider. A session takes several threads at once."""

    name = "onnxruntime"
    alone = False

    def _open(self, folder: Path, files: Mapping[str, str], threads: int) -> None:
        self._sessions = {graph: _session(folder / files[graph], threads) for graph in self.specs}

    def _run(self, graph: str, inputs: list[npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
        specs = self.specs[graph]
        feed = {spec.file_name: array for spec, array in zip(specs["inputs"], inputs, strict=True)}
        outputs: list[npt.NDArray[Any]] = self._sessions[graph].run([s.file_name for s in specs["outputs"]], feed)
        return outputs


def _session(path: Path, threads: int, exact: bool = True) -> Any:
    """A file's session; ``exact``: with ``EXACT_INT8``, or without it where the file cannot be so."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = FATAL_ONLY
    options.intra_op_num_threads = threads
    if exact:
        options.add_session_config_entry(*EXACT_INT8)
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        if not exact or SHARED not in str(error):
            raise
    warnings.warn(f"{path} is inexact on this processor, which has no VNNI: convert it again", stacklevel=2)
    return _session(path, threads, exact=False)
