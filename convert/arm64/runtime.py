"""An engine on an emulated CPU, asked as ``edgesr.runtime.isolated`` asks one in a process of its own."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgesr.errors import UnavailableError, UsageError
from edgesr.models.interface import Interface
from edgesr.runtime.engines import Engine
from edgesr.runtime.isolated import WORKER, IsolatedRuntime

from .environment import Arm64Environment

CPUS = ("cortex-a72", "cortex-a76", "cortex-a710")
"""CPUs of phones of about 2016, 2019 and 2022, as QEMU names them: without dotprod, with it, and with i8mm too."""

FEATURES = """
import ctypes
auxv = ctypes.CDLL(None).getauxval
auxv.restype, auxv.argtypes = ctypes.c_ulong, [ctypes.c_ulong]
print(int(auxv(16) >> 20 & 1), int(auxv(26) >> 13 & 1), int(auxv(16) >> 8 & 1))
"""
"""Whether Linux says of this CPU that it has dotprod (HWCAP, bit 20), i8mm (HWCAP2, bit 13), atomics (HWCAP, bit 8)."""

PATIENCE = 120.0
"""Seconds that a CPU may take for that."""


@dataclasses.dataclass(frozen=True)
class Cpu:
    """A CPU as the emulator names it, and which of the instructions it has that int8 kernels are written with."""

    name: str
    dotprod: bool
    """Four products of int8 at once."""
    i8mm: bool
    """A product of 2x8 by 8x2 matrices of int8 at once."""
    atomics: bool
    """ARMv8.1's, which PyTorch's files are compiled for."""

    def __str__(self) -> str:
        has = [name for name in ("dotprod", "i8mm") if getattr(self, name)]
        return f"{self.name} ({' and '.join(has) or 'neither dotprod nor i8mm'})"


def find_cpu(environment: Arm64Environment, ours: Path, name: str, others: Sequence[str] = CPUS) -> Cpu:
    """A CPU with what programs on it are told that it has; ``others`` are named where there is none of its name.

    Raises:
        UsageError: the emulator does not know it.
        UnavailableError: the emulator does not start, or is not done in time.
    """
    try:
        done = subprocess.run(
            environment.python(["-c", FEATURES]),
            env=environment.variables(name, ours),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(
            f"the emulator does not start: {error}", f"remove {environment.folder}, then: edgesr setup arm64"
        ) from error
    if done.returncode:
        said = " ".join(done.stderr.split())[:200] or f"it ends with {done.returncode}"
        raise UsageError(
            f"the emulator does not run a CPU {name!r}: {said}", f"among those it runs: {', '.join(others)}"
        )
    return Cpu(name, *(word == "1" for word in done.stdout.split()))


class EmulatedRuntime(IsolatedRuntime):
    """``engine`` for arm64 on an artifact. It computes what a phone computes, at a pace that says nothing of one."""

    def __init__(
        self,
        environment: Arm64Environment,
        ours: Path,
        cpu: Cpu,
        engine: Engine,
        folder: Path,
        files: Mapping[str, str],
        interface: Interface,
        tensors: Mapping[str, Any],
    ) -> None:
        """``ours`` as ``environment.ours`` gives it. Raises as ``IsolatedRuntime``."""
        self._environment, self._ours, self._cpu = environment, ours, cpu
        super().__init__(engine, folder, files, interface, tensors, threads=1)
        self.name = f"{self.name} on arm64, {cpu}"

    def _program(self) -> tuple[list[str], Mapping[str, str] | None]:
        return self._environment.python(["-m", WORKER]), self._environment.variables(self._cpu.name, self._ours)
