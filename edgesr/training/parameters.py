"""Which parameters of the network learn how fast."""

from __future__ import annotations

from typing import Any

from edgesr.errors import UsageError
from edgesr.models.hime.network import HIME

OFFSET_HEAD = ("g_ref", "g_lr", "hidden", "offset")
"""Convolutions of the alignment that offsets are made with; the others carry what is sampled."""


def parameter_groups(model: HIME, offset_factor: float) -> list[dict[str, Any]]:
    """Groups for an optimizer, with ``factor``, that of their learning rate: the offset head's differs.

    Raises:
        UsageError: the alignment has no offsets.
    """
    if offset_factor == 1:
        return [{"params": list(model.parameters()), "factor": 1.0}]
    if not hasattr(model.rfa, "offset"):
        raise UsageError(
            f"the alignment {model.config.alignment!r} has no offsets", "leave --offset-learning-rate at 1"
        )
    names = tuple(f"rfa.{name}." for name in OFFSET_HEAD)
    head = {name: parameter for name, parameter in model.named_parameters() if name.startswith(names)}
    rest = [parameter for name, parameter in model.named_parameters() if name not in head]
    return [{"params": rest, "factor": 1.0}, {"params": list(head.values()), "factor": offset_factor}]
