"""A recipe that meets a PSNR drop at the least cost, and the named recipes that it is set against."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from edgesr.errors import UsageError

from .recipe import EVERYTHING, Recipe, Rule, first_and_last, policy_of
from .scheme import LayerSensitivity
from .sensitivity import Bench, blocks

FLOAT_OVER_INT8 = 4.0
"""Time of a float multiply-accumulate over an int8 one: a conservative figure for XNNPACK on CPUs with int8 dot
products. Only the order of layers by cost depends on it, and for layers of one kind not even that."""
FREE_MACS = 1e5
"""Cost of sparing a layer without multiplications: a conversion to float and back."""

Say = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class Trial:
    """A recipe as measured on the bench's faces."""

    recipe: Recipe
    psnr_loss: float
    """Mean over faces in dB against float."""
    cost: float
    """Multiply-accumulates of both graphs, a float one counted ``FLOAT_OVER_INT8`` times."""


def search(bench: Bench, rows: Sequence[LayerSensitivity], max_drop: float, say: Say = lambda text: None) -> Trial:
    """Spare layers or blocks, the most PSNR gained for a cost first, until the drop is at most ``max_drop`` dB.

    Then take back, dearest first, whatever was spared in vain. ``rows`` are from ``measure`` on the same bench.

    Raises:
        UsageError: not even a network in float is as good as that.
    """
    names, groups = bench.names, blocks(bench.names)
    wanted = bench.psnr(())
    spared: set[str] = set()

    def loss(kept: set[str]) -> float:
        return wanted - bench.psnr([name for name in names if name not in kept])

    def price(members: Sequence[str]) -> float:
        return _price(bench, members)

    order = sorted(rows, key=lambda row: -row.spared_gain_db / price(groups.get(row.layer, [row.layer])))
    drop = loss(spared)
    for row in order:
        if drop <= max_drop:
            break
        members = [name for name in groups.get(row.layer, [row.layer]) if name not in spared]
        if members and row.spared_gain_db > 0:
            tried = loss(spared | set(members))
            if tried < drop:
                spared, drop = spared | set(members), tried
                say(f"{row.layer} in float: {drop:.4f} dB lost")
    if drop > max_drop:
        raise UsageError(
            f"no recipe found that loses at most {max_drop:g} dB: the best loses {drop:.4f} dB",
            "allow more with --max-drop, or train (--method qat) with the policy",
        )
    for name in sorted(spared, key=lambda name: -price([name])):
        without = loss(spared - {name})
        if without <= max_drop:
            spared, drop = spared - {name}, without
            say(f"{name} back in int8: {drop:.4f} dB lost")
    gains = {row.layer: row.spared_gain_db for row in rows}
    rules = tuple(Rule(name, "float", f"alone worth {gains[name]:.4f} dB") for name in names if name in spared)
    return Trial(Recipe("mixed", rules), drop, cost(bench, Recipe("mixed", rules)))


def opponents(bench: Bench) -> list[Trial]:
    """Everything in int8; the policy; first and last layer in float."""
    wanted = bench.psnr(())
    recipes = (EVERYTHING, policy_of(bench.graphs.config), first_and_last(bench.names))
    return [Trial(r, wanted - bench.psnr(r.quantized(bench.names)), cost(bench, r)) for r in recipes]


def cost(bench: Bench, recipe: Recipe) -> float:
    """What the recipe costs, as ``Trial.cost``."""
    total = 0.0
    for layer in bench.layers:
        int8 = recipe.precision_of(layer.name) == "int8"
        total += layer.macs * (1.0 if int8 else FLOAT_OVER_INT8) + (0.0 if int8 else FREE_MACS)
    return total


def _price(bench: Bench, members: Sequence[str]) -> float:
    layers = [layer for layer in bench.layers if layer.name in members]
    return sum(layer.macs * (FLOAT_OVER_INT8 - 1) + FREE_MACS for layer in layers)
