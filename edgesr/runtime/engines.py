"""Which engine runs which target, loaded only when one is opened."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgesr.errors import BundleError, EdgesrError, UnavailableError
from edgesr.models.interface import Interface
from edgesr.runtime.base import Runtime


@dataclasses.dataclass(frozen=True)
class Engine:
    """What runs an artifact: a ``Runtime`` that takes folder, files, interface, tensors and threads."""

    module: str
    name: str
    """Of its class there."""
    extra: str
    """Extra of the package that installs it."""
    isolated: bool = False
    """It runs what it is given in processes of its own, as a browser does."""


ENGINES = {
    "executorch": Engine("edgesr.runtime.executorch", "ExecuTorchRuntime", "executorch"),
    "tflite": Engine("edgesr.runtime.litert", "LiteRTRuntime", "tflite"),
    "onnx": Engine("edgesr.runtime.onnxruntime", "OnnxRuntime", "onnx"),
    "coreml": Engine("edgesr.runtime.coreml", "CoreMLRuntime", "coreml"),
    "coreai": Engine("edgesr.runtime.coreai", "CoreAIRuntime", "coreai", isolated=True),
    "qnn": Engine("edgesr.runtime.qnn", "QnnRuntime", "qnn", isolated=True),
    "web": Engine("edgesr.runtime.web", "WebRuntime", "web", isolated=True),
}
"""By target."""


def open_engine(
    target: str,
    folder: Path,
    files: Mapping[str, str],
    interface: Interface,
    tensors: Mapping[str, Any],
    threads: int | None = None,
) -> Runtime:
    """The engine for ``target`` on the artifact in ``folder``. Raises as ``start``."""
    if target not in ENGINES:
        raise BundleError(f"no runtime for target {target!r}", f"known: {', '.join(ENGINES)}; update edgesr")
    return start(ENGINES[target], target, folder, files, interface, tensors, threads)


def start(
    engine: Engine,
    target: str,
    folder: Path,
    files: Mapping[str, str],
    interface: Interface,
    tensors: Mapping[str, Any],
    threads: int | None = None,
) -> Runtime:
    """An engine on the artifact in ``folder``, which is of ``target``.

    Raises:
        BundleError: it does not take the artifact. UnavailableError: it is not installed.
    """
    try:
        made = getattr(importlib.import_module(engine.module), engine.name)
        runtime: Runtime = made(folder, files, interface, tensors, threads=threads)
    except ImportError as error:
        raise UnavailableError(f"{target} needs {error.name}", f"pip install 'edgesr[{engine.extra}]'") from error
    except EdgesrError:
        raise
    except Exception as error:
        # The engines raise anything from RuntimeError to bare Exception on a model they do not take.
        raise BundleError(f"{target} cannot load the model in {folder}: {error}", "convert again") from error
    return runtime
