"""The operators of a TFLite file as a graph, and how long each takes alone."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesr.process.quiet import capture_native_stderr, quiet
from edgesr.runtime.base import timed

from ..int8 import Step
from ..nodes import ArtifactNode
from .contents import constant_data, float_kernel
from .flatbuffer import kind, operators_of, parse, schema, serialize

BACKEND = "LiteRT"
"""Kernels and XNNPACK's, which its CPU runtime chooses itself: the file does not say."""
ONLY_ROUND = ("QUANTIZE", "DEQUANTIZE")
Arrays = Mapping[str, npt.NDArray[Any]]


def graph_nodes(folder: Path, files: Mapping[str, str]) -> dict[str, list[ArtifactNode]]:
    """Per signature, its operators in their order."""
    model = parse((folder / files["model"]).read_bytes())
    found = {}
    for signature in model.signatureDefs:
        graph = model.subgraphs[signature.subgraphIndex]
        nodes = [_node(model, graph, operator, reads) for operator, reads in operators_of(graph)]
        found[signature.signatureKey.decode()] = nodes
    return found


def _node(model: Any, graph: Any, operator: Any, reads: tuple[int, ...]) -> ArtifactNode:
    name, output = kind(model, operator), graph.tensors[operator.outputs[0]]
    is_int8 = output.type == schema().TensorType.INT8
    kernel = float_kernel(model, graph, operator) if name == "CONV_2D" else None
    weights = None if kernel is None else kernel.weight.astype(np.float32).tobytes()
    if name == "CONV_2D" and weights is None:
        tensor = graph.tensors[operator.inputs[1]]
        data = constant_data(model, tensor)
        if data is not None:
            stored = np.frombuffer(data, np.int8).reshape(tensor.shape)
            weights = np.ascontiguousarray(stored.transpose(0, 3, 1, 2)).tobytes()
    step = Step(float(output.quantization.scale[0]), int(output.quantization.zeroPoint[0])) if is_int8 else None
    return ArtifactNode(
        key=output.name.decode(errors="replace"),
        kind=name,
        reads=reads,
        int8=is_int8 and name not in ONLY_ROUND,
        backend=BACKEND,
        within=graph.name.decode(errors="replace"),
        step=step,
        weights=weights,
    )


def node_milliseconds(
    folder: Path, files: Mapping[str, str], inputs: Mapping[str, Arrays], runs: int = 5
) -> dict[str, list[float]]:
    """Per signature, the median of ``runs`` of each operator alone, in LiteRT on one thread, in the nodes' order.

    ``inputs``: per signature, what to run it on, by name: each operator gets what it had there. What an operator gains
    or loses beside others (memory that is warm, copies that are spared) is not seen, so the sum is not the network's.
    """
    content = (folder / files["model"]).read_bytes()
    with quiet(), capture_native_stderr():
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        whole = Interpreter(
            model_content=content,
            num_threads=1,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            experimental_preserve_all_tensors=True,
        )
        model, found = parse(content), {}
        for signature in model.signatureDefs:
            name, number = signature.signatureKey.decode(), signature.subgraphIndex
            whole.get_signature_runner(name)(**inputs[name])
            graph, taken = model.subgraphs[number], []
            for operator in graph.operators:
                alone, given = _alone(model, graph, operator)
                one = Interpreter(model_content=serialize(alone), num_threads=1)
                one.allocate_tensors()
                for detail, index in zip(one.get_input_details(), given, strict=True):
                    one.set_tensor(detail["index"], whole.get_tensor(index, number))
                taken.append(float(np.median(timed(one.invoke, runs))))
            found[name] = taken
    return found


def _alone(model: Any, graph: Any, operator: Any) -> tuple[Any, list[int]]:
    """A model of this operator, and the tensors of the graph that it takes as inputs, in their order."""
    s = schema()
    small, part = s.ModelT(), s.SubGraphT()
    small.version, small.description = model.version, b""
    empty = s.BufferT()
    small.buffers, part.tensors, places = [empty], [], dict[int, int]()
    for index in (*operator.inputs, *operator.outputs):
        if index < 0 or int(index) in places:
            continue
        tensor = copy.copy(graph.tensors[index])
        data = constant_data(model, tensor)
        tensor.buffer = 0
        if data is not None:
            held = s.BufferT()
            held.data = np.frombuffer(data, np.uint8)
            tensor.buffer = len(small.buffers)
            small.buffers.append(held)
        places[int(index)] = len(part.tensors)
        part.tensors.append(tensor)
    own = copy.copy(operator)
    own.inputs = [places.get(int(index), -1) for index in operator.inputs]
    own.outputs = [places[int(index)] for index in operator.outputs]
    own.opcodeIndex, small.operatorCodes = 0, [model.operatorCodes[operator.opcodeIndex]]
    given = [i for i in places if i not in operator.outputs and constant_data(model, graph.tensors[i]) is None]
    part.inputs, part.outputs, part.operators = [places[i] for i in given], list(own.outputs), [own]
    part.name = b"alone"
    small.subgraphs = [part]
    return small, given
