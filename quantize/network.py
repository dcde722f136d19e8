"""The network under quantization-aware training: HIME's own weights in the batched twins of its deployed graphs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import GraphModule

from edgesr.deployment.graphs import GraphName
from edgesr.errors import UsageError
from edgesr.layers.bicubic import bicubic_upsample
from edgesr.models.hime.deployed import EncodeGraph
from edgesr.models.hime.network import HIME
from edgesr.process.quiet import quiet

from .points import LEAST_SCALE, Points
from .quantizer import prepared_module
from .scheme import QParams, Quantization
from .twin import PlainTwin, RestoreTwin, inputs_of, share_alignment, to_hime

with quiet():  # torchao warns of itself while it is loaded
    from torchao.quantization.pt2e.quantize_pt2e import prepare_qat_pt2e


class QATNetwork(nn.Module):
    """HIME, rounded as the int8 network rounds. Twins are made when a batch first needs them.

    Parameters are HIME's, the alignment's convolutions in deployed form, and the step of every activation that is
    not a stored feature's: steps are learned (LSQ, Esser et al. 2020) from where calibration put them.
    """

    points: Points

    def __init__(self, model: HIME, quantization: Quantization) -> None:
        super().__init__()
        if folded := quantization.recipe.quantized(["restore.aggregation.u", "restore.aggregation.v"]):
            raise UsageError(
                f"{folded[0]} cannot be trained in int8: it is folded of two convolutions",
                'give it precision = "float" in the recipe, or calibrate alone (--method ptq)',
            )
        self.hime = model.requires_grad_(True)
        first = RestoreTwin(model, 1, 1).alignment
        self.offset_y, self.offset_x, self.projection = first.offset_y, first.offset_x, first.projection
        # Not registered: their parameters are all here already, under one name each.
        self.__dict__["_alignment"] = first
        self.__dict__["_twins"] = {}
        self.recipe = quantization.recipe
        self.learned = [name for name in quantization.points if not name.startswith("features.")]
        self.steps = nn.Parameter(torch.tensor([quantization.points[name].scale for name in self.learned]))
        fixed = {name: q for name, q in quantization.points.items() if name not in self.learned}
        self.__dict__["points"] = Points(fixed)
        for i, name in enumerate(self.learned):
            self.points.point(name).learn(self.steps, i)
        self.points.set(quantization.points)

    def forward(self, lr: Tensor, exemplars: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """``sr`` [B, 3, H, W] and the features that the encoder gave, [B * n, C, h, w]."""
        b, n = exemplars.shape[:2]
        twins = self._twins_for(b, n)
        if n:
            features = twins["encode"](exemplars.flatten(0, 1))
            residual = twins["restore"](lr, features, valid)
        else:
            features = lr.new_zeros(0)
            residual = twins["restore"](lr)
        return residual.float() + bicubic_upsample(lr, self.hime.config.scale), features

    def freeze_steps(self, frozen: bool) -> None:
        """Whether the activations' steps stay as they are."""
        self.steps.requires_grad_(not frozen)

    def qparams(self) -> dict[str, QParams]:
        """Step and zero point of every point, as they are now."""
        return self.points.qparams()

    @torch.no_grad()
    def deployable(self, state: dict[str, Tensor] | None = None) -> HIME:
        """A copy of the network in its own form, from these parameters or from a state's."""
        copied = HIME(self.hime.config)
        state = state or self.state_dict()
        copied.load_state_dict({k.removeprefix("hime."): v for k, v in state.items() if k.startswith("hime.")})
        alignment = RestoreTwin(copied, 1, 1).alignment
        for name in ("offset_y", "offset_x", "projection"):
            own = {k.removeprefix(f"{name}."): v for k, v in state.items() if k.startswith(f"{name}.")}
            getattr(alignment, name).load_state_dict(own)
        return to_hime(copied, alignment).eval().requires_grad_(False)

    @torch.no_grad()
    def clamp_steps(self) -> None:
        """Keep steps positive, whatever the optimizer did."""
        self.steps.clamp_(min=LEAST_SCALE)

    def _twins_for(self, batch: int, slots: int) -> dict[GraphName, GraphModule]:
        twins: dict[Any, dict[GraphName, GraphModule]] = self.__dict__["_twins"]
        if (batch, slots) not in twins:
            model, device = self.hime, self.steps.device
            modules: dict[GraphName, nn.Module] = {"restore": PlainTwin(model)}
            if slots:
                restore = RestoreTwin(model, batch, slots)
                share_alignment(self.__dict__["_alignment"], restore.alignment)
                modules = {"encode": EncodeGraph(model), "restore": restore}
            twins[batch, slots] = {
                name: prepared_module(
                    module.train().to(device),
                    name,
                    tuple(tensor.to(device) for tensor in inputs),
                    model.interface,
                    self.recipe,
                    self.points,
                    prepare_qat_pt2e,
                )
                for (name, module), inputs in zip(
                    modules.items(), inputs_of(model.config, batch, slots).values(), strict=True
                )
            }
        return twins[batch, slots]
