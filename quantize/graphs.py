"""The deployed graphs of a network, quantized: one quantization, any lowering."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from edgesr.deployment.graphs import GRAPH_INPUTS, Graphs, deployed_graphs
from edgesr.errors import CheckpointError
from edgesr.models.checkpoint import Checkpoint
from edgesr.models.hime.config import HIMEConfig
from edgesr.models.hime.network import HIME
from edgesr.process.exclusive import Exclusive
from edgesr.runtime.base import Array, Runtime

from .layers import exported, find_layers, tensor_names
from .points import Points
from .quantizer import converted, prepared
from .recipe import Rule
from .scheme import QParams, Quantization


def all_layers(model: HIME) -> list[str]:
    """Names of the network's layers, the encoder's first; they do not depend on sizes or lowering."""
    graphs = deployed_graphs(model, "grid_sample")
    return [
        layer.name
        for graph in GRAPH_INPUTS
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
    modules = {
        name: prepared(getattr(graphs, name), name, graphs.inputs(name), quantization.recipe, points)
        for name in GRAPH_INPUTS
    }
    missing = sorted(set(points.activations) ^ set(quantization.points))
    if missing:
        raise CheckpointError(
            f"the quantization does not fit the network: {missing[0]} is in one of them only",
            "its config.json comes from another network: take the checkpoint anew",
        )
    points.set(quantization.points)
    done = {name: converted(module, name, graphs.inputs(name)) for name, module in modules.items()}
    return dataclasses.replace(graphs, encode=done["encode"], restore=done["restore"])


def kept_in_float(model: HIME, quantization: Quantization, rules: Sequence[Rule]) -> Quantization:
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
    for graph in GRAPH_INPUTS:
        module = exported(getattr(graphs, graph), graphs.inputs(graph))
        had = tensor_names(module, graph, before)
        # A scale that the quantization lacks is that of another network: quantize_graphs says so.
        points |= {
            name: known[had[node]] for node, name in tensor_names(module, graph, after).items() if had[node] in known
        }
    return dataclasses.replace(quantization, recipe=recipe, points=points)


def quantization_of(checkpoint: Checkpoint) -> Quantization | None:
    """The quantization of an int8 checkpoint; None for a float one."""
    return None if checkpoint.quantization is None else Quantization.from_dict(checkpoint.quantization)


def quantized_runtime(
    checkpoint: Checkpoint,
    config: HIMEConfig | None = None,
    quantization: Quantization | None = None,
    lowering: str = "grid_sample",
) -> GraphsRuntime:
    """The int8 network in PyTorch: the checkpoint's own quantization, or the one given for float weights.

    ``config`` may differ from the checkpoint's in ``lr_size`` and ``slots``.
    """
    config = config or checkpoint.model.config
    quantization = quantization or quantization_of(checkpoint)
    if quantization is None:
        raise CheckpointError(f"{checkpoint.name} is a float network", "edgesr quantize makes an int8 one of it")
    graphs = deployed_graphs(checkpoint.model, lowering, lr_size=config.lr_size, slots=config.slots)
    return GraphsRuntime(quantize_graphs(graphs, quantization))


class GraphsRuntime(Runtime):
    """Runs deployed graphs in PyTorch: for quantized ones, what every int8 artifact is compared with."""

    name = "torch"

    def __init__(self, graphs: Graphs) -> None:
        self.graphs, self.config = graphs, graphs.config
        self.exclusive = Exclusive(self.name, "torch", alone=False)

    @torch.inference_mode()
    def encode(self, exemplar: Array) -> Array:
        with self.exclusive():
            features = self.graphs.encode(_tensor(exemplar).permute(2, 0, 1)[None])
        return _array(features[0].permute(1, 2, 0))

    @torch.inference_mode()
    def restore(self, lr: Array, features: Array, valid: Array) -> tuple[Array, Array]:
        with self.exclusive():
            sr, weights = self.graphs.restore(
                _tensor(lr).permute(2, 0, 1)[None], _tensor(features).permute(0, 3, 1, 2), _tensor(valid)
            )
        return _array(sr[0].permute(1, 2, 0)), _array(weights)


def _tensor(array: Array) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array))


def _array(tensor: Tensor) -> Array:
    array: Array = tensor.contiguous().numpy()
    return array
