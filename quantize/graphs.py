"""The deployed graphs of a network, quantized: one quantization, any lowering."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from edgesr.deployment.graphs import GRAPHS, Graphs, deployed_graphs
from edgesr.errors import CheckpointError
from edgesr.models.checkpoint import Checkpoint
from edgesr.models.interface import Interface, joined, separate
from edgesr.models.network import Network
from edgesr.process.exclusive import Exclusive
from edgesr.runtime.base import Array, Features, Runtime

from .layers import exported, find_layers, tensor_names
from .points import Points
from .quantizer import converted, prepared
from .recipe import Rule
from .scheme import QParams, Quantization


def all_layers(model: Network) -> list[str]:
    """Names of the network's layers, the encoder's first; they do not depend on sizes or lowering."""
    graphs = deployed_graphs(model, "grid_sample")
    return [
        layer.name
        for graph in GRAPHS
        for layer in find_layers(exported(getattr(graphs, graph), graphs.inputs(graph)), graph)
    ]


def fixed_points(feature_scales: dict[str, float]) -> dict[str, QParams]:
    """The feature space's steps as points.

    Raises:
        CheckpointError: the network has none.
    """
    if not feature_scales:
        raise CheckpointError("the network has no feature_scales", "train it with edgesr train, which measures them")
    return {f"features.{part}": QParams(scale) for part, scale in feature_scales.items()}


def quantize_graphs(graphs: Graphs, quantization: Quantization) -> Graphs:
    """Both graphs with quantize and dequantize operators, ready for any converter.

    ``graphs`` are those of the quantized checkpoint's weights, in any lowering.

    Raises:
        CheckpointError: the quantization is that of another network.
    """
    points = Points({})
    modules = {name: prepared(graphs, name, quantization.recipe, points) for name in GRAPHS}
    missing = sorted(set(points.activations) ^ set(quantization.points))
    if missing:
        raise CheckpointError(
            f"the quantization does not fit the network: {missing[0]} is in one of them only",
            "its config.json comes from another network: take the checkpoint anew",
        )
    points.set(quantization.points)
    done = {name: converted(module, name, graphs.inputs(name)) for name, module in modules.items()}
    return dataclasses.replace(graphs, encode=done["encode"], restore=done["restore"])


def kept_in_float(model: Network, quantization: Quantization, rules: Sequence[Rule]) -> Quantization:
    """The quantization with the layers of further ``rules`` in float.

    What int8 layers take from one of them is rounded at each by the scale that its output had, under their own name.
    """
    recipe = dataclasses.replace(quantization.recipe, rules=(*quantization.recipe.rules, *rules))
    layers = all_layers(model)
    before, after = (set(each.quantized(layers)) for each in (quantization.recipe, recipe))
    if before == after:
        return quantization
    graphs, known = deployed_graphs(model, "grid_sample"), quantization.points
    points: dict[str, QParams] = {}
    for graph in GRAPHS:
        module = exported(getattr(graphs, graph), graphs.inputs(graph))
        had = tensor_names(module, graph, graphs.interface, before)
        # A scale that the quantization lacks is that of another network: quantize_graphs says so.
        points |= {
            name: known[had[node]]
            for node, name in tensor_names(module, graph, graphs.interface, after).items()
            if had[node] in known
        }
    return dataclasses.replace(quantization, recipe=recipe, points=points)


def quantization_of(checkpoint: Checkpoint) -> Quantization | None:
    """The quantization of an int8 checkpoint; None for a float one."""
    return None if checkpoint.quantization is None else Quantization.from_dict(checkpoint.quantization)


def quantized_runtime(
    checkpoint: Checkpoint,
    interface: Interface | None = None,
    quantization: Quantization | None = None,
    lowering: str = "grid_sample",
) -> GraphsRuntime:
    """The int8 network in PyTorch: the checkpoint's own quantization, or the one given for float weights.

    ``interface`` may differ from the checkpoint's in ``lr_size`` and ``slots``.
    """
    interface = interface or checkpoint.model.interface
    quantization = quantization or quantization_of(checkpoint)
    if quantization is None:
        raise CheckpointError(f"{checkpoint.name} is a float network", "edgesr quantize makes an int8 one of it")
    graphs = deployed_graphs(checkpoint.model, lowering, lr_size=interface.lr_size, slots=interface.slots)
    return GraphsRuntime(quantize_graphs(graphs, quantization))


class GraphsRuntime(Runtime):
    """Runs deployed graphs in PyTorch: for quantized ones, what every int8 artifact is compared with."""

    name = "torch"

    def __init__(self, graphs: Graphs) -> None:
        self.graphs, self.interface = graphs, graphs.interface
        self.exclusive = Exclusive(self.name, "torch", alone=False)

    @torch.inference_mode()
    def encode(self, exemplar: Array) -> Features:
        with self.exclusive():
            kept = separate(self.graphs.encode(_tensor(exemplar).permute(2, 0, 1)[None]))
        return joined([_array(one[0].permute(1, 2, 0) if one.ndim == 4 else one[0]) for one in kept])

    @torch.inference_mode()
    def restore(self, lr: Array, features: Features, valid: Array) -> tuple[Array, Array]:
        kept = [_tensor(one).permute(0, 3, 1, 2) if one.ndim == 4 else _tensor(one) for one in separate(features)]
        with self.exclusive():
            sr, weights = self.graphs.restore(_tensor(lr).permute(2, 0, 1)[None], *kept, _tensor(valid))
        return _array(sr[0].permute(1, 2, 0)), _array(weights)


def _tensor(array: Array) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array))


def _array(tensor: Tensor) -> Array:
    array: Array = tensor.contiguous().numpy()
    return array
