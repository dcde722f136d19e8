"""HIME-large: HIME whose references are aligned along an optical flow (HIME paper, Section 3.2, Fig. 3b)."""

from __future__ import annotations

from edgesr.models.architecture import Architecture
from edgesr.models.hime_large.config import PRESETS, HIMELargeConfig

ARCHITECTURE = Architecture(
    name="hime-large",
    config=HIMELargeConfig,
    presets=PRESETS,
    network="edgesr.models.hime_large.network:HIMELarge",
    deployed="edgesr.models.hime_large.deployed:graphs",
    costs="edgesr.models.hime_large.complexity:complexity",
    encoder=("exemplar_extractor.", "rfa.g_ref.", "rfa.flow.reference."),
    free=("lr_size", "slots", "offset_bound", "flow_bound"),
    adopt="edgesr.models.hime_large.adoption:adopt",
    offset_head=("rfa.g_ref.", "rfa.g_lr.", "rfa.hidden.", "rfa.offset."),
    offsets="edgesr.models.hime_large.offsets:report_offsets",
    training="edgesr.models.hime_large.training_graphs:LargeTrainingGraphs",
    settings={"pretraining_share": 0.1, "rates": (("rfa.flow.", 0.25),)},
    pretraining="edgesr.models.hime_large.pretraining:flow_loss",
    in_training={"hime-large-x8": "hime-large-x8"},
    taught="edgesr.models.hime_large.pretraining:way_loss",
    in_float={
        "restore.aggregation.*": "CoFA's one-channel maps: small, and divided by each other",
        "restore.alignment.sum": "one half comes from the warp in float: rounded before the sum, it is rounded twice",
        "restore.flow.*": "a position is worth more digits than int8 has, and every level moves by the last one's",
        "restore.face.*": "what the flow reads: three channels, small",
        "encode.reference.*": "what the flow reads: three channels, small",
    },
)
