"""A runtime in a process of its own: what a file does to its engine, it does not do to us.

Engines in C++ trust the files they are given: a changed byte of a model ends the process that opens it. So a file that
nobody here has run yet is opened and run in a child, and a child that dies is an answer.

A question and its answer are a frame each: length of the header (uint32, little-endian), the header as JSON, whose
``arrays`` say type and shape of the values behind it.
"""

from __future__ import annotations

import contextlib
import json
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from edgesr.errors import BundleError, EdgesrError, UnavailableError
from edgesr.models.interface import Interface
from edgesr.runtime.base import GraphRuntime
from edgesr.runtime.engines import Engine

SECONDS = 300.0
"""Until a question is answered: generous, since a loaded machine is no wrong file."""
MOST_HEADER = 1 << 20
WORKER = "edgesr.runtime.isolated_worker"
DTYPES = ("float32", "float16", "int8", "uint8", "int32")


class IsolatedRuntime(GraphRuntime):
    """``engine`` on an artifact, in a child process. It ends with ``close`` or with this object."""

    name = "isolated"

    def __init__(
        self,
        engine: Engine,
        folder: Path,
        files: Mapping[str, str],
        interface: Interface,
        tensors: Mapping[str, Any],
        threads: int | None = None,
    ) -> None:
        """
        Raises:
            BundleError: the engine does not take the file, or is ended by it.
            UnavailableError: the engine is not installed, or not for this system.
        """
        self._engine, self._tensors = engine, tensors
        super().__init__(folder, files, interface, tensors, threads)

    def _open(self, folder: Path, files: Mapping[str, str], threads: int) -> None:
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed by _end)
        command, environment = self._program()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=environment,
        )
        self.close = weakref.finalize(self, _end, self._process, self._stderr)
        """End the child; otherwise that happens when this object is collected."""
        described = {
            "engine": [self._engine.module, self._engine.name],
            "folder": str(folder.resolve()),
            "files": dict(files),
            "interface": self.interface.to_dict(),
            "tensors": self._tensors,
            "threads": threads,
        }
        try:
            said, _ = self._ask({"question": "open", **described})
            self.name, self.accelerator = str(said["name"]), str(said["accelerator"])
        except BaseException:
            self.close()
            raise

    def _program(self) -> tuple[list[str], Mapping[str, str] | None]:
        """The child's command, and its environment where that is not ours."""
        return [sys.executable, "-P", "-m", WORKER], None  # -P: nothing of the current folder is imported

    def _run(self, graph: str, inputs: list[npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
        """As the engine's.

        Raises:
            BundleError: the engine raises, or is ended.
        """
        return self._ask({"question": "run", "graph": graph}, inputs)[1]

    def _ask(
        self, header: Mapping[str, Any], arrays: Sequence[npt.NDArray[Any]] = ()
    ) -> tuple[dict[str, Any], list[npt.NDArray[Any]]]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        late = threading.Event()

        def stop() -> None:
            late.set()
            self._process.kill()

        timer = threading.Timer(SECONDS, stop)
        timer.daemon = True
        timer.start()
        try:
            with contextlib.suppress(BrokenPipeError):  # it died: what it says is nothing, and the reason comes below
                write_frame(self._process.stdin, header, arrays)
            answer = read_frame(self._process.stdout)
        finally:
            timer.cancel()
        if answer is None:
            raise self._death(late.is_set())
        said, results = answer
        if "error" in said:
            kind = UnavailableError if said.get("kind") == "UnavailableError" else BundleError
            raise kind(str(said["error"])[:2000], str(said.get("hint", ""))[:500])
        return said, results

    def _death(self, late: bool) -> EdgesrError:
        code = self._process.wait()
        if late:
            return BundleError(f"the model keeps its runtime busy for over {SECONDS:.0f} s", "do not use it")
        with contextlib.suppress(ValueError):
            how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
            return BundleError(f"the model ends the runtime that opens it, {how}", "it is damaged: do not use it")
        return BundleError(f"the model ends the runtime that opens it ({code})", "it is damaged: do not use it")


class AlwaysIsolated(IsolatedRuntime):
    """An engine that runs in a process of its own wherever it is opened; a subclass says which."""

    inner: Engine

    def __init__(
        self,
        folder: Path,
        files: Mapping[str, str],
        interface: Interface,
        tensors: Mapping[str, Any],
        threads: int | None = None,
    ) -> None:
        """Raises as ``IsolatedRuntime``."""
        super().__init__(self.inner, folder, files, interface, tensors, threads)


def _end(process: subprocess.Popen[bytes], stderr: IO[bytes]) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, stderr):
        with contextlib.suppress(OSError):
            if stream is not None:
                stream.close()


def write_frame(stream: IO[bytes], header: Mapping[str, Any], arrays: Sequence[npt.NDArray[Any]] = ()) -> None:
    """Write a question or an answer."""
    described = [{"dtype": str(array.dtype), "shape": list(array.shape)} for array in arrays]
    text = json.dumps({**header, "arrays": described}).encode()
    stream.write(struct.pack("<I", len(text)) + text)
    for array in arrays:
        stream.write(np.ascontiguousarray(array).tobytes())
    stream.flush()


def read_frame(stream: IO[bytes]) -> tuple[dict[str, Any], list[npt.NDArray[Any]]] | None:
    """Read a question or an answer; None where the other side has ended."""
    start = stream.read(4)
    if len(start) < 4:
        return None
    (length,) = struct.unpack("<I", start)
    if length > MOST_HEADER:
        return None
    text = stream.read(length)
    if len(text) < length:
        return None
    header: dict[str, Any] = json.loads(text)
    arrays = []
    for described in header.pop("arrays"):
        if described["dtype"] not in DTYPES:
            return None
        dtype = np.dtype(described["dtype"])
        size = int(np.prod(described["shape"], dtype=np.int64)) * dtype.itemsize
        content = stream.read(size)
        if len(content) < size:
            return None
        arrays.append(np.frombuffer(content, dtype).reshape(described["shape"]))
    return header, arrays
