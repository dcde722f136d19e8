"""One process for one output: whoever comes second is told who is at it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shlex
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import filelock

from edgesr.errors import InputOutputError
from edgesr.files.atomic import cannot_write, make_folder, refuse_special, remove_empty

MOST = 4096
"""Bytes that a claim says of its process."""

SWEEPING = 0.1
"""Seconds that a claim is tried for: whoever sweeps its folder may hold it for a moment."""

CLAIM = re.compile(r"\.edgesr-[0-9a-f]{12}\.claim")

_mine: dict[tuple[int, Path], int] = {}
"""How often a thread has claimed an output; other threads are refused as other processes are."""


@contextlib.contextmanager
def claimed(output: Path, wait: bool = False) -> Iterator[None]:
    """Keep other processes from making ``output`` (a file or a folder) while the block does; may be nested.

    Whether ``output`` exists is to be asked within the block: it may have come about a moment before. ``wait`` waits
    for the other process instead of refusing. Killed processes claim nothing: the system takes their lock away.

    Raises:
        InputOutputError: another process is making it, or its folder cannot be written.
    """
    refuse_special(output)
    output = output.resolve()
    key = threading.get_ident(), output
    with contextlib.nullcontext() if key in _mine else _locked(output, wait):
        _mine[key] = _mine.get(key, 0) + 1
        try:
            yield
        finally:
            _mine[key] -= 1
            if not _mine[key]:
                del _mine[key]


@contextlib.contextmanager
def _locked(output: Path, wait: bool) -> Iterator[None]:
    file = output.with_name(f".edgesr-{hashlib.sha256(os.fsencode(output.name)).hexdigest()[:12]}.claim")
    made: list[Path] = []
    lock = filelock.FileLock(file, thread_local=False)
    try:
        made = make_folder(output.parent)
        _sweep(output.parent, file)
        file.touch()  # where nothing can be made this says so; the lock would go on trying
        lock.acquire(timeout=-1 if wait else SWEEPING, poll_interval=0.02)
        _sign(file)
    except filelock.Timeout as error:
        raise InputOutputError(
            f"{output} is being made by {_holder(file)}", "wait for it, or choose another place"
        ) from error
    except OSError as error:
        lock.release()
        raise cannot_write(output, OSError(error.errno, error.strerror)) from error  # the claim's name says nothing
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            file.unlink()  # while it is held: whoever waits for it notices and takes a new one
        lock.release()
        remove_empty(made)  # where nothing came of it


def _sign(file: Path) -> None:
    program = Path(sys.argv[0]).name if sys.argv and sys.argv[0] else "python"
    command = shlex.join(["edgesr" if program == "__main__.py" else program, *sys.argv[1:]])
    file.write_text(json.dumps({"process": os.getpid(), "command": command[:200]})[:MOST])


def _sweep(folder: Path, ours: Path) -> None:
    """Take away the claims that killed processes left on other outputs."""
    for path in folder.iterdir():
        if CLAIM.fullmatch(path.name) and path != ours:
            lock = filelock.FileLock(path, blocking=False, thread_local=False)
            with contextlib.suppress(OSError), lock:  # a timeout is one, too: it is held
                path.unlink()


def _holder(file: Path) -> str:
    """Who holds a claim, as far as it has said so yet."""
    try:
        with file.open("rb") as stream:
            said = json.loads(stream.read(MOST))
        return f"process {int(said['process'])} ({said['command']!s})"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "another process"
