"""Equal forms of the deployed graphs that ExecuTorch computes faster: the same numbers, moved in fewer bytes.

Both concern the sampler of the ``rows`` lowering, which moves more than it computes. Where a graph has no such
pattern (encoders, other lowerings) nothing changes.
"""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.fx import GraphModule, Node

from ..int8 import DEQUANTIZE, DEQUANTIZE_WEIGHTS, QUANTIZE, constant, is_operation

aten = torch.ops.aten

PART_BYTES = 1280 * 1024
"""Most of the float rows that are weighed and summed at a time: a core's second cache holds about as much."""
JOINED = 4
"""Tensors in one concatenation: XNNPACK takes no more than five."""


def for_xnnpack(graph: nn.Module, inputs: tuple[Tensor, ...]) -> GraphModule:
    """A copy of a graph with this module's rewrites; a float module is exported for its ``inputs`` first.

    Of a quantized graph no value changes but for ties in rounding, of a float one the last bits.
    """
    own = copy.deepcopy(graph) if isinstance(graph, GraphModule) else torch.export.export(graph, inputs).module()
    assert isinstance(own, GraphModule)
    look_up_int8(own)
    sample_in_parts(own)
    own.graph.eliminate_dead_code()
    own.recompile()
    return own


def look_up_int8(graph: GraphModule) -> None:
    """Look-ups in a dequantized table as look-ups in the int8 one: a row is a quarter of the bytes."""
    for node in list(graph.graph.nodes):
        if node.target == aten.embedding.default and is_operation(table := node.args[0], DEQUANTIZE):
            node.args = (table.args[0], *node.args[1:])
            with graph.graph.inserting_after(node):
                found = graph.graph.call_function(table.target, (node, *table.args[1:]))
            node.replace_all_uses_with(found, lambda user, found=found: user is not found)


def sample_in_parts(graph: GraphModule) -> None:
    """Look-ups, their weighted sum and its 1x1 convolution: some pixels at a time, and as a product of rows.

    XNNPACK runs one operator after another over the whole of its operands, here a dozen times over 7 MB that no cache
    near a core holds. And what a look-up gives are pixels with their channels side by side; as columns they would be
    turned into maps, which XNNPACK, whose maps have channels last, would turn back.
    """
    for conv in [node for node in graph.graph.nodes if node.target == aten.conv2d.default]:
        sampler = _sampler_before(conv)
        if sampler is not None:
            with graph.graph.inserting_before(conv):
                maps = _in_parts(graph, conv, sampler)
            conv.replace_all_uses_with(maps)


class _Term(NamedTuple):
    """Rows that are multiplied by weights of their shape but the last axis."""

    look_up: Node
    read: Node | None
    """What dequantizes them; None in float."""
    weight: Node


class _Sampler(NamedTuple):
    """Columns that are a sum of weighed rows of a table."""

    shape: tuple[int, int, int, int]
    """Slots, height, width, columns."""
    terms: list[_Term]
    stored: Node | None
    """What quantizes the sum; None in float."""


def _sampler_before(conv: Node) -> _Sampler | None:
    """What a 1x1 convolution takes, where that is sampled columns; else None."""
    columns: Any = conv.args[0]
    stored = None
    if tuple(conv.args[3:]) not in ((), ([1, 1],)):
        return None
    if is_operation(columns, DEQUANTIZE):
        quantized = is_operation(conv.args[1], DEQUANTIZE_WEIGHTS) and conv.users
        if not quantized or not all(is_operation(user, QUANTIZE) for user in conv.users):
            return None
        stored = columns.args[0]
        columns = stored.args[0]
    if not _is(columns, aten.permute.default) or not _is(samples := columns.args[0], aten.reshape.default):
        return None
    slots, height, width, size = samples.args[1]
    terms = _weighed_rows(samples.args[0])
    return _Sampler((slots, height, width, size), terms, stored) if terms else None


def _weighed_rows(node: Any) -> list[_Term]:
    """The terms whose sum a node is, in the order in which they are added; [] where it is no such sum."""
    if _is(node, aten.add.Tensor):
        left, right = (_weighed_rows(argument) for argument in node.args)
        return left + right if left and right else []
    if not _is(node, aten.mul.Tensor):
        return []
    rows, weight = node.args
    read = rows if is_operation(rows, DEQUANTIZE) else None
    look_up = rows.args[0] if read else rows
    if not _is(look_up, aten.embedding.default) or not _is(weight, aten.unsqueeze.default):
        return []
    return [_Term(look_up, read, weight.args[0])]


def _in_parts(graph: GraphModule, conv: Node, sampler: _Sampler) -> Node:
    """The convolution's output [slots, C_out, height, width], computed anew."""
    call: Any = graph.graph.call_function
    slots, height, width, columns = sampler.shape
    pixels = slots * height * width
    parts = _parts(pixels, 4 * columns)
    # Cut as rows of a matrix: ExecuTorch copies a slice of a vector number by number.
    cut = [parts, pixels * columns // (parts * sampler.terms[0].look_up.meta["val"].shape[-1])]
    indices = [call(aten.reshape.default, (term.look_up.args[1], cut)) for term in sampler.terms]
    weights = [call(aten.reshape.default, (term.weight, cut)) for term in sampler.terms]
    matrix, channels = _matrix(graph, conv.args[1])
    output = next(iter(conv.users)) if sampler.stored else None
    products = []
    for part in range(parts):
        total: Any = None
        for term, index, weight in zip(sampler.terms, indices, weights, strict=True):
            rows = call(aten.embedding.default, (term.look_up.args[0], _part(graph, index, part)))
            if term.read:
                rows = call(term.read.target, (rows, *term.read.args[1:]))
            share = call(aten.unsqueeze.default, (_part(graph, weight, part), -1))
            weighed = call(aten.mul.Tensor, (rows, share))
            total = call(aten.add.Tensor, (total, weighed)) if total else weighed
        samples = _rounded(graph, sampler.stored, total)
        samples = _moved(graph, sampler.stored, samples, aten.reshape.default, [pixels // parts, columns])
        product = call(aten.linear.default, (samples, matrix, *conv.args[2:3]))
        products.append(_rounded(graph, output, product))
    while len(products) > 1:
        groups = [products[i : i + JOINED] for i in range(0, len(products), JOINED)]
        products = [_rounded(graph, output, call(aten.cat.default, (group,))) for group in groups]
    maps = _moved(graph, output, products[0], aten.reshape.default, [slots, height * width, channels])
    # A copy, as a view would be taken for the memory format of channels last, which spreads from here on.
    maps = _moved(graph, output, maps, aten.permute_copy.default, [0, 2, 1])
    return call(aten.reshape.default, (maps, [slots, channels, height, width]))


def _parts(pixels: int, pixel_bytes: int) -> int:
    """The fewest equal parts of so many pixels that are small enough."""
    small = (n for n in range(1, pixels) if pixels % n == 0 and pixels // n * pixel_bytes <= PART_BYTES)
    return next(small, pixels)


def _part(graph: GraphModule, x: Node, part: int) -> Node:
    return graph.graph.call_function(aten.slice.Tensor, (x, 0, part, part + 1))


def _moved(graph: GraphModule, step: Node | None, x: Node, operation: Any, *arguments: Any) -> Node:
    """``x``, which is rounded, moved by an operation: in int8 before and after, where there are steps."""
    return _rounded(graph, step, graph.graph.call_function(operation, (x, *arguments)))


def _rounded(graph: GraphModule, step: Node | None, x: Node) -> Node:
    """``x`` in the steps of a node that quantizes, stored and read again; as it is where there is none."""
    if step is None:
        return x
    read = next(user for user in step.users if is_operation(user, DEQUANTIZE))
    stored = graph.graph.call_function(step.target, (x, *step.args[1:]))  # type: ignore[arg-type]
    return graph.graph.call_function(read.target, (stored, *read.args[1:]))  # type: ignore[arg-type]


def _matrix(graph: GraphModule, weight: Any) -> tuple[Node, int]:
    """A 1x1 convolution's weights, float or dequantized, as a matrix, and the number of its rows."""
    levels = weight.args[0] if is_operation(weight, DEQUANTIZE_WEIGHTS) else weight
    assert isinstance(levels, Node)
    kernel = constant(graph, levels)
    name = f"{str(levels.target).replace('.', '_')}_matrix"
    graph.register_buffer(name, kernel.flatten(1).clone())
    stored = graph.graph.get_attr(name)
    if levels is not weight:
        stored = graph.graph.call_function(weight.target, (stored, *weight.args[1:]))
    return stored, len(kernel)


def _is(node: Any, operation: Any) -> bool:
    return isinstance(node, Node) and node.target == operation
