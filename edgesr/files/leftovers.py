"""Names for what is not finished yet: whose they are can be told, so what a killed process left is taken away later.

``.edgesr-<output>-<machine>-<process>-<start>-<number>-<role>``: ``output`` is a hash of the name it is to take, and
the process is told by its number and the second it started in. Names stay below 90 bytes whatever the output's is.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import os
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

NEW, OLD, WORK = "new", "old", "work"
"""What is being written; what stood there and is being replaced; what is gone when the process is."""

NAME = re.compile(
    r"\.edgesr-(?P<output>[0-9a-f]{12})-(?P<machine>[0-9a-f]{6})-(?P<process>\d+)-(?P<start>\d+)-\d+"
    rf"-(?P<role>{NEW}|{OLD}|{WORK})(\..*)?",
    re.DOTALL,
)
LONGEST_SUFFIX = 16
STRANGERS_DAY = 86_400
"""Seconds after which another machine's leftover is one: whether its process lives cannot be seen from here."""
CLOCKS = 2
"""Seconds by which a process's start may be told differently: it is reckoned from the machine's own."""

_numbers = itertools.count()
_swept: set[tuple[int, Path]] = set()


def name_aside(output: Path, role: str) -> Path:
    """A name beside ``output`` that no other process and no other call has; with its suffix, by which some write."""
    suffix = output.suffix if role == NEW and len(os.fsencode(output.suffix)) <= LONGEST_SUFFIX else ""
    machine, process, start = _self(os.getpid())
    name = f".edgesr-{_hash(output.name)}-{machine}-{process}-{start}-{next(_numbers)}-{role}{suffix}"
    return output.with_name(name)


def sweep(folder: Path) -> None:
    """Take away what killed processes left in ``folder``; looked for once a process, as leftovers are no new ones."""
    key = os.getpid(), folder.absolute()
    if key in _swept:
        return
    _swept.add(key)
    with contextlib.suppress(OSError):
        paths = list(folder.iterdir())
        for path in paths:
            found = NAME.fullmatch(path.name)
            if found is None or not _is_dead(path, found):
                continue
            if found["role"] == OLD and found["output"] not in {_hash(one.name) for one in paths}:
                continue  # all that is left of its output: ``recover`` brings it back
            remove(path)


def recover(output: Path) -> None:
    """Where a process was killed between taking ``output``'s old content away and putting the new one there, bring
    the old one back. Needed only where a file system cannot exchange names."""
    if os.path.lexists(output):
        return
    with contextlib.suppress(OSError):
        wanted = _hash(output.name)
        for path in sorted(output.parent.iterdir()):
            found = NAME.fullmatch(path.name)
            if found and (found["output"], found["role"]) == (wanted, OLD) and _is_dead(path, found):
                path.rename(output)
                return


def remove(path: Path) -> None:
    """Delete a file or a folder, as far as that can be done."""
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def work_folder(what: str) -> Iterator[Path]:
    """A folder for intermediate files in the system's temporary one, gone afterwards; those of killed processes go too.

    Raises:
        OSError: it cannot be made.
    """
    place = Path(tempfile.gettempdir())
    sweep(place)
    folder = name_aside(place / what, WORK)
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _hash(name: str) -> str:
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:12]


@functools.cache
def _self(process: int) -> tuple[str, int, int]:
    """Machine, number and start of this process; ``process`` is its number, as a forked one is another."""
    import psutil

    return _machine(), process, round(psutil.Process(process).create_time())


@functools.cache
def _machine() -> str:
    """Where a process's number means what it means here: a host, and its container."""
    try:
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        space = ""
    return hashlib.sha256(f"{platform.node()} {space}".encode(errors="replace")).hexdigest()[:6]


def _is_dead(path: Path, found: re.Match[str]) -> bool:
    """Whether the process that made ``path`` is gone."""
    import psutil

    machine, process, start = _self(os.getpid())
    if found["machine"] != machine:
        return time.time() - path.lstat().st_mtime > STRANGERS_DAY
    if int(found["process"]) == process:
        return abs(int(found["start"]) - start) > CLOCKS
    try:
        return abs(psutil.Process(int(found["process"])).create_time() - int(found["start"])) > CLOCKS
    except psutil.NoSuchProcess:
        return True
    except (psutil.Error, OverflowError):
        return False
