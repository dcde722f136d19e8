"""ONNX: ``encode.onnx`` and ``restore.onnx``: fp32, with weights stored as fp16, or int8 (QDQ)."""

from __future__ import annotations

import collections
import contextlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from edgesr.deployment.graphs import GRAPHS, GraphName, Graphs
from edgesr.process.quiet import quiet
from edgesr.residency import Residency

from ..int8 import Convolutions, arithmetic_of, computes_in
from ..precision import QUANTIZED, Precision
from ..repeated_work import read_torchlib_once, share_provenance
from ..target import Conversion, ReadBack, Report
from .int8 import Activations, convolutions, prepare_for_runtimes
from .webgpu import residency

if TYPE_CHECKING:
    import onnx

OPSET = 18
"""Old enough for onnxruntime-web, onnx2tf and phones' runtimes, new enough for everything used here."""


def convert(
    graphs: Graphs, precision: Precision, folder: Path, report: Report, activations: Activations = "uint8"
) -> Conversion:
    """Write one file a graph, with the graphs' metadata as ``metadata_props``.

    fp16 halves the files: the convolutions' weights are stored so and cast when the model is loaded.
    Everything is computed in fp32 all the same, as CPUs and browsers do it. int8 takes quantized graphs as they
    are; ``activations`` say in which of two equal forms (see ``int8``).
    """
    import onnx

    files: dict[str, str] = {}
    operators: dict[str, dict[str, int]] = {}
    for name in GRAPHS:
        report(f"exporting {name}")
        model = export_graph(graphs, name)
        if precision == "fp16":
            store_weights_as_fp16(model)
        if precision in QUANTIZED:
            prepare_for_runtimes(model, activations)
        onnx.checker.check_model(model, full_check=True)
        files[name] = f"{name}.onnx"
        onnx.save(model, folder / files[name])
        operators[name] = dict(sorted(collections.Counter(node.op_type for node in model.graph.node).items()))
    read = read_back(folder, files, precision)
    return Conversion(
        files=files,
        tensors=graphs.tensors(),
        arithmetic=read.arithmetic,
        computes_in=read.computes_in,
        operators=operators,
        toolchain={"opset": OPSET},
        convolutions=read.convolutions,
        residency=read.residency,
    )


def read_back(folder: Path, files: Mapping[str, str], precision: Precision) -> ReadBack:
    """What both files say of themselves; metadata that they do not share is left out."""
    import onnx

    found: dict[str, Convolutions] = {}
    residencies: dict[str, tuple[Residency, ...]] = {}
    metadata: list[set[tuple[str, str]]] = []
    for name in GRAPHS:
        model = onnx.load(folder / files[name], load_external_data=False)
        found[name] = convolutions(model)
        residencies[name] = (residency(model),)
        metadata.append({(entry.key, entry.value) for entry in model.metadata_props})
    shared = dict(set.intersection(*metadata))
    return ReadBack(found, arithmetic_of(precision, found), computes_in(found), shared, residencies)


def export_graph(graphs: Graphs, name: GraphName) -> onnx.ModelProto:
    """One graph as an ONNX model in fp32, with our tensor names, sizes and metadata and no trace of this machine."""
    share_provenance()
    read_torchlib_once()
    # The exporter reports its progress on stdout, which is for data.
    with quiet(), contextlib.redirect_stdout(io.StringIO()):
        program = torch.onnx.export(
            getattr(graphs, name),
            graphs.inputs(name),
            dynamo=True,
            opset_version=OPSET,
            input_names=graphs.input_names(name),
            output_names=graphs.output_names(name),
            optimize=True,
            verbose=False,
        )
    assert program is not None  # it is None only for the exporter that dynamo=True replaces
    model: onnx.ModelProto = program.model_proto
    # Nodes carry the stack trace that made them: source paths of this machine, a tenth of the file.
    for element in (*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        del element.metadata_props[:]
        element.doc_string = ""
    del model.metadata_props[:]
    for key, value in graphs.metadata.items():
        model.metadata_props.add(key=key, value=str(value))
    model.graph.name = name
    return model


def store_weights_as_fp16(model: onnx.ModelProto) -> None:
    """Store the weights of convolutions in fp16 with a Cast to fp32 behind each; runtimes fold it when they load.

    Sampling coordinates, biases and the bicubic skip stay as they are: they are small, and need the precision.
    """
    import onnx
    from onnx import numpy_helper

    graph = model.graph
    learned = {node.input[1] for node in graph.node if node.op_type == "Conv" and _groups(node) == 1}
    casts: list[Any] = []
    for tensor in graph.initializer:
        if tensor.name in learned and tensor.data_type == onnx.TensorProto.FLOAT:
            weight, name = numpy_helper.to_array(tensor), tensor.name
            tensor.CopyFrom(numpy_helper.from_array(weight.astype("float16"), f"{name}.fp16"))
            casts.append(
                onnx.helper.make_node("Cast", [tensor.name], [name], f"{name}.cast", to=onnx.TensorProto.FLOAT)
            )
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _groups(node: onnx.NodeProto) -> int:
    return next((attribute.i for attribute in node.attribute if attribute.name == "group"), 1)
