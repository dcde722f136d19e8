"""What a toy network is built from."""

from __future__ import annotations

import dataclasses
from typing import Any

from edgesr.errors import CheckpointError
from edgesr.models.interface import FeatureMap, Interface


@dataclasses.dataclass(frozen=True)
class ToyConfig:
    scale: int = 4
    lr_size: int = 8
    slots: int = 2
    channels: int = 8

    @property
    def hr_size(self) -> int:
        return self.lr_size * self.scale

    @property
    def interface(self) -> Interface:
        return Interface(self.scale, self.lr_size, self.slots, (FeatureMap("detail", self.channels, self.lr_size),))

    def replace(self, **changes: Any) -> ToyConfig:
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> ToyConfig:
        try:
            return cls(**fields)
        except TypeError as error:
            raise CheckpointError(f"no toy network: {error}") from error


PRESETS = {"toy-x4": ToyConfig()}
