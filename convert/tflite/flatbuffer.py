"""Changes to a TFLite model in its object form; several models become one with a signature each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesr.process.quiet import quiet

METADATA = b"edgesr"
"""Name of the metadata's entry."""

INT8_VERSIONS = {"CONV_2D": 3}
"""The version of operators on int8 tensors; of the others it is 2."""
UNVERSIONED = ("QUANTIZE", "RESHAPE")
"""Operators whose first version takes int8 already."""
TRANSPOSE_VERSIONS = {5: 5, 6: 6}
"""The version of TRANSPOSE by the number of axes."""
FP16_DEQUANTIZE = 3


def schema() -> Any:
    """LiteRT's classes of the FlatBuffer schema."""
    with quiet():
        from ai_edge_litert import schema_py_generated

    return schema_py_generated


def parse(content: bytes) -> Any:
    """A model's object form, with the data of each buffer in it, also where they lie behind the FlatBuffer."""
    model = schema().ModelT.InitFromPackedBuf(content, 0)
    for buffer in model.buffers:
        if buffer.data is None and buffer.size:
            buffer.data = np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0
    return model


def serialize(model: Any) -> bytes:
    """A model's bytes."""
    with quiet():
        from ai_edge_litert.tools import flatbuffer_utils

    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def operators_of(graph: Any) -> Iterator[tuple[Any, tuple[int, ...]]]:
    """A graph's operators in their order, each with the places of those whose outputs it reads."""
    makers: dict[int, int] = {}
    for place, operator in enumerate(graph.operators):
        yield operator, tuple(sorted({makers[index] for index in operator.inputs if index in makers}))
        makers |= {int(index): place for index in operator.outputs}


def kind(model: Any, operator: Any) -> str:
    """Name of an operator: ``CONV_2D``."""
    return operator_names()[model.operatorCodes[operator.opcodeIndex].builtinCode]


@cache
def operator_names() -> dict[int, str]:
    """Names of operators by their codes."""
    return {code: name for name, code in vars(schema().BuiltinOperator).items() if isinstance(code, int)}


def join(models: Mapping[str, Any], metadata: Mapping[str, Any]) -> Any:
    """One model with a signature of each one's name, and ``metadata`` as JSON under the name ``edgesr``."""
    s = schema()
    whole = s.ModelT()
    whole.version, whole.description = 3, "edgesr"
    whole.buffers, whole.operatorCodes, whole.subgraphs, whole.signatureDefs = [s.BufferT()], [], [], []
    for name, model in models.items():
        (graph,), (signature,) = model.subgraphs, model.signatureDefs
        moved: dict[int, int] = {}
        for tensor in graph.tensors:
            data = model.buffers[tensor.buffer].data
            if data is None or not len(data):
                tensor.buffer = 0  # the empty one, of all that is computed
            else:
                if tensor.buffer not in moved:
                    moved[tensor.buffer] = add_buffer(whole, np.asarray(data))
                tensor.buffer = moved[tensor.buffer]
        for operator in graph.operators:
            code = model.operatorCodes[operator.opcodeIndex]
            operator.opcodeIndex = _operator_code(whole, code.builtinCode, code.version)
        graph.name = name.encode()
        signature.signatureKey, signature.subgraphIndex = name.encode(), len(whole.subgraphs)
        whole.subgraphs.append(graph)
        whole.signatureDefs.append(signature)
    entry = s.MetadataT()
    entry.name, entry.buffer = METADATA, add_buffer(whole, np.frombuffer(json.dumps(metadata).encode(), np.uint8))
    whole.metadata = [entry]
    return whole


def take_indices_as_they_are(model: Any) -> None:
    """Drop what onnx2tf adds for negative indices of a Gather: PyTorch's embedding has none."""
    for graph in model.subgraphs:
        makers = {output: operator for operator in graph.operators for output in operator.outputs}
        for operator in graph.operators:
            chosen = makers.get(operator.inputs[1]) if kind(model, operator) == "GATHER" else None
            if chosen is None or kind(model, chosen) not in ("SELECT", "SELECT_V2"):
                continue
            condition, wrapped, index = chosen.inputs
            tested, added = makers.get(condition), makers.get(wrapped)
            if tested is None or added is None or kind(model, tested) != "LESS" or kind(model, added) != "ADD":
                continue
            if tested.inputs[0] == index == added.inputs[0] and not _constant(model, graph, tested.inputs[1]).any():
                operator.inputs = [int(operator.inputs[0]), int(index)]
        drop_unused(model, graph)


def turn_outputs(model: Any, axes: Mapping[str, Sequence[int]]) -> None:
    """Give outputs of the only signature, by name, another order of axes."""
    s = schema()
    (graph,), (signature,) = model.subgraphs, model.signatureDefs
    for output in signature.outputs:
        order = axes.get(output.name.decode())
        if order is None or list(order) == sorted(order):
            continue
        before = graph.tensors[output.tensorIndex]
        permutation = s.TensorT()
        permutation.name, permutation.type, permutation.shape = before.name + b"/axes", s.TensorType.INT32, [len(order)]
        permutation.buffer = add_buffer(model, np.asarray(order, np.int32).view(np.uint8))
        turned = s.TensorT()
        turned.name, turned.type, turned.buffer = before.name + b"/nhwc", before.type, 0
        turned.shape = [int(before.shape[i]) for i in order]
        graph.tensors += [permutation, turned]
        transpose = s.OperatorT()
        transpose.opcodeIndex = _operator_code(model, s.BuiltinOperator.TRANSPOSE, 1)
        transpose.inputs, transpose.outputs = [output.tensorIndex, len(graph.tensors) - 2], [len(graph.tensors) - 1]
        graph.operators.append(transpose)
        graph.outputs = [transpose.outputs[0] if i == output.tensorIndex else i for i in graph.outputs]
        output.tensorIndex = transpose.outputs[0]


def store_weights_as_fp16(model: Any) -> None:
    """Store the weights of convolutions in fp16 with a DEQUANTIZE behind each, which runtimes fold when they load.

    Sampling coordinates, biases and the bicubic skip stay as they are: they are small, and need the precision.
    """
    s = schema()
    for graph in model.subgraphs:
        dequantize: dict[int, Any] = {}
        for operator in graph.operators:
            if kind(model, operator) != "CONV_2D":
                continue
            index = operator.inputs[1]
            tensor = graph.tensors[index]
            if index in dequantize or tensor.type != s.TensorType.FLOAT32 or model.buffers[tensor.buffer].data is None:
                continue
            stored = s.TensorT()
            stored.name, stored.shape, stored.type = tensor.name + b"/fp16", tensor.shape, s.TensorType.FLOAT16
            halves = _constant(model, graph, index).astype(np.float16)
            stored.buffer = add_buffer(model, halves.reshape(-1).view(np.uint8))
            tensor.buffer = 0  # this tensor is computed now
            graph.tensors.append(stored)
            widen = s.OperatorT()
            widen.opcodeIndex = _operator_code(model, s.BuiltinOperator.DEQUANTIZE, FP16_DEQUANTIZE)
            widen.inputs, widen.outputs = [len(graph.tensors) - 1], [index]
            dequantize[index] = widen
        graph.operators = [*dequantize.values(), *graph.operators]


def state_versions(model: Any) -> None:
    """Give every operator the version that its types and shapes need: by it a runtime says what it cannot run."""
    s = schema()
    for graph in model.subgraphs:
        for operator in graph.operators:
            name = kind(model, operator)
            tensors = [graph.tensors[index] for index in (*operator.inputs, *operator.outputs) if index >= 0]
            version = model.operatorCodes[operator.opcodeIndex].version
            if any(tensor.type == s.TensorType.INT8 for tensor in tensors) and name not in UNVERSIONED:
                version = max(version, INT8_VERSIONS.get(name, 2))
            if name == "TRANSPOSE":
                version = max(version, TRANSPOSE_VERSIONS.get(len(tensors[0].shape), 1))
            code = model.operatorCodes[operator.opcodeIndex].builtinCode
            operator.opcodeIndex = _operator_code(model, code, version)


def drop_unused(model: Any, graph: Any) -> None:
    """Drop operators that nothing needs, and tensors that nothing reads or makes."""
    needed, kept = set(map(int, graph.outputs)), []
    for operator in reversed(graph.operators):
        if needed & set(map(int, operator.outputs)):
            kept.append(operator)
            needed |= {int(index) for index in operator.inputs if index >= 0}
    graph.operators = kept[::-1]
    used = needed | set(map(int, graph.inputs)) | {int(i) for operator in kept for i in operator.outputs}
    place = {old: new for new, old in enumerate(sorted(used))} | {-1: -1}
    graph.tensors = [graph.tensors[index] for index in sorted(used)]
    for operator in graph.operators:
        operator.inputs = [place[int(index)] for index in operator.inputs]
        operator.outputs = [place[int(index)] for index in operator.outputs]
    graph.inputs, graph.outputs = ([place[int(index)] for index in side] for side in (graph.inputs, graph.outputs))
    for signature in model.signatureDefs:
        if model.subgraphs[signature.subgraphIndex] is graph:
            for tensor in (*signature.inputs, *signature.outputs):
                tensor.tensorIndex = place[tensor.tensorIndex]


def add_buffer(model: Any, data: npt.NDArray[np.uint8]) -> int:
    """Index of a new buffer that holds ``data``."""
    buffer = schema().BufferT()
    buffer.data = data
    model.buffers.append(buffer)
    return len(model.buffers) - 1


def _operator_code(model: Any, builtin: int, version: int) -> int:
    for index, code in enumerate(model.operatorCodes):
        if (code.builtinCode, code.version) == (builtin, version):
            return index
    code = schema().OperatorCodeT()
    # The older field is one byte; operators above it say so by its last value.
    code.builtinCode, code.deprecatedBuiltinCode, code.version = builtin, min(builtin, 127), version
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def _constant(model: Any, graph: Any, index: int) -> npt.NDArray[Any]:
    s, tensor = schema(), graph.tensors[index]
    types = {s.TensorType.FLOAT32: np.float32, s.TensorType.INT32: np.int32, s.TensorType.INT64: np.int64}
    data = np.ascontiguousarray(model.buffers[tensor.buffer].data)
    return data.view(types[tensor.type]).reshape([int(length) for length in tensor.shape])
