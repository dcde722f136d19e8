"""Where an artifact first departs from PyTorch: prefixes of the network are converted and compared.

Delegated graphs hide their insides, so the only way to see a layer is to convert a network that ends there.
That takes a conversion for each halving of the layers, so it is done when, and only when, the gate has failed.
"""

from __future__ import annotations

import dataclasses
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgesr.deployment.graphs import GraphName, Graphs
from edgesr.deployment.lowerings import Sampling
from edgesr.deployment.rewrites import ConvSkip, FoldedAggregation, MatmulSkip
from edgesr.metrics import psnr_unit
from edgesr.runtime.base import Array

from .parity import FP16_PSNR_DB, FP32_MAX_ABS_ERROR
from .target import Conversion, Report

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgesr.runtime.base import Runtime

    Convert = Callable[[Graphs, Path], Conversion]
    Open = Callable[[Path, Conversion], Runtime]

STAGES = (nn.Conv2d, Sampling, FoldedAggregation, MatmulSkip, ConvSkip)
"""Modules whose outputs are looked at; what lies between them has no parameters."""

SKIP = "skip"
"""Name of the bicubic skip in the restorer."""

BRANCHES = 2
"""Modules that may lie between one that departs and the first that shows it."""

KEEP_ALIVE = 1e-12
"""Weight of inputs that a prefix does not need: without it they would vanish from the artifact's interface."""


class Prefix(nn.Module):
    """A graph that ends at one of its modules, with the same inputs and outputs as the whole.

    The module's output is projected to one channel by fixed, unequal weights (so that swapped channels
    show), brought to LR size, and returned in the place of ``features`` or ``weights``.
    """

    def __init__(self, graphs: Graphs, graph: GraphName, module: str) -> None:
        super().__init__()
        self.whole = getattr(graphs, graph)  # not `graph`: an exported module has one of its own
        self.ending = module
        self.name = graph
        self.size = graphs.config.lr_size
        self.out_shape = graphs.shapes["weights"] if graph == "restore" else (1, *graphs.shapes["features"][1:])

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        caught: list[Tensor] = []
        handle = self.whole.get_submodule(self.ending).register_forward_hook(
            lambda module, args, out: caught.append(out[0] if isinstance(out, tuple) else out)
        )
        try:
            self.whole(*inputs)
        finally:
            handle.remove()
        alive = torch.stack([tensor.flatten().mean(0) for tensor in inputs]).sum() * KEEP_ALIVE
        seen = self._project(caught[0]) + alive  # 1 or n, 1, h, w
        if self.name == "encode":
            return seen.expand(self.out_shape) * torch.ones(self.out_shape)
        sr = self.whole.skip(inputs[0])
        return sr, seen[:, 0] * torch.ones(self.out_shape)

    def _project(self, x: Tensor) -> Tensor:
        # A strided convolution and not PixelUnshuffle, which onnx2tf gets wrong.
        stride = x.shape[-1] // self.size
        count = x.shape[1] * stride**2
        weight = torch.cos(torch.arange(float(count))) / count**0.5
        return F.conv2d(x, weight.reshape(1, x.shape[1], stride, stride), stride=stride)


def stages(graphs: Graphs, graph: GraphName) -> list[str]:
    """Names of a graph's stages, in the order in which they run."""
    whole: nn.Module = getattr(graphs, graph)
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
        with tempfile.TemporaryDirectory(prefix="edgesr-locate-") as folder:
            conversion = convert(_ending_at(graphs, graph, name), Path(folder))
            got = _run(open_artifact(Path(folder), conversion), graph, inputs)
        wanted = _wanted(_ending_at(pristine, graph, name), graph, inputs)
        peak = np.float32(np.abs(wanted).max() or 1.0)
        if precision == "fp32":
            return not bool(np.abs(got - wanted).max() / peak <= FP32_MAX_ABS_ERROR)
        return not psnr_unit(got / peak, wanted / peak) >= FP16_PSNR_DB

    low, high = 0, len(names) - 1
    if not departs(names[high]):
        if graph == "restore" and departs(SKIP):
            return f"{graph}.{SKIP}"
        return f"none alone (every prefix of {graph} agrees: the error builds up over the whole of it)"
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if departs(names[middle]) else (middle + 1, high)
    # Short branches run side by side (dy and dx, u and v), so one that departs may lie just before its neighbour.
    return f"{graph}.{next(name for name in names[max(0, low - BRANCHES) : low + 1] if departs(name))}"


def _ending_at(graphs: Graphs, graph: GraphName, module: str) -> Graphs:
    # The other graph has to be converted too; its own first module is the least work.
    other: GraphName = "encode" if graph == "restore" else "restore"
    prefixes = {graph: Prefix(graphs, graph, module), other: Prefix(graphs, other, stages(graphs, other)[0])}
    return dataclasses.replace(graphs, **prefixes)  # type: ignore[arg-type]


def _run(runtime: Runtime, graph: GraphName, inputs: dict[str, Array]) -> Array:
    if graph == "encode":
        return runtime.encode(inputs["exemplar"])
    return runtime.restore(inputs["lr"], inputs["features"], inputs["valid"])[1]


@torch.inference_mode()
def _wanted(graphs: Graphs, graph: GraphName, inputs: dict[str, Array]) -> Array:
    def nchw(name: str) -> Tensor:
        array = torch.from_numpy(inputs[name])
        return array.permute(2, 0, 1)[None] if array.ndim == 3 else array.permute(0, 3, 1, 2)

    if graph == "encode":
        out: Tensor = graphs.encode(nchw("exemplar"))[0].permute(1, 2, 0)
    else:
        out = graphs.restore(nchw("lr"), nchw("features"), torch.from_numpy(inputs["valid"]))[1]
    result: Array = out.contiguous().numpy()
    return result
