"""What goes into and comes out of a network, whoever built it: all that galleries, runtimes, bundles and apps need.

A network takes an LR face of ``lr_size`` pixels and, of each exemplar, the maps and codes that its encoder made of the
HR photo, and returns an HR face ``scale`` times as large. Nothing here names an architecture, and nothing imports
PyTorch: a network's own configuration derives its ``Interface``, and what lies above works by that alone.
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class FeatureMap:
    """What a network keeps of an exemplar at each place of a square grid: [size, size, channels]."""

    name: str
    channels: int
    size: int
    """Side in pixels of the map."""
    parts: tuple[tuple[str, int], ...] = ()
    """How the channels are divided, in their order: name and channels of each part, which has an int8 step of its own.
    Empty: the whole map is one part of the map's name."""

    def __post_init__(self) -> None:
        if not self.parts:
            object.__setattr__(self, "parts", ((self.name, self.channels),))
        if sum(channels for _, channels in self.parts) != self.channels:
            raise ValueError(f"the parts of {self.name} have other than its {self.channels} channels: {self.parts}")


@dataclasses.dataclass(frozen=True)
class Code:
    """A vector that a network keeps of an exemplar, which is no map: [length]."""

    name: str
    length: int


@dataclasses.dataclass(frozen=True)
class Interface:
    """Sizes and names of what a network takes and gives."""

    scale: int
    """HR side over LR side."""
    lr_size: int
    """Side in pixels of the LR face."""
    slots: int
    """Exemplars that a deployed graph takes; empty slots are masked."""
    feature_maps: tuple[FeatureMap, ...]
    """By exemplar, in the order in which the encoder returns them."""
    codes: tuple[Code, ...] = ()
    """By exemplar, behind the maps."""

    @property
    def hr_size(self) -> int:
        """Side in pixels of the HR face."""
        return self.lr_size * self.scale

    @property
    def parts(self) -> dict[str, int]:
        """Channels of each part of all maps, in order: what has an int8 step of its own."""
        return {name: channels for each in self.feature_maps for name, channels in each.parts}
