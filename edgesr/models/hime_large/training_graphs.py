"""HIME-large's own weights in the layers of its deployed graphs, for batches: what int8 is trained in."""

from __future__ import annotations

from typing import Any

from torch import nn

from edgesr.errors import UsageError
from edgesr.models.hime.training_graphs import TrainingGraphs
from edgesr.models.hime_large.deployed import Alignment, EncodeGraph, RestoreGraph
from edgesr.models.hime_large.flow import MapFlow
from edgesr.models.hime_large.network import HIMELarge


class LargeTrainingGraphs(TrainingGraphs):
    """As HIME's, along a flow that stays what it was: it is float, and was trained on warps that are known.

    All that reads it learns around it. Steps are learned in it where a recipe has it in int8.
    """

    def __init__(self, model: HIMELarge) -> None:
        """Raises UsageError: it is a form of HIME-large that is not deployed."""
        if not isinstance(model.rfa.flow, MapFlow):
            raise UsageError(
                f"a flow on {model.config.flow} is for training and tables, and has no int8 form",
                "quantize the form with learned maps (hime-large-x4)",
            )
        super().__init__(model)
        model.rfa.flow.requires_grad_(False)

    def alignment(self) -> nn.Module:
        return Alignment(self.hime.rfa, self.hime.config.replace(slots=1), "grid_sample", 1)

    def made(self, slots: int, batch: int) -> tuple[nn.Module, Any]:
        config, flow = self.hime.config.replace(slots=slots), self.hime.rfa.flow
        assert isinstance(flow, MapFlow)
        restore = RestoreGraph(self.hime, flow, config, "grid_sample", "matmul", batch)
        restore.flow.requires_grad_(False)
        return EncodeGraph(self.hime, flow), restore
