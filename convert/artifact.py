"""Opening an artifact on a machine that may not be able to execute it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgesr.models.config import HIMEConfig
from edgesr.runtime.base import Runtime
from edgesr.runtime.engines import open_engine

from .target import Target


def engine_or_evaluator(
    target: Target, folder: Path, files: Mapping[str, str], config: HIMEConfig, tensors: Mapping[str, Any]
) -> Runtime:
    """The target's engine; for Core ML off a Mac the evaluator of its saved program, for the web without a browser ONNX
    Runtime."""
    if target.executes_here:
        return open_engine(target.name, folder, files, config, tensors)
    if target.name == "web":
        runtime = open_engine("onnx", folder, files, config, tensors)
        runtime.name = "onnxruntime, for want of Chromium"
        return runtime
    from .mil_evaluator import MILEvaluator

    return MILEvaluator(folder, files, config, tensors)
