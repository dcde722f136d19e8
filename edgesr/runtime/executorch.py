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
        with quiet():
            from executorch.extension.pybindings import portable_lib
            from executorch.runtime import Runtime, Verification
        with capture_native_stderr() as explained:
            try:
                if ExecuTorchRuntime._pool != threads:
                    portable_lib._unsafe_reset_threadpool(threads)
                    ExecuTorchRuntime._pool = threads
                # Kept for as long as its methods: without their program they crash the process.
                self._program = Runtime.get().load_program(
                    folder / files["model"], verification=Verification.InternalConsistency
                )
                self._methods = {graph: self._program.load_method(graph) for graph in self.specs}
            except RuntimeError as error:
                raise RuntimeError(f"{error}\n{explained()}") from error

    def _run(self, graph: str, inputs: list[npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
        outputs = self._methods[graph].execute([torch.from_numpy(array) for array in inputs])
        return [np.asarray(output) for output in outputs]
