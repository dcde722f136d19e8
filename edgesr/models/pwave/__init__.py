"""PWAve: faces from the pixel-wise weighted average of exemplars (PWAve paper), as trained and as deployed."""

from __future__ import annotations

from edgesr.models.architecture import Architecture
from edgesr.models.pwave.config import PRESETS, PWAveConfig

WNN_RATE = 1e-4 / 3e-3
"""Learning rate of both WNNs over that of the rest (Section 4, implementation details)."""

ARCHITECTURE = Architecture(
    name="pwave",
    config=PWAveConfig,
    presets=PRESETS,
    network="edgesr.models.pwave.network:PWAve",
    deployed="edgesr.models.pwave.deployed:graphs",
    costs="edgesr.models.pwave.complexity:complexity",
    training="edgesr.models.pwave.training_graphs:TrainingGraphs",
    edit="edgesr.models.pwave.editing:edit",
    encoder=("encoder.", "wnn1.reference.", "wnn2.reference."),
    settings={
        "learning_rate": 3e-3,
        "batch_size": 8,
        "betas": (0.0, 0.99),
        "rates": (("wnn1.", WNN_RATE), ("wnn2.", WNN_RATE)),
        "equalised": True,
        "discriminator_learning_rate": 3e-3,
        # Eq. 1 is L1, which Charbonnier is at an eps below any error that counts.
        "loss": {"gan": "wgan-gp", "charbonnier_epsilon": 1e-6},
    },
    in_training={"pwave-x8": "pwave-x8-photo"},
    in_float={
        "restore.wnn?.*": "a weight says how much of an exemplar's features is taken, at every pixel: 3 % of the work",
        "restore.guide.*": "I'_LR is for the weights alone, which are in float: 2 % of the work",
        "restore.fuse2.*": "where the finer features join, and what rounds them is seen most: 6 % of the work",
        "encode.encoder.down?": "once a photo, and what comes of it is stored in int8 all the same",
        "encode.encoder.blocks?.*": "once a photo, and what comes of it is stored in int8 all the same",
    },
)
