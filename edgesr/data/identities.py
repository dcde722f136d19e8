"""Data sets that come with a list of who is on each photo: the people of each split, written in our layout."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from edgesr.data.crops import CropFolder, write_list
from edgesr.data.layout import EVAL_LIST
from edgesr.data.splits import EXEMPLARS, evaluation_rows
from edgesr.errors import InputOutputError
from edgesr.files.reading import read_text
from edgesr.images.imaging import Pixels

IDENTITIES = "identity_CelebA.txt"


@dataclasses.dataclass(frozen=True)
class Person:
    """An identity of CelebA, and photos that show it."""

    identity: int
    photos: tuple[Path, ...]

    @property
    def name(self) -> str:
        return f"celeba_{self.identity:05}"


@dataclasses.dataclass(frozen=True)
class Written:
    """Crops written or found, people of each split, and the two lists."""

    kept: int
    already: int
    people: dict[str, int]
    split_list: Path
    eval_list: Path


Track = Callable[[Sequence[tuple[str, Person]]], Iterable[tuple[str, Person]]]


def write_people(
    splits: Mapping[str, Sequence[Person]],
    folder: Path,
    crop: Callable[[Path], tuple[Pixels, int]],
    *,
    size: int,
    evaluated: Mapping[str, tuple[Sequence[Person], int | None]],
    seed: int = 0,
    suffix: str = ".png",
    force: bool = False,
    progress: Track = lambda people: people,
) -> Written:
    """Write the crops of every split, ``split.csv`` and ``eval_list.csv`` into ``folder``.

    Args:
        splits: everybody's crops are written.
        folder: where they go.
        crop: a photo's crop of ``size`` pixels, and the side in pixels that its face had in the photo.
        size: of crops.
        evaluated: by split who stands in ``eval_list.csv``, and with how many targets each at most (None: all photos).
        seed: of exemplars and targets.
        suffix: of crops.
        force: replace what another call wrote.
        progress: wraps the people, each with their split.

    Raises:
        InputOutputError: a photo is missing or damaged, or nothing can be written.
        UsageError: another split, or crops in another format, lie there and ``force`` is not given.
    """
    split_list, eval_list = folder / "split.csv", folder / EVAL_LIST
    rows: list[list[object]] = [
        [person.name, split, len(person.photos)] for split, group in splits.items() for person in group
    ]
    crops = CropFolder(folder, size, suffix, force)
    # Refused before hours of work where another split was written here.
    write_list(split_list, ["identity", "split", "images"], rows, force)
    already = 0
    with crops:
        if force:
            for split in splits:
                crops.clear(split)
        for split in splits:
            crops.refuse_mixed(split)
        for split, person in progress([(split, person) for split, group in splits.items() for person in group]):
            for photo in person.photos:
                if crops.has(split, photo.name):
                    already += 1
                else:
                    image, side = crop(photo)
                    crops.add(split, person.name, photo.name, image, side)
        kept = {split: crops.crops(split) for split in splits}
    pairs: list[list[object]] = []
    for split, (people, targets) in evaluated.items():
        files: dict[str, list[str]] = {}
        names = {person.name for person in people}
        for one in sorted(kept.get(split, []), key=lambda one: one.file):
            if one.identity in names:
                files.setdefault(one.identity, []).append(one.file)
        pairs += evaluation_rows(split, files, seed, targets=targets)
    columns = ["split", "target", *[f"ref{i + 1}" for i in range(EXEMPLARS)]]
    write_list(eval_list, columns, pairs, force)
    counts = {split: len(group) for split, group in splits.items()}
    return Written(sum(map(len, kept.values())), already, counts, split_list, eval_list)


def read_identities(path: Path) -> dict[str, int]:
    """Who is on each photo of CelebA: file name to identity number, from identity_CelebA.txt."""
    return {file: int(person) for file, person in read_columns(path, 2, lambda row: row[1].isdigit())}


def read_columns(path: Path, columns: int, good: Callable[[list[str]], bool], header: bool = False) -> list[list[str]]:
    """Rows of a file of columns separated by spaces, each of a photo by its name, or number, in the first.

    Raises:
        InputOutputError: it cannot be read, a row has another number of columns, a name that leads elsewhere or is not
            ``good``, or a photo is listed twice.
    """
    lines = read_text(path).splitlines()
    rows = []
    seen = set()
    for number, line in enumerate(lines[header:], 1 + header):
        if not (row := line.split()):
            continue
        if len(row) != columns or Path(row[0]).name != row[0] or not good(row):
            raise InputOutputError(f"line {number} of {path} is damaged: {line[:60]!r}", "get the file again")
        if row[0] in seen:
            raise InputOutputError(f"{path} lists {row[0]} twice, the second time in line {number}", "get it again")
        seen.add(row[0])
        rows.append(row)
    return rows
