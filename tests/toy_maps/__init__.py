"""An architecture of somebody else's, outside the package, that keeps two maps of different sizes and a code."""

from __future__ import annotations

from edgesr.models.architecture import Architecture
from toy_maps.config import PRESETS, MapsConfig

ARCHITECTURE = Architecture(
    name="toy-maps",
    config=MapsConfig,
    presets=PRESETS,
    network="toy_maps.network:Maps",
    deployed="toy_maps.network:graphs",
    costs="toy_maps.network:complexity",
    encoder=("encoder.",),
)
