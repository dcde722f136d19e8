"""The settings of a training run, and what it tells while it runs."""

from __future__ import annotations

import dataclasses

from edgesr.data.batches import Curriculum
from edgesr.training.losses import LossConfig


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """Everything a run's result depends on, besides the photos and the network's configuration."""

    steps: int = 16_000
    batch_size: int = 16
    """Of all processes together."""
    learning_rate: float = 6e-4
    warmup_steps: int = 200
    gradient_clip: float = 1.0
    ema: float = 0.999
    precision: str = "bf16-mixed"
    seed: int = 0
    curriculum: Curriculum = Curriculum()
    loss: LossConfig = LossConfig()
    discriminator_learning_rate: float = 1e-4
    """At its highest; it warms up and falls as the network's does."""


@dataclasses.dataclass
class Progress:
    """What the loop tells its caller after a step."""

    step: int
    steps: int
    loss: float
    samples_per_second: float
    terms: dict[str, float] = dataclasses.field(default_factory=dict)
    """Of the loss, unweighted, where there is more than one; with the discriminator's own loss."""
    validation: dict[str, float] | None = None
