"""A headless Chromium that shows one page and ends with us."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
import weakref
from pathlib import Path
from typing import IO

from edgesr.errors import UnavailableError

VARIABLE = "EDGESR_CHROMIUM"
NONE = "none"
"""The variable's value that means: there is none, whatever lies on the path."""
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = (
    "--headless",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-background-timer-throttling",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-proxy-server",
    "--mute-audio",
)

NO_SANDBOX = "--no-sandbox"
"""The option for root alone, whom Chromium's sandbox refuses; others keep the sandbox: a bundle's code runs in it."""


def options() -> list[str]:
    """Chromium's options for this user."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    return [*OPTIONS, NO_SANDBOX] if root else list(OPTIONS)


def find_chromium() -> Path | None:
    """The browser: what EDGESR_CHROMIUM names, else the first of the usual names on the path; None where none is.

    Raises:
        UnavailableError: the variable names no program.
    """
    named = os.environ.get(VARIABLE)
    if named == NONE:
        return None
    for program in [named] if named else PROGRAMS:
        if found := shutil.which(program):
            return Path(found)
    if named:
        raise UnavailableError(
            f"{VARIABLE} names {named}, which is no program",
            f"unset it, or set it to Chromium's path, or to {NONE} to do without",
        )
    return None


CLEANING_SECONDS = 5.0


class Chromium:
    """The browser on one address, in a session and with a profile of its own.

    It ends with ``close``, when this object is collected, and when Python ends; and should Python be killed, the
    pipe that it takes commands from breaks, at which Chromium ends itself.
    """

    def __init__(self, program: Path, address: str) -> None:
        """
        Raises:
            UnavailableError: it cannot be started.
        """
        self._profile = tempfile.TemporaryDirectory(prefix="edgesr-chromium-", ignore_cleanup_errors=True)
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed by _end)
        commands, answers = os.pipe(), os.pipe()
        # Chromium reads commands from descriptor 3 and answers on 4, by these numbers; sh can duplicate 0 to 9 alone.
        # The shell stays, and should Python be killed, removes the profile when Chromium has ended.
        shell = f'"$0" "$@" 3</dev/fd/{commands[0]} 4>/dev/fd/{answers[1]}; rm -rf "$PROFILE"'
        arguments = [*options(), "--remote-debugging-pipe", f"--user-data-dir={self._profile.name}", address]
        try:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", shell, str(program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                pass_fds=(commands[0], answers[1]),
                # What it leaves in TMPDIR goes with the profile.
                env={**os.environ, "TMPDIR": self._profile.name, "PROFILE": self._profile.name},
                start_new_session=True,  # Ctrl-C reaches us alone
            )
        except OSError as error:
            raise UnavailableError(f"cannot start {program}: {error.strerror}", f"{VARIABLE} names another") from error
        finally:
            os.close(commands[0])
            os.close(answers[1])
        pipe = (commands[1], answers[0])
        self._end = weakref.finalize(self, _end, self._process, self._profile, self._log, pipe)

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def last_words(self) -> str:
        """The end of what it printed, which explains why it ended."""
        self._log.seek(0)
        lines = self._log.read()[-4000:].decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def close(self) -> None:
        """End it and everything it started, and remove its profile."""
        self._end()


def _end(
    process: subprocess.Popen[bytes], profile: tempfile.TemporaryDirectory[str], log: IO[bytes], pipe: tuple[int, int]
) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for descriptor in pipe:
        os.close(descriptor)
    log.close()
    # Those that it started die by the same signal, a moment later, and may still be writing.
    deadline = time.monotonic() + CLEANING_SECONDS
    while Path(profile.name).exists() and time.monotonic() < deadline:
        shutil.rmtree(profile.name, ignore_errors=True)
        time.sleep(0.02)
    profile.cleanup()
