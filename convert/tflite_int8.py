"""Which convolutions of a TFLite file run in int8, read from the file itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgesr.quiet import quiet

from .int8 import Convolutions, Int8Conv, Step


def convolutions(content: bytes) -> dict[str, Convolutions]:
    """Per signature: CONV_2D with int8 input, weights and output is int8, any other float."""
    with quiet():
        from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    found = {}
    for signature in model.signatureDefs:
        subgraph = model.subgraphs[signature.subgraphIndex]
        convs = [
            operator
            for operator in subgraph.operators
            if model.operatorCodes[operator.opcodeIndex].builtinCode == schema.BuiltinOperator.CONV_2D
        ]
        int8 = [
            _int8_conv(model, subgraph, operator)
            for operator in convs
            if all(
                subgraph.tensors[index].type == schema.TensorType.INT8
                for index in (operator.inputs[0], operator.inputs[1], operator.outputs[0])
            )
        ]
        found[signature.signatureKey.decode()] = Convolutions(tuple(int8), len(convs) - len(int8))
    return found


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
    )


def _step(tensor: Any) -> Step:
    return Step(float(tensor.quantization.scale[0]), int(tensor.quantization.zeroPoint[0]))
