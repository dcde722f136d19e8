"""Qualcomm's NPU by onnxruntime-qnn: compiled contexts, run on the emulator that comes with Qualcomm's compiler.

A bundle's ``contexts`` folder has a folder a chip, and in each ``encode.onnx`` and ``restore.onnx``: one node apiece,
whose compiled context lies beside it. The emulator runs any of them as any chip, so what a context is for is read from
it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt

from edgesr.errors import BundleError, UnavailableError
from edgesr.runtime.base import GraphRuntime
from edgesr.runtime.engines import Engine
from edgesr.runtime.isolated import AlwaysIsolated
from edgesr.runtime.qnn_context import installed_build, read_context, release
from edgesr.runtime.snapdragon import CHIPS, Chip, name_of

PROVIDER = "QNNExecutionProvider"
NOTHING_BELOW_FATAL = 4
"""What goes wrong is raised; the provider's log repeats it, and a hundred lines more."""


class QnnRuntime(AlwaysIsolated):
    """``ContextRuntime`` in a process of its own, on whose stdout Qualcomm's libraries may say what they like.

    Raises:
        BundleError: the contexts are damaged, or for no chip that is known.
        UnavailableError: onnxruntime-qnn is not installed, is of another QAIRT, or a context is another chip's.
    """

    inner = Engine(__name__, "ContextRuntime", "qnn")


class ContextRuntime(GraphRuntime):
    """Both graphs as compiled for one chip: the one whose folder ``files["contexts"]`` is, or the first in it."""

    name = "QNN's emulator"

    def _open(self, folder: Path, files: Mapping[str, str], threads: int) -> None:  # noqa: ARG002 (it has its own)
        place = folder / files["contexts"]
        chip = place.name if place.name in CHIPS else next(iter(chips_in(place)), None)
        if chip is None:
            raise BundleError(f"{place} holds no context of a known chip", f"known: {', '.join(CHIPS)}")
        own = place if place.name == chip else place / chip
        self.name = f"QNN's emulator of {chip}"
        for graph in self.specs:
            check_context(context_of(own / f"{graph}.onnx"), chip)
        self._sessions = {graph: open_session(own / f"{graph}.onnx", CHIPS[chip]) for graph in self.specs}

    def _run(self, graph: str, inputs: list[npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
        specs = self.specs[graph]
        feed = {spec.file_name: array for spec, array in zip(specs["inputs"], inputs, strict=True)}
        outputs: list[npt.NDArray[Any]] = self._sessions[graph].run([s.file_name for s in specs["outputs"]], feed)
        return outputs


def chips_in(contexts: Path) -> list[str]:
    """The chips that a folder of contexts is for, oldest first."""
    return [chip for chip in CHIPS if (contexts / chip).is_dir()]


def context_of(model: Path) -> Path:
    """The context beside a compiled graph."""
    return model.with_name(f"{model.stem}_qnn.bin")


def check_context(binary: Path, chip: str) -> None:
    """Refuse a context that is another chip's, or was compiled by another QAIRT than is installed.

    Raises:
        BundleError: it is no context. UnavailableError: nothing here runs it as what it is said to be.
    """
    found, installed = read_context(binary), installed_build()
    if found.soc_model != CHIPS[chip].soc_model:
        raise UnavailableError(
            f"{binary} is compiled for {name_of(found.soc_model)} and lies with those for {chip}",
            f"convert again: edgesr convert --target qnn --soc {chip}",
        )
    if release(found.build) != release(installed):
        raise UnavailableError(
            f"{binary} is compiled by QAIRT {found.build}, and QAIRT {installed} is installed, which may not run it",
            "convert again with what is installed, or install the onnxruntime-qnn that made it",
        )


def open_session(
    model: Path, chip: Chip, config: Mapping[str, str] | None = None, options: Mapping[str, str] | None = None
) -> Any:
    """A session of ONNX Runtime in which every node runs on the NPU, or it does not open.

    ``config`` and ``options`` go to the session and to the provider as they are.
    """
    import onnxruntime
    import onnxruntime_qnn

    made = onnxruntime.SessionOptions()
    made.log_severity_level = NOTHING_BELOW_FATAL
    made.intra_op_num_threads = 1
    for key, value in {"session.disable_cpu_ep_fallback": "1", **(config or {})}.items():
        made.add_session_config_entry(key, value)
    chosen = {
        "backend_path": onnxruntime_qnn.get_qnn_htp_path(),
        "soc_model": str(chip.soc_model),
        "htp_arch": str(chip.htp),
        "enable_htp_fp16_precision": "1",
        # Else rounding of what goes in and out of a graph would be the CPU's.
        "offload_graph_io_quantization": "0",
        **(options or {}),
    }
    made.add_provider_for_devices([_device()], chosen)
    return onnxruntime.InferenceSession(model, made)


@functools.cache
def _device() -> Any:
    """The provider's device, of which there is one wherever it is installed; registered once a process."""
    import onnxruntime
    import onnxruntime_qnn

    onnxruntime.register_execution_provider_library(PROVIDER, onnxruntime_qnn.get_library_path())
    return next(device for device in onnxruntime.get_ep_devices() if device.ep_name == PROVIDER)
