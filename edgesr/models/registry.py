"""The architectures that there are, a line each."""

from __future__ import annotations

from typing import Any

from edgesr.errors import CheckpointError
from edgesr.models import hime
from edgesr.models.architecture import Architecture

ARCHITECTURES = {architecture.name: architecture for architecture in (hime.ARCHITECTURE,)}
FIRST = "hime"
"""The architecture of checkpoints that name none."""


def architecture_named(name: Any) -> Architecture:
    """Raises CheckpointError for an unknown one, with those that are known."""
    if not isinstance(name, str) or name not in ARCHITECTURES:
        raise CheckpointError(f"unknown architecture {name!r}", f"known: {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[name]


def architecture_of(config: Any) -> Architecture:
    """The one that a configuration belongs to."""
    return next(one for one in ARCHITECTURES.values() if isinstance(config, one.config))
