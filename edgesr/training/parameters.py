"""Which parameters of the network learn how fast."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from edgesr.errors import UsageError
from edgesr.models.network import Network
from edgesr.models.registry import architecture_of

GAIN = 2.0
"""Of He's initialisation: weights of variance GAIN / fan-in."""


def parameter_groups(
    model: Network, offset_factor: float = 1.0, rates: Sequence[tuple[str, float]] = (), equalised: bool = False
) -> list[dict[str, Any]]:
    """Groups for an optimizer, with ``factor``, that of their learning rate; the group of factor 1 comes first.

    ``offset_factor`` is the offset head's, ``rates`` those of parameters whose names begin so; with ``equalised`` a
    weight's is multiplied by sqrt(2 / fan-in). Adam's steps have the size of the rate whatever the gradient's, so
    that is what it would do to a weight of variance 1 that is scaled where it is used.

    Raises:
        UsageError: the network has no offsets, or no parameter of a name in ``rates``.
    """
    named = dict(model.named_parameters())
    factors = dict.fromkeys(named, 1.0)
    if offset_factor != 1:
        head = architecture_of(model.config).offset_head
        if not head or not all(any(name.startswith(prefix) for name in named) for prefix in head):
            raise UsageError("the network has no offsets", "leave --offset-learning-rate at 1")
        rates = [*((prefix, offset_factor) for prefix in head), *rates]
    for prefix, factor in rates:
        if not any(name.startswith(prefix) for name in named):
            raise UsageError(f"the network has no parameters {prefix}*", "rates name parameters of the network")
        factors |= {name: factors[name] * factor for name in named if name.startswith(prefix)}
    return _grouped(named, factors, equalised)


def equalising_groups(module: nn.Module, equalised: bool) -> list[dict[str, Any]]:
    """As ``parameter_groups``, of a module whose parameters all learn at one rate, or at equalised ones."""
    named = dict(module.named_parameters())
    return _grouped(named, dict.fromkeys(named, 1.0), equalised)


def _grouped(named: dict[str, nn.Parameter], factors: dict[str, float], equalised: bool) -> list[dict[str, Any]]:
    groups: dict[float, list[nn.Parameter]] = {}
    for name, factor in factors.items():
        whole = factor * _equalising(named[name]) if equalised else factor
        groups.setdefault(whole, []).append(named[name])
    return [{"params": groups[factor], "factor": factor} for factor in sorted(groups, key=lambda f: f != 1)]


def _equalising(parameter: nn.Parameter) -> float:
    """sqrt(2 / fan-in) of a layer's weight; 1 of a bias."""
    if parameter.ndim < 2:
        return 1.0
    return float((GAIN * len(parameter) / parameter.numel()) ** 0.5)
