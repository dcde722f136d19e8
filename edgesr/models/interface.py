"""What goes into and comes out of a network, whoever built it: all that galleries, runtimes, bundles and apps need.

A network takes an LR face of ``lr_size`` pixels and, of each exemplar, the maps and codes that its encoder made of the
HR photo, and returns an HR face ``scale`` times as large. Nothing here names an architecture, and nothing imports
PyTorch: a network's own configuration derives its ``Interface``, and what lies above works by that alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

FEATURES = "features"
"""The graphs' tensor of a network with one map; of several maps and codes each has its own, ``features_NAME``."""

One = TypeVar("One")
"""A map's or a code's values, as arrays or as tensors."""


def separate(kept: One | tuple[One, ...]) -> tuple[One, ...]:
    """What is kept of exemplars, maps and codes one by one, also where there is but one map."""
    return kept if isinstance(kept, tuple) else (kept,)


def joined(kept: Sequence[One]) -> One | tuple[One, ...]:
    """The inverse of ``separate``: the one map by itself, or a tuple of all maps and codes."""
    return kept[0] if len(kept) == 1 else tuple(kept)


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

    def to_list(self) -> list[Any]:
        """As galleries and manifests describe it: name, side, and name and channels of each part."""
        return [self.name, self.size, [list(part) for part in self.parts]]


@dataclasses.dataclass(frozen=True)
class Code:
    """A vector that a network keeps of an exemplar, which is no map: [length]."""

    name: str
    length: int

    def to_list(self) -> list[Any]:
        """As galleries and manifests describe it: name and length."""
        return [self.name, self.length]


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
    pictures: bool = False
    """Whether what is kept of an exemplar shows it, small: a gallery holds no pictures, and takes none of these."""

    @property
    def hr_size(self) -> int:
        """Side in pixels of the HR face."""
        return self.lr_size * self.scale

    @property
    def parts(self) -> dict[str, int]:
        """Channels of each part of all maps, in order: what has an int8 step of its own."""
        return {name: channels for each in self.feature_maps for name, channels in each.parts}

    @property
    def kept(self) -> dict[str, tuple[int, ...]]:
        """What is kept of an exemplar, in order: a map's shape [size, size, C], a code's [length], by the name of the
        graphs' tensor."""
        shapes: dict[str, tuple[int, ...]] = {m.name: (m.size, m.size, m.channels) for m in self.feature_maps}
        shapes |= {code.name: (code.length,) for code in self.codes}
        if len(shapes) == 1:
            return {FEATURES: next(iter(shapes.values()))}
        return {f"{FEATURES}_{name}": shape for name, shape in shapes.items()}

    @property
    def gallery_bytes(self) -> int:
        """Bytes of an exemplar's features in an int8 gallery; codes are float32 there."""
        maps = sum(one.channels * one.size**2 for one in self.feature_maps)
        return maps + 4 * sum(code.length for code in self.codes)

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Interface:
        """The inverse of ``to_dict``."""
        maps = tuple(
            FeatureMap(m["name"], m["channels"], m["size"], tuple((name, count) for name, count in m["parts"]))
            for m in fields["feature_maps"]
        )
        codes = tuple(Code(**code) for code in fields["codes"])
        return cls(fields["scale"], fields["lr_size"], fields["slots"], maps, codes, fields.get("pictures", False))
