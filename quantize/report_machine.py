"""What a report was measured on: machine, versions, and how busy it was."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

import psutil

from edgesr import __version__

TOOLS = (
    "torch", "executorch", "torchao", "coremltools", "onnx", "onnxruntime", "ai-edge-litert", "numpy", "matplotlib",
    "dlib-bin",
)  # fmt: skip


def machine() -> dict[str, Any]:
    """Processor, cores, memory, system, and the load when this was asked (1.0 a core is busy)."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "load": None if load is None else round(load, 1),
    }


def versions() -> dict[str, str]:
    """Of edgesr, Python and every tool that is installed."""
    found = {"edgesr": __version__, "python": platform.python_version()}
    for tool in TOOLS:
        try:
            found[tool] = importlib.metadata.version(tool)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    named = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or "unknown")
