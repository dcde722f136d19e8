"""int8 from a float TFLite model, in the steps that the network was quantized with: nothing is calibrated anew.

The steps come from the ONNX form of the quantized network (QuantizeLinear, DequantizeLinear). They are taken off it,
the float graph that is left goes through onnx2tf, and ai-edge-quantizer gives each operator its steps back as ranges.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import re
from collections.abc import Mapping, Set
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edgesr.errors import EdgesrError
from edgesr.process.quiet import quiet

from ..int8 import Step
from ..onnx.int8 import drop_unused
from .flatbuffer import kind, parse
from .onnx_form import fold_weights

if TYPE_CHECKING:
    import onnx

FILTER = "_conv_filter"
"""onnx2tf names a convolution's weights after the ONNX node, with this behind it."""
MOVES = ("RESHAPE", "TRANSPOSE", "PAD", "SPACE_TO_DEPTH", "STRIDED_SLICE")
"""Operators that move values and compute none: in int8 they are the same, on a quarter of the bytes."""
LEVELS = (-128, 127)


@dataclasses.dataclass(frozen=True)
class Steps:
    """What was taken off an ONNX model."""

    tensors: dict[str, Step]
    """The step of each tensor that was rounded, by its name."""
    unrounded: frozenset[str]
    """Tensors among them that something reads unrounded, too."""
    weights: dict[str, npt.NDArray[np.float32]]
    """Steps of each constant, one or one a channel."""
    convolutions: dict[str, tuple[str, str, str]]
    """For each node, the tensors that it takes and gives (behind its ReLU), and its weights."""


def take_steps(model: onnx.ModelProto) -> Steps:
    """Make a quantized model a float one, in place, and return its steps.

    Raises:
        EdgesrError: one tensor is rounded in two ways.
    """
    from onnx import numpy_helper

    weights = fold_weights(model)
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    makers = {output: node for node in model.graph.node for output in node.output}
    rounded: dict[str, str] = {}
    tensors: dict[str, Step] = {}
    for node in list(model.graph.node):
        if node.op_type == "DequantizeLinear":
            quantize = makers[node.input[0]]
            source = quantize.input[0]
            step = Step(float(constants[node.input[1]]), int(constants[node.input[2]]))
            if tensors.setdefault(source, step) != step:
                raise EdgesrError(f"{source} is rounded in two ways, which TFLite cannot do", "please report it")
            rounded[node.output[0]] = source
            model.graph.node.remove(node)
    for node in [node for node in model.graph.node if node.op_type == "QuantizeLinear"]:
        model.graph.node.remove(node)
    unrounded = {output.name for output in model.graph.output} - set(rounded)
    for node in model.graph.node:
        unrounded |= set(node.input) - set(rounded)
        node.input[:] = [rounded.get(name, name) for name in node.input]
    renamed = _name_outputs(model, rounded, unrounded)
    tensors = {renamed.get(name, name): step for name, step in tensors.items()}
    readers: dict[str, list[Any]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    drop_unused(model)

    def behind_relu(name: str) -> str:
        read = readers.get(name, [])
        if name not in tensors and len(read) == 1 and read[0].op_type == "Relu":
            return behind_relu(read[0].output[0])
        return name

    convolutions = {
        node.name: (node.input[0], behind_relu(node.output[0]), node.input[1])
        for node in model.graph.node
        if node.op_type == "Conv"
    }
    return Steps(tensors, frozenset(unrounded & set(tensors)), weights, convolutions)


def _name_outputs(model: onnx.ModelProto, rounded: Mapping[str, str], unrounded: Set[str]) -> dict[str, str]:
    """Give the tensors that are outputs once they are rounded those outputs' names, and return the new name of each.

    An output's own name went with its DequantizeLinear. What is read unrounded too keeps its name, and so do inputs:
    an output that such a tensor would be is left without a maker, which ``prepare`` refuses.
    """
    made = {name for node in model.graph.node for name in node.output}
    renamed: dict[str, str] = {}
    for output in model.graph.output:
        source = rounded.get(output.name)
        if source is not None and source in made and source not in unrounded:
            renamed.setdefault(source, output.name)
    for node in model.graph.node:
        for side in (node.input, node.output):
            side[:] = [renamed.get(name, name) for name in side]
    return renamed


def quantized(content: bytes, steps: Steps) -> bytes:
    """The float model in int8 wherever the ONNX model was.

    Raises:
        EdgesrError: the model asks for two steps of one tensor.
    """
    ranges = _Ranges(content, steps)
    recipe = ranges.recipe()
    if not recipe:
        return content
    # It writes progress bars, whatever it is asked for.
    with quiet(), contextlib.redirect_stderr(io.StringIO()):
        from ai_edge_quantizer import quantizer

        work = quantizer.Quantizer(content)
        work.load_quantization_recipe(recipe)
        result = work.quantize(ranges.ranges, enable_progress_bar=False, enable_progress_report=False)
    return bytes(result.quantized_model)


class _Ranges:
    """Which operators of a float model run in int8, and the range of each of their tensors."""

    def __init__(self, content: bytes, steps: Steps) -> None:
        self.model, self.steps = parse(content), steps
        (self.graph,) = self.model.subgraphs
        self.known: dict[str, Step] = {}
        """Steps of tensors, by their names in this model."""
        self.stored: set[str] = set()
        """Tensors that are rounded for all their readers, so that what makes them can give int8."""
        self.ranges: dict[str, dict[str, npt.NDArray[np.float64]]] = {}
        self._find()
        self._spread()

    def recipe(self) -> list[dict[str, Any]]:
        """ai-edge-quantizer's recipe: an entry for each operator in int8, by the names of what it gives."""
        entries = []
        for operator in self.graph.operators:
            name = kind(self.model, operator)
            if self._is_int8(name, operator):
                given = "".join(re.escape(self._name(index)) + ";" for index in operator.outputs)
                entries.append(_entry(name, f"^{given}$"))
                if name == "CONV_2D":
                    self._note_weights(operator)
        for tensor, step in self.known.items():
            low, high = ((level - step.zero_point) * step.scale for level in LEVELS)
            self.ranges[tensor] = {"min": np.array([[low]]), "max": np.array([[high]])}
        return entries

    def _find(self) -> None:
        """Find steps by the ONNX nodes of convolutions, and by tensors that have kept their names."""
        for operator in self.graph.operators:
            node = self._node(operator)
            if node is not None:
                taken, given, _ = self.steps.convolutions[node]
                self._note(self._name(operator.inputs[0]), taken)
                self._note(self._name(operator.outputs[0]), given)
        for tensor in self.graph.tensors:
            name = tensor.name.decode()
            self._note(name, name)

    def _spread(self) -> None:
        """Over operators that only move values: to what they read for them alone, and to what they give."""
        readers: dict[int, int] = {}
        for operator in self.graph.operators:
            for index in operator.inputs:
                readers[int(index)] = readers.get(int(index), 0) + 1
        moves = [operator for operator in self.graph.operators if kind(self.model, operator) in MOVES]
        for operator in reversed(moves):
            source, result = self._name(operator.inputs[0]), self._name(operator.outputs[0])
            if result in self.stored and source not in self.known and readers[int(operator.inputs[0])] == 1:
                self.known[source] = self.known[result]
                self.stored.add(source)
        for operator in moves:
            source, result = self._name(operator.inputs[0]), self._name(operator.outputs[0])
            if source in self.stored and result not in self.known:
                self.known[result] = self.known[source]
                self.stored.add(result)

    def _is_int8(self, name: str, operator: Any) -> bool:
        result = self._name(operator.outputs[0])
        if result not in self.stored:
            return False
        if name == "CONV_2D":
            node = self._node(operator)
            weights = None if node is None else self.steps.convolutions[node][2]
            return weights in self.steps.weights and self._name(operator.inputs[0]) in self.known
        if name == "ADD":
            return all(self._name(index) in self.known for index in operator.inputs)
        return name in MOVES and self.known.get(self._name(operator.inputs[0])) == self.known[result]

    def _note_weights(self, operator: Any) -> None:
        """The weights' own steps, which need not be their maximum over 127."""
        tensor = self.graph.tensors[operator.inputs[1]]
        node = self._node(operator)
        assert node is not None
        scales = self.steps.weights[self.steps.convolutions[node][2]].astype(np.float64)
        most = 127 * np.broadcast_to(scales, (int(tensor.shape[0]),)).reshape(-1, 1, 1, 1)
        self.ranges[tensor.name.decode()] = {"min": -most, "max": most}

    def _note(self, name: str, onnx_name: str) -> None:
        step = self.steps.tensors.get(onnx_name)
        if step is None:
            return
        if self.known.setdefault(name, step) != step:
            raise EdgesrError(f"TFLite's {name} would have two int8 steps", "please report it")
        if onnx_name not in self.steps.unrounded:
            self.stored.add(name)

    def _node(self, operator: Any) -> str | None:
        """Name of the ONNX node that a convolution is."""
        if kind(self.model, operator) != "CONV_2D":
            return None
        name = self._name(operator.inputs[1]).removesuffix(FILTER)
        return name if name in self.steps.convolutions else None

    def _name(self, index: int) -> str:
        name: str = self.graph.tensors[index].name.decode()
        return name


def _entry(operation: str, regex: str) -> dict[str, Any]:
    def tensor(symmetric: bool, granularity: str) -> dict[str, Any]:
        return {"num_bits": 8, "symmetric": symmetric, "granularity": granularity, "dtype": "INT"}

    return {
        "regex": regex,
        "operation": operation,
        "algorithm_key": "min_max_uniform_quantize",
        "op_config": {
            "activation_tensor_config": tensor(False, "TENSORWISE"),
            "weight_tensor_config": tensor(True, "CHANNELWISE"),
            "compute_precision": "INTEGER",
            "explicit_dequantize": False,
            "skip_checks": False,
            "min_weight_elements": 0,
        },
    }
