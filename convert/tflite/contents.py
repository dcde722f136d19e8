"""What a TFLite file holds, read from the file itself: signatures, operators, metadata, and every convolution."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt

from ..int8 import Convolutions, FloatConv, Int8Conv, Step
from .flatbuffer import METADATA, kind, parse, schema


def convolutions(content: bytes) -> dict[str, Convolutions]:
    """Per signature: CONV_2D with int8 input, weights and output is int8, any other float."""
    s, model = schema(), parse(content)
    found = {}
    for signature in model.signatureDefs:
        subgraph = model.subgraphs[signature.subgraphIndex]
        convs = [operator for operator in subgraph.operators if kind(model, operator) == "CONV_2D"]
        int8 = [
            _int8_conv(model, subgraph, operator)
            for operator in convs
            if all(
                subgraph.tensors[index].type == s.TensorType.INT8
                for index in (operator.inputs[0], operator.inputs[1], operator.outputs[0])
            )
        ]
        kernels = [kernel for operator in convs if (kernel := float_kernel(model, subgraph, operator)) is not None]
        constants = {index for index, tensor in enumerate(subgraph.tensors) if constant_data(model, tensor) is not None}
        steps = frozenset(
            _step(tensor)
            for index, tensor in enumerate(subgraph.tensors)
            if tensor.type == s.TensorType.INT8 and index not in constants
        )
        found[signature.signatureKey.decode()] = Convolutions(
            tuple(int8), len(convs) - len(int8), kernels=tuple(kernels), steps=steps
        )
    return found


def embedded_metadata(content: bytes) -> dict[str, str] | None:
    """The network's metadata, which lie in the file as JSON under the name ``edgesr``; None where there are none."""
    model = parse(content)
    for entry in model.metadata or ():
        if entry.name == METADATA:
            return {str(key): str(value) for key, value in json.loads(bytes(model.buffers[entry.buffer].data)).items()}
    return None


def list_signatures(content: bytes) -> dict[str, dict[str, dict[str, list[int]]]]:
    """Per signature, ``inputs`` and ``outputs``: name to shape, as the file has them."""
    model = parse(content)

    def shapes(tensors: Any, subgraph: Any) -> dict[str, list[int]]:
        return {tensor.name.decode(): list(map(int, subgraph.tensors[tensor.tensorIndex].shape)) for tensor in tensors}

    return {
        signature.signatureKey.decode(): {
            side: shapes(getattr(signature, side), model.subgraphs[signature.subgraphIndex])
            for side in ("inputs", "outputs")
        }
        for signature in model.signatureDefs
    }


def list_operators(content: bytes) -> dict[str, dict[str, dict[str, int]]]:
    """Per signature, each operator's count and highest version."""
    model = parse(content)
    listed: dict[str, dict[str, dict[str, int]]] = {}
    for signature in model.signatureDefs:
        counts: dict[str, dict[str, int]] = {}
        for operator in model.subgraphs[signature.subgraphIndex].operators:
            known = counts.setdefault(kind(model, operator), {"count": 0, "version": 0})
            known["count"] += 1
            known["version"] = max(known["version"], model.operatorCodes[operator.opcodeIndex].version)
        listed[signature.signatureKey.decode()] = dict(sorted(counts.items()))
    return listed


def _int8_conv(model: Any, subgraph: Any, operator: Any) -> Int8Conv:
    x, w, y = (subgraph.tensors[index] for index in (operator.inputs[0], operator.inputs[1], operator.outputs[0]))
    stored = np.frombuffer(bytes(model.buffers[w.buffer].data), np.int8).reshape(w.shape)
    scales = np.asarray(w.quantization.scale, np.float32)
    return Int8Conv(
        name=y.name.decode(errors="replace"),
        weight=np.ascontiguousarray(stored.transpose(0, 3, 1, 2)),  # C_out, kh, kw, C_in in the file
        weight_scales=np.broadcast_to(scales, (len(stored),)),
        input=_step(x),
        output=_step(y),
        bias=_int8_bias(model, subgraph, operator, len(stored)),
    )


def _int8_bias(model: Any, subgraph: Any, operator: Any, count: int) -> npt.NDArray[np.float32]:
    """NaN where it is computed, which no network's is."""
    if len(operator.inputs) < 3 or operator.inputs[2] < 0:
        return np.zeros(count, np.float32)
    tensor = subgraph.tensors[operator.inputs[2]]
    data = constant_data(model, tensor)
    if data is None or len(data) != 4 * count:
        return np.full(count, np.nan, np.float32)
    scales = np.asarray(tensor.quantization.scale, np.float64)
    return np.asarray(np.frombuffer(data, np.int32) * scales, np.float32)


def _step(tensor: Any) -> Step:
    return Step(float(tensor.quantization.scale[0]), int(tensor.quantization.zeroPoint[0]))


def float_kernel(model: Any, subgraph: Any, operator: Any) -> FloatConv | None:
    """Weights and bias of a convolution of floats; as fp16 they lie behind a DEQUANTIZE."""
    makers = {made.outputs[0]: made for made in subgraph.operators}

    def constant(index: int) -> Any:
        tensor = subgraph.tensors[index]
        made = makers.get(index)
        if made is not None and kind(model, made) == "DEQUANTIZE":
            tensor = subgraph.tensors[made.inputs[0]]
        types = {schema().TensorType.FLOAT32: np.float32, schema().TensorType.FLOAT16: np.float16}
        data = constant_data(model, tensor)
        if data is None or tensor.type not in types:
            return None
        return np.frombuffer(data, types[tensor.type]).reshape(tensor.shape)

    weight = constant(operator.inputs[1])
    if weight is None:
        return None
    name = subgraph.tensors[operator.outputs[0]].name.decode(errors="replace")
    bias = constant(operator.inputs[2]) if len(operator.inputs) > 2 else None
    kernel = np.ascontiguousarray(weight.transpose(0, 3, 1, 2), np.float32)
    return FloatConv(name, kernel, None if bias is None else bias.astype(np.float32), str(weight.dtype))


def constant_data(model: Any, tensor: Any) -> bytes | None:
    """What a constant holds; None of what is computed."""
    data = model.buffers[tensor.buffer].data
    return None if data is None or not len(data) else bytes(data)
