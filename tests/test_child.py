"""Programs of their own: heard line by line, and never left behind."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from edgesr.convert.child import ChildTimeoutError, last_meaningful_line, run_child

SLEEPER = "import subprocess, sys; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); p.wait()"


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A killed child of a killed child stays as a zombie where nobody adopts it.
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text() if Path("/proc").is_dir() else True


def assert_dies(pid: int) -> None:
    deadline = time.monotonic() + 5
    while alive(pid):
        assert time.monotonic() < deadline, "the program's own child is still running"
        time.sleep(0.05)


def test_lines_come_as_they_are_said_and_stderr_at_the_end() -> None:
    heard: list[str] = []
    program = "import sys; print('one'); print('two'); print('why', file=sys.stderr); sys.exit(3)"
    assert run_child([sys.executable, "-c", program], heard.append, timeout=60) == (3, "why\n")
    assert heard == ["one", "two"]


def test_a_program_that_takes_too_long_is_killed_with_its_children() -> None:
    heard: list[str] = []
    with pytest.raises(ChildTimeoutError, match="longer than 1 s"):
        run_child([sys.executable, "-c", SLEEPER], heard.append, timeout=1)
    assert_dies(int(heard[0]))


def test_ctrl_c_kills_the_program_and_its_children() -> None:
    pids: list[int] = []

    def interrupt(line: str) -> None:
        pids.append(int(line))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_child([sys.executable, "-c", SLEEPER], interrupt, timeout=60)
    assert_dies(pids[0])


def test_a_program_may_say_more_on_stderr_than_a_pipe_holds() -> None:
    program = "import sys; sys.stderr.write('x' * 1_000_000)"
    code, errors = run_child([sys.executable, "-c", program], print, timeout=60)
    assert (code, len(errors)) == (0, 1_000_000)


@pytest.mark.parametrize(
    ("output", "line"),
    [
        ("", "it said nothing"),
        (
            "Traceback (most recent call last):\n  File 'a.py', line 1\n    f()\n    ^^^\nValueError: no\n",
            "ValueError: no",
        ),
        ("\x1b[31mERROR:\x1b[0m no disk\n\n", "ERROR: no disk"),
        ("ERROR: no wheel\n[notice] A new release of pip\n", "ERROR: no wheel"),
        ("bad operator\nW0000 00:00:17.5 1 computation_placer.cc:177] already registered\n", "bad operator"),
    ],
)
def test_the_last_meaningful_line_is_found(output: str, line: str) -> None:
    assert last_meaningful_line(output) == line
