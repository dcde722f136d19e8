"""What TFLite conversion needs beside edgesr's own packages, and its environment cannot hold.

onnx2tf pins all that it could use to exact versions, among them another numpy and onnx, and declares Python 3.12 for
sources that run on 3.11. What is used of it, its own FlatBuffer writer, runs on edgesr's versions; so it is installed
alone into a folder, and the process that converts looks there behind all that is installed.

tflite-runtime, the oldest runtime that artifacts must run on, needs numpy below 2 and exists for Linux and Python up to
3.11. It gets a folder with both, and the Python that it takes: edgesr's own, or another on the path. Without one
artifacts are checked on LiteRT alone.

A folder without ``COMPLETE``, which is written last, counts as absent, whatever it holds.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
import os
import platform
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgesr.errors import InputOutputError, UnavailableError, UsageError
from edgesr.files.atomic import file_aside
from edgesr.files.claims import claimed
from edgesr.files.places import cache_folder, expanded
from edgesr.files.reading import read_json

from ..child import ChildTimeoutError, last_meaningful_line, run_child

CONVERTER_LOCK = Path(__file__).with_name("converter_requirements.txt")
RUNTIME_LOCK = Path(__file__).with_name("runtime_requirements.txt")
VARIABLE = "EDGESR_TFLITE_ENV"
BEGUN, COMPLETE = ".edgesr-begun", "edgesr-environment.json"
RUNTIME_PYTHON = (3, 11)
"""The last Python that tflite-runtime was built for, and the one whose files the lock has."""
CONVERTER_STARTS = "from onnx2tf.tflite_builder import export_tflite_model_flatbuffer_direct"
RUNTIME_STARTS = "from tflite_runtime.interpreter import Interpreter"
STEP_SECONDS = 1800.0
"""Longest that one step may take: 25 MB come over a slow line."""


@dataclasses.dataclass(frozen=True)
class TFLiteEnvironment:
    """The folder for it, whether it is there or not."""

    folder: Path

    @property
    def converter(self) -> Path:
        """The folder in which onnx2tf lies."""
        return self.folder / "converter"

    @property
    def runtime(self) -> Path:
        """The folder in which tflite-runtime lies, if it is there."""
        return self.folder / "runtime"

    def runtime_python(self) -> Path | None:
        """The Python for tflite-runtime; None where it was not installed."""
        python = self._stamp().get("runtime_python")
        return Path(python) if python else None

    def tools(self, quantized: bool) -> dict[str, str]:
        """Versions of what makes an artifact here."""
        (onnx2tf,) = re.findall(r"^onnx2tf==([\w.]+)", CONVERTER_LOCK.read_text(), re.MULTILINE)
        quantizer = {"ai-edge-quantizer": importlib.metadata.version("ai-edge-quantizer")} if quantized else {}
        return {"onnx2tf": onnx2tf, **quantizer}

    def problem(self) -> str | None:
        """Why it cannot be used, or None where it can."""
        if not self.folder.is_dir():
            return f"there is none in {self.folder}"
        stamp = self._stamp()
        if not stamp:
            return f"{self.folder} is incomplete"
        if stamp.get("lock_sha256") != lock_sha256():
            return f"{self.folder} was made by another version of edgesr"
        python = self.runtime_python()
        if python is not None and not os.access(python, os.X_OK):
            return f"{self.folder} was made with a Python that is gone: {python}"
        return None

    def is_ready(self) -> bool:
        """Whether it is complete and made from this version's lock files."""
        return self.problem() is None

    def create(self, report: Callable[[str], None]) -> None:
        """Make it, or do nothing where it is ready. Takes seconds and about 120 MB.

        Raises:
            UnavailableError: a package cannot be installed.
            UsageError: the folder holds something else.
            InputOutputError: it cannot be written.
        """
        if self.is_ready():
            return
        python = find_runtime_python()
        with claimed(self.folder), self._fresh_folder(python):
            where = "is the package index within reach?"
            refused = "the TFLite converter cannot be installed"
            _run(self.install_command(CONVERTER_LOCK, self.converter), report, refused, where)
            if python is not None:
                command = self.install_command(RUNTIME_LOCK, self.runtime)
                _run([*command, *for_python(RUNTIME_PYTHON)], report, "tflite-runtime cannot be installed", where)
            report("checking what was installed")
            again = "please report it"
            start = f"import sys; sys.path.append({str(self.converter)!r}); {CONVERTER_STARTS}"
            _run([sys.executable, "-I", "-c", start], report, "the TFLite converter does not start", again)
            if python is not None:
                start = f"import sys; sys.path.insert(0, {str(self.runtime)!r}); {RUNTIME_STARTS}"
                _run([str(python), "-I", "-S", "-c", start], report, "tflite-runtime does not start", again)

    def install_command(self, lock: Path, folder: Path) -> list[str]:
        """pip's, for a locked list: files of other contents are refused, and no package's own code is run."""
        pip = [sys.executable, "-I", "-m", "pip", "--disable-pip-version-check", "--no-input"]
        checked = ["--require-hashes", "--only-binary", ":all:", "--no-deps", "--ignore-requires-python"]
        where = ["--target", str(folder), "--requirement", str(lock)]
        return [*pip, "install", "--progress-bar", "off", "--no-warn-conflicts", *checked, *where]

    def _stamp(self) -> dict[str, Any]:
        try:
            stamp = read_json(self.folder / COMPLETE)
        except InputOutputError:
            return {}
        return stamp if isinstance(stamp, dict) else {}

    @contextmanager
    def _fresh_folder(self, runtime_python: Path | None) -> Iterator[None]:
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
            stamp = {
                "lock_sha256": lock_sha256(),
                "python": platform.python_version(),
                "runtime_python": None if runtime_python is None else str(runtime_python),
            }
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

    The cache's folder is named after the lock files, so that two versions of edgesr do not spoil each other's.
    """
    if folder is None and os.environ.get(VARIABLE):
        folder = expanded(os.environ[VARIABLE])
    if folder is None:
        folder = cache_folder() / f"tflite-{lock_sha256()[:12]}"
    return TFLiteEnvironment(folder.absolute())


def find_runtime_python() -> Path | None:
    """A Python that tflite-runtime runs on: this one, or the path's; None where there is none, as on other systems."""
    if sys.platform != "linux":
        return None
    if sys.version_info[:2] == RUNTIME_PYTHON:
        return Path(sys.executable)
    found = shutil.which("python{}.{}".format(*RUNTIME_PYTHON))
    return Path(found) if found else None


def for_python(version: tuple[int, int]) -> list[str]:
    """pip's options for the files of another Python than its own."""
    return ["--python-version", "{}.{}".format(*version), "--implementation", "cp"]


def lock_sha256() -> str:
    """SHA-256 over the lock files, in hexadecimal."""
    return hashlib.sha256(CONVERTER_LOCK.read_bytes() + RUNTIME_LOCK.read_bytes()).hexdigest()


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
            raise InputOutputError(f"{failure}: the disk is full", f"it needs 300 MB; {VARIABLE} says where")
        if "No module named pip" in errors:
            hint = "python -m ensurepip"
        raise UnavailableError(f"{failure}: {reason}", hint)
