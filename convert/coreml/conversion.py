"""Core ML: torch.export -> coremltools ML programs -> one ``.mlpackage`` with functions ``encode`` and ``restore``."""

from __future__ import annotations

import errno
import os
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from edgesr.deployment.graphs import GRAPHS, GraphName, Graphs
from edgesr.errors import UsageError
from edgesr.files.leftovers import work_folder
from edgesr.models.interface import Interface
from edgesr.runtime.base import Runtime

from ..int8 import computes_in
from ..precision import Precision
from ..repeated_work import share_provenance, without_validation
from ..target import Conversion, ReadBack, Report
from . import TARGET
from .mil.int8 import convolutions
from .mil.program import count_operations, describe_arithmetic, load_program, quiet_coremltools, user_metadata
from .mil.residency import residency

PACKAGE = "model.mlpackage"
DEFAULT_FUNCTION = "restore"
DESCRIPTIONS = {
    "exemplar": "A sharp, aligned photo of the person: RGB in [0, 1]",
    "lr": "The aligned LR face: RGB in [0, 1]",
    "features": "Exemplar features, as the function encode gives them for one photo",
    "valid": "1 where the slot holds an exemplar, 0 where it is empty (its features must be finite)",
    "sr": "The SR face: RGB, nominally in [0, 1]; clamp it",
    "weights": "Weight of each exemplar at each LR pixel: 0 in an empty slot",
}


def convert(graphs: Graphs, precision: Precision, folder: Path, report: Report) -> Conversion:
    """Write ``model.mlpackage`` (iOS 18, specification 9) into ``folder``.

    fp16 computes everything in float16 but sampling coordinates, which stay in float32; inputs and outputs are
    float32 in any precision. int8 is fp16 with quantized graphs, whose quantize and dequantize operations stay in
    the program; int8-weights is fp16 with the convolutions' weights stored as int8.
    """
    if precision not in TARGET.precisions:
        known = ", ".join(TARGET.precisions)
        raise UsageError(f"Core ML packages are not made in {precision}", f"precisions: {known}")
    with work_folder("coreml") as scratch, quiet_coremltools(scratch):
        _require_space(graphs, scratch)
        parts: dict[str, Path] = {}
        for name in GRAPHS:
            report(f"converting {name} to Core ML ({precision})")
            parts[name] = scratch / f"{name}.mlpackage"
            _convert_graph(graphs, name, precision, parts[name])
        report("joining both functions in one package")
        _join(parts, graphs.metadata, scratch)
        _copy(scratch / PACKAGE, folder / PACKAGE)
    program = load_program(folder / PACKAGE)
    read = _read_back(program, None)
    return Conversion(
        files={"model": PACKAGE},
        tensors=_with_file_names(graphs, program),
        arithmetic=read.arithmetic,
        computes_in=read.computes_in,
        operators=count_operations(program),
        convolutions=read.convolutions,
        residency=read.residency,
    )


def read_back(folder: Path, files: Mapping[str, str], precision: Precision) -> ReadBack:  # noqa: ARG001 (it is told)
    """What the package says of itself."""
    package = folder / files["model"]
    return _read_back(load_program(package), user_metadata(package))


def on_cpu(folder: Path, files: Mapping[str, str], interface: Interface, tensors: Mapping[str, Any]) -> Runtime:
    """What computes a package on the CPU alone, on a Mac."""
    from edgesr.runtime.coreml import CoreMLOnCpu

    return CoreMLOnCpu(folder, files, interface, tensors)


def _read_back(program: Any, metadata: dict[str, str] | None) -> ReadBack:
    found = convolutions(program)
    half = any(kernel.computed == "float16" for convs in found.values() for kernel in convs.kernels)
    is_int8 = computes_in(found) == "int8"
    computed = "int8" if is_int8 else "fp16" if half else "fp32"
    return ReadBack(found, describe_arithmetic(program), computed, metadata, residency(program))


def _convert_graph(graphs: Graphs, name: GraphName, precision: Precision, package: Path) -> None:
    import coremltools as ct
    import numpy as np

    share_provenance()
    with warnings.catch_warnings(action="ignore"), torch.no_grad():
        program = torch.export.export(getattr(graphs, name), graphs.inputs(name), strict=False).run_decompositions({})
    if precision != "fp32":
        from .precision import pipeline_with_float32_coordinates

        options = {
            "compute_precision": ct.precision.FLOAT16,
            "pass_pipeline": pipeline_with_float32_coordinates(),
        }
    else:
        options = {"compute_precision": ct.precision.FLOAT32}
    with without_validation():
        model = ct.convert(
            program,
            convert_to="mlprogram",
            # Several functions in a package need iOS 18; without a Mac there is nothing to load the model into.
            minimum_deployment_target=ct.target.iOS18,
            outputs=[ct.TensorType(name=output, dtype=np.float32) for output in graphs.output_names(name)],
            skip_model_load=True,
            **options,
        )
    model._mil_program.validate(check_essential_scope=True)
    if precision == "int8-weights":
        model = _store_weights_as_int8(model)
    model.save(str(package))


def _store_weights_as_int8(model: Any) -> Any:
    """The convolutions' weights as int8, symmetric per output channel; the bicubic skip's matrices as they are."""
    import coremltools.optimize.coreml as optimize

    each = optimize.OpLinearQuantizerConfig(
        mode="linear_symmetric", dtype="int8", granularity="per_channel", weight_threshold=0
    )
    # Offsets move a sample by what they are wrong: their convolutions keep float16.
    offsets = {
        op.name: None
        for op in model._mil_program.functions["main"].operations
        if op.op_type == "conv" and _reaches_tanh(op)
    }
    config = optimize.OptimizationConfig(op_type_configs={"conv": each}, op_name_configs=offsets)
    return optimize.linear_quantize_weights(model, config)


def _reaches_tanh(op: Any) -> bool:
    readers = op.outputs[0].child_ops
    return any(reader.op_type == "tanh" or (reader.op_type == "cast" and _reaches_tanh(reader)) for reader in readers)


def _join(parts: dict[str, Path], metadata: dict[str, str | int], scratch: Path) -> None:
    """One package with a function per part, and with metadata and descriptions, which joining would drop."""
    import coremltools as ct

    functions = ct.utils.MultiFunctionDescriptor()
    for name, path in parts.items():
        functions.add_function(str(path), src_function_name="main", target_function_name=name)
    functions.default_function_name = DEFAULT_FUNCTION
    joined = scratch / "joined.mlpackage"
    ct.utils.save_multifunction(functions, str(joined))
    model = ct.models.MLModel(str(joined), skip_model_load=True)
    spec = model.get_spec()
    spec.description.metadata.shortDescription = (
        "edgesr: restores a small face with features of the same person's photos"
    )
    spec.description.metadata.userDefined.update({key: str(value) for key, value in metadata.items()})
    for function in spec.description.functions:
        for feature in (*function.input, *function.output):
            feature.shortDescription = DESCRIPTIONS.get(feature.name, "")
    ct.utils.save_spec(spec, str(scratch / PACKAGE), weights_dir=model.weights_dir)


def _require_space(graphs: Graphs, scratch: Path) -> None:
    """Raise what a full disk would: coremltools fails on one with all sorts of errors that do not say so."""
    weights = sum(tensor.nbytes for graph in (graphs.encode, graphs.restore) for tensor in graph.state_dict().values())
    # The weights lie there up to five times: for each graph, joined, in the package, and before each is packed.
    if shutil.disk_usage(scratch).free < 5 * weights + 4 * 1024**2:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(scratch.parent))


def _copy(source: Path, destination: Path) -> None:
    """Copy a package file by file, so that a full or read-only disk is an ``OSError`` that says so."""
    if destination.exists():
        shutil.rmtree(destination)
    for path in [source, *sorted(source.rglob("*"))]:
        copy = destination / path.relative_to(source)
        if path.is_dir():
            copy.mkdir()
        else:
            shutil.copyfile(path, copy)


def _with_file_names(graphs: Graphs, program: Any) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """The graphs' tensors, each with its name in the saved program."""
    tensors: dict[str, dict[str, list[dict[str, Any]]]] = graphs.tensors()
    for name, sides in tensors.items():
        function = program.functions[name]
        saved = {"inputs": list(function.inputs), "outputs": [var.name for var in function.outputs]}
        for side, entries in sides.items():
            for entry, file_name in zip(entries, saved[side], strict=True):
                entry["file_name"] = file_name
    return tensors
