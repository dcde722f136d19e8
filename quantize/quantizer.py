"""A PT2E quantizer that follows a recipe: it annotates the layers of an exported graph with named points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import GraphModule, Node

from edgesr.deployment.graphs import GraphName, Graphs
from edgesr.models.interface import Interface
from edgesr.process.quiet import quiet

from .layers import Layer, exported, find_layers, layer_names, source, tensor_names
from .points import Point, Points, WeightPoint
from .recipe import Recipe
from .scheme import QUANT_MAX, QUANT_MIN

with quiet():  # torchao warns of itself while it is loaded
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
    from torchao.quantization.pt2e.quantizer import QuantizationAnnotation, QuantizationSpec, Quantizer
    from torchao.quantization.pt2e.quantizer.quantizer import Q_ANNOTATION_KEY

Prepare = Callable[[GraphModule, Quantizer], GraphModule]


class RecipeQuantizer(Quantizer):  # type: ignore[misc]
    """Annotates one graph. int8 layers compute from rounded tensors and give rounded ones; so do stored features."""

    def __init__(self, graph: str, interface: Interface, recipe: Recipe, points: Points) -> None:
        super().__init__()
        self.graph, self.interface, self.recipe, self.points = graph, interface, recipe, points
        self._specs: dict[str, QuantizationSpec] = {}

    def annotate(self, model: GraphModule) -> GraphModule:
        layers = find_layers(model, self.graph)
        chosen = set(self.recipe.quantized(layer_names(layers)))
        names = tensor_names(model, self.graph, self.interface, chosen)
        outputs = {node: self._activation(name) for node, name in names.items() if not name.endswith(":in")}
        edges: dict[Node, dict[Node, QuantizationSpec]] = {}
        for layer in layers:
            if layer.name not in chosen:
                continue
            edges[layer.node] = {node: self._activation(names[source(node)]) for node in layer.inputs}
            if layer.weight is not None:
                edges[layer.node][layer.weight] = self._weight(layer)
        for node in {*outputs, *edges}:
            node.meta[Q_ANNOTATION_KEY] = QuantizationAnnotation(
                input_qspec_map=edges.get(node, {}), output_qspec=outputs.get(node), _annotated=True
            )
        return model

    def validate(self, model: GraphModule) -> None:
        """Nothing to refuse: recipes are checked against the layers before."""

    def _activation(self, name: str) -> QuantizationSpec:
        # One object a tensor: PT2E shares a point between edges whose specifications are equal.
        if name not in self._specs:
            self._specs[name] = QuantizationSpec(
                dtype=torch.int8,
                observer_or_fake_quant_ctr=_Always(self.points.point(name)),
                quant_min=QUANT_MIN,
                quant_max=QUANT_MAX,
                qscheme=torch.per_tensor_affine,
            )
        return self._specs[name]

    def _weight(self, layer: Layer) -> QuantizationSpec:
        return QuantizationSpec(
            dtype=torch.int8,
            observer_or_fake_quant_ctr=_Always(self.points.weight(layer.name)),
            quant_min=-QUANT_MAX,
            quant_max=QUANT_MAX,
            qscheme=torch.per_channel_symmetric,
            ch_axis=0,
        )


class _Always:
    """The constructor that PT2E wants, of a module that is there already."""

    def __init__(self, module: Point | WeightPoint) -> None:
        self.module = module
        self.__name__ = f"PerChannel{type(module).__name__}" if isinstance(module, WeightPoint) else "Point"

    def with_args(self, **_: Any) -> _Always:
        return self

    def __call__(self) -> Point | WeightPoint:
        return self.module


def prepared(
    graphs: Graphs, name: GraphName, recipe: Recipe, points: Points, prepare: Prepare = prepare_pt2e
) -> GraphModule:
    """The graph ``name`` with fake quantization by the recipe; its points are those of ``points``."""
    return prepared_module(getattr(graphs, name), name, graphs.inputs(name), graphs.interface, recipe, points, prepare)


def prepared_module(
    module: nn.Module,
    name: GraphName,
    inputs: tuple[Tensor, ...],
    interface: Interface,
    recipe: Recipe,
    points: Points,
    prepare: Prepare,
) -> GraphModule:
    """As ``prepared``, of what stands for a graph."""
    with quiet():
        return prepare(exported(module, inputs), RecipeQuantizer(name, interface, recipe, points))


def converted(module: GraphModule, name: str, inputs: tuple[Tensor, ...]) -> GraphModule:
    """A prepared graph with quantize and dequantize operators and int8 weights in the points' place."""
    with quiet(), torch.no_grad():
        module(*inputs)  # weights' steps are those of the weights seen last
        _round_biases(module, name)
        return convert_pt2e(module)


def _round_biases(module: GraphModule, name: str) -> None:
    """Biases as the multiples of input step times weight step that every int8 runtime adds.

    Without it an artifact differs from this graph in one value of 200 by one step a layer, and 26 blocks make noise
    as loud as quantization itself of that.
    """
    for layer in find_layers(module, name):
        x, weight, bias = (*layer.node.args, None, None)[:3]
        steps = [_module(module, node) for node in (x, weight)]
        if layer.kind == "conv" and isinstance(steps[0], Point) and isinstance(steps[1], WeightPoint) and bias:
            step = steps[0].step.detach() * steps[1].steps(_attribute(module, weight.args[0]))  # type: ignore[union-attr]
            rounded = torch.round(_attribute(module, bias) / step) * step
            path, _, attribute = str(bias.target).rpartition(".")  # type: ignore[union-attr]
            setattr(module.get_submodule(path), attribute, nn.Parameter(rounded, requires_grad=False))


def _module(module: GraphModule, node: Any) -> nn.Module | None:
    """The point that a node is, looked for through operators that only move values."""
    node = source(node) if isinstance(node, Node) else None
    return module.get_submodule(str(node.target)) if node is not None and node.op == "call_module" else None


def _attribute(module: GraphModule, node: Any) -> Tensor:
    value: Any = module
    for part in str(node.target).split("."):
        value = getattr(value, part)
    tensor: Tensor = value
    return tensor.detach()
