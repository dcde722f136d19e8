"""HIME's own weights in the layers of its deployed graphs, for batches: what quantization-aware training trains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from edgesr.models.hime.deployed import DeployedAlignment, EncodeGraph, RestoreGraph
from edgesr.models.hime.network import HIME

CONVOLUTIONS = ("offset_y", "offset_x", "projection")
"""Of the alignment, trained in deployed form; every other layer is the network's own."""


class TrainingGraphs(nn.Module):
    """Graphs of any batch and number of exemplars that train one network's weights.

    A network with another alignment says with ``alignment`` and ``made`` what its own graphs are.
    """

    folded = ("restore.aggregation.u", "restore.aggregation.v")
    """Layers of the deployed graphs that are made of several convolutions, so that what they learn cannot go back."""

    hime: Any
    """The network, a HIME or what has an alignment like it."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.hime = model.requires_grad_(True)
        alignment = self.alignment()
        self.offset_y, self.offset_x, self.projection = (getattr(alignment, name) for name in CONVOLUTIONS)

    def alignment(self) -> nn.Module:
        """The alignment in deployed form, of one face with one exemplar."""
        return DeployedAlignment(self.hime.rfa, self.hime.config.replace(slots=1), "grid_sample", 1)

    def made(self, slots: int, batch: int) -> tuple[nn.Module, Any]:
        """The encoder, and the restorer of ``batch`` faces of ``slots`` exemplars each."""
        config = self.hime.config.replace(slots=slots)
        return EncodeGraph(self.hime), RestoreGraph(self.hime, config, "grid_sample", "matmul", batch)

    def graphs(self, batch: int, slots: int) -> dict[str, nn.Module]:
        """Encoder and restorer for ``batch`` faces of ``slots`` exemplars each; of none the restorer alone, which then
        takes the LR faces and nothing else."""
        encode, restore = self.made(max(slots, 1), batch)
        for name in CONVOLUTIONS:
            setattr(restore.alignment, name, getattr(self, name))
        return {"encode": encode, "restore": restore} if slots else {"restore": restore}

    def inputs(self, batch: int, slots: int) -> dict[str, tuple[Tensor, ...]]:
        """Examples to export them with."""
        config = self.hime.config
        lr = torch.rand(batch, 3, config.lr_size, config.lr_size)
        if not slots:
            return {"restore": (lr,)}
        features = torch.rand(batch * slots, config.feature_channels, config.lr_size, config.lr_size)
        return {
            "encode": (torch.rand(batch * slots, 3, config.hr_size, config.hr_size),),
            "restore": (lr, features, torch.ones(batch, slots)),
        }

    @torch.no_grad()
    def deployable(self, state: Mapping[str, Tensor]) -> Any:
        """The network in its own form, from a state of these parameters."""
        model = type(self.hime)(self.hime.config)
        model.load_state_dict({k.removeprefix("hime."): v for k, v in state.items() if k.startswith("hime.")})
        convolutions = {
            name: {k.removeprefix(f"{name}."): v for k, v in state.items() if k.startswith(f"{name}.")}
            for name in CONVOLUTIONS
        }
        bring_home(model, convolutions)
        return model.eval().requires_grad_(False)


def bring_home(model: HIME, convolutions: Mapping[str, Mapping[str, Tensor]]) -> None:
    """Set the alignment of ``model`` to weights and biases of its convolutions in deployed form, by their names."""
    rfa, bound = model.rfa, model.rfa.bound
    with torch.no_grad():
        for part, name in enumerate(("offset_y", "offset_x")):
            rfa.offset.weight[part::2] = convolutions[name]["weight"] * bound
            assert rfa.offset.bias is not None
            rfa.offset.bias[part::2] = convolutions[name]["bias"] * bound
        if projection := convolutions["projection"]:  # a warp has none
            deform: Any = rfa.deform
            deform.weight.copy_(projection["weight"].reshape(deform.weight.shape))
            deform.bias.copy_(projection["bias"])
