"""Where an artifact first departs from PyTorch: prefixes of the network are converted and compared.

Delegated graphs hide their insides, so the only way to see a layer is to convert a network that ends there.
That takes a conversion for each halving of the layers, so it is done when, and only when, the gate has failed.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.fx import GraphModule, Node
from torch.fx.graph import CodeGen

from edgesr.deployment.graphs import GraphName, Graphs
from edgesr.evaluation.metrics import psnr_unit
from edgesr.files.leftovers import work_folder
from edgesr.layers.blocks import Stage
from edgesr.layers.lowerings import Sampling
from edgesr.layers.skip import ConvSkip, MatmulSkip, skip_named
from edgesr.models.interface import joined, separate
from edgesr.models.network import planar
from edgesr.quantize.layers import ADDITION, exported
from edgesr.runtime.base import Array

from .int8 import CONVOLUTIONS, DEQUANTIZE, QUANTIZE, is_operation
from .parity import FP32_MAX_ABS_ERROR
from .precision import PRECISIONS
from .target import Conversion, Report

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgesr.runtime.base import Runtime

    Convert = Callable[[Graphs, Path], Conversion]
    Open = Callable[[Path, Conversion], Runtime]

STAGES = (nn.Conv2d, Sampling, Stage, MatmulSkip, ConvSkip)
"""Modules whose outputs are looked at; what lies between them has no parameters."""

SKIP = "skip"
"""Name of the bicubic skip in the restorer."""

BRANCHES = 2
"""Modules that may lie between one that departs and the first that shows it."""

BEHIND = (torch.ops.aten.relu.default, torch.ops.aten.relu_.default)
"""What belongs to a layer of a quantized graph, besides its rounding."""

FLOAT16_PSNR_DB = 55.0
"""A layer departs where it is further from PyTorch than float16 explains, as the gate has it."""

INT8_MARGIN_DB = 6.0
"""A layer of a quantized graph departs where it differs by twice what the same graph does of inputs in float16."""

KEEP_ALIVE = 1e-12
"""Weight of inputs that a prefix does not need: without it they would vanish from the artifact's interface."""


class Prefix(nn.Module):
    """A graph that ends at one of its stages, with the same inputs and outputs as the whole.

    The module's output is projected to one channel by fixed, unequal weights (so that swapped channels
    show), brought to LR size, and returned in the place of ``features`` or ``weights``.
    """

    def __init__(self, graphs: Graphs, graph: GraphName, module: str) -> None:
        super().__init__()
        self.whole = getattr(graphs, graph)  # not `graph`: an exported module has one of its own
        self.ending = module
        self.name = graph
        self.size = graphs.interface.lr_size
        self.kept = [(1, *planar(shape)) for shape in graphs.interface.kept.values()]
        if graph == "restore":
            self.out_shape = graphs.shapes["weights"]
            own = None if isinstance(self.whole, GraphModule) else getattr(self.whole, SKIP, None)
            self.skip = own or skip_named("matmul")(self.size, graphs.interface.scale)

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        # One axis is kept, and none is joined with another: of a scalar onnx2tf makes one number that LiteRT's XNNPACK
        # takes amiss, and for a flattened input it keeps a copy in the other layout, which it then slices wrongly.
        means = [tensor.mean(tuple(range(tensor.ndim)), keepdim=True).flatten() for tensor in inputs]
        alive = torch.cat(means).sum(0, keepdim=True) * KEEP_ALIVE
        seen = self._project(self._at_the_end(*inputs)) + alive  # 1 or n, 1, h, w
        if self.name == "encode":
            return joined([_spread(seen, shape) for shape in self.kept])
        return self.skip(inputs[0]), seen[:, 0] * torch.ones(self.out_shape)

    def _at_the_end(self, *inputs: Tensor) -> Tensor:
        caught: list[Tensor] = []
        handle = self.whole.get_submodule(self.ending).register_forward_hook(
            lambda module, args, out: caught.append(out[0] if isinstance(out, tuple) else out)
        )
        try:
            self.whole(*inputs)
        finally:
            handle.remove()
        return caught[0]

    def _project(self, x: Tensor) -> Tensor:
        # A strided convolution and not PixelUnshuffle, which onnx2tf gets wrong.
        stride = max(1, x.shape[-1] // self.size)
        count = x.shape[1] * stride**2
        weight = torch.cos(torch.arange(float(count))) / count**0.5
        seen = F.conv2d(x, weight.reshape(1, x.shape[1], stride, stride), stride=stride)
        lacking = self.size - seen.shape[-1]  # of a map at a coarser level
        return F.pad(seen, (0, lacking, 0, lacking)) if lacking else seen


def _spread(seen: Tensor, shape: tuple[int, ...]) -> Tensor:
    """[1, 1, h, w] in every channel of a map of this shape; its mean where the shape is another, or a code's."""
    if shape[2:] != seen.shape[2:]:
        seen = seen.mean((2, 3), keepdim=len(shape) == 4)
    return seen.expand(shape) * torch.ones(shape)


class QuantizedPrefix(Prefix):
    """The same of a quantized graph, which has no modules any more: it is cut behind a layer, its rounding included."""

    def __init__(self, graphs: Graphs, graph: GraphName, layer: str) -> None:
        super().__init__(graphs, graph, layer)
        # Through Python's copy a GraphModule keeps its nodes' metadata, by which layers are named.
        self.whole = copy.deepcopy(self.whole)
        nodes = self.whole.graph
        end = _rounded(_layers(self.whole)[layer])
        (output,) = (node for node in nodes.nodes if node.op == "output")
        with nodes.inserting_before(output):
            output.replace_all_uses_with(nodes.output(end))
        nodes.erase_node(output)
        nodes.set_codegen(CodeGen())  # the exported one returns what the whole graph returned
        nodes.eliminate_dead_code()
        self.whole.recompile()

    def _at_the_end(self, *inputs: Tensor) -> Tensor:
        seen: Tensor = self.whole(*inputs)
        return seen


def _layers(module: GraphModule) -> dict[str, Node]:
    """Convolutions and additions of a quantized graph by their module's name, in the order in which they run."""
    found: dict[str, Node] = {}
    for node in module.graph.nodes:
        stack = list((node.meta.get("nn_module_stack") or {}).values())
        if not stack:
            continue
        path, kind = stack[-1]
        if node.target in CONVOLUTIONS:
            found.setdefault(str(path), node)
        elif node.target == torch.ops.aten.add.Tensor and kind in ADDITION:
            found.setdefault(str(path) if kind == ADDITION[0] else f"{path}.add", node)
    return found


def _rounded(node: Node) -> Node:
    """What a layer's readers take: behind its ReLU and its rounding, where it has them."""
    for user in node.users:
        if user.target in BEHIND or is_operation(user, QUANTIZE) or is_operation(user, DEQUANTIZE):
            return _rounded(user)
    return node


def stages(graphs: Graphs, graph: GraphName) -> list[str]:
    """Names of a graph's stages, in the order in which they run; of a quantized one's layers."""
    whole: nn.Module = getattr(graphs, graph)
    if isinstance(whole, GraphModule):
        return list(_layers(whole))
    order: list[str] = []
    handles = [
        module.register_forward_hook(lambda module, args, out, name=name: order.append(name))
        for name, module in whole.named_modules()
        if isinstance(module, STAGES)
    ]
    with torch.no_grad():
        whole(*graphs.inputs(graph))
    for handle in handles:
        handle.remove()
    return order


def first_departing_module(
    graphs: Graphs,
    pristine: Graphs,
    graph: GraphName,
    inputs: dict[str, Array],
    precision: str,
    convert: Convert,
    open_artifact: Open,
    report: Report,
) -> str:
    """Name of the first module of ``graph`` whose output departs, or why none was found.

    ``graphs`` are what was converted, ``pristine`` what should have been; ``inputs`` are canonical arrays of
    a real face. The search halves the list of modules: what follows a departure
    departs too.
    """
    # The skip runs beside everything else, so it is no part of the chain that is halved.
    names = [name for name in stages(pristine, graph) if name != SKIP]

    @cache
    def departs(name: str) -> bool:
        report(f"looking for the first module that departs: trying {graph}.{name}")
        with work_folder("locate") as folder:
            prefix = _exported(_prefix(graphs, graph, name), graphs, graph)
            ending = dataclasses.replace(graphs, **{graph: prefix, other: least})  # type: ignore[arg-type]
            conversion = convert(ending, folder)
            got = _run(open_artifact(folder, conversion), graph, inputs)
        correct = dataclasses.replace(pristine, **{graph: _prefix(pristine, graph, name)})  # type: ignore[arg-type]
        wanted = _wanted(correct, graph, inputs)
        peak = np.float32(np.abs(wanted).max() or 1.0)
        if quantized:
            # Any last bit rounded otherwise grows to the noise that the int8 layers before have: that is no departure.
            close = _wanted(correct, graph, _nearly(inputs))
            allowed = min(FLOAT16_PSNR_DB, psnr_unit(close / peak, wanted / peak)) - INT8_MARGIN_DB
            return not psnr_unit(got / peak, wanted / peak) >= allowed
        if PRECISIONS[precision].psnr_db is None:
            return not bool(np.abs(got - wanted).max() / peak <= FP32_MAX_ABS_ERROR)
        return not psnr_unit(got / peak, wanted / peak) >= FLOAT16_PSNR_DB

    quantized = isinstance(getattr(pristine, graph), GraphModule)
    # The other graph has to be converted too; its own first module is the least work.
    other: GraphName = "encode" if graph == "restore" else "restore"
    least = _exported(_prefix(graphs, other, stages(graphs, other)[0]), graphs, other)

    @cache
    def network() -> GraphModule:
        whole = getattr(pristine, graph)
        return whole if quantized else exported(whole, pristine.inputs(graph))

    # A graph may end in several places, none of which lies behind the others: two maps, or the face and its weights.
    last = names[-1] if departs(names[-1]) else next(filter(departs, _ends(network(), names)), None)
    if last is None:
        if graph == "restore" and not quantized and departs(SKIP):
            return f"{graph}.{SKIP}"
        return f"none alone (every prefix of {graph} agrees: the error builds up over the whole of it)"
    low, high = 0, names.index(last)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if departs(names[middle]) else (middle + 1, high)
    found = names[low]
    if not quantized:
        # Short branches run side by side (dy and dx, u and v), so one that departs may lie just before its neighbour.
        found = next(name for name in names[max(0, low - BRANCHES) : low + 1] if departs(name))
    return f"{graph}.{_earliest(network(), found, names, departs)}"


def _earliest(module: GraphModule, layer: str, known: Collection[str], departs: Callable[[str], bool]) -> str:
    """Go from a layer that departs back to one that departs of itself: branches run side by side in the list."""
    layers = _layers(module)
    while layer in layers:
        before = _read_by(module, layers[layer], known)
        found = next(filter(departs, before), None)
        if found is None:
            break
        layer = found
    return layer


def _ends(module: GraphModule, known: Collection[str]) -> Iterator[str]:
    """The layers that a graph ends in, the last ones first."""
    (output,) = (node for node in module.graph.nodes if node.op == "output")
    yield from reversed(_read_by(module, output, known))


def _read_by(module: GraphModule, reader: Node, known: Collection[str]) -> list[str]:
    """The ``known`` layers that a node computes from, without others between."""
    names = {node: name for name, node in _layers(module).items() if name in known}
    found: dict[str, None] = {}
    seen: set[Node] = set()
    waiting = list(reader.all_input_nodes)
    while waiting:
        node = waiting.pop()
        if node in names:
            found[names[node]] = None
        elif node not in seen:
            seen.add(node)
            waiting += node.all_input_nodes
    return list(found)


def _prefix(graphs: Graphs, graph: GraphName, module: str) -> Prefix:
    quantized = isinstance(getattr(graphs, graph), GraphModule)
    return (QuantizedPrefix if quantized else Prefix)(graphs, graph, module)


def _exported(prefix: Prefix, graphs: Graphs, graph: GraphName) -> nn.Module:
    """As converters take it, which find a quantized graph in what was exported."""
    return exported(prefix, graphs.inputs(graph)) if isinstance(prefix, QuantizedPrefix) else prefix


def _nearly(inputs: dict[str, Array]) -> dict[str, Array]:
    """Inputs as float16 holds them."""
    return {name: array.astype(np.float16).astype(np.float32) for name, array in inputs.items()}


def _run(runtime: Runtime, graph: GraphName, inputs: dict[str, Array]) -> Array:
    if graph == "encode":
        return separate(runtime.encode(inputs["exemplar"]))[0]
    stored = joined([inputs[name] for name in runtime.interface.kept])
    return runtime.restore(inputs["lr"], stored, inputs["valid"])[1]


@torch.inference_mode()
def _wanted(graphs: Graphs, graph: GraphName, inputs: dict[str, Array]) -> Array:
    def nchw(name: str) -> Tensor:
        array = torch.from_numpy(inputs[name])
        if array.ndim == 3:
            return array.permute(2, 0, 1)[None]
        return array.permute(0, 3, 1, 2) if array.ndim == 4 else array

    given = [nchw(name) for name in graphs.input_names(graph)]
    if graph == "encode":
        first: Tensor = separate(graphs.encode(*given))[0][0]
        out = first.permute(1, 2, 0) if first.ndim == 3 else first
    else:
        out = graphs.restore(*given)[1]
    result: Array = out.contiguous().numpy()
    return result
