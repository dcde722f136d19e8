"""The settings of a training run, and what it tells while it runs."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch

from edgesr.data.batches import Curriculum
from edgesr.data.degradation import preset
from edgesr.errors import UsageError
from edgesr.training.losses import LossConfig


def quickest_precision() -> str:
    """``bf16-mixed`` where the device that is trained on has instructions for bfloat16, else ``32-true``.

    Without them PyTorch emulates them: a step takes 20 times as long as in float32 on a CPU that has AVX2 alone.
    """
    if torch.cuda.is_available():
        has = torch.cuda.is_bf16_supported(including_emulation=False)
    elif torch.backends.mps.is_available():
        has = True
    else:
        can = torch.cpu.get_capabilities()
        has = any(can.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    return "bf16-mixed" if has else "32-true"


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """Everything a run's result depends on, besides the photos and the network's configuration."""

    steps: int = 16_000
    batch_size: int = 16
    """How many faces a step sees, in all processes together."""
    learning_rate: float = 6e-4
    warmup_steps: int = 200
    gradient_clip: float = 1.0
    ema: float = 0.999
    precision: str = dataclasses.field(default_factory=quickest_precision)
    """``bf16-mixed`` or ``32-true``; by default what this machine computes faster."""
    seed: int = 0
    curriculum: Curriculum = Curriculum()
    loss: LossConfig = LossConfig()
    discriminator_learning_rate: float = 1e-4
    """The discriminator's highest learning rate; it warms up and falls as the network's does."""
    degradation: str = "bicubic"
    """What LR faces are made with: ``bicubic``, as the papers, or a preset of ``edgesr.data.degradation``."""
    offset_learning_rate: float = 1.0
    """Learning rate of the offset head, over that of the rest."""
    pretraining_share: float = 0.0
    """First share of the run that a network with something to learn first spends on it, at one learning rate for all
    of it; the curriculum begins behind it. ``train_network`` spends nothing where weights of its kind are given."""
    pretraining_warp: float = 1.0
    """How far the faces that it learns first are warped and relit: 1 is as far as a target that is shown as its own
    exemplar."""
    betas: tuple[float, float] = (0.9, 0.99)
    """Of Adam: how much of the gradient's and of its square's running means each step keeps."""
    rates: tuple[tuple[str, float], ...] = ()
    """Learning rates of the parameters whose names begin so, over that of the rest."""
    equalised: bool = False
    """Whether a weight's learning rate is that of the rest times sqrt(2 / fan-in), as if it were kept with variance 1
    and scaled where it is used (Karras et al. 2018): what rates like 3e-3 are meant for."""
    least_photos: int = 2
    """People with fewer photos are not trained on: a target needs another photo of its person as exemplar."""

    def __post_init__(self) -> None:
        # ``phone`` means another preset tomorrow; what is recorded is the preset.
        object.__setattr__(self, "degradation", preset(self.degradation))
        if not 0 < self.offset_learning_rate <= 100:
            raise UsageError(f"the offset learning rate is {self.offset_learning_rate}", "a factor, at most 100")
        if not 0 <= self.pretraining_share < 1:
            raise UsageError(f"the pretraining's share is {self.pretraining_share}", "a share of the run, from 0 to 1")
        if not 0 < self.pretraining_warp <= 4:
            raise UsageError(f"the pretraining's warp is {self.pretraining_warp}", "an amount above 0, at most 4")
        if self.least_photos < 2:
            raise UsageError(f"people with {self.least_photos} photos are asked for", "a target and an exemplar: 2")
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise UsageError(f"Adam's betas are {self.betas}", "two numbers from 0 to below 1")
        for name, factor in self.rates:
            if not 0 < factor <= 100:
                raise UsageError(f"the learning rate of {name} is {factor:g}", "a factor above 0, at most 100")

    def identity(self) -> dict[str, Any]:
        """What a run must agree on to be resumed.

        Settings of later versions are left out at their defaults, so that runs from before can still be resumed.
        """
        fields = dataclasses.asdict(self)
        if self.loss == LossConfig():
            del fields["loss"], fields["discriminator_learning_rate"]
        else:
            for name in ("charbonnier_epsilon", "gan", "gradient_penalty", "smaller_perceptual", "backbone"):
                if fields["loss"][name] == _default(self.loss, name):
                    del fields["loss"][name]
            if self.loss.discriminator.batch_norm:
                del fields["loss"]["discriminator"]["batch_norm"]
        later = ("degradation", "offset_learning_rate", "betas", "rates", "equalised", "least_photos")
        for name in (*later, "pretraining_share", "pretraining_warp"):
            if fields[name] == _default(self, name):
                del fields[name]
        for name in ("detail_drop", "augment", "wrong_gallery", "clean"):
            if fields["curriculum"][name] == _default(self.curriculum, name):
                del fields["curriculum"][name]
        return fields


def _default(instance: Any, name: str) -> Any:
    return next(field.default for field in dataclasses.fields(instance) if field.name == name)


@dataclasses.dataclass
class Progress:
    """What the loop tells its caller after a step."""

    step: int
    steps: int
    loss: float
    samples_per_second: float
    terms: dict[str, float] = dataclasses.field(default_factory=dict)
    """The loss's terms by name, unweighted, where it has more than one; with the discriminator's own loss."""
    validation: dict[str, float] | None = None
