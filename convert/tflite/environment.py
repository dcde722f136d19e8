"""What TFLite conversion needs beside edgesr's own packages, and its environment cannot hold.

onnx2tf pins all that it could use to exact versions, among them another numpy and onnx, and declares Python 3.12 for
sources that run on 3.11. What is used of it, its own FlatBuffer writer, runs on edgesr's versions; so it is installed
alone into a folder, and the process that converts looks there behind all that is installed.

tflite-runtime, the oldest runtime that artifacts must run on, needs numpy below 2 and exists for Linux and Python up to
3.11. It gets a folder with both, and the Python that it takes: edgesr's own, or another on the path. Without one
artifacts are checked on LiteRT alone.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import os
import platform
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from edgesr.files.claims import claimed
from edgesr.files.environments import fresh_environment, read_stamp
from edgesr.files.places import cache_folder, expanded

from ..step import for_python, pip_install, run_step

CONVERTER_LOCK = Path(__file__).with_name("converter_requirements.txt")
RUNTIME_LOCK = Path(__file__).with_name("runtime_requirements.txt")
VARIABLE = "EDGESR_TFLITE_ENV"
RUNTIME_PYTHON = (3, 11)
"""The last Python that tflite-runtime was built for, and the one whose files the lock has."""
CONVERTER_STARTS = "from onnx2tf.tflite_builder import export_tflite_model_flatbuffer_direct"
RUNTIME_STARTS = "from tflite_runtime.interpreter import Interpreter"


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
        python = read_stamp(self.folder).get("runtime_python")
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
        stamp = read_stamp(self.folder)
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
        stamp = {
            "lock_sha256": lock_sha256(),
            "python": platform.python_version(),
            "runtime_python": None if python is None else str(python),
        }
        with claimed(self.folder), fresh_environment(self.folder, stamp, VARIABLE):
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
        """pip's, for a locked list."""
        return pip_install(lock, folder)


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


def lock_sha256() -> str:
    """SHA-256 over the lock files, in hexadecimal."""
    return hashlib.sha256(CONVERTER_LOCK.read_bytes() + RUNTIME_LOCK.read_bytes()).hexdigest()


def _run(command: list[str], report: Callable[[str], None], failure: str, hint: str) -> None:
    run_step(command, report, failure, hint, space=f"it needs 300 MB; {VARIABLE} says where")
