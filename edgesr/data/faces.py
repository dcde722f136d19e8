"""Photos of aligned faces in memory, as PyTorch takes them; ``edgesr.data.layout`` says how they lie in folders."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from edgesr.data.layout import EvalPair as EvalPair
from edgesr.data.layout import eval_splits as eval_splits
from edgesr.data.layout import people as people
from edgesr.data.layout import read_eval_list as read_eval_list
from edgesr.data.layout import split_folder as split_folder
from edgesr.data.layout import to_train_on as to_train_on
from edgesr.errors import InputOutputError
from edgesr.images.imaging import read_image

Track = Callable[[Sequence[Path]], Iterator[Path]]
"""Shows how far the reading is."""


def load_faces(paths: Sequence[Path], size: int, track: Track = iter) -> Tensor:
    """Photos as uint8 [N, 3, size, size]; one of another size is refused, since crops must be aligned."""
    faces = np.empty((len(paths), size, size, 3), np.uint8)
    for i, path in enumerate(track(paths)):
        image = read_image(path)
        if image.shape[:2] != (size, size):
            raise InputOutputError(
                f"{path} is {image.shape[1]}x{image.shape[0]}, not {size}x{size}",
                f"training and evaluation take aligned crops of {size}x{size} pixels: edgesr data prepare PHOTOS "
                f"--size {size} makes them",
            )
        faces[i] = image
    return torch.from_numpy(faces).permute(0, 3, 1, 2).contiguous()


class Faces(Protocol):
    """Photos of people, wherever they lie; those of a person are next to each other."""

    person: Tensor
    """[N], index into ``names``."""
    names: list[str]

    def __len__(self) -> int: ...

    def to(self, device: torch.device) -> Faces:
        """The same faces, whose ``take`` gives photos on ``device``."""
        ...

    def take(self, index: Tensor) -> Tensor:
        """Photos uint8 [K, 3, S, S] of indices [K]."""
        ...

    def expect(self, index: Callable[[], Tensor]) -> None:
        """What the next ``take`` will ask for."""
        ...

    def fingerprint(self) -> dict[str, Tensor]:
        """What tells these photos from others."""
        ...


@dataclasses.dataclass
class FaceSet:
    """All photos of a split in memory: ``images`` uint8 [N, 3, S, S], and the person of each."""

    images: Tensor
    person: Tensor  # N, index into names
    names: list[str]

    @classmethod
    def read(
        cls,
        folder: Path,
        split: str | None,
        size: int,
        least: int = 2,
        without: Collection[str] = (),
        track: Track = iter,
    ) -> FaceSet:
        """People with at least ``least`` photos; a target needs another photo of its person as exemplar.

        Those whom the folder's evaluation list has in another split are left out.
        """
        found = {k: v for k, v in to_train_on(folder, split, size, least).items() if k not in without}
        paths = [path for photos in found.values() for path in photos]
        person = torch.tensor([i for i, photos in enumerate(found.values()) for _ in photos])
        return cls(load_faces(paths, size, track), person, list(found))

    def __len__(self) -> int:
        return len(self.images)

    def to(self, device: torch.device) -> FaceSet:
        """The same photos on ``device``."""
        return dataclasses.replace(self, images=self.images.to(device))

    def take(self, index: Tensor) -> Tensor:
        """Photos uint8 [K, 3, S, S] of indices [K]."""
        return self.images[index]

    def expect(self, index: Callable[[], Tensor]) -> None:
        """Nothing: they are here."""

    def fingerprint(self) -> dict[str, Tensor]:
        """The photos themselves."""
        return {"photos": self.images}
