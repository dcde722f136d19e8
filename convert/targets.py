"""The targets that there are, and what a conversion takes where nothing else is said."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgesr.errors import UsageError
from edgesr.models.description import describe
from edgesr.quantize.scheme import Quantization
from edgesr.runtime.engines import ENGINES

from . import coreai, coreml, executorch, onnx, qnn, tflite, web
from .precision import Precision
from .target import Target

TARGETS: dict[str, Target] = {}


def register(target: Target) -> None:
    """Make a target known to ``convert``, ``verify``, ``report`` and what opens bundles.

    Raises:
        ValueError: its name is taken by another one, or nothing executes its artifacts.
    """
    if TARGETS.get(target.name, target) is not target:
        raise ValueError(f"there is another target {target.name!r}")
    if target.executor is not None and ENGINES.setdefault(target.name, target.executor) is not target.executor:
        raise ValueError(f"{target.name!r} has an engine already")
    if target.name not in ENGINES:
        raise ValueError(f"nothing executes what {target.name!r} makes: give it an executor")
    TARGETS[target.name] = target


for one in (executorch.TARGET, coreml.TARGET, tflite.TARGET, onnx.TARGET, web.TARGET, qnn.TARGET, coreai.TARGET):
    register(one)


def title(name: str) -> str:
    """The name that reports use for a target, known or not."""
    return TARGETS[name].title if name in TARGETS else name


def target_named(name: str) -> Target:
    """The target's record; an unknown name lists the known ones."""
    if name not in TARGETS:
        raise UsageError(f"unknown target {name!r}", f"known targets: {', '.join(TARGETS)}")
    return TARGETS[name]


def choose(
    target: str,
    precision: str | None,
    lowering: str | None,
    made_for: Sequence[str] = (),
    chips: Sequence[str] = (),
) -> tuple[Target, Precision, str]:
    """The target's record, with its defaults for what is None.

    ``made_for``: the precisions that an int8 checkpoint was made for, of which the first that the target has goes
    before the target's default. ``chips``: those to compile for; without any the target's own choice.

    Raises:
        UsageError: an unknown target, precision, lowering or chip.
    """
    record = target_named(target).for_chips(chips)
    own = next((one for one in made_for if one in record.precisions), None)
    chosen = precision or own or record.default_precision
    if chosen not in record.precisions:
        raise UsageError(
            f"{target} has no precision {chosen!r}", f"{target} converts to: {', '.join(record.precisions)}"
        )
    lowering = lowering or record.lowerings[0]
    if lowering not in record.lowerings:
        raise UsageError(f"{target} has no lowering {lowering!r}", f"{target} takes: {', '.join(record.lowerings)}")
    return record, chosen, lowering


def precisions_of(checkpoint: str | Path) -> tuple[str, ...]:
    """The precisions that an int8 checkpoint was made for, the usual first; none of a float one.

    Raises:
        CheckpointError: the checkpoint is missing, or its description is damaged.
    """
    stored = describe(checkpoint).quantization
    return () if stored is None else Quantization.from_dict(stored).precisions
