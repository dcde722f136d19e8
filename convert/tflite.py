"""TFLite: one ``model.tflite`` with two signatures, ``encode`` and ``restore``, for LiteRT and tflite-runtime.

The way is torch → ONNX (here) → TensorFlow → TFLite (in the environment of ``edgesr setup tflite``). All images and
features of the artifact are NHWC, the layout in which galleries are stored.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edgesr.deployment.graphs import GRAPH_INPUTS, GRAPH_OUTPUTS, Graphs
from edgesr.errors import EdgesrError, InputOutputError, UnavailableError
from edgesr.files.leftovers import work_folder

from .child import ChildTimeoutError, last_meaningful_line, run_child
from .int8 import arithmetic_of, computes_in
from .onnx.conversion import export_graph
from .parity import FP32_MAX_ABS_ERROR, Check, psnr_threshold
from .precision import QUANTIZED, Precision
from .target import TFLITE_ENVIRONMENT, Conversion, ReadBack, Report
from .tflite_environment import TFLiteEnvironment, tflite_environment
from .tflite_int8 import convolutions, embedded_metadata
from .tflite_onnx import prepare_for_tensorflow

FILE = "model.tflite"
SECONDS = 900.0
"""Longest that a conversion may take; HIME-small takes 10."""
SETUP = "edgesr setup tflite"
NOISE_DB = 5.0
"""What an int8 artifact may agree less on the example inputs, which are noise, than on faces."""


def missing() -> list[str]:
    """``["tflite environment"]`` where it has not been made."""
    return [] if tflite_environment().is_ready() else [TFLITE_ENVIRONMENT]


def convert(graphs: Graphs, precision: Precision, folder: Path, report: Report) -> Conversion:
    """Write ``model.tflite``, with the graphs' metadata in it under the name ``edgesr`` as JSON.

    fp16 halves the file: the convolutions' weights are stored so. Everything is computed in fp32 all the same.

    Raises:
        UnavailableError: the environment is not there.
        EdgesrError: the converter refused the graphs, or the artifact does not run under tflite-runtime.
    """
    import onnx

    environment = tflite_environment()
    if problem := environment.problem():
        raise UnavailableError(f"no TFLite environment: {problem}", SETUP)
    with work_folder("tflite") as work:
        request = _request(graphs, precision, work)
        for graph in GRAPH_INPUTS:
            report(f"exporting {graph}")
            model = export_graph(graphs, graph)
            if precision in QUANTIZED:
                prepare_for_tensorflow(model)
            onnx.save(model, request["graphs"][graph]["onnx"])
        (work / "request.json").write_text(json.dumps(request))
        _run(environment, "tflite_worker.py", work, "cannot convert to TFLite", report)
        made = json.loads((work / "result.json").read_text())
        checks = _check(environment, work, precision, report)
        try:
            (folder / FILE).write_bytes((work / FILE).read_bytes())
        except OSError as error:
            raise InputOutputError(f"cannot write {folder / FILE}: {error.strerror}", "is the disk full?") from error
    files = {"model": FILE}
    read = read_back(folder, files, precision)
    return Conversion(
        files=files,
        tensors=_tensors(graphs, made["signatures"]),
        arithmetic=read.arithmetic,
        computes_in=read.computes_in,
        operators=made["operators"],
        toolchain={"minimum_runtime": made["minimum_runtime"], "made_with": made["tools"]},
        convolutions=read.convolutions,
        checks=checks,
    )


def read_back(folder: Path, files: Mapping[str, str], precision: Precision) -> ReadBack:
    """What the file says of itself; its metadata lie in it as JSON."""
    content = (folder / files["model"]).read_bytes()
    found = convolutions(content)
    return ReadBack(found, arithmetic_of(precision, found), computes_in(found), embedded_metadata(content))


def _request(graphs: Graphs, precision: Precision, work: Path) -> dict[str, Any]:
    """What the worker is asked for; the graphs' example inputs and outputs lie beside it."""
    arrays = {}
    with torch.inference_mode():
        for graph in GRAPH_INPUTS:
            inputs = graphs.inputs(graph)
            outputs = getattr(graphs, graph)(*inputs)
            outputs = outputs if isinstance(outputs, tuple) else (outputs,)
            named = zip((*GRAPH_INPUTS[graph], *GRAPH_OUTPUTS[graph]), (*inputs, *outputs), strict=True)
            arrays.update({f"{graph}.{key}": tensor.numpy() for key, tensor in named})
    np.savez(work / "arrays.npz", allow_pickle=False, **arrays)
    return {
        "graphs": {
            graph: {
                "onnx": str(work / f"{graph}.onnx"),
                "inputs": list(GRAPH_INPUTS[graph]),
                "outputs": list(GRAPH_OUTPUTS[graph]),
            }
            for graph in GRAPH_INPUTS
        },
        "arrays": str(work / "arrays.npz"),
        "precision": precision,
        "quantized": precision in QUANTIZED,
        "metadata": graphs.metadata,
        "model": str(work / FILE),
        "result": str(work / "result.json"),
        "check": str(work / "check.json"),
    }


def _check(environment: TFLiteEnvironment, work: Path, precision: Precision, report: Report) -> tuple[Check, ...]:
    """The gate under tflite-runtime, on the graphs' example inputs; empty where there is no tflite-runtime."""
    if sys.platform != "linux":
        return ()
    report("running it under tflite-runtime")
    _run(environment, "tflite_check.py", work, "the artifact does not run under tflite-runtime", report)
    checked: dict[str, Any] = json.loads((work / "check.json").read_text())
    return judge_second_runtime(checked, precision)


def judge_second_runtime(checked: dict[str, Any], precision: Precision) -> tuple[Check, ...]:
    """Checks from what ``tflite_check.py`` measured: ``outputs``, each with ``max_abs_error`` and ``psnr_db``.

    Both are relative to the output's peak where that is above 1. NaN passes no comparison.
    """
    runtime, checks = checked["runtime"], []
    for name, measured in checked["outputs"].items():
        if precision == "fp32":
            value, threshold = measured["max_abs_error"], FP32_MAX_ABS_ERROR
            checks.append(Check(f"{runtime} {name}: max abs error", value <= threshold, value, threshold))
        else:
            threshold = psnr_threshold(precision, name.split()[-1]) - (NOISE_DB if precision in QUANTIZED else 0.0)
            value = measured["psnr_db"]
            checks.append(Check(f"{runtime} {name}: PSNR dB", value >= threshold, value, threshold))
    return tuple(checks)


def _run(environment: TFLiteEnvironment, program: str, work: Path, failure: str, report: Report) -> None:
    """Run one of our programs in the other environment; its last words become the error's reason."""
    words: list[str] = []

    def heard(line: str) -> None:
        message = json.loads(line)
        if "stage" in message:
            report(message["stage"])
        else:
            words.append(message["error"])

    scratch = work / "scratch"
    scratch.mkdir(exist_ok=True)
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "TMPDIR": str(scratch)}
    # -I: neither PYTHONPATH nor this folder, whose onnx.py is not the library, reach the other environment.
    command: list[str | Path] = [environment.python, "-I", Path(__file__).with_name(program), work / "request.json"]
    try:
        code, errors = run_child(command, heard, timeout=SECONDS, cwd=scratch, environment={**os.environ, **quiet})
    except ChildTimeoutError as error:
        raise EdgesrError(f"{failure}: {error}", "is the machine overloaded?") from error
    except OSError as error:
        raise UnavailableError(f"{failure}: {error.strerror}", SETUP) from error
    if code:
        if "No space left" in errors:
            raise InputOutputError(f"{failure}: the disk is full", f"it works in {tempfile.gettempdir()}")
        reason = " ".join((words[-1] if words else last_meaningful_line(errors)).split())
        raise EdgesrError(f"{failure}: {reason[:300]}", "another --lowering may work; please report it")


def _tensors(graphs: Graphs, signatures: dict[str, Any]) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """The graphs' tensors as the artifact has them: NHWC where they are NCHW. ``signatures`` are the file's own."""

    def moved(tensor: dict[str, Any]) -> dict[str, Any]:
        if tensor["layout"] != "NCHW":
            return tensor
        n, c, h, w = tensor["shape"]
        return {**tensor, "shape": [n, h, w, c], "layout": "NHWC"}

    described = {
        graph: {side: [moved(tensor) for tensor in tensors] for side, tensors in sides.items()}
        for graph, sides in graphs.tensors().items()
    }
    expected = {
        graph: {side: {t["file_name"]: t["shape"] for t in tensors} for side, tensors in sides.items()}
        for graph, sides in described.items()
    }
    if signatures != expected:
        raise EdgesrError(f"the converter gave the artifact the signatures {signatures}", "please report it")
    return described
