"""What is passed along a conversion: the plan that it carries out, and what passed the gate."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgesr.deployment.graphs import Graphs
from edgesr.models import Checkpoint
from edgesr.models.architecture import NetworkConfig
from edgesr.models.interface import Interface
from edgesr.quantize.scheme import Quantization
from edgesr.runtime.base import Array

from .parity import Parity
from .precision import PRECISIONS, Precision
from .quantized import Calibration
from .target import Conversion, Report, Target


@dataclasses.dataclass(frozen=True)
class Plan:
    """A conversion with every choice made and found possible."""

    checkpoint: Checkpoint
    target: Target
    precision: Precision
    lowering: str
    config: NetworkConfig
    """The network's configuration, with the LR size and the slots of the conversion."""
    output: Path
    quantization: Quantization | None = None
    """The checkpoint's quantization, where the precision needs one and it is not to be calibrated first."""
    calibration: Calibration | None = None
    notes: tuple[str, ...] = ()
    """Choices that the user did not make and should know of."""

    @property
    def interface(self) -> Interface:
        """What goes in and comes out of what it makes."""
        return self.config.interface

    @property
    def stages(self) -> int:
        """How many stages ``convert`` reports where all goes well."""
        target = self.target.stages + max(0, len(self.target.chips) - 1) * self.target.chip_stages
        form = 2 + target  # rewriting, those of the target, comparing
        record = PRECISIONS[self.precision]
        float_form = form + 1 if self.target.float_form and record.quantized else 0
        return form + record.twin + bool(self.calibration) + float_form + self.target.completing_stages


@dataclasses.dataclass(frozen=True)
class Proven:
    """An artifact that passed the gate."""

    plan: Plan
    """The plan, with its quantization where it has one."""
    graphs: Graphs
    conversion: Conversion
    parity: Parity
    golden: dict[str, Array]
    int8_convs: dict[str, dict[str, int]]
    seconds: float


@dataclasses.dataclass(frozen=True)
class Steps:
    """What the pipeline lends to a target that completes its bundles: further networks pass the same gate."""

    prove: Callable[[Plan, Path, Report], Proven]
    write_bundle: Callable[[Proven, Path, Target], dict[str, Any]]
