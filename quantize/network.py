"""A network under quantization-aware training: its own weights, in its architecture's graphs for batches."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import GraphModule

from edgesr.errors import UsageError
from edgesr.layers.bicubic import bicubic_upsample
from edgesr.models.interface import separate
from edgesr.models.network import Network
from edgesr.models.registry import architecture_of
from edgesr.process.quiet import quiet

from .points import LEAST_SCALE, Points
from .quantizer import prepared_module
from .scheme import QParams, Quantization

with quiet():  # torchao warns of itself while it is loaded
    from torchao.quantization.pt2e.quantize_pt2e import prepare_qat_pt2e


def check_trainable(model: Network) -> None:
    """Raises UsageError: the network's architecture has no graphs for training in int8."""
    architecture = architecture_of(model.config)
    if not architecture.training:
        raise UsageError(f"{architecture.name} networks are not trained in int8", "calibrate alone (--method ptq)")


class QATNetwork(nn.Module):
    """A network, rounded as its int8 form rounds. Graphs are made when a batch first needs them.

    Parameters are those of the architecture's graphs for training, and the step of every activation that is not a
    stored feature's: steps are learned (LSQ, Esser et al. 2020) from where calibration put them.
    """

    points: Points
    form: Any

    def __init__(self, model: Network, quantization: Quantization) -> None:
        """
        Raises:
            UsageError: the architecture has no graphs for training, or the recipe has in int8 what it cannot train so.
        """
        super().__init__()
        check_trainable(model)
        form = architecture_of(model.config).training_graphs(model)
        if folded := quantization.recipe.quantized(form.folded):
            raise UsageError(
                f"{folded[0]} cannot be trained in int8: it is folded of two convolutions",
                'give it precision = "float" in the recipe, or calibrate alone (--method ptq)',
            )
        self.interface = model.interface
        for name, part in form.named_children():
            self.add_module(name, part)
        # Not registered: its parameters are all here already, under one name each.
        self.__dict__["form"] = form
        self.__dict__["_graphs"] = {}
        self.recipe = quantization.recipe
        self.learned = [name for name in quantization.points if not name.startswith("features.")]
        self.steps = nn.Parameter(torch.tensor([quantization.points[name].scale for name in self.learned]))
        fixed = {name: q for name, q in quantization.points.items() if name not in self.learned}
        self.__dict__["points"] = Points(fixed)
        for i, name in enumerate(self.learned):
            self.points.point(name).learn(self.steps, i)
        self.points.set(quantization.points)

    def forward(self, lr: Tensor, exemplars: Tensor, valid: Tensor) -> tuple[Tensor, Any]:
        """``sr`` [B, 3, H, W] and the features that the encoder gave, [B * n, C, h, w]; none where n is 0."""
        b, n = exemplars.shape[:2]
        graphs = self._graphs_for(b, n)
        features: Any = ()
        if n:
            features = graphs["encode"](exemplars.flatten(0, 1))
            residual, _ = graphs["restore"](lr, *separate(features), valid)
        else:
            residual, _ = graphs["restore"](lr)
        return residual.float() + bicubic_upsample(lr, self.interface.scale), features

    def freeze_steps(self, frozen: bool) -> None:
        """Whether the activations' steps stay as they are."""
        self.steps.requires_grad_(not frozen)

    def qparams(self) -> dict[str, QParams]:
        """Step and zero point of every point, as they are now."""
        return self.points.qparams()

    def deployable(self, state: dict[str, Tensor] | None = None) -> Network:
        """A copy of the network in its own form, from these parameters or from a state's."""
        network: Network = self.form.deployable(state or self.state_dict())
        return network

    @torch.no_grad()
    def clamp_steps(self) -> None:
        """Keep steps positive, whatever the optimizer did."""
        self.steps.clamp_(min=LEAST_SCALE)

    def _graphs_for(self, batch: int, slots: int) -> dict[str, GraphModule]:
        made: dict[Any, dict[str, GraphModule]] = self.__dict__["_graphs"]
        if (batch, slots) not in made:
            device, inputs = self.steps.device, self.form.inputs(batch, slots)
            made[batch, slots] = {
                name: prepared_module(
                    module.train().to(device),
                    name,
                    tuple(tensor.to(device) for tensor in inputs[name]),
                    self.interface,
                    self.recipe,
                    self.points,
                    prepare_qat_pt2e,
                )
                for name, module in self.form.graphs(batch, slots).items()
            }
        return made[batch, slots]
