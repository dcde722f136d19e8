"""PWAve's own weights in the layers of its deployed graphs, for batches: what quantization-aware training trains."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from edgesr.errors import UsageError
from edgesr.models.pwave.deployed import EncodeGraph, RestoreGraph
from edgesr.models.pwave.network import PWAve


class TrainingGraphs(nn.Module):
    """Graphs of any batch and number of exemplars that train one network's weights, none of which is rewritten.

    G_S learns with the rest here: it has to bear int8 as well, and what the float network makes of a face is the
    teacher of all of it (in float it learns from its own bracket of Eq. 6 alone).
    """

    folded = ()

    def __init__(self, model: PWAve) -> None:
        """Raises UsageError: it is an ablation, which is not deployed."""
        super().__init__()
        if not model.config.deployable:
            raise UsageError(
                f"{model.config.aggregation} aggregation is an ablation of PWAve, and has no int8 form",
                "quantize a network with pixel-wise weights",
            )
        self.pwave = model.requires_grad_(True)

    def graphs(self, batch: int, slots: int) -> dict[str, nn.Module]:
        """Encoder and restorer for ``batch`` faces of ``slots`` exemplars each; of none the restorer alone, which then
        takes the LR faces and nothing else."""
        config = self.pwave.config.replace(slots=max(slots, 1))
        restore = RestoreGraph(self.pwave, config, "matmul", batch)
        return {"encode": EncodeGraph(self.pwave), "restore": restore} if slots else {"restore": restore}

    def inputs(self, batch: int, slots: int) -> dict[str, tuple[Tensor, ...]]:
        """Examples to export them with."""
        interface = self.pwave.config.interface
        lr = torch.rand(batch, 3, interface.lr_size, interface.lr_size)
        if not slots:
            return {"restore": (lr,)}
        maps = [torch.rand(batch * slots, m.channels, m.size, m.size) for m in interface.feature_maps]
        return {
            "encode": (torch.rand(batch * slots, 3, interface.hr_size, interface.hr_size),),
            "restore": (lr, *maps, torch.ones(batch, slots)),
        }

    @torch.no_grad()
    def deployable(self, state: Mapping[str, Tensor]) -> PWAve:
        """The network in its own form, from a state of these parameters."""
        model = PWAve(self.pwave.config)
        model.load_state_dict({k.removeprefix("pwave."): v for k, v in state.items() if k.startswith("pwave.")})
        return model.eval().requires_grad_(False)
