"""The second Python environment, in which TFLite conversion runs.

onnx2tf pins numpy 1.26 and TensorFlow 2.19 exactly, so it cannot share an environment with the rest of edgesr.
It gets one of its own, installed from ``tflite_requirements.txt``, and is talked to through files.

A virtual environment cannot be moved once made, so it is made in place: ``COMPLETE`` is written last, and a folder
without it counts as absent, whatever it holds.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from edgesr.errors import InputOutputError, UnavailableError, UsageError
from edgesr.files.atomic import file_aside
from edgesr.files.claims import claimed
from edgesr.files.places import cache_folder, expanded
from edgesr.files.reading import read_json

from .child import ChildTimeoutError, last_meaningful_line, run_child

LOCK = Path(__file__).with_name("tflite_requirements.txt")
VARIABLE = "EDGESR_TFLITE_ENV"
BEGUN, COMPLETE = ".edgesr-begun", "edgesr-environment.json"
SMOKE_TEST = "import tensorflow, onnx2tf"
STEP_SECONDS = 3600.0
"""Longest that one step may take: 700 MB come over a slow line."""


@dataclasses.dataclass(frozen=True)
class TFLiteEnvironment:
    """The converter's environment in ``folder``, whether it is there or not."""

    folder: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    def problem(self) -> str | None:
        """Why it cannot be used, or None where it can."""
        if not self.folder.is_dir():
            return f"there is none in {self.folder}"
        try:
            stamp = read_json(self.folder / COMPLETE)
        except InputOutputError:
            return f"{self.folder} is incomplete"
        if not isinstance(stamp, dict) or stamp.get("lock_sha256") != lock_sha256():
            return f"{self.folder} was made by another version of edgesr"
        if not os.access(self.python, os.X_OK):
            return f"{self.folder} has lost its Python"
        return None

    def is_ready(self) -> bool:
        """Whether it is complete and made from this version's lock file."""
        return self.problem() is None

    def create(self, report: Callable[[str], None]) -> None:
        """Make it, or do nothing where it is ready. Takes minutes and about 2.6 GB.

        Raises:
            UnavailableError: a package cannot be installed.
            UsageError: the folder holds something else.
            InputOutputError: it cannot be written.
        """
        if self.is_ready():
            return
        with claimed(self.folder), self._fresh_folder():
            report("creating a Python environment")
            venv = [sys.executable, "-I", "-m", "venv", str(self.folder)]
            _run(venv, report, "cannot create a Python environment", "is Python's venv module installed?")
            where = "is the package index within reach?"
            _run(self.install_command(), report, "cannot install the TFLite converter", where)
            report("checking the environment")
            again = "please report it"
            _run([*self._pip, "check"], report, "the installed packages contradict each other", again)
            _run([str(self.python), "-I", "-c", SMOKE_TEST], report, "the TFLite converter does not start", again)

    def install_command(self) -> list[str]:
        """pip's, for the locked list: files of other contents are refused, and no package's own code is run."""
        checked = ["--require-hashes", "--only-binary", ":all:"]
        return [*self._pip, "install", "--progress-bar", "off", *checked, "--requirement", str(LOCK)]

    @property
    def _pip(self) -> list[str]:
        # By `python -m` throughout: scripts hold the folder's path in their first line, whose length is limited.
        return [str(self.python), "-I", "-m", "pip", "--disable-pip-version-check", "--no-input"]

    @contextmanager
    def _fresh_folder(self) -> Iterator[None]:
        """An empty folder that is stamped as complete if the block succeeds and vanishes if it does not."""
        folder = self.folder
        if folder.exists() and not (_is_ours(folder) or (folder.is_dir() and not any(folder.iterdir()))):
            raise UsageError(f"{folder} exists and is no environment of edgesr", "choose another folder")
        try:
            if folder.exists():
                shutil.rmtree(folder)
            folder.mkdir(parents=True)
            (folder / BEGUN).touch()
        except OSError as error:
            raise InputOutputError(
                f"cannot write {folder}: {error.strerror}", f"choose another place with {VARIABLE}"
            ) from error
        try:
            yield
            stamp = {"lock_sha256": lock_sha256(), "python": platform.python_version()}
            with file_aside(folder / COMPLETE) as aside:
                aside.write_text(json.dumps(stamp) + "\n")
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise InputOutputError(f"cannot write {folder}: {error.strerror}", "is the disk full?") from error
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise


def tflite_environment(folder: Path | None = None) -> TFLiteEnvironment:
    """The environment in ``folder``, else where ``EDGESR_TFLITE_ENV`` says, else in the user's cache.

    The cache's folder is named after the lock file, so that two versions of edgesr do not spoil each other's.
    """
    if folder is None and os.environ.get(VARIABLE):
        folder = expanded(os.environ[VARIABLE])
    if folder is None:
        folder = cache_folder() / f"tflite-{lock_sha256()[:12]}"
    return TFLiteEnvironment(folder.absolute())


def lock_sha256() -> str:
    """SHA-256 of the lock file, in hexadecimal."""
    return hashlib.sha256(LOCK.read_bytes()).hexdigest()


def _is_ours(folder: Path) -> bool:
    return (folder / BEGUN).is_file() or (folder / COMPLETE).is_file()


def _run(command: list[str], report: Callable[[str], None], failure: str, hint: str) -> None:
    """Run a step, reporting what pip is at; the last line it said becomes the error's reason."""
    said: list[str] = []

    def heard(line: str) -> None:
        said.append(line)
        if line.startswith("Collecting "):
            report(f"fetching {line.split()[1].split('==')[0]}")
        elif line.startswith("Installing collected packages"):
            report("installing packages")

    try:
        code, errors = run_child(command, heard, timeout=STEP_SECONDS)
    except ChildTimeoutError as error:
        raise UnavailableError(f"{failure}: {error}", hint) from error
    except OSError as error:
        raise UnavailableError(f"{failure}: {error.strerror}", hint) from error
    if code:
        reason = last_meaningful_line(errors if errors.strip() else "\n".join(said))
        if "No space left" in errors:
            raise InputOutputError(f"{failure}: the disk is full", f"it needs about 6 GB; {VARIABLE} says where")
        raise UnavailableError(f"{failure}: {reason}", hint)
