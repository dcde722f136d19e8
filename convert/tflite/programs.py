"""The two programs of their own that TFLite conversion takes: onnx2tf's, and the one on the oldest runtime."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgesr.errors import EdgesrError, InputOutputError, UnavailableError

from ..child import ChildTimeoutError, last_meaningful_line, run_child
from ..target import Report
from .environment import TFLiteEnvironment
from .example import Example

SECONDS = 900.0
"""Longest that a program may take; onnx2tf takes 4 for HIME-small."""
SETUP = "edgesr setup tflite"


def run_onnx2tf(environment: TFLiteEnvironment, work: Path, graphs: Sequence[str], report: Report) -> dict[str, bytes]:
    """Float TFLite models of ``work``'s ``GRAPH.onnx``, each with one signature. Inputs keep their axes.

    Raises:
        EdgesrError: onnx2tf does not take a graph.
    """
    files = {graph: {"onnx": str(work / f"{graph}.onnx"), "tflite": str(work / f"{graph}.tflite")} for graph in graphs}
    request = {"graphs": files, "converter": str(environment.converter)}
    # -I: neither PYTHONPATH nor this folder, whose onnx is not the library, are looked into.
    _run([sys.executable, "-I"], "worker.py", request, work, "cannot convert to TFLite", report)
    return {graph: (work / f"{graph}.tflite").read_bytes() for graph in graphs}


def run_second_runtime(
    environment: TFLiteEnvironment, work: Path, content: bytes, examples: Mapping[str, Example]
) -> dict[str, Any]:
    """The ``runtime`` by name and version, and of each of ``outputs`` its ``max_abs_error`` and ``psnr_db``.

    Raises:
        EdgesrError: it does not run the model.
    """
    model, arrays, result = work / "model.tflite", work / "arrays.npz", work / "measured.json"
    model.write_bytes(content)
    named = {
        f"{graph}.{key}": array
        for graph, example in examples.items()
        for key, array in (*example.inputs.items(), *example.outputs.items())
    }
    np.savez(arrays, allow_pickle=False, **named)
    request = {
        "runtime": str(environment.runtime),
        "model": str(model),
        "arrays": str(arrays),
        "result": str(result),
        "graphs": {
            graph: {"inputs": list(example.inputs), "outputs": list(example.outputs)}
            for graph, example in examples.items()
        },
    }
    python = environment.runtime_python()
    assert python is not None
    failure = "the artifact does not run under tflite-runtime"
    _run([str(python), "-I", "-S"], "second_runtime.py", request, work, failure, lambda stage: None)
    measured: dict[str, Any] = json.loads(result.read_text())
    return measured


def _run(python: list[str], program: str, request: dict[str, Any], work: Path, failure: str, report: Report) -> None:
    """Run one of our programs; its last words become the error's reason."""
    words: list[str] = []

    def heard(line: str) -> None:
        message = json.loads(line)
        if "stage" in message:
            report(message["stage"])
        else:
            words.append(message["error"])

    scratch, asked = work / "scratch", work / "request.json"
    scratch.mkdir(exist_ok=True)
    asked.write_text(json.dumps(request))
    command: list[str | Path] = [*python, Path(__file__).with_name(program), asked]
    try:
        code, errors = run_child(
            command, heard, timeout=SECONDS, cwd=scratch, environment={**os.environ, "TMPDIR": str(scratch)}
        )
    except ChildTimeoutError as error:
        raise EdgesrError(f"{failure}: {error}", "is the machine overloaded?") from error
    except OSError as error:
        raise UnavailableError(f"{failure}: {error.strerror}", SETUP) from error
    if code:
        if "No space left" in errors:
            raise InputOutputError(f"{failure}: the disk is full", f"it works in {tempfile.gettempdir()}")
        reason = " ".join((words[-1] if words else last_meaningful_line(errors)).split())
        raise EdgesrError(f"{failure}: {reason[:300]}", "another --lowering may work; please report it")
