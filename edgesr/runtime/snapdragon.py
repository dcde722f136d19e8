"""The Snapdragon chips whose NPU networks are compiled for.

Models and architectures are those of Qualcomm's tables of supported devices, as ExecuTorch's ``qc_schema.py`` has them
too. Chips of architecture v68 are left out: what is compiled for them off the device fails on it (docs/tasks/npu.md).
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Chip:
    """One Snapdragon."""

    title: str
    """What it is sold as."""
    soc_model: int
    """Qualcomm's number for it, which a compiled context carries."""
    htp: int
    """Architecture of its NPU, the Hexagon tensor processor: 75 means v75."""

    @property
    def architecture(self) -> str:
        """As Qualcomm writes it: ``v75``."""
        return f"v{self.htp}"


CHIPS: dict[str, Chip] = {
    "sm8450": Chip("Snapdragon 8 Gen 1", 36, 69),
    "sm8475": Chip("Snapdragon 8+ Gen 1", 42, 69),
    "sm8550": Chip("Snapdragon 8 Gen 2", 43, 73),
    "sm8650": Chip("Snapdragon 8 Gen 3", 57, 75),
    "sm8750": Chip("Snapdragon 8 Elite", 69, 79),
    "sm8850": Chip("Snapdragon 8 Elite Gen 5", 87, 81),
}
"""By part number, oldest first."""


def name_of(soc_model: int) -> str:
    """Part number of a chip by Qualcomm's number, or that number where it is none of ``CHIPS``."""
    return next((name for name, chip in CHIPS.items() if chip.soc_model == soc_model), f"chip {soc_model}")
