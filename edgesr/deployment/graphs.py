"""The two graphs that are deployed: the exemplar encoder and the restorer, static and free of what trips converters.
They compute what a network's ``encode`` and ``restore`` compute, for one photo and one LR face at a time.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from edgesr.models.architecture import NetworkConfig
from edgesr.models.interface import Interface, separate
from edgesr.models.network import Kept, Network, planar
from edgesr.models.registry import architecture_of

GraphName = Literal["encode", "restore"]
GRAPHS: tuple[GraphName, ...] = ("encode", "restore")
LAYOUTS = {"exemplar": "NCHW", "lr": "NCHW", "sr": "NCHW", "valid": "N", "weights": "NHW"}
"""Layout of each tensor in these graphs; an artifact may have another. What is kept of an exemplar: NCHW, a code NC."""


@dataclasses.dataclass(frozen=True)
class Graphs:
    """Both graphs of one network, with the sizes they were made for."""

    encode: nn.Module
    """The module as the architecture makes it, or what it became when it was quantized (a ``GraphModule``)."""
    restore: nn.Module
    """Likewise."""
    config: NetworkConfig
    """The configuration, with the ``lr_size`` and ``slots`` of this conversion."""
    lowering: str
    metadata: dict[str, str | int] = dataclasses.field(default_factory=dict)
    """What a converter embeds in the artifact where the format allows it (feature_space, scale, ...)."""

    @property
    def interface(self) -> Interface:
        """Sizes and names of what goes in and comes out."""
        return self.config.interface

    @property
    def kept(self) -> tuple[str, ...]:
        """Names of the tensors that the encoder gives and the restorer takes: one of each map and code."""
        return tuple(self.interface.kept)

    def input_names(self, graph: GraphName) -> tuple[str, ...]:
        """In the order in which the graph takes them."""
        return ("exemplar",) if graph == "encode" else ("lr", *self.kept, "valid")

    def output_names(self, graph: GraphName) -> tuple[str, ...]:
        """In the order in which the graph gives them."""
        return self.kept if graph == "encode" else ("sr", "weights")

    def inputs(self, graph: GraphName) -> tuple[Tensor, ...]:
        """Example inputs, float32: noise in [0, 1] that is the same each time, all slots valid."""
        random = torch.Generator().manual_seed(0)
        shapes = self.shapes
        arrays = {name: torch.rand(shapes[name], generator=random) for name in self.input_names(graph)}
        if "valid" in arrays:
            arrays["valid"] = torch.ones(shapes["valid"])
        return tuple(arrays.values())

    def restorer_inputs(
        self, lr: Tensor, photos: Sequence[Tensor], encode: Callable[[Tensor], Kept]
    ) -> tuple[Tensor, ...]:
        """What the restorer takes for a face ``lr`` [1, 3, h, w]: of each of ``photos`` [1, 3, H, W], up to the slots,
        what ``encode`` gives, zeros in empty slots, and the mask."""
        kept = [torch.zeros(self.shapes[name]) for name in self.kept]
        valid = torch.zeros(self.shapes["valid"])
        for i, photo in enumerate(photos[: len(valid)]):
            valid[i] = 1.0
            for slots, one in zip(kept, separate(encode(photo)), strict=True):
                slots[i] = one[0]
        return lr, *kept, valid

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every tensor of both graphs; features as the restorer takes them (the encoder gives one)."""
        interface = self.interface
        slots, lr, hr = interface.slots, interface.lr_size, interface.hr_size
        return {
            "exemplar": (1, 3, hr, hr),
            "lr": (1, 3, lr, lr),
            **{name: (slots, *planar(shape)) for name, shape in interface.kept.items()},
            "valid": (slots,),
            "sr": (1, 3, hr, hr),
            "weights": (slots, lr, lr),
        }

    def tensors(self) -> dict[str, dict[str, list[dict[str, object]]]]:
        """``Conversion.tensors`` of an artifact that keeps these graphs' names, shapes and layouts."""

        def described(graph: GraphName, name: str) -> dict[str, object]:
            shape = list(self.shapes[name])
            if graph == "encode" and name in self.kept:
                shape[0] = 1
            layout = LAYOUTS.get(name, "NCHW" if len(shape) == 4 else "NC")
            return {"name": name, "file_name": name, "shape": shape, "layout": layout, "dtype": "float32"}

        return {
            graph: {
                "inputs": [described(graph, name) for name in self.input_names(graph)],
                "outputs": [described(graph, name) for name in self.output_names(graph)],
            }
            for graph in GRAPHS
        }


def deployed_graphs(
    model: Network, lowering: str, *, lr_size: int | None = None, slots: int | None = None, skip: str = "matmul"
) -> Graphs:
    """The graphs of ``model`` for an LR size and a number of slots (by default its configuration's).

    Raises:
        UsageError: unknown lowering or skip (the valid ones are listed), or the network has no deployed form.
    """
    changes = {name: value for name, value in (("lr_size", lr_size), ("slots", slots)) if value is not None}
    config = model.config.replace(**changes)
    own = copy.deepcopy(model).to("cpu", torch.float32)
    encode, restore = architecture_of(config).graphs(own, config, lowering, skip)
    for graph in (encode, restore):
        graph.eval().requires_grad_(False)
    return Graphs(encode, restore, config, lowering)
