"""Which parameters of the network learn how fast."""

from __future__ import annotations

from typing import Any

from edgesr.errors import UsageError
from edgesr.models.network import Network
from edgesr.models.registry import architecture_of


def parameter_groups(model: Network, offset_factor: float) -> list[dict[str, Any]]:
    """Groups for an optimizer, with ``factor``, that of their learning rate: the offset head's differs.

    Raises:
        UsageError: the network has no offsets.
    """
    if offset_factor == 1:
        return [{"params": list(model.parameters()), "factor": 1.0}]
    names = architecture_of(model.config).offset_head
    known = [name for name, _ in model.named_parameters()]
    if not names or not all(any(name.startswith(prefix) for name in known) for prefix in names):
        raise UsageError("the network has no offsets", "leave --offset-learning-rate at 1")
    head = {name: parameter for name, parameter in model.named_parameters() if name.startswith(names)}
    rest = [parameter for name, parameter in model.named_parameters() if name not in head]
    return [{"params": rest, "factor": 1.0}, {"params": list(head.values()), "factor": offset_factor}]
