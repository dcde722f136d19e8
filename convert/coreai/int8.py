"""Quantized graphs in Core AI: its own quantize and dequantize around every int8 operation.

coreai-torch translates the operators of its own compression alone, so PyTorch's are replaced by those beforehand.
"""

from __future__ import annotations

import copy
import importlib
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.fx import GraphModule, Node

from ..int8 import DEQUANTIZE, DEQUANTIZE_WEIGHTS, QUANTIZE, Convolutions, FloatConv, Int8Conv, Step, is_operation

CONSTANT, CONVOLUTION, ADDITION = "coreai.constant", "coreai.conv2d", "coreai.decomposable.broadcasting_add"
BETWEEN = ("coreai.pad", "coreai.relu")
"""What may lie between a convolution and the steps of what it takes and gives."""
TYPES = {"f32": np.float32, "f16": np.float16, "si8": np.int8}
TENSOR = re.compile(r"tensor<((?:\d+x)*)(\w+)>")
RESOURCE = re.compile(r"dense_resource<(\w+)>")
ALIGNMENT_BYTES = 4
"""Ahead of a resource's values, its alignment."""
Array = npt.NDArray[Any]


def in_core_ai(module: nn.Module) -> nn.Module:
    """A copy of a quantized graph with Core AI's operators in place of PyTorch's; a float graph as it is."""
    if not isinstance(module, GraphModule):
        return module
    importlib.import_module("coreai_torch._compression.custom_layers")  # registers the operators
    copied = copy.deepcopy(module)
    graph, operators = copied.graph, torch.ops.coreai
    for node in list(graph.nodes):
        with graph.inserting_before(node):
            if is_operation(node, DEQUANTIZE_WEIGHTS):
                x, scales, _, axis = node.args[:4]  # symmetric: the zero points are 0
                made = graph.call_function(operators.dequantize.default, (x, scales, None, None, axis))
            elif is_operation(node, QUANTIZE):
                scale, zero_point = _step(copied, node)
                made = graph.call_function(operators.quantize.default, (node.args[0], scale, torch.int8, zero_point))
            elif is_operation(node, DEQUANTIZE):
                made = graph.call_function(operators.dequantize.default, (node.args[0], *_step(copied, node)))
            else:
                continue
        node.replace_all_uses_with(made)
        graph.erase_node(node)
    copied.recompile()
    return copied


def _step(module: GraphModule, node: Node) -> tuple[Node, Node]:
    """Scale and zero point of a node as the tensors that Core AI's operators take."""
    made: list[Node] = []
    for value, dtype in zip(node.args[1:3], (torch.float32, torch.int8), strict=True):
        name = f"{node.name}_{len(made)}"
        module.register_buffer(name, torch.tensor(value, dtype=dtype))
        made.append(module.graph.get_attr(name))
    return made[0], made[1]


def convolutions(operations: list[Any], resources: Mapping[str, str]) -> Convolutions:
    """Those of one function: int8 where a dequantize lies before weights and input, and a quantize behind."""
    int8, kernels, count = [], [], 0
    for operation in operations:
        if operation.name != CONVOLUTION:
            continue
        count += 1
        name = f"{CONVOLUTION} {count}"
        if (conv := _int8_conv(name, operation, resources)) is not None:
            int8.append(conv)
        elif (kernel := _constant(operation.operands[1], resources)) is not None:
            dtype = str(kernel.dtype)
            kernels.append(FloatConv(name, kernel.astype(np.float32), None, dtype, dtype))
    steps = (_step_of(one, resources) for one in operations if one.name in ("coreai.quantize", "coreai.dequantize"))
    known = frozenset(step for step in steps if step is not None)
    return Convolutions(tuple(int8), count - len(int8), kernels=tuple(kernels), steps=known)


def _int8_conv(name: str, operation: Any, resources: Mapping[str, str]) -> Int8Conv | None:
    x, w = operation.operands[0].owner, operation.operands[1].owner
    while _name(x) in BETWEEN:
        x = x.operands[0].owner
    if {_name(x), _name(w)} != {"coreai.dequantize"}:
        return None
    weight, scales = _constant(w.operands[0], resources), _constant(w.operands[1], resources)
    after, bias = operation.results[0], np.zeros(0, np.float32)
    while (reader := _only_reader(after)) is not None and reader.name in (ADDITION, *BETWEEN):
        if reader.name == ADDITION:
            added = _constant(reader.operands[1], resources)
            if added is None or len(bias):
                return None
            bias = added.reshape(-1)
        after = reader.results[0]
    if reader is None or reader.name != "coreai.quantize":
        return None
    given, made = _step_of(x, resources), _step_of(reader, resources)
    if weight is None or scales is None or given is None or made is None:
        return None
    bias = np.zeros(len(weight), np.float32) if not len(bias) else np.broadcast_to(bias, len(weight))
    return Int8Conv(name, weight, np.broadcast_to(scales.reshape(-1), len(weight)), given, made, bias)


def _step_of(operation: Any, resources: Mapping[str, str]) -> Step | None:
    """The step of a quantize or dequantize of a whole tensor; None of weights, which have one a channel."""
    x, *described = operation.operands
    if _name(x.owner) == CONSTANT:
        return None
    scale, zero_point = (_constant(value, resources) for value in described[:2])
    if scale is None or zero_point is None or scale.size != 1:
        return None
    return Step(float(scale.reshape(-1)[0]), int(zero_point.reshape(-1)[0]))


def _only_reader(value: Any) -> Any:
    readers = [use.owner for use in value.uses]
    return readers[0] if len(readers) == 1 else None


def _name(owner: Any) -> str:
    """Of the operation that makes a value; empty of a function's argument."""
    return getattr(owner, "name", "")


def _constant(value: Any, resources: Mapping[str, str]) -> Array | None:
    """The array that a constant holds, in the program's text or among its resources; None where it is no such."""
    described = TENSOR.fullmatch(str(value.type))
    if described is None or described[2] not in TYPES or _name(value.owner) != CONSTANT:
        return None
    shape = [int(size) for size in described[1].split("x")[:-1]]
    attribute, dtype = value.owner.attributes["value"], np.dtype(TYPES[described[2]])
    if named := RESOURCE.match(str(attribute)):
        return np.frombuffer(bytes.fromhex(resources[named[1]])[ALIGNMENT_BYTES:], dtype).reshape(shape)
    return np.broadcast_to(np.asarray(attribute, dtype), shape)
