"""onnxruntime-web in a headless Chromium: runs a web bundle's graphs where they will be run, inside a page.

Its graphs are served on the loopback interface beside the installed page, whose ``verify.html`` asks for jobs and posts
back what came out. A job and a result are a frame each: length of the header (uint32, little-endian, a multiple of 4),
JSON, float32 values.
"""

from __future__ import annotations

import json
import queue
import re
import secrets
import struct
import time
import weakref
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesr.booth.chromium import NONE, VARIABLE, Chromium, find_chromium
from edgesr.booth.server import FolderHandler, FolderServer
from edgesr.booth.site import site_files, site_folder
from edgesr.errors import BundleError, EdgesrError, UnavailableError
from edgesr.runtime.base import GraphRuntime

PAGE, JOB, RESULT = "verify.html", "verify/job", "verify/result"
WAIT = 5.0
"""Seconds that the page's question for a job stays open."""
START_SECONDS, RUN_SECONDS = 120.0, 300.0
"""Until the page first asks, and until a job is done: generous, since a loaded machine is no wrong picture."""
MOST_BYTES = 1 << 28
WORD = 4


class WebRuntime(GraphRuntime):
    """Both graphs on onnxruntime-web's WASM, on one thread as in the booth."""

    name = "onnxruntime-web"

    def _open(self, folder: Path, files: Mapping[str, str], threads: int) -> None:  # noqa: ARG002
        """``threads`` has no effect: WASM's threads need headers that hosts seldom send, so the booth uses one.

        Raises:
            UnavailableError: there is no Chromium, or it does not start.
            BundleError: onnxruntime-web does not take a graph.
        """
        program = find_chromium()
        if program is None:
            raise UnavailableError(
                "a web bundle runs in Chromium, and there is none",
                f"install chromium, or set {VARIABLE}; its models/* are ONNX bundles that run without",
            )
        self._files = files
        # The installed page alone runs: a bundle gives its two graphs, whatever else lies in it.
        page, inside = site_folder(), folder.resolve()
        graphs = {name: (inside / name).resolve() for name in files.values()}
        given = {name: path for name, path in graphs.items() if path.is_relative_to(inside) and path.suffix == ".onnx"}
        self._page = Page(program, given | {name: page / name for name in site_files(page)})
        self.name = f"onnxruntime-web in {self._page.browser}"
        for graph in self.specs:
            self._page.call({"model": files[graph]})

    def _run(self, graph: str, inputs: list[npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
        outputs, _ = self._call_page(graph, inputs, 0)
        return [outputs[spec.file_name] for spec in self.specs[graph]["outputs"]]

    def milliseconds(self, graph: str, inputs: list[npt.NDArray[Any]], count: int) -> list[float]:
        """As the page's own clock has them: nothing of the way to it and back."""
        with self.exclusive():
            return self._call_page(graph, inputs, count)[1]

    def close(self) -> None:
        """End the browser; otherwise it ends when this object is collected."""
        self._page.close()

    def _call_page(
        self, graph: str, inputs: list[npt.NDArray[Any]], count: int
    ) -> tuple[dict[str, npt.NDArray[Any]], list[float]]:
        specs = self.specs[graph]["inputs"]
        described = [
            {"name": spec.file_name, "shape": list(array.shape)} for spec, array in zip(specs, inputs, strict=True)
        ]
        header, tensors = self._page.call({"model": self._files[graph], "inputs": described, "runs": count}, inputs)
        named = {output["name"]: tensor for output, tensor in zip(header["outputs"], tensors, strict=True)}
        return named, header["milliseconds"]


class Page:
    """``verify.html`` in a browser, as a function from jobs to results."""

    def __init__(self, program: Path, files: Mapping[str, Path]) -> None:
        # Another page that finds the port cannot guess the path, so it can neither take jobs nor give results.
        self._server = _PageServer(files)
        self._server.serve_in_background()
        self._chromium = Chromium(program, f"{self._server.address}{PAGE}")
        self.close = weakref.finalize(self, _end, self._chromium, self._server)
        """End the browser and the server; otherwise that happens when this object is collected."""
        try:
            self.browser = self._result(self._server.browser, START_SECONDS, "show its page")
        except BaseException:
            self.close()
            raise

    def call(
        self, header: Mapping[str, Any], tensors: Sequence[npt.NDArray[Any]] = ()
    ) -> tuple[dict[str, Any], list[npt.NDArray[np.float32]]]:
        """Run a job. Raises BundleError with what onnxruntime-web says of a graph it does not take."""
        self._server.jobs.put(write_frame(header, tensors))
        result, outputs = read_frame(self._result(self._server.results, RUN_SECONDS, "run a graph"))
        if "error" in result:
            raise BundleError(f"onnxruntime-web cannot run {header['model']}: {result['error']:.500}", "convert again")
        return result, outputs

    def _result(self, source: queue.Queue[Any], seconds: float, what: str) -> Any:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                return source.get(timeout=0.5)
            except queue.Empty:
                if self._chromium.ended:
                    raise UnavailableError(
                        f"Chromium ended before it could {what}: {self._chromium.last_words():.300}",
                        f"{VARIABLE} names another browser; {VARIABLE}={NONE} has the graphs run by onnxruntime",
                    ) from None
        raise EdgesrError(f"Chromium took more than {seconds:.0f} s to {what}", "is the machine overloaded? try again")


def _end(chromium: Chromium, server: _PageServer) -> None:
    chromium.close()
    server.shutdown()
    server.server_close()


class _PageServer(FolderServer):
    def __init__(self, files: Mapping[str, Path]) -> None:
        self.jobs: queue.Queue[bytes] = queue.Queue()
        self.results: queue.Queue[bytes] = queue.Queue()
        self.browser: queue.Queue[str] = queue.Queue()
        super().__init__(files, prefix=f"{secrets.token_urlsafe(16)}/", gzipped=False, handler=_PageHandler)


class _PageHandler(FolderHandler):
    server: _PageServer

    def do_GET(self) -> None:
        name = self.asked()
        if name == JOB:
            self._give_job()
        elif name is not None:
            self.answer_file()

    def do_POST(self) -> None:
        length, name = self.headers.get("Content-Length", ""), self.asked()
        if name is None:
            return
        if name != RESULT or not length.isdecimal() or int(length) > MOST_BYTES:
            self.refuse(HTTPStatus.BAD_REQUEST, "no result")
            return
        self.server.results.put(self.read_body(int(length)))
        self.send(HTTPStatus.NO_CONTENT, b"", {})

    def _give_job(self) -> None:
        if self.server.browser.empty():
            self.server.browser.put(_browser_of(self.headers.get("User-Agent", "")))
        try:
            job = self.server.jobs.get(timeout=WAIT)
        except queue.Empty:
            self.send(HTTPStatus.NO_CONTENT, b"", {})
            return
        self.send(HTTPStatus.OK, job, {"Content-Type": "application/octet-stream", "Cache-Control": "no-store"})


def _browser_of(agent: str) -> str:
    found = re.search(r"Chrome/(\d+)", agent)
    return f"Chromium {found[1]}" if found else "a browser"


def write_frame(header: Mapping[str, Any], tensors: Sequence[npt.NDArray[Any]]) -> bytes:
    """A job as the page reads it."""
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % WORD)
    values = b"".join(np.ascontiguousarray(tensor, "<f4").tobytes() for tensor in tensors)
    return struct.pack("<I", len(text)) + text + values


def read_frame(content: bytes) -> tuple[dict[str, Any], list[npt.NDArray[np.float32]]]:
    """A result of the page: its header, and its tensors in their shapes."""
    (length,) = struct.unpack_from("<I", content)
    header: dict[str, Any] = json.loads(content[WORD : WORD + length])
    tensors, offset = [], WORD + length
    for described in header.get("outputs", []):
        count = int(np.prod(described["shape"]))
        tensors.append(np.frombuffer(content, "<f4", count, offset).reshape(described["shape"]))
        offset += WORD * count
    return header, tensors
