"""What a report is about, how much of it is measured, and what the layers above lend to it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from edgesr.bundle import Bundle
from edgesr.models.checkpoint import Checkpoint
from edgesr.runtime.base import Runtime

from .device import DeviceResult
from .faces import ReportFace
from .rows import Limits


@dataclasses.dataclass(frozen=True)
class Cell:
    """A precision on a target: its bundle, or why there is none and the command that supplies it."""

    target: str
    precision: str
    bundle: Bundle | None
    why: str = ""
    command: str = ""


@dataclasses.dataclass(frozen=True)
class Split:
    """Faces that are reported together."""

    name: str
    faces: Sequence[ReportFace]
    of: int
    """Faces that the split has, of which these are a part."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """How much is measured, and where figures are kept."""

    work: Path
    limits: Limits = Limits()
    runs: int = 30
    threads: int = 1
    slow_faces: int = 12
    """Of each split, for a network that is evaluated op by op."""
    worst: int = 4
    latency: bool = True
    identity_missing: str = "no face embedder"
    """Why identity is not measured, where it is not."""
    command: str = ""


@dataclasses.dataclass(frozen=True)
class Tools:
    """What the report is given by the layers above it: opening bundles, and telling what it does."""

    open_runtime: Callable[[Bundle], Runtime]
    executes_here: Callable[[Bundle], bool]
    say: Callable[[str], None] = lambda text: None
    track: Callable[[Sequence[Any], str], Iterator[Any]] = lambda items, _: iter(items)


@dataclasses.dataclass(frozen=True)
class Subject:
    """What a report is about: a float network, its artifacts, and the faces they are measured on."""

    checkpoint: Checkpoint
    quantized: Sequence[Checkpoint]
    """Checkpoints of its int8 forms, for the layers to blame; those that no bundle was made of do no harm."""
    cells: Sequence[Cell]
    splits: Sequence[Split]
    """The first is the one of the table and the verdict."""
    shown: Split | None
    """Its faces may be printed."""
    devices: Sequence[DeviceResult] = ()
    sensitivity: Sequence[dict[str, Any]] = ()
    sensitivity_missing: str = ""
    """Why there is none, and the command that supplies it."""
