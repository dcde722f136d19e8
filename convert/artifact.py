"""Opening an artifact on a machine that may not be able to execute it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgesr.models.interface import Interface
from edgesr.runtime.base import Runtime
from edgesr.runtime.engines import Engine, start
from edgesr.runtime.isolated import IsolatedRuntime

from .target import Target


def engine_or_evaluator(
    target: Target, folder: Path, files: Mapping[str, str], interface: Interface, tensors: Mapping[str, Any]
) -> Runtime:
    """The target's engine; where it does not execute, its evaluator."""
    return _titled(target, start(_engine(target), target.name, folder, files, interface, tensors))


def isolated(
    target: Target, folder: Path, files: Mapping[str, str], interface: Interface, tensors: Mapping[str, Any]
) -> IsolatedRuntime:
    """The same in a process of its own, for a file that may do anything to what opens it."""
    runtime = IsolatedRuntime(_engine(target), folder, files, interface, tensors)
    _titled(target, runtime)
    return runtime


def isolates_itself(target: Target) -> bool:
    """Whether what opens its artifacts here runs them in processes of its own already."""
    return _engine(target).isolated


def _engine(target: Target) -> Engine:
    return target.engine if target.executes_here or target.evaluator is None else target.evaluator


def _titled(target: Target, runtime: Runtime) -> Runtime:
    if not target.executes_here and target.evaluator_title:
        runtime.name = target.evaluator_title
    return runtime
