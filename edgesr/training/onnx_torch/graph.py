"""A frozen ONNX graph, run by PyTorch node by node, so that gradients reach its input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from edgesr.errors import InputOutputError, UnavailableError
from edgesr.training.onnx_torch.layers import LAYERS
from edgesr.training.onnx_torch.node import Node, Operator
from edgesr.training.onnx_torch.operators import OPERATORS

_KNOWN: dict[str, Operator] = LAYERS | OPERATORS
_OUR_DOMAIN = {"", "ai.onnx"}


class OnnxModule(nn.Module):
    """What an ``onnx.ModelProto`` computes, with its weights as buffers: frozen, and moved by ``to`` as usual.

    Only inference: Dropout does nothing, BatchNormalization has fixed statistics.

    Raises:
        InputOutputError: the graph is incomplete.
        UnavailableError: it has operators (control flow, other domains, quantized ones) not implemented here.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        graph = model.graph
        opset = max((entry.version for entry in model.opset_import if entry.domain in _OUR_DOMAIN), default=1)
        constants = {tensor.name: _tensor(tensor) for tensor in graph.initializer}
        inputs = [value for value in graph.input if value.name not in constants]  # old files list weights as inputs too
        self.inputs = tuple(value.name for value in inputs)
        self.outputs = tuple(value.name for value in graph.output)
        self.input_shapes = tuple(_shape(value) for value in inputs)
        """Sizes of every input; None where the file leaves one open."""
        unknown = {
            n.op_type for n in graph.node if n.op_type not in {*_KNOWN, "Constant"} or n.domain not in _OUR_DOMAIN
        }
        if unknown:
            raise UnavailableError(
                f"the ONNX graph has operators that are not known here: {', '.join(sorted(unknown))}",
                f"known: {', '.join(sorted(_KNOWN))}",
            )
        self._nodes = _fold_constants([_node(n, opset) for n in graph.node], constants)
        used = {name for node in self._nodes for name in node.inputs} | set(self.outputs)
        made = {name for node in self._nodes for name in node.outputs}
        missing = used - made - constants.keys() - {*self.inputs, ""}
        if missing or not self.outputs:
            what = f"nothing makes {sorted(missing)[0]!r}" if missing else "it has no output"
            raise InputOutputError(f"the ONNX graph is incomplete: {what}", "it is damaged or no ONNX file")
        self._weights: dict[str, str] = {}
        self._integers: dict[str, Tensor] = {}
        for name in sorted(used & constants.keys()):
            if constants[name].is_floating_point():
                self._weights[name] = f"weight_{len(self._weights)}"  # ONNX allows any character, PyTorch no dot
                self.register_buffer(self._weights[name], constants[name])
            else:
                self._integers[name] = constants[name]
        self._last_use = {name: i for i, node in enumerate(self._nodes) for name in node.inputs}
        self.made = tuple(node.outputs[0] for node in self._nodes)
        """The first tensor of each node that depends on an input, in the order in which they are computed."""

    @classmethod
    def load(cls, path: Path) -> OnnxModule:
        """Read a graph from a file.

        Raises:
            InputOutputError: missing or damaged.
            UnavailableError: ``onnx`` is not installed, or the graph has operators not implemented here.
        """
        try:
            import onnx
        except ImportError as error:
            raise UnavailableError("reading ONNX files needs onnx", "pip install 'edgesr[onnx]'") from error
        if not path.is_file():
            raise InputOutputError(f"no ONNX file {path}")
        try:
            model = onnx.load(path)
        except Exception as error:
            # protobuf and weights in files of their own each raise their own.
            raise InputOutputError(f"cannot read {path}: {error}", "it is damaged or no ONNX file") from error
        return cls(model)

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        """The graph's output, or outputs where it has several."""
        results = self.values(self.outputs, *inputs)
        return results[0] if len(results) == 1 else results

    def values(self, wanted: tuple[str, ...], *inputs: Tensor) -> tuple[Tensor, ...]:
        """What the graph computes by name: outputs, or tensors on the way (``made`` names them)."""
        values: dict[str, Tensor | None] = dict(zip(self.inputs, inputs, strict=True))
        values |= {name: getattr(self, buffer) for name, buffer in self._weights.items()} | self._integers
        values[""] = None  # an optional input that is not there
        for i, node in enumerate(self._nodes):
            values |= _run(node, values)
            for name in node.inputs:
                if self._last_use[name] == i and name and name not in wanted:
                    values.pop(name, None)
        return tuple(values[name] for name in wanted)  # type: ignore[misc]


def _run(node: Node, values: dict[str, Tensor | None]) -> dict[str, Tensor | None]:
    result = _KNOWN[node.operator](node, *[values[name] for name in node.inputs])
    results = result if isinstance(result, tuple) else (result,)
    # Optional outputs (Dropout's mask) are not made, and one that nobody asks for is called "".
    return {name: value for name, value in zip(node.outputs, results, strict=False) if name}


@torch.no_grad()
def _fold_constants(nodes: list[Node], constants: dict[str, Tensor]) -> list[Node]:
    """The nodes that depend on an input; the results of the others join ``constants``."""
    left = []
    for node in nodes:
        if node.operator == "Constant":
            constants[node.outputs[0]] = _constant(node)
        elif all(name in constants or not name for name in node.inputs):
            made = _run(node, {**constants, "": None})
            constants |= {name: value for name, value in made.items() if value is not None}
        else:
            left.append(node)
    return left


def _constant(node: Node) -> Tensor:
    (kind, value), *_ = node.attributes.items()
    if kind == "value":
        return value
    if kind in {"value_float", "value_floats"}:
        return torch.tensor(value, dtype=torch.float32)
    if kind in {"value_int", "value_ints"}:
        return torch.tensor(value, dtype=torch.int64)
    raise node.unsupported(kind)


def _node(proto: Any, opset: int) -> Node:
    from onnx import TensorProto, helper

    attributes = {}
    for attribute in proto.attribute:
        value = helper.get_attribute_value(attribute)
        attributes[attribute.name] = _tensor(value) if isinstance(value, TensorProto) else value
    return Node(proto.op_type, tuple(proto.input), tuple(proto.output), attributes, opset)


def _tensor(proto: Any) -> Tensor:
    from onnx import numpy_helper

    # Copied: onnx hands out views of the file's bytes, which are read-only.
    tensor = torch.from_numpy(numpy_helper.to_array(proto).copy())
    return tensor.float() if tensor.dtype == torch.float16 else tensor


def _shape(value: Any) -> tuple[int | None, ...]:
    sizes = value.type.tensor_type.shape.dim
    return tuple(size.dim_value if size.HasField("dim_value") and size.dim_value > 0 else None for size in sizes)
