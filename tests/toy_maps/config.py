"""What a network of two maps and a code is built from."""

from __future__ import annotations

import dataclasses
from typing import Any

from edgesr.errors import CheckpointError
from edgesr.models.interface import Code, FeatureMap, Interface


@dataclasses.dataclass(frozen=True)
class MapsConfig:
    scale: int = 4
    lr_size: int = 8
    slots: int = 2
    channels: int = 4

    @property
    def hr_size(self) -> int:
        return self.lr_size * self.scale

    @property
    def interface(self) -> Interface:
        fine = FeatureMap("fine", self.channels + 1, 2 * self.lr_size, (("detail", self.channels), ("gate", 1)))
        maps = (FeatureMap("deep", self.channels, self.lr_size), fine)
        return Interface(self.scale, self.lr_size, self.slots, maps, (Code("tone", self.channels),))

    def replace(self, **changes: Any) -> MapsConfig:
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> MapsConfig:
        try:
            return cls(**fields)
        except TypeError as error:
            raise CheckpointError(f"no toy network of two maps: {error}") from error


PRESETS = {"toy-maps-x4": MapsConfig()}
