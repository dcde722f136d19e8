"""Opening an artifact on a machine that may not be able to execute it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgesr.models.config import HIMEConfig
from edgesr.runtime.base import Runtime
from edgesr.runtime.engines import ENGINES, open_engine
from edgesr.runtime.isolated import IsolatedRuntime

from .target import Target

EVALUATOR = ("edgesr.convert.coreml.mil.evaluator", "MILEvaluator")
ONNXRUNTIME = "onnxruntime, for want of Chromium"


def engine_or_evaluator(
    target: Target, folder: Path, files: Mapping[str, str], config: HIMEConfig, tensors: Mapping[str, Any]
) -> Runtime:
    """The target's engine; for Core ML off a Mac the evaluator of its saved program, for the web without a browser ONNX
    Runtime."""
    if target.executes_here:
        return open_engine(target.name, folder, files, config, tensors)
    if target.name == "web":
        runtime = open_engine("onnx", folder, files, config, tensors)
        runtime.name = ONNXRUNTIME
        return runtime
    from .coreml.mil.evaluator import MILEvaluator

    return MILEvaluator(folder, files, config, tensors)


def isolated(
    target: Target, folder: Path, files: Mapping[str, str], config: HIMEConfig, tensors: Mapping[str, Any]
) -> IsolatedRuntime:
    """The same in a process of its own, for a file that may do anything to what opens it."""
    if target.executes_here:
        return IsolatedRuntime(ENGINES[target.name][:2], folder, files, config, tensors)
    runtime = IsolatedRuntime(
        ENGINES["onnx"][:2] if target.name == "web" else EVALUATOR, folder, files, config, tensors
    )
    if target.name == "web":
        runtime.name = ONNXRUNTIME
    return runtime
