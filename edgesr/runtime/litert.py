"""LiteRT: runs both signatures of a ``.tflite`` on this host's CPU."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt

from edgesr.errors import BundleError
from edgesr.process.quiet import capture_native_stderr, quiet
from edgesr.runtime.base import GraphRuntime


class LiteRTRuntime(GraphRuntime):
    """The ``.tflite`` on LiteRT with XNNPACK. An interpreter holds the tensors it computes: one thread at a time."""

    name = "litert"

    @staticmethod
    def verify(folder: Path, files: Mapping[str, str]) -> None:
        """Check the file's FlatBuffer by LiteRT's own verifier, which an interpreter does without.

        Raises:
            BundleError: an offset in it leads outside, or the like.
        """
        with quiet(), capture_native_stderr() as explained:
            try:
                from ai_edge_litert.compiled_model import CompiledModel
            except ImportError:  # older ones have none: the interpreter alone judges
                return
            try:
                CompiledModel.from_file(str(folder / files["model"]))
            except Exception as error:
                raise BundleError(
                    f"{files['model']} is no sound FlatBuffer: {error} {explained()[:300]}", "it is damaged"
                ) from error

    def _open(self, folder: Path, files: Mapping[str, str], threads: int) -> None:
        # Allocation creates the delegate, which announces itself on stderr; there, too, a refused model is explained.
        with quiet(), capture_native_stderr() as explained:
            from ai_edge_litert.interpreter import Interpreter

            try:
                self._interpreter = Interpreter(model_path=str(folder / files["model"]), num_threads=threads)
                self._interpreter.allocate_tensors()
                self._runners = {graph: self._interpreter.get_signature_runner(graph) for graph in self.specs}
            except (RuntimeError, ValueError) as error:
                raise RuntimeError(f"{error} {explained()}".strip()) from error

    def _run(self, graph: str, inputs: list[npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
        specs = self.specs[graph]
        outputs = self._runners[graph](
            **{spec.file_name: array for spec, array in zip(specs["inputs"], inputs, strict=True)}
        )
        return [outputs[spec.file_name] for spec in specs["outputs"]]
