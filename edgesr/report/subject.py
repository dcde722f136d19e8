"""What a report is about: a network, its artifacts, the faces they are measured on, and how much of it is measured."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from edgesr.benchmarking.device_results import DeviceResult
from edgesr.bundle import Bundle
from edgesr.data.faces import EvalPair
from edgesr.data.samples import sample_faces
from edgesr.errors import InputOutputError, UnavailableError, UsageError
from edgesr.evaluation.methods import degrade
from edgesr.images.imaging import Pixels, read_image
from edgesr.models.checkpoint import Checkpoint
from edgesr.models.interface import Interface
from edgesr.quantize.scheme import LayerSensitivity
from edgesr.runtime.base import Runtime

T = TypeVar("T")
SAMPLES = "samples"
"""As a split is called that consists of the package's own sample faces."""


@dataclasses.dataclass(frozen=True)
class ReportFace:
    """A sharp photo uint8 [S, S, 3] to be restored from its LR twin with other photos of the same person."""

    person: str
    name: str
    split: str
    truth: Pixels
    exemplars: tuple[Pixels, ...]
    scale: int
    degradation: str = "bicubic"
    drawn_by: str = ""
    """What a phone's preset draws the LR face by: as ``edgesr eval`` calls the photo."""

    @property
    def label(self) -> str:
        """Person and photo, as tables name a face."""
        return f"{self.person}/{self.name}"

    @functools.cached_property
    def lr(self) -> Pixels:
        """uint8 [S / scale, S / scale, 3]."""
        return degrade(self.truth, self.scale, self.degradation, self.drawn_by)

    @functools.cached_property
    def key(self) -> str:
        """SHA-256 of all that is given to the network and compared with."""
        how = "" if self.degradation == "bicubic" else f" {self.degradation} {self.drawn_by}"
        digest = hashlib.sha256(f"x{self.scale}{how}".encode())
        for photo in (self.truth, *self.exemplars):
            digest.update(str(photo.shape).encode())
            digest.update(photo.tobytes())
        return digest.hexdigest()


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
class Limits:
    """What a precision may lose to be shipped, against the float network on the same faces."""

    psnr_loss_mean: float = 0.05
    psnr_loss_max: float = 0.5
    identity_loss: float = 0.005


@dataclasses.dataclass(frozen=True)
class Absent:
    """An optional part that a report is without, and the command that supplies it."""

    part: str
    why: str
    command: str


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
    graph: bool = False
    """Whether each artifact's graph is drawn."""
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
    sensitivity: Sequence[LayerSensitivity] = ()
    sensitivity_missing: Absent | None = None
    """Why there is none."""


def check_subject(subject: Subject) -> None:
    """Raises UsageError where the bundles are not of this network, or not of one size."""
    bundles = [cell.bundle for cell in subject.cells if cell.bundle is not None]
    for bundle in bundles:
        if bundle.manifest["feature_space"] != subject.checkpoint.feature_space:
            raise UsageError(
                f"{bundle.folder} is no form of {subject.checkpoint.name}: its feature space is "
                f"{bundle.manifest['feature_space']}",
                "--checkpoint names the float network that the bundles were made of",
            )
        sizes = [(b.interface.lr_size, b.interface.scale, b.interface.slots) for b in (bundles[0], bundle)]
        if sizes[0] != sizes[1]:
            raise UsageError(
                f"{bundles[0].folder.name} and {bundle.folder.name} take different faces: LR {sizes[0][0]} and "
                f"{sizes[1][0]}, {sizes[0][2]} and {sizes[1][2]} slots",
                "a report compares bundles of one size",
            )
    if not bundles:
        why = "; ".join(f"{cell.target} {cell.precision}: {cell.why}" for cell in subject.cells)
        raise UnavailableError(f"there is nothing to measure: {why or 'no bundle given'}", "see edgesr targets")


def faces_of_pairs(
    pairs: Sequence[EvalPair], split: str, interface: Interface, degradation: str = "bicubic"
) -> list[ReportFace]:
    """The faces of an evaluation list, each with as many exemplars as it has, up to the network's slots.

    Raises:
        InputOutputError: a photo is unreadable, or of another size than the network's.
    """
    # The same photo is an exemplar of several targets.
    read = functools.lru_cache(maxsize=64)(lambda path: _crop(path, interface.hr_size))
    return [
        ReportFace(
            person=pair.person.rsplit("/", 1)[-1],
            name=pair.target.name,
            split=split,
            truth=read(pair.target),
            exemplars=tuple(read(path) for path in pair.exemplars[: interface.slots]),
            scale=interface.scale,
            degradation=degradation,
            drawn_by=pair.label,
        )
        for pair in pairs
    ]


def faces_of_samples(interface: Interface, degradation: str = "bicubic") -> list[ReportFace]:
    """The package's six people (Face Research Lab London Set, CC-BY 4.0), one exemplar each."""
    return [
        ReportFace(
            person=face.person,
            name="smiling",
            split=SAMPLES,
            truth=face.target,
            exemplars=(face.exemplar,),
            scale=interface.scale,
            degradation=degradation,
            drawn_by=f"{face.person}/smiling",
        )
        for face in sample_faces(interface.hr_size)
    ]


def spread(items: Sequence[T], count: int | None) -> list[T]:
    """``count`` of them, evenly spread over the list and so over its people; all where there are no more."""
    if count is None or count >= len(items):
        return list(items)
    chosen = np.linspace(0, len(items) - 1, count).round().astype(int)
    return [items[i] for i in chosen]


def _crop(path: Path, size: int) -> Pixels:
    image = read_image(path)
    if image.shape[:2] != (size, size):
        raise InputOutputError(
            f"{path} is {image.shape[1]}x{image.shape[0]}, not {size}x{size}",
            f"this network is measured on aligned crops of {size}x{size} pixels",
        )
    return image
