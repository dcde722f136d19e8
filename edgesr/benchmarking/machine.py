"""What something was measured on: machine, versions, and how busy it was."""

from __future__ import annotations

import dataclasses
import os
import platform
from pathlib import Path

import psutil

from edgesr.versions import installed_versions

TOOLS = ("torchao", "matplotlib", "dlib-bin")
"""What a report depends on beside the converters."""


@dataclasses.dataclass(frozen=True)
class Machine:
    """Processor, cores, memory, system, and the load when this was asked (1.0 a core is busy; None where unknown)."""

    processor: str
    cores: int | None
    memory_gib: float
    system: str
    load: float | None


def machine() -> Machine:
    """This one, now."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return Machine(
        processor=_processor(),
        cores=os.cpu_count(),
        memory_gib=round(psutil.virtual_memory().total / 2**30, 1),
        system=f"{platform.system()} {platform.machine()}",
        load=None if load is None else round(load, 1),
    )


def versions() -> dict[str, str]:
    """Of edgesr, Python and every tool that is installed."""
    return installed_versions(TOOLS)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    named = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or "unknown")
