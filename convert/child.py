"""Running a converter as a program of its own, which nothing outlives."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

NOISE = re.compile(
    r"^([IWE]\d{4} |WARNING: All log messages|Traceback |  +File |\s*[\^~]+\s*$|\[notice\]|Exception ignored)"
)
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class ChildTimeoutError(Exception):
    """The program was still running when its time was up; it has been killed."""


def run_child(
    command: Sequence[str | Path],
    on_line: Callable[[str], None],
    *,
    timeout: float,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """Run ``command``, give each line of its stdout to ``on_line``, and return its exit code and its stderr.

    Whatever ends this call (an error in ``on_line``, Ctrl-C, the timeout) ends the program and all that it
    has started: it gets a session of its own for that.

    Raises:
        ChildTimeoutError: it took longer than ``timeout`` seconds.
        OSError: it cannot be started.
    """
    # A file, since a pipe that nobody reads would block a talkative program.
    with tempfile.TemporaryFile() as stderr:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            cwd=cwd,
            env=None if environment is None else dict(environment),
            start_new_session=True,
        )
        late = threading.Event()

        def stop() -> None:
            late.set()
            _kill(process)

        timer = threading.Timer(timeout, stop)
        timer.daemon = True
        timer.start()
        try:
            assert process.stdout is not None
            for line in process.stdout:
                on_line(line.decode(errors="replace").rstrip())
            code = process.wait()
        finally:
            timer.cancel()
            _kill(process)
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
        if late.is_set():
            raise ChildTimeoutError(f"it took longer than {timeout:.0f} s")
        return code, _read(stderr)


def last_meaningful_line(output: str) -> str:
    """The last line of a program's output that is no log prefix, caret or frame of a traceback."""
    lines = (COLOUR.sub("", line).rstrip() for line in output.splitlines())
    told = [line.strip() for line in lines if line.strip() and not NOISE.match(line)]
    return told[-1][:300] if told else "it said nothing"


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            # Also after the program's own end: its children may have stayed.
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
