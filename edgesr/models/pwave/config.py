"""The one description from which a network is built."""

from __future__ import annotations

import dataclasses
from typing import Any

from edgesr.errors import CheckpointError
from edgesr.models.architecture import refuse_unknown
from edgesr.models.interface import FeatureMap, Interface

LARGEST = 4096
"""The most of any width, depth or size: beyond it a configuration is damaged, and building it would exhaust memory."""

AGGREGATIONS = ("pwave", "average")
"""The paper's own first; ``average`` is what it compares with (Fig. 8), and is not deployed."""


@dataclasses.dataclass(frozen=True)
class PWAveConfig:
    """Architecture of a PWAve network (PWAve paper, Section 3). The paper gives no widths: these are a phone's.

    ``lr_size`` and ``slots`` are not baked into any weight.
    """

    scale: int = 8
    """Upscaling factor s, 2 to the power of M1, the number of up-sample blocks."""
    lr_size: int = 16
    """Side of the square LR face in pixels."""
    slots: int = 3
    """Exemplars of the deployed restorer; empty ones have weight 0."""
    stem_channels: int = 64
    """Width of ISR's first features, which f1^c joins."""
    fused_channels: int = 128
    """Width of ISR at LR size behind that."""
    residual_blocks: int = 1
    """M2: residual blocks of ISR, at LR size."""
    up_channels: tuple[int, ...] = (64, 64, 32)
    """Width of ISR behind each of its M1 up-sample blocks; f2^c joins behind the first."""
    f1_channels: int = 64
    """Channels of f_Ex at LR size."""
    f2_channels: int = 48
    """Channels of f_Ex at twice the LR size."""
    exemplar_channels: int = 64
    """Width of E_Ex."""
    exemplar_blocks: int = 2
    """Residual blocks of E_Ex at each of its two scales."""
    wnn_channels: int = 32
    """Width of both WNNs."""
    guide_channels: int = 32
    """Width of G_S."""
    guide_blocks: int = 4
    """Residual blocks of G_S."""
    aggregation: str = "pwave"
    """``pwave``, or ``average`` to measure what the pixel-wise weights are worth."""

    def __post_init__(self) -> None:
        if isinstance(self.up_channels, list):  # as JSON has it
            object.__setattr__(self, "up_channels", tuple(self.up_channels))
        if not isinstance(self.up_channels, tuple):
            raise CheckpointError(f"up_channels is {self.up_channels!r}", "it must be a list of widths")
        if self.aggregation not in AGGREGATIONS:
            raise CheckpointError(f"aggregation is {self.aggregation!r}", f"known: {', '.join(AGGREGATIONS)}")
        numbers = {name: value for name, value in self.to_dict().items() if name not in ("up_channels", "aggregation")}
        for name, value in (*numbers.items(), *(("up_channels", width) for width in self.up_channels)):
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= LARGEST:
                raise CheckpointError(f"{name} is {value!r}", f"it must be a whole number from 1 to {LARGEST}")
        if self.scale < 2 or self.scale & (self.scale - 1):
            raise CheckpointError(f"scale is {self.scale}", "it must be 2, 4, 8 or another power of two")
        if 2 ** len(self.up_channels) != self.scale:
            raise CheckpointError(
                f"up_channels has {len(self.up_channels)} widths for x{self.scale}",
                "each up-sample block doubles the face: one width each",
            )
        if self.lr_size < 4:
            raise CheckpointError(f"lr_size is {self.lr_size}", "the smallest face that makes sense is 4 pixels wide")

    @property
    def hr_size(self) -> int:
        """Side of the square HR face in pixels."""
        return self.lr_size * self.scale

    @property
    def parts(self) -> tuple[dict[str, int], dict[str, int]]:
        """Channels of what is kept of an exemplar, in order, at LR size and at twice that: f_Ex, and behind it the
        reference half of its WNN's first convolution."""
        return (
            {"f1": self.f1_channels, "wnn1": self.wnn_channels},
            {"f2": self.f2_channels, "wnn2": self.wnn_channels},
        )

    @property
    def interface(self) -> Interface:
        """What goes in and comes out: two maps an exemplar, of the LR size and of twice that."""
        maps = tuple(
            FeatureMap(name, sum(parts.values()), self.lr_size * side, tuple(parts.items()))
            for name, parts, side in zip(("f1", "f2"), self.parts, (1, 2), strict=True)
        )
        return Interface(self.scale, self.lr_size, self.slots, maps)

    @property
    def blocks(self) -> int:
        """Residual blocks of all parts."""
        return self.residual_blocks + 2 * self.exemplar_blocks + self.guide_blocks

    @property
    def deployable(self) -> bool:
        """Whether this is PWAve itself, which conversions lower, and no ablation of it."""
        return self.aggregation == AGGREGATIONS[0]

    def replace(self, **changes: Any) -> PWAveConfig:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "up_channels": list(self.up_channels)}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> PWAveConfig:
        """Build from ``config.json``; unknown fields are refused."""
        refuse_unknown(fields, cls)
        return cls(**fields)


PWAVE_X8 = PWAveConfig()
PWAVE_X16 = PWAveConfig(scale=16, lr_size=8, up_channels=(64, 64, 64, 32))

PRESETS = {"pwave-x8": PWAVE_X8, "pwave-x16": PWAVE_X16}
