"""The one description from which a network is built."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from edgesr.errors import CheckpointError
from edgesr.models.architecture import refuse_unknown
from edgesr.models.interface import FeatureMap, Interface

LARGEST = 4096
"""The most of any width, depth or size: beyond it a configuration is damaged, and building it would exhaust memory."""

VARIANTS = {"alignment": ("deformable", "convolution", "warp"), "aggregation": ("cofa", "average", "max")}
"""Modules that the papers' ablations replace; the first of each is HIME's own."""

DEPLOYED = {"alignment": ("deformable", "warp"), "aggregation": ("cofa",)}
"""Those that are converted."""

GROWS = ("lr_channels", "tail_channels", "lr_blocks", "exemplar_blocks", "reconstruction_blocks")
"""Fields that may be larger in a network than in the one it starts from. The exemplars' own widths may not: groups of
channels move together in the deformable convolution, and a new channel would join another group."""


@dataclasses.dataclass(frozen=True)
class HIMEConfig:
    """Architecture of a HIME network (HIME paper, Section 3; widths of HIME-small by default).

    ``lr_size`` and ``slots`` are not baked into any weight: the network is fully convolutional and
    takes any number of exemplars. They are the sizes that a conversion uses unless told otherwise.
    """

    variants: ClassVar[Mapping[str, tuple[str, ...]]] = VARIANTS
    """Values of the fields that are names."""
    deployed: ClassVar[Mapping[str, tuple[str, ...]]] = DEPLOYED
    """Of those, the values of networks that are converted."""
    bounds: ClassVar[tuple[str, ...]] = ("offset_bound",)
    """Fields that bound offsets."""

    scale: int = 4
    """Upscaling factor s, a power of two of at least 2."""
    lr_size: int = 32
    """Side of the square LR face in pixels."""
    slots: int = 3
    """Exemplar slots of the deployed restorer; empty ones are masked out inside CoFA."""
    lr_channels: int = 32
    """Width of the LR extractor, of the aligned references and of the reconstructor."""
    lr_blocks: int = 5
    """Residual blocks k_l of the LR extractor."""
    exemplar_channels: int = 64
    """Width of the exemplar extractor, that is of F_ref."""
    exemplar_blocks: int = 3
    """Residual blocks k_h of the exemplar extractor."""
    offset_channels: int = 64
    """Width of RFA's offset head g."""
    offset_groups: int = 4
    """Groups G of the deformable convolution; each has its own 3x3 offsets."""
    offset_bound: float = 4.0
    """Bound R of every offset in LR pixels: o = R tanh(x / R)."""
    reconstruction_blocks: int = 20
    """Residual blocks k_r of the reconstructor."""
    tail_channels: int = 16
    """Channels between the two PixelShuffles of the tail."""
    alignment: str = "deformable"
    """``deformable`` (RFA), ``warp`` (one offset a group: the edge variant), or ``convolution`` to measure what RFA is
    worth."""
    aggregation: str = "cofa"
    """``cofa``, or ``average`` or ``max`` to measure what CoFA is worth."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name in self.variants:
                if value not in self.variants[field.name]:
                    known = ", ".join(self.variants[field.name])
                    raise CheckpointError(f"{field.name} is {value!r}", f"known: {known}")
            elif field.name in self.bounds:
                if not isinstance(value, int | float) or not 0 < value <= 16:
                    raise CheckpointError(
                        f"{field.name} is {value!r}",
                        "it must be a number of LR pixels, above 0 and at most 16",
                    )
            elif not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= LARGEST:
                raise CheckpointError(f"{field.name} is {value!r}", f"it must be a whole number from 1 to {LARGEST}")
        if self.scale < 2 or self.scale & (self.scale - 1):
            raise CheckpointError(f"scale is {self.scale}", "it must be 2, 4, 8 or another power of two")
        if self.exemplar_channels % self.offset_groups:
            raise CheckpointError(
                f"exemplar_channels ({self.exemplar_channels}) is no multiple of offset_groups ({self.offset_groups})",
                "each group of the deformable convolution takes an equal share of the channels",
            )
        if self.alignment == "warp" and self.lr_channels % self.offset_groups:
            raise CheckpointError(
                f"lr_channels ({self.lr_channels}) is no multiple of offset_groups ({self.offset_groups})",
                "each offset group of the warp moves an equal share of the channels",
            )
        if self.lr_size < 4:
            raise CheckpointError(f"lr_size is {self.lr_size}", "the smallest face that makes sense is 4 pixels wide")

    @property
    def hr_size(self) -> int:
        """Side of the square HR face in pixels."""
        return self.lr_size * self.scale

    @property
    def feature_channels(self) -> int:
        """Channels C of a stored exemplar."""
        return sum(self.feature_parts.values())

    @property
    def sampled_channels(self) -> int:
        """Channels of what alignment samples of an exemplar: F_ref; in the edge variant what is convolved from it."""
        return self.lr_channels if self.alignment == "warp" else self.exemplar_channels

    @property
    def feature_parts(self) -> dict[str, int]:
        """Channels of each part of a stored exemplar, in order: what is sampled, and g_ref(F_ref)."""
        return {"value" if self.alignment == "warp" else "f_ref": self.sampled_channels, "g_ref": self.offset_channels}

    @property
    def interface(self) -> Interface:
        """What goes in and comes out: one map of ``lr_size`` an exemplar."""
        features = FeatureMap("features", self.feature_channels, self.lr_size, tuple(self.feature_parts.items()))
        return Interface(self.scale, self.lr_size, self.slots, (features,))

    @property
    def blocks(self) -> int:
        """Residual blocks of all parts."""
        return self.lr_blocks + self.exemplar_blocks + self.reconstruction_blocks

    @property
    def deployable(self) -> bool:
        """Whether conversions lower it; else it is an ablation, for training and tables."""
        return all(getattr(self, name) in values for name, values in self.deployed.items())

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """Build from ``config.json``; unknown fields are refused."""
        refuse_unknown(fields, cls)
        return cls(**fields)


HIME_SMALL_X4 = HIMEConfig()
HIME_SMALL_X4_64 = HIMEConfig(lr_size=64)
HIME_SMALL_X8 = HIMEConfig(scale=8, lr_size=16)
HIME_EDGE_X4 = HIMEConfig(alignment="warp", offset_groups=8)

PRESETS = {
    "hime-small-x4": HIME_SMALL_X4,
    "hime-small-x4-64": HIME_SMALL_X4_64,
    "hime-small-x8": HIME_SMALL_X8,
    "hime-edge-x4": HIME_EDGE_X4,
}
