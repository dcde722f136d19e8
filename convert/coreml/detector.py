"""The face detector YuNet as one ``detector.mlpackage``, so that an iPhone finds the faces that the desktop finds.

One function for each of ``convert.detector``'s graphs, in float32: pictures [1, 3, side, side], outputs [1, cells, k].
coremltools reads no ONNX; YuNet's few kinds of operation are written to MIL one by one.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edgesr.errors import EdgesrError
from edgesr.files.atomic import folder_aside
from edgesr.files.leftovers import work_folder

from ..detector import MASK, SIGNATURES, Array, FixedGraph, fixed_graphs, require_equal
from ..target import Report
from .mil.evaluator import Function
from .mil.program import load_program, quiet_coremltools

DEFAULT_FUNCTION = "detect"


def convert_detector(onnx_file: Path, output: Path, report: Report = lambda _: None) -> float:
    """Write ``detector.mlpackage`` to ``output`` and return its largest difference from ONNX Runtime on a real face,
    the saved program evaluated operation by operation.

    Raises:
        InputOutputError: ``onnx_file`` is no YuNet.
        EdgesrError: it has an operation unknown here, or the result computes something else; nothing is written then.
    """
    graphs = fixed_graphs(onnx_file)
    with work_folder("detector") as scratch, quiet_coremltools(scratch):
        package = scratch / "detector.mlpackage"
        report("converting the detector to Core ML")
        _write(graphs, scratch, package)
        report("evaluating the saved program")
        program = load_program(package, tuple(SIGNATURES))
        results = {name: Function(program.functions[name])(graph.inputs) for name, graph in graphs.items()}
        difference = require_equal(graphs, results)
        with folder_aside(output) as aside:
            shutil.copytree(package, aside, dirs_exist_ok=True)
    return difference


def _write(graphs: dict[str, FixedGraph], scratch: Path, package: Path) -> None:
    import coremltools as ct

    functions = ct.utils.MultiFunctionDescriptor()
    for name, graph in graphs.items():
        part = scratch / f"{name}.mlpackage"
        model = ct.convert(
            to_mil(graph),
            convert_to="mlprogram",
            minimum_deployment_target=ct.target.iOS18,
            compute_precision=ct.precision.FLOAT32,  # pixels go to 255, boxes to hundreds of cells
            skip_model_load=True,
        )
        model.save(str(part))
        functions.add_function(str(part), src_function_name="main", target_function_name=name)
    functions.default_function_name = DEFAULT_FUNCTION
    joined = scratch / "joined.mlpackage"
    ct.utils.save_multifunction(functions, str(joined))
    whole = ct.models.MLModel(str(joined), skip_model_load=True)
    spec = whole.get_spec()
    spec.description.metadata.shortDescription = "YuNet: finds faces and their five landmarks"
    spec.description.metadata.license = "MIT"
    ct.utils.save_spec(spec, str(package), weights_dir=whole.weights_dir)


def to_mil(graph: FixedGraph) -> Any:
    """A graph as a MIL program with the ONNX names of its inputs and outputs."""
    import coremltools as ct
    import onnx
    from coremltools.converters.mil import Builder as mb  # noqa: N813 (its usual name)

    model = graph.model
    outputs = [tensor.name for tensor in model.graph.output]
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}

    def build(**inputs: Any) -> Any:
        values: dict[str, Any] = dict(inputs)
        for node in model.graph.node:
            if node.op_type not in OPERATIONS:
                raise EdgesrError(f"Core ML's detector has no {node.op_type}", "use the YuNet that edgesr ships")
            arguments = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            read = [values.get(name, constants.get(name)) for name in node.input]
            name = node.output[0]
            values[name] = OPERATIONS[node.op_type](mb, arguments, name, *read)
        return tuple(values[name] for name in outputs)

    specs = {name: mb.TensorSpec(array.shape) for name, array in graph.inputs.items()}

    def look(input: Any) -> Any:  # the builder names inputs after a function's parameters
        return build(input=input)

    def detect(input: Any, mask: Any) -> Any:
        return build(input=input, mask=mask)

    function = detect if MASK in specs else look
    return mb.program(input_specs=list(specs.values()), opset_version=ct.target.iOS18)(function)


def _conv(mb: Any, given: dict[str, Any], name: str, x: Any, weight: Array, bias: Array) -> Any:
    top, left, bottom, right = given["pads"]
    return mb.conv(
        x=x,
        weight=weight,
        bias=bias,
        strides=given["strides"],
        dilations=given["dilations"],
        groups=given["group"],
        pad_type="custom",
        pad=[top, bottom, left, right],
        name=name,
    )


def _max_pool(mb: Any, given: dict[str, Any], name: str, x: Any) -> Any:
    if any(given.get("pads", [])) or given.get("ceil_mode"):
        raise EdgesrError("Core ML's detector has no padded pooling", "use the YuNet that edgesr ships")
    return mb.max_pool(x=x, kernel_sizes=given["kernel_shape"], strides=given["strides"], pad_type="valid", name=name)


def _resize(mb: Any, given: dict[str, Any], name: str, x: Any, _region: Any, scales: Array | None, *sizes: Any) -> Any:
    if given["mode"] != b"nearest" or given["coordinate_transformation_mode"] != b"asymmetric":
        raise EdgesrError("Core ML's detector enlarges by nearest pixels alone", "use the YuNet that edgesr ships")
    factors = scales[2:] if scales is not None and scales.size else sizes[0][2:] / np.array(x.shape[2:])
    height, width = (float(factor) for factor in factors)
    return mb.upsample_nearest_neighbor(x=x, scale_factor_height=height, scale_factor_width=width, name=name)


OPERATIONS: dict[str, Callable[..., Any]] = {
    "Add": lambda mb, _, name, x, y: mb.add(x=x, y=y, name=name),
    "Conv": _conv,
    "MaxPool": _max_pool,
    "Mul": lambda mb, _, name, x, y: mb.mul(x=x, y=y, name=name),
    "Relu": lambda mb, _, name, x: mb.relu(x=x, name=name),
    "Reshape": lambda mb, _, name, x, shape: mb.reshape(x=x, shape=shape.astype(np.int32), name=name),
    "Resize": _resize,
    "Sigmoid": lambda mb, _, name, x: mb.sigmoid(x=x, name=name),
    "Transpose": lambda mb, given, name, x: mb.transpose(x=x, perm=given["perm"], name=name),
}
"""YuNet's operations in MIL: each takes the builder, the node's attributes, its name and what it reads."""
