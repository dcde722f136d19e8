"""HIME: headshot super-resolution with multiple exemplars (HIME paper), as it is trained and as it is deployed."""

from __future__ import annotations

from edgesr.models.architecture import Architecture
from edgesr.models.hime.config import PRESETS, HIMEConfig

ARCHITECTURE = Architecture(
    name="hime",
    config=HIMEConfig,
    presets=PRESETS,
    network="edgesr.models.hime.network:HIME",
    deployed="edgesr.models.hime.deployed:graphs",
    encoder=("exemplar_extractor.", "rfa.g_ref."),
)
