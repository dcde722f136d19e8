"""The faces a report is measured on: a target, its exemplars, and a key that changes with any of their pixels."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from edgesr.data.faces import EvalPair
from edgesr.data.samples import sample_faces
from edgesr.errors import InputOutputError
from edgesr.evaluation.methods import degrade
from edgesr.images.imaging import Pixels, read_image
from edgesr.models.hime.config import HIMEConfig

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

    @property
    def label(self) -> str:
        """Person and photo, as tables name a face."""
        return f"{self.person}/{self.name}"

    @functools.cached_property
    def lr(self) -> Pixels:
        """uint8 [S / scale, S / scale, 3]."""
        return degrade(self.truth, self.scale, self.degradation, self.label)

    @functools.cached_property
    def key(self) -> str:
        """SHA-256 of all that is given to the network and compared with."""
        how = "" if self.degradation == "bicubic" else f" {self.degradation} {self.label}"
        digest = hashlib.sha256(f"x{self.scale}{how}".encode())
        for photo in (self.truth, *self.exemplars):
            digest.update(str(photo.shape).encode())
            digest.update(photo.tobytes())
        return digest.hexdigest()


def faces_of_pairs(
    pairs: Sequence[EvalPair], split: str, config: HIMEConfig, degradation: str = "bicubic"
) -> list[ReportFace]:
    """The faces of an evaluation list, each with as many exemplars as it has, up to the network's slots.

    Raises:
        InputOutputError: a photo is unreadable, or of another size than the network's.
    """
    # The same photo is an exemplar of several targets.
    read = functools.lru_cache(maxsize=64)(lambda path: _crop(path, config.hr_size))
    return [
        ReportFace(
            person=pair.person.rsplit("/", 1)[-1],
            name=pair.target.name,
            split=split,
            truth=read(pair.target),
            exemplars=tuple(read(path) for path in pair.exemplars[: config.slots]),
            scale=config.scale,
            degradation=degradation,
        )
        for pair in pairs
    ]


def faces_of_samples(config: HIMEConfig, degradation: str = "bicubic") -> list[ReportFace]:
    """The package's six people (Face Research Lab London Set, CC-BY 4.0), one exemplar each."""
    return [
        ReportFace(face.person, "smiling", SAMPLES, face.target, (face.exemplar,), config.scale, degradation)
        for face in sample_faces(config.hr_size)
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
