"""ExecuTorch: runs both methods of a ``.pte`` on this host."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from edgesr.process.quiet import capture_native_stderr, quiet
from edgesr.runtime.base import GraphRuntime


class ExecuTorchRuntime(GraphRuntime):
    """The ``.pte`` through ExecuTorch's own runtime.

    ``threads`` sets the size of its thread pool, which all ExecuTorch programs of the process share: they run one
    at a time.
    """

    name = library = "executorch"
    lock = threading.RLock()
    _pool: int | None = None
    """Threads of the pool as it is."""

    def _open(self, folder: Path, files: Mapping[str, str], threads: int) -> None:
        # The extension itself, as arm64's and x86's wheels have it (torch, whose libraries it needs, is loaded above).
        # `executorch.runtime` has the same functions, and imports the whole exporter for a warning's class: 7 s of CPU.
        with quiet():
            from executorch.extension.pybindings import _portable_lib as extension
        with capture_native_stderr() as explained:
            try:
                if ExecuTorchRuntime._pool != threads:
                    extension._unsafe_reset_threadpool(threads)
                    ExecuTorchRuntime._pool = threads
                # Kept for as long as its methods: without their program they crash the process.
                self._program = extension._load_program(
                    str(folder / files["model"]), program_verification=extension.Verification.InternalConsistency
                )
                self._methods = {graph: self._program.load_method(graph) for graph in self.specs}
            except RuntimeError as error:
                raise RuntimeError(f"{error}\n{explained()}") from error

    def _run(self, graph: str, inputs: list[npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
        outputs = self._methods[graph]([torch.from_numpy(array) for array in inputs])
        return [np.asarray(output) for output in outputs]
