"""TFLite: one ``model.tflite`` with two signatures, ``encode`` and ``restore``, for LiteRT and tflite-runtime.

The way is torch → ONNX → TFLite, each graph by itself, int8 by ai-edge-quantizer; then both become one file. All images
and features of the artifact are NHWC, the layout in which galleries are stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from edgesr.deployment.graphs import GRAPHS, Graphs
from edgesr.errors import EdgesrError, InputOutputError, UnavailableError
from edgesr.files.leftovers import work_folder

from ..int8 import arithmetic_of, computes_in
from ..onnx.conversion import export_graph
from ..parity import FP32_MAX_ABS_ERROR, Check, psnr_threshold
from ..precision import QUANTIZED, Precision
from ..target import Conversion, ReadBack, Report
from . import ENVIRONMENT
from .contents import convolutions, embedded_metadata, list_operators, list_signatures
from .environment import TFLiteEnvironment, tflite_environment
from .example import Example
from .gpu import residency
from .nodes import graph_nodes as graph_nodes
from .nodes import node_milliseconds as node_milliseconds
from .onnx_form import prepare
from .programs import SETUP, run_second_runtime
from .quantization import Steps, take_steps
from .translation import translate

FILE = "model.tflite"
NOISE_DB = 5.0
"""What an int8 artifact may agree less on the example inputs, which are noise, than on faces."""


def missing() -> list[str]:
    """``["tflite environment"]`` where it has not been made."""
    return [] if tflite_environment().is_ready() else [ENVIRONMENT]


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
        steps: dict[str, Steps] = {}
        for graph in GRAPHS:
            report(f"exporting {graph}")
            model = export_graph(graphs, graph)
            if precision in QUANTIZED:
                steps[graph] = take_steps(model)
            prepare(model)
            onnx.save(model, work / f"{graph}.onnx")
        example = examples(graphs)
        content = translate(
            environment, work, example, report, metadata=graphs.metadata, steps=steps, fp16=precision == "fp16"
        )
        tensors = _tensors(graphs, list_signatures(content))
        checks = _check(environment, work, content, example, precision, report)
        try:
            (folder / FILE).write_bytes(content)
        except OSError as error:
            raise InputOutputError(f"cannot write {folder / FILE}: {error.strerror}", "is the disk full?") from error
    files = {"model": FILE}
    read = read_back(folder, files, precision)
    ran = checks[0].name.split()[1] if checks else ""
    return Conversion(
        files=files,
        tensors=tensors,
        arithmetic=read.arithmetic,
        computes_in=read.computes_in,
        operators=list_operators(content),
        toolchain={"minimum_runtime": ran, "made_with": environment.tools(quantized=precision in QUANTIZED)},
        convolutions=read.convolutions,
        residency=read.residency,
        checks=checks,
    )


def read_back(folder: Path, files: Mapping[str, str], precision: Precision) -> ReadBack:
    """What the file says of itself; its metadata lie in it as JSON."""
    content = (folder / files["model"]).read_bytes()
    found = convolutions(content)
    metadata = embedded_metadata(content)
    return ReadBack(found, arithmetic_of(precision, found), computes_in(found), metadata, residency(content))


def examples(graphs: Graphs) -> dict[str, Example]:
    """Per graph, example inputs and the outputs that it has for them, as ONNX has their axes."""
    made: dict[str, Example] = {}
    with torch.inference_mode():
        for graph in GRAPHS:
            inputs = graphs.inputs(graph)
            outputs = getattr(graphs, graph)(*inputs)
            outputs = outputs if isinstance(outputs, tuple) else (outputs,)
            made[graph] = Example(
                {key: tensor.numpy() for key, tensor in zip(graphs.input_names(graph), inputs, strict=True)},
                {key: tensor.numpy() for key, tensor in zip(graphs.output_names(graph), outputs, strict=True)},
            )
    return made


def _check(
    environment: TFLiteEnvironment,
    work: Path,
    content: bytes,
    example: Mapping[str, Example],
    precision: Precision,
    report: Report,
) -> tuple[Check, ...]:
    """The gate under tflite-runtime, on the graphs' example inputs; empty where there is no tflite-runtime."""
    if environment.runtime_python() is None:
        return ()
    report("running it under tflite-runtime")
    return judge_second_runtime(run_second_runtime(environment, work, content, example), precision)


def judge_second_runtime(checked: dict[str, Any], precision: Precision) -> tuple[Check, ...]:
    """Checks from what ``second_runtime.py`` measured: ``outputs``, each with ``max_abs_error`` and ``psnr_db``.

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
