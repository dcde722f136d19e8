"""Versions of what took part in a conversion or a measurement."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Iterable

from edgesr.release import __version__

TOOLS = ("torch", "executorch", "coremltools", "onnx", "onnxruntime", "ai-edge-litert", "numpy")
"""What every conversion may depend on."""


def installed_versions(further: Iterable[str] = ()) -> dict[str, str]:
    """The versions of edgesr, of Python, and of those ``TOOLS`` and ``further`` distributions that are installed."""
    found = {"edgesr": __version__, "python": platform.python_version()}
    for tool in (*TOOLS, *further):
        try:
            found[tool] = importlib.metadata.version(tool)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
