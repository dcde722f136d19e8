"""The one description from which a HIME-large network is built."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

from edgesr.errors import CheckpointError
from edgesr.models.hime.config import DEPLOYED, VARIANTS, HIMEConfig
from edgesr.models.interface import FeatureMap, Interface

COLOURS = 3
"""Channels that the flow reads of each side, as SpyNet does."""

FLOWS = ("maps", "images", "half-hr")
"""What the flow is estimated on: learned maps of both sides, which is the product's form, or the LR face and the
exemplar brought to its size (the paper's, at LR size or at half the HR size), whose encoder keeps a picture."""


@dataclasses.dataclass(frozen=True)
class HIMELargeConfig(HIMEConfig):
    """Architecture of a HIME-large network: HIME's, where ``offset_bound`` is the residual's, and a flow."""

    variants: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "alignment": ("deformable",),
        "aggregation": VARIANTS["aggregation"],
        "flow": FLOWS,
    }
    deployed: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "alignment": ("deformable",),
        "aggregation": DEPLOYED["aggregation"],
        "flow": FLOWS[:1],
    }
    bounds: ClassVar[tuple[str, ...]] = ("offset_bound", "flow_bound")

    offset_bound: float = 2.0
    """Bound R of the residual offsets in LR pixels."""
    flow: str = "maps"
    """``maps``, or ``images`` or ``half-hr``."""
    flow_bound: float = 4.0
    """Bound of the flow in LR pixels, along each axis."""
    flow_levels: int = 4
    """Levels of SpyNet's pyramid, each of half the side of the next."""
    flow_channels: int = 32
    """Width c of SpyNet, whose convolutions go 8, c, 2c, c, c / 2, 2."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.flow_levels > 8 or self.flow_size % 2 ** (self.flow_levels - 1):
            raise CheckpointError(
                f"flow_levels is {self.flow_levels}, and {self.flow_size} pixels cannot be halved so often",
                f"an lr_size that is a multiple of {2 ** (self.flow_levels - 1)}, or fewer levels",
            )
        if self.flow_channels % 2:
            raise CheckpointError(f"flow_channels is {self.flow_channels}", "it must be even: the last layer has half")

    @property
    def flow_size(self) -> int:
        """Side in pixels of the maps that the flow is estimated on."""
        return self.hr_size // 2 if self.flow == "half-hr" else self.lr_size

    @property
    def reach(self) -> float:
        """Bound of a tap's whole way, flow and residual offset, in LR pixels."""
        return self.flow_bound + self.offset_bound

    @property
    def feature_parts(self) -> dict[str, int]:
        """Channels of each part of a stored exemplar, in order: F_ref, G F_ref, and what the flow reads."""
        # A larger picture moves into channels, so that all is of one size.
        return {**super().feature_parts, "flow": COLOURS * (self.flow_size // self.lr_size) ** 2}

    @property
    def interface(self) -> Interface:
        """What goes in and comes out: one map of ``lr_size`` an exemplar. The paper's forms keep a picture in it."""
        features = FeatureMap("features", self.feature_channels, self.lr_size, tuple(self.feature_parts.items()))
        return Interface(self.scale, self.lr_size, self.slots, (features,), pictures=self.flow != "maps")


HIME_LARGE_X4 = HIMELargeConfig()
HIME_LARGE_X8 = HIMELargeConfig(scale=8, lr_size=16, flow_levels=3)

PRESETS = {
    "hime-large-x4": HIME_LARGE_X4,
    "hime-large-x8": HIME_LARGE_X8,
    "hime-large-x4-paper": HIME_LARGE_X4.replace(flow="half-hr", flow_levels=6),
    "hime-large-x8-paper": HIME_LARGE_X8.replace(flow="half-hr", flow_levels=6),
}
