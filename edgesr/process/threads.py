"""How many threads this process computes with: chosen once from what the machine has free, for every library alike.

Threads that wait for each other are slower than one where the machine has no core for each of them: on two busy cores
PyTorch's own choice took four times as long as one thread. Nothing heavy is imported here.
"""

from __future__ import annotations

import contextlib
import math
import os
import sys
import time
from pathlib import Path

VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")
"""What libraries read when they are loaded; a process that is started inherits them. The first is also the user's."""
SAMPLES, APART = 4, 0.004
"""Looks at how many threads run now, and seconds between them."""

_chosen: int | None = None


def count() -> int:
    """The threads to compute with: what ``use`` was told, else OMP_NUM_THREADS, else what is free."""
    global _chosen
    if _chosen is None:
        _chosen = _asked() or free()
    return _chosen


def use(threads: int | None = None) -> int:
    """Compute with so many threads from now on, in all libraries and in processes started later; None: ``count``.

    Libraries that are loaded are told, those loaded later read the environment. ONNX Runtime, LiteRT and ExecuTorch
    are told for each network that is opened.
    """
    global _chosen
    if threads is not None:
        _chosen = threads
    number = count()
    for name in VARIABLES:
        os.environ[name] = str(number)
    tell_loaded(number)
    return number


def tell_loaded(number: int) -> None:
    """PyTorch and OpenCV, where they are loaded; what is not is left so."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(number)
    if cv2 := sys.modules.get("cv2"):
        cv2.setNumThreads(number)


def free() -> int:
    """CPUs that this process may use and that nobody else keeps busy; at least one."""
    cpus = os.cpu_count() or 1
    return max(1, min(allowed(), math.floor(cpus - busy(cpus) + 0.5)))


def allowed(root: Path = Path("/")) -> int:
    """CPUs by this process's affinity and its control groups' quota, rounded down: threads over a quota are all
    stopped. ``root`` is where ``proc`` and ``sys`` lie."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota(root)
    return max(1, cpus if quota is None else min(cpus, math.floor(quota)))


def busy(cpus: int, loadavg: Path = Path("/proc/loadavg")) -> float:
    """CPUs that others keep busy at this moment, of the machine's ``cpus``.

    What runs now counts where the system tells it (Linux). A load average above the number of CPUs counts as well;
    below, it may be what our own last command left.
    """
    try:
        average = os.getloadavg()[0]
    except (AttributeError, OSError):  # Windows has none
        average = 0.0
    try:
        running = []
        for i in range(SAMPLES):
            if i:
                time.sleep(APART)
            running.append(int(loadavg.read_text().split()[3].split("/")[0]) - 1)  # without ourselves
    except (OSError, ValueError, IndexError):
        return average
    now = sum(running) / len(running)
    return max(now, average) if average > cpus else now


def _asked() -> int | None:
    with contextlib.suppress(ValueError):
        asked = int(os.environ.get(VARIABLES[0], "").split(",")[0])
        return asked if asked > 0 else None
    return None


def _quota(root: Path) -> float | None:
    """CPUs that the tightest of this process's control groups allows; None where none limits it."""
    found = []
    for folder in _groups(root):
        with contextlib.suppress(OSError, ValueError):
            limit, period = (folder / "cpu.max").read_text().split()[:2]
            found += [] if limit == "max" else [int(limit) / int(period)]
        with contextlib.suppress(OSError, ValueError, ZeroDivisionError):
            limit, period = ((folder / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
            found += [int(limit) / int(period)] if int(limit) > 0 else []
    return min(found, default=None)


def _groups(root: Path) -> list[Path]:
    """This process's control groups of the CPU and all above them, of version 2 and of version 1."""
    folders = []
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    for line in lines:
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        mounted = ["sys/fs/cgroup"] if number == "0" else []
        if "cpu" in controllers.split(","):
            mounted = [f"sys/fs/cgroup/{controllers}", "sys/fs/cgroup/cpu"]
        for mount in mounted:
            # In a container the path may be the host's, and the group itself is mounted at the top.
            here = root / mount / path.lstrip("/")
            folders += [here, *(above for above in here.parents if above.is_relative_to(root / mount))]
    return folders
