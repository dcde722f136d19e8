"""``edgesr.convert_network``: from a network's name and a target's to a proven bundle."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edgesr.errors import UsageError
from edgesr.release import DEFAULT_CHECKPOINT

from .pipeline import convert, plan
from .plan import Plan
from .quantized import Calibration
from .target import Report


@dataclasses.dataclass(frozen=True)
class ConvertedNetwork:
    """A bundle that passed the parity gate."""

    bundle: Path
    """The bundle's folder: ``edgesr.load`` runs it, ``edgesr.verify_bundle`` repeats the gate."""
    manifest: dict[str, Any]
    """What its ``manifest.json`` holds; ``docs/formats.md`` names the keys."""
    notes: tuple[str, ...] = ()
    """Choices that the caller did not make and should know of, in sentences."""


def convert_network(
    target: str,
    output: str | Path | None = None,
    *,
    checkpoint: str | Path = DEFAULT_CHECKPOINT,
    precision: str | None = None,
    lowering: str | None = None,
    lr_size: int | None = None,
    slots: int | None = None,
    chips: Sequence[str] = (),
    calibrate: str | Path | None = None,
    recipe: str | Path | None = None,
    force: bool = False,
    report: Report = lambda stage: None,
    planned: Callable[[Plan], None] = lambda plan: None,
) -> ConvertedNetwork:
    """Convert a network for a target, prove it equal to PyTorch on real faces, and write a bundle.

    The bundle is complete or not written at all: where the artifact departs from PyTorch nothing is left behind.

    Args:
        target: ``executorch``, ``coreml``, ``tflite``, ``onnx``, ``web``, ``qnn`` or, experimental, ``coreai``.
        output: the bundle's folder; by default one in the current folder, named after the choices.
        checkpoint: the network, a shipped name or a folder.
        precision: by default an int8 checkpoint's own, else the target's first (``edgesr targets`` lists them).
        lowering: how the deformable convolution is rewritten: ``grid_sample``, ``rows`` or ``tent``; by default the
            target's best.
        lr_size: side of the LR face in pixels, 4 to 512; by default the checkpoint's.
        slots: how many exemplars the restorer takes at a time, 1 to 16; by default the checkpoint's.
        chips: Snapdragon chips to compile for, of target ``qnn``: ``sm8650``, ``sm8750``; by default these two.
        calibrate: a folder of faces, for ``int8-ptq`` and ``mixed``: scales are measured on it.
        recipe: with ``calibrate``, a file with the precision of each layer.
        force: replace an existing bundle.
        report: is told the name of each stage as it begins.
        planned: is told what will be done, before it is.

    Thread safety: threads that convert take turns, since the converters' libraries keep state of their own; meanwhile
    Python's garbage collector runs seldom in the whole process. Processes may convert at once, each into a folder of
    its own.

    Raises:
        ParityError: the artifact does not compute what PyTorch computes; the first module that departs is named.
        UsageError: an unknown name, a size out of range, a contradiction, or the output exists.
        UnavailableError: what the target needs is not installed.
        CheckpointError: the checkpoint is missing or damaged.
        InputOutputError: the output cannot be written.
    """
    if recipe and not calibrate:
        raise UsageError("--recipe is for --calibrate", "a checkpoint of edgesr quantize has its recipe already")
    calibration = None
    if calibrate:
        calibration = Calibration(Path(calibrate), recipe=None if recipe is None else Path(recipe))
    chosen = plan(
        target,
        checkpoint=checkpoint,
        precision=precision,
        lowering=lowering,
        lr_size=lr_size,
        slots=slots,
        chips=chips,
        output=None if output is None else Path(output),
        calibration=calibration,
    )
    planned(chosen)
    if chosen.quantization:
        report(f"int8 network {chosen.checkpoint.name}, made of {chosen.quantization.float_name}")
    manifest = convert(chosen, force=force, report=report)
    return ConvertedNetwork(chosen.output, manifest, (*chosen.notes, *manifest.get("notes", ())))
