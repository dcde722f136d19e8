"""HIME: headshot super-resolution with multiple exemplars (HIME paper), as it is trained and as it is deployed."""

from __future__ import annotations

from edgesr.models.architecture import Architecture
from edgesr.models.hime.config import GROWS, PRESETS, HIMEConfig

ARCHITECTURE = Architecture(
    name="hime",
    config=HIMEConfig,
    presets=PRESETS,
    network="edgesr.models.hime.network:HIME",
    deployed="edgesr.models.hime.deployed:graphs",
    costs="edgesr.models.hime.complexity:complexity",
    free=("lr_size", "slots", "offset_bound"),
    halve="edgesr.models.hime.halving:halve_scale",
    widen="edgesr.models.hime.widening:widen",
    grows=GROWS,
    adopt="edgesr.models.hime.adoption:adopt",
    offset_head=("rfa.g_ref.", "rfa.g_lr.", "rfa.hidden.", "rfa.offset."),
    offsets="edgesr.models.hime.offsets:report_offsets",
    training="edgesr.models.hime.training_graphs:TrainingGraphs",
    in_training={"hime-edge-x4": "hime-edge-x4-photo"},
    encoder=("exemplar_extractor.", "rfa.g_ref.", "rfa.value."),
    # The offsets' convolutions give int8 before tanh, of a step of 0.04 pixels in the middle of their range: a fifth of
    # the restorer's time for 0.003 dB. Positions, tanh and bilinear weights are no layers, and float: int8 positions on
    # the map cost far more.
    in_float={"restore.aggregation.*": "CoFA's one-channel maps: small, and divided by each other"},
)
