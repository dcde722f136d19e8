"""What can be quantized in an exported graph: its layers, by the path of the module they come from, and its tensors.

A **layer** is a convolution or an addition with the ReLU that follows it: ``restore.reconstructor.blocks.3.conv1``.
A **point** is a tensor that gets a scale of its own: ``LAYER:out``, what a layer gives; ``LAYER:in``, what it is given
by something that is no layer (a photo, the sampler); ``features.PART`` for each part of the maps that the gallery
stores. Both are named by the network's modules and not by the graph's nodes, so they are the same in every lowering.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection
from typing import Any

import torch
from torch import nn
from torch.fx import GraphModule, Node

from edgesr.errors import UsageError
from edgesr.layers.blocks import Add, ResidualBlock
from edgesr.models.interface import Interface

aten = torch.ops.aten


def type_name(kind: type[nn.Module]) -> str:
    """The name that an exported graph has for the type of the module that a node comes from."""
    return f"{kind.__module__}.{kind.__qualname__}"


CONVOLUTION, ADDITION = type_name(nn.Conv2d), (type_name(Add), type_name(ResidualBlock))
"""Where a layer's node comes from: an addition is a module of its own, or the end of a residual block."""
TRANSPARENT = (
    aten.pixel_shuffle.default,
    aten.pixel_unshuffle.default,
    aten.reshape.default,
    aten.view.default,
    aten.unsqueeze.default,
    aten.expand.default,
    aten.clone.default,
)
"""Operators that move values and change none, so that a tensor's scale is also that of their result."""

MOVING = (*TRANSPARENT, aten.pad.default, aten.transpose.int, aten.permute.default)
"""Operators that move values, or add zeros, which every scale of a stored feature holds exactly."""


@dataclasses.dataclass(frozen=True)
class Layer:
    """A layer of an exported graph."""

    name: str
    kind: str
    """``conv`` or ``add``."""
    node: Node
    """The convolution or the addition."""
    output: Node
    """The same, or the ReLU behind it."""
    macs: int
    """Multiply-accumulates of one run of the graph; 0 for an addition."""

    @property
    def inputs(self) -> list[Node]:
        """What it computes from, weights and biases left out."""
        nodes = self.node.args[: 1 if self.kind == "conv" else 2]
        return [node for node in nodes if isinstance(node, Node)]

    @property
    def weight(self) -> Node | None:
        """The convolution's weights."""
        weight = self.node.args[1] if self.kind == "conv" else None
        return weight if isinstance(weight, Node) else None


def exported(graph: nn.Module, inputs: tuple[torch.Tensor, ...]) -> GraphModule:
    """The graph as PT2E takes it; its parameters are ``graph``'s own."""
    program = torch.export.export(graph, inputs, strict=False)
    module: GraphModule = program.module(check_guards=False)
    return module


def find_layers(module: GraphModule, graph: str) -> list[Layer]:
    """Layers of the exported ``graph`` (``encode`` or ``restore``), in the order in which they run."""
    layers = []
    for node in module.graph.nodes:
        path, kind = _origin(node)
        if node.target == aten.conv2d.default and kind == CONVOLUTION:
            macs = math.prod(node.meta["val"].shape) * math.prod(_shape(node.args[1])[1:])
            layers.append(Layer(f"{graph}.{path}", "conv", node, _with_relu(node), macs))
        elif node.target == aten.add.Tensor and kind in ADDITION:
            name = f"{graph}.{path}" if kind == ADDITION[0] else f"{graph}.{path}.add"
            layers.append(Layer(name, "add", node, _with_relu(node), 0))
    return layers


def layer_names(layers: list[Layer]) -> list[str]:
    """The layers' names, each once."""
    names = [layer.name for layer in layers]
    if len(set(names)) != len(names):
        raise UsageError("two layers of the graph have one name: a module is used twice")
    return names


def feature_tensors(module: GraphModule, graph: str, interface: Interface) -> dict[Node, str]:
    """The tensors that a gallery stores as int8, by the part of a map that they are.

    A map of several parts is what the encoder joins, and what the restorer slices; of one part it is the tensor.
    """
    maps = interface.feature_maps
    found = _given_maps(module, len(maps)) if graph == "encode" else _taken_maps(module, len(maps))
    names: dict[Node, str] = {}
    for node, one in zip(found, maps, strict=False):  # a restorer made for faces without exemplars takes none
        parts = [node] if len(one.parts) == 1 else _joined_by(node) if graph == "encode" else _slices_of(node)
        if graph == "restore":
            parts = [_moved(part) for part in parts]
        if len(parts) != len(one.parts):
            raise UsageError(
                f"{graph} has {len(parts)} tensors for the {len(one.parts)} parts of {one.name}",
                "its encoder must end in joining them, and its restorer begin with slices of them",
            )
        names |= dict(zip(parts, (f"features.{name}" for name, _ in one.parts), strict=True))
    return names


def _given_maps(module: GraphModule, count: int) -> list[Node]:
    (output,) = (node for node in module.graph.nodes if node.op == "output")
    return list(output.all_input_nodes)[:count]


def _taken_maps(module: GraphModule, count: int) -> list[Node]:
    inputs = [node for node in module.graph.nodes if node.op == "placeholder"]
    return inputs[1 : 1 + count] if len(inputs) > 1 else []


def _joined_by(node: Node) -> list[Node]:
    return list(node.args[0]) if node.target == aten.cat.default else []  # type: ignore[arg-type]


def _slices_of(node: Node) -> list[Node]:
    slices = (user for user in node.users if user.target == aten.slice.Tensor)
    return sorted(slices, key=lambda user: user.args[2])  # type: ignore[arg-type, return-value]


def tensor_names(module: GraphModule, graph: str, interface: Interface, int8: Collection[str]) -> dict[Node, str]:
    """The point of every tensor that is rounded when the layers of these names are int8.

    A part of the maps that float layers alone make, or read where it lies, is not: galleries round what they store, and
    of a tensor between float operators TFLite has no int8 form.
    """
    quantized = [layer for layer in find_layers(module, graph) if layer.name in int8]
    in_int8 = {layer.output for layer in quantized} | {source(node) for layer in quantized for node in layer.inputs}
    names = {
        node: name
        for node, name in feature_tensors(module, graph, interface).items()
        # A sampler's table is stored in int8, whatever it is computed with.
        if source(node) in in_int8 or (graph == "restore" and node.target in MOVING)
    }
    for layer in quantized:
        names.setdefault(layer.output, f"{layer.name}:out")
    for layer in quantized:
        for node in layer.inputs:
            names.setdefault(source(node), f"{layer.name}:in")
    return names


def source(node: Node) -> Node:
    """Where a tensor's values come from, through operators that only move them."""
    while node.target in TRANSPARENT:
        node = node.args[0]  # type: ignore[assignment]
    return node


def _moved(node: Node) -> Node:
    """The same values where the sampler reads them, behind its border of zeros and in its layout.

    XNNPACK's compiler takes no padding of a dequantized tensor, and look-ups in a table that is stored in int8 move a
    quarter of the bytes.
    """
    while len(node.users) == 1 and (user := next(iter(node.users))).target in MOVING:
        node = user
    return node


def _with_relu(node: Node) -> Node:
    users = list(node.users)
    return users[0] if len(users) == 1 and users[0].target in (aten.relu.default, aten.relu_.default) else node


def _origin(node: Node) -> tuple[str, str]:
    """Path and type of the module that a node comes from."""
    stack = node.meta.get("nn_module_stack")
    if node.op != "call_function" or not stack:
        return "", ""
    path, kind = list(stack.values())[-1]
    return str(path), kind if isinstance(kind, str) else type_name(kind)


def _shape(node: Any) -> tuple[int, ...]:
    while "val" not in node.meta:  # a point before it
        node = node.args[0]
    return tuple(node.meta["val"].shape)
