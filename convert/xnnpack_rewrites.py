"""Equal forms of quantized graphs that ExecuTorch computes faster: the same integers, moved in fewer bytes.

Both concern the sampler of the ``rows`` lowering, which moves more than it computes. Where a graph has no such
pattern (float graphs, other lowerings) nothing changes.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn
from torch.fx import GraphModule, Node

from .int8 import DEQUANTIZE, DEQUANTIZE_WEIGHTS, QUANTIZE, constant, is_operation

aten = torch.ops.aten


def for_xnnpack(graph: nn.Module) -> nn.Module:
    """A copy of a quantized graph with this module's rewrites; none changes a value."""
    if not isinstance(graph, GraphModule):
        return graph
    graph = copy.deepcopy(graph)
    look_up_int8(graph)
    project_rows(graph)
    graph.graph.eliminate_dead_code()
    graph.recompile()
    return graph


def look_up_int8(graph: GraphModule) -> None:
    """Look-ups in a dequantized table as look-ups in the int8 one: a row is a quarter of the bytes."""
    for node in list(graph.graph.nodes):
        if node.target == aten.embedding.default and is_operation(table := node.args[0], DEQUANTIZE):
            node.args = (table.args[0], *node.args[1:])
            with graph.graph.inserting_after(node):
                found = graph.graph.call_function(table.target, (node, *table.args[1:]))
            node.replace_all_uses_with(found, lambda user, found=found: user is not found)


def project_rows(graph: GraphModule) -> None:
    """The 1x1 convolution of sampled columns as a product of rows with its weights.

    A look-up gives a pixel's channels side by side. As columns they would be turned into maps, and XNNPACK, whose
    maps have channels last, would turn them back.
    """
    for conv in [node for node in graph.graph.nodes if node.target == aten.conv2d.default]:
        samples = _sampled_rows(conv)
        if samples is None:
            continue
        stored, columns = conv.args[0].args[0], conv.args[0].args[0].args[0]
        slots, channels, height, width = columns.args[1]
        pixels, size = columns.args[0].args[0].args[1][1:]
        output = next(iter(conv.users))
        with graph.graph.inserting_before(conv):
            rows = _moved(graph, stored, _rounded(graph, stored, samples), aten.reshape.default,
                          [slots, channels // size, pixels, size])  # fmt: skip
            rows = _moved(graph, stored, rows, aten.transpose.int, 1, 2)
            rows = _moved(graph, stored, rows, aten.reshape.default, [slots, pixels, channels])
            matrix, out_channels = _matrix(graph, conv.args[1])
            product = graph.graph.call_function(aten.linear.default, (rows, matrix, *conv.args[2:3]))
            # A copy, as a view would be taken for the memory format of channels last, which spreads from here on.
            maps = _moved(graph, output, _rounded(graph, output, product), aten.permute_copy.default, [0, 2, 1])
            maps = graph.graph.call_function(aten.reshape.default, (maps, [slots, out_channels, height, width]))
        conv.replace_all_uses_with(maps)


def _sampled_rows(conv: Node) -> Node | None:
    """The rows [.., size] whose columns an int8 1x1 convolution takes, before they were arranged as maps."""
    if tuple(conv.args[3:]) not in ((), ([1, 1],)):
        return None
    dequantize, weight = conv.args[:2]
    if not is_operation(dequantize, DEQUANTIZE) or not is_operation(weight, DEQUANTIZE_WEIGHTS):
        return None
    if not conv.users or not all(is_operation(user, QUANTIZE) for user in conv.users):
        return None
    node: Any = dequantize.args[0].args[0]  # type: ignore[union-attr]
    for target in (aten.reshape.default, aten.transpose.int, aten.reshape.default):
        if not isinstance(node, Node) or node.target != target:
            return None
        if target == aten.transpose.int and tuple(node.args[1:]) != (1, 2):
            return None
        node = node.args[0]
    return node if isinstance(node, Node) else None


def _moved(graph: GraphModule, step: Node, x: Node, operation: Any, *arguments: Any) -> Node:
    """``x`` moved by an operation, in int8 before and after."""
    return _rounded(graph, step, graph.graph.call_function(operation, (x, *arguments)))


def _rounded(graph: GraphModule, step: Node, x: Node) -> Node:
    """``x`` in the steps of a node that quantizes: stored and read again."""
    read = next(user for user in step.users if is_operation(user, DEQUANTIZE))
    stored = graph.graph.call_function(step.target, (x, *step.args[1:]))  # type: ignore[arg-type]
    return graph.graph.call_function(read.target, (stored, *read.args[1:]))  # type: ignore[arg-type]


def _matrix(graph: GraphModule, weight: Node) -> tuple[Node, int]:
    """A 1x1 convolution's dequantized weights as a matrix, and the number of its rows."""
    levels = weight.args[0]
    assert isinstance(levels, Node)
    kernel = constant(graph, levels)
    name = f"{str(levels.target).replace('.', '_')}_matrix"
    graph.register_buffer(name, kernel.flatten(1).clone())
    stored = graph.graph.get_attr(name)
    return graph.graph.call_function(weight.target, (stored, *weight.args[1:])), len(kernel)  # type: ignore[arg-type]
