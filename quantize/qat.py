"""Quantization-aware training: the float networks' trainer, on a network that rounds and learns from the float one."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from edgesr.data.batches import Batch, Curriculum
from edgesr.data.faces import FaceSet
from edgesr.models.checkpoint import Checkpoint
from edgesr.models.network import Network
from edgesr.runtime.base import Runtime
from edgesr.training.config import TrainConfig
from edgesr.training.losses import charbonnier
from edgesr.training.trainer import Trainer

from .checkpoint import save_quantized
from .graphs import quantized_runtime
from .network import QATNetwork
from .scheme import Quantization

FROZEN_FROM = 2 / 3
"""Share of the run after which scales stay as they are."""


def qat_config(
    *,
    steps: int = 1200,
    batch_size: int = 8,
    learning_rate: float = 2e-5,
    seed: int = 0,
    precision: str = "32-true",
    degradation: str = "bicubic",
) -> TrainConfig:
    """Settings for a short run that starts from a trained network: no target is shown as exemplar any more."""
    return TrainConfig(
        steps=steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        warmup_steps=min(50, max(1, steps // 10)),
        ema=0.99,
        precision=precision,
        seed=seed,
        curriculum=Curriculum(copy_share=0.0, self_probability=0.0),
        degradation=degradation,
    )


class QATTrainer(Trainer):
    """A run like any other (resume, limits, logs) whose checkpoint is an int8 one."""

    def __init__(
        self,
        run: Path,
        name: str,
        source: Checkpoint,
        quantization: Quantization,
        config: TrainConfig,
        faces: FaceSet,
        *,
        distil: float = 1.0,
        **options: Any,
    ) -> None:
        """``source`` is the float network, ``quantization`` its calibration; ``distil`` weighs its output's loss."""
        self.source, self.quantization, self.distil = source, quantization, distil
        self.teacher = source.model
        # What came before the float network stands in its own record, which its digest names.
        own = {name: value for name, value in source.training.items() if name != "before"}
        provenance = {**own, "float_name": source.name, "float_sha256": source.sha256}
        options["provenance"] = {**provenance, **options.get("provenance", {}), "distil": distil}
        # Their digest tells a run of other weights or other scales from this one.
        init = {**source.model.state_dict(), "scales": torch.tensor([q.scale for q in quantization.points.values()])}
        super().__init__(run, name, source.model.config, config, faces, init=init, **options)

    def build(self, init: dict[str, Tensor] | None) -> nn.Module:  # noqa: ARG002
        return QATNetwork(copy.deepcopy(self.source.model), self.quantization)

    def compute(self, batch: Batch) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Charbonnier to the original, and to what the float network makes of the same face."""
        self.model.freeze_steps(self.step >= FROZEN_FROM * self.config.steps)
        with torch.no_grad():
            wanted, *_ = self.teacher(batch.lr, batch.exemplars, batch.valid)
        sr, _ = self.wrapped(batch.lr, batch.exemplars, batch.valid)
        rec, distilled = charbonnier(sr, batch.hr), charbonnier(sr, wanted)
        loss = rec + self.distil * distilled
        return sr, loss, {"rec": rec.detach(), "distil": distilled.detach()}

    def train_step(self) -> Tensor:
        loss = super().train_step()
        self.model.clamp_steps()
        return loss

    def averaged(self) -> tuple[Network, Quantization]:
        """The averaged weights, and the scales as they are."""
        model = self.model.deployable({name: value.cpu() for name, value in self.average.items()})
        points = {**self.quantization.points, **self.model.qparams()}
        return model, dataclasses.replace(self.quantization, method="qat", points=points)

    def averaged_runtime(self) -> Runtime:
        model, quantization = self.averaged()
        return quantized_runtime(dataclasses.replace(self.source, model=model), quantization=quantization)

    def write_checkpoint(self) -> None:
        model, quantization = self.averaged()
        save_quantized(self.checkpoint, self.name, model, quantization, self.source, training=self.described())
