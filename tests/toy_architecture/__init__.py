"""An architecture of somebody else's, outside the package: bicubic plus one convolution, one feature map."""

from __future__ import annotations

from edgesr.models.architecture import Architecture
from toy_architecture.config import PRESETS, ToyConfig

ARCHITECTURE = Architecture(
    name="toy",
    config=ToyConfig,
    presets=PRESETS,
    network="toy_architecture.network:Toy",
    deployed="toy_architecture.network:graphs",
    costs="toy_architecture.network:complexity",
    encoder=("encoder.",),
)
