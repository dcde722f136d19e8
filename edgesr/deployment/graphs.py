"""The two graphs that are deployed: the exemplar encoder and the restorer, static and free of what trips converters.
They compute what a network's ``encode`` and ``restore`` compute, for one photo and one LR face at a time.
"""

from __future__ import annotations

import copy
import dataclasses
from typing import Literal

import torch
from torch import Tensor, nn

from edgesr.models.hime.config import HIMEConfig
from edgesr.models.hime.network import HIME
from edgesr.models.registry import architecture_of

GraphName = Literal["encode", "restore"]
GRAPH_INPUTS: dict[GraphName, tuple[str, ...]] = {"encode": ("exemplar",), "restore": ("lr", "features", "valid")}
GRAPH_OUTPUTS: dict[GraphName, tuple[str, ...]] = {"encode": ("features",), "restore": ("sr", "weights")}
LAYOUTS = {"exemplar": "NCHW", "features": "NCHW", "lr": "NCHW", "sr": "NCHW", "valid": "N", "weights": "NHW"}
"""Layout of each tensor in these graphs; an artifact may have another."""


@dataclasses.dataclass(frozen=True)
class Graphs:
    """Both graphs of one network, with the sizes they were made for."""

    encode: nn.Module
    """The module as the architecture makes it, or what it became when it was quantized (a ``GraphModule``)."""
    restore: nn.Module
    """Likewise."""
    config: HIMEConfig
    """The configuration, with the ``lr_size`` and ``slots`` of this conversion."""
    lowering: str
    metadata: dict[str, str | int] = dataclasses.field(default_factory=dict)
    """What a converter embeds in the artifact where the format allows it (feature_space, scale, ...)."""

    def inputs(self, graph: GraphName) -> tuple[Tensor, ...]:
        """Example inputs, float32: noise in [0, 1] that is the same each time, all slots valid."""
        random = torch.Generator().manual_seed(0)
        shapes = self.shapes
        arrays = {name: torch.rand(shapes[name], generator=random) for name in GRAPH_INPUTS[graph]}
        if "valid" in arrays:
            arrays["valid"] = torch.ones(shapes["valid"])
        return tuple(arrays.values())

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every tensor of both graphs; ``features`` as the restorer takes them (the encoder gives one)."""
        c, lr, hr = self.config, self.config.lr_size, self.config.hr_size
        return {
            "exemplar": (1, 3, hr, hr),
            "lr": (1, 3, lr, lr),
            "features": (c.slots, c.feature_channels, lr, lr),
            "valid": (c.slots,),
            "sr": (1, 3, hr, hr),
            "weights": (c.slots, lr, lr),
        }

    def tensors(self) -> dict[str, dict[str, list[dict[str, object]]]]:
        """``Conversion.tensors`` of an artifact that keeps these graphs' names, shapes and layouts."""

        def described(graph: GraphName, name: str) -> dict[str, object]:
            shape = list(self.shapes[name])
            if graph == "encode" and name == "features":
                shape[0] = 1
            return {"name": name, "file_name": name, "shape": shape, "layout": LAYOUTS[name], "dtype": "float32"}

        return {
            graph: {
                "inputs": [described(graph, name) for name in GRAPH_INPUTS[graph]],
                "outputs": [described(graph, name) for name in GRAPH_OUTPUTS[graph]],
            }
            for graph in GRAPH_INPUTS
        }


def deployed_graphs(
    model: HIME, lowering: str, *, lr_size: int | None = None, slots: int | None = None, skip: str = "matmul"
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
