"""Which engine runs which target, loaded only when one is opened."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgesr.errors import BundleError, EdgesrError, UnavailableError
from edgesr.models.config import HIMEConfig
from edgesr.runtime.base import Runtime

ENGINES = {
    "executorch": ("edgesr.runtime.executorch", "ExecuTorchRuntime", "executorch"),
    "tflite": ("edgesr.runtime.litert", "LiteRTRuntime", "tflite"),
    "onnx": ("edgesr.runtime.onnxruntime", "OnnxRuntime", "onnx"),
    "coreml": ("edgesr.runtime.coreml", "CoreMLRuntime", "coreml"),
    "web": ("edgesr.runtime.web", "WebRuntime", "web"),
}
"""Target to the engine's module, class and the extra that installs it."""


def open_engine(
    target: str,
    folder: Path,
    files: Mapping[str, str],
    config: HIMEConfig,
    tensors: Mapping[str, Any],
    threads: int | None = None,
) -> Runtime:
    """The engine for ``target`` on the artifact in ``folder``."""
    if target not in ENGINES:
        raise BundleError(f"no runtime for target {target!r}", f"known: {', '.join(ENGINES)}; update edgesr")
    module, name, extra = ENGINES[target]
    try:
        engine = getattr(importlib.import_module(module), name)
        runtime: Runtime = engine(folder, files, config, tensors, threads=threads)
    except ImportError as error:
        raise UnavailableError(f"{target} needs {error.name}", f"pip install 'edgesr[{extra}]'") from error
    except EdgesrError:
        raise
    except Exception as error:
        # The engines raise anything from RuntimeError to bare Exception on a model they do not take.
        raise BundleError(f"{target} cannot load the model in {folder}: {error}", "convert again") from error
    return runtime
