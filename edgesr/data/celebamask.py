"""CelebAMask-HQ as the HIME paper uses it (Sec. 4.1): people with at least 4 photos, 2,600 to train, 287 to test.

The photos are aligned already and are scaled down by antialiased bicubic. The paper does not publish its split;
ours is drawn by hashes, so it is the same everywhere, and is written out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from edgesr.data.crops import CropFolder, write_list
from edgesr.data.layout import EVAL_LIST
from edgesr.data.splits import EXEMPLARS, draw, evaluation_rows
from edgesr.errors import InputOutputError, UsageError
from edgesr.files.reading import read_text
from edgesr.images.imaging import read_image, resize_bicubic

LEAST_PHOTOS = 4
TRAIN_PEOPLE, TEST_PEOPLE = 2600, 287
PHOTOS, MAPPING, IDENTITIES = "CelebA-HQ-img", "CelebA-HQ-to-CelebA-mapping.txt", "identity_CelebA.txt"


@dataclasses.dataclass(frozen=True)
class Person:
    """An identity of CelebA, and the photos of CelebA-HQ that show it."""

    identity: int
    photos: tuple[Path, ...]

    @property
    def name(self) -> str:
        return f"celeba_{self.identity:05}"


def read_people(root: Path, identities: Path | None = None) -> list[Person]:
    """Everybody with at least ``LEAST_PHOTOS`` photos, by identity number.

    Args:
        root: The folder CelebAMask-HQ, or the one that holds it.
        identities: CelebA's identity_CelebA.txt, where it does not lie in either.
    """
    inner = root if (root / MAPPING).is_file() else root / "CelebAMask-HQ"
    if not (inner / MAPPING).is_file():
        raise InputOutputError(
            f"no {MAPPING} in {root}", f"give the folder CelebAMask-HQ, which holds {PHOTOS}/ and {MAPPING}"
        )
    if identities is None:
        places = [inner / IDENTITIES, inner.parent / IDENTITIES]
        identities = next((place for place in places if place.is_file()), None)
        if identities is None:
            raise InputOutputError(
                f"no {IDENTITIES} in {inner}", "it comes with CelebA (Anno): put it there or pass --identities FILE"
            )
    person_of = {file: int(person) for file, person in _rows(identities, 2, lambda row: row[1].isdigit())}
    photos: dict[int, list[int]] = {}
    # idx orig_idx orig_file, with a header
    for number, _, file in _rows(inner / MAPPING, 3, lambda row: row[0].isdigit(), header=True):
        if file not in person_of:
            raise InputOutputError(f"{file} of {MAPPING} is not in {identities}", "the two belong to other data sets")
        photos.setdefault(person_of[file], []).append(int(number))
    found = [
        Person(identity, tuple(inner / PHOTOS / f"{number}.jpg" for number in sorted(numbers)))
        for identity, numbers in sorted(photos.items())
        if len(numbers) >= LEAST_PHOTOS
    ]
    if len(found) < 2:
        raise InputOutputError(
            f"{len(found)} people in {root} have {LEAST_PHOTOS} photos or more", "at least two are needed to split"
        )
    return found


def split_people(everybody: Sequence[Person], seed: int = 0, val_people: int = 0) -> dict[str, list[Person]]:
    """Train, test and, where asked for, val, which is taken from train (the paper has none).

    With the whole data set 287 test; with less the same share of it, at least one.
    """
    drawn = sorted(everybody, key=lambda person: draw(seed, person.name))
    test = max(1, round(len(drawn) * TEST_PEOPLE / (TRAIN_PEOPLE + TEST_PEOPLE)))
    if test + val_people >= len(drawn):
        raise UsageError(f"{val_people} people for val leave none to train", f"there are {len(drawn)} in all")
    groups = {"test": drawn[:test], "val": drawn[test : test + val_people], "train": drawn[test + val_people :]}
    return {split: sorted(group, key=lambda p: p.identity) for split, group in groups.items() if group}


@dataclasses.dataclass(frozen=True)
class Written:
    """Crops written or found, people of each split, and the two lists."""

    kept: int
    already: int
    people: dict[str, int]
    split_list: Path
    eval_list: Path


def write_celebamask(
    root: Path,
    folder: Path,
    *,
    size: int = 128,
    identities: Path | None = None,
    seed: int = 0,
    val_people: int = 0,
    suffix: str = ".png",
    force: bool = False,
    progress: Callable[[Sequence[tuple[str, Person]]], Iterable[tuple[str, Person]]] = lambda people: people,
) -> Written:
    """Write the crops of every split, ``split.csv`` and ``eval_list.csv`` (test and val) into ``folder``."""
    splits = split_people(read_people(root, identities), seed, val_people)
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
                    image = read_image(photo)
                    side = image.shape[0]
                    if image.shape[1] != side or side < size:
                        raise InputOutputError(
                            f"{photo} is {image.shape[1]}x{side}", f"CelebA-HQ is square, and at least {size} here"
                        )
                    crops.add(split, person.name, photo.name, resize_bicubic(image, size, size), side)
        kept = {split: crops.crops(split) for split in splits}
    pairs: list[list[object]] = []
    for split in ("test", "val"):
        files: dict[str, list[str]] = {}
        for crop in sorted(kept.get(split, []), key=lambda crop: crop.file):
            files.setdefault(crop.identity, []).append(crop.file)
        pairs += evaluation_rows(split, files, seed, targets=None)
    columns = ["split", "target", *[f"ref{i + 1}" for i in range(EXEMPLARS)]]
    write_list(eval_list, columns, pairs, force)
    counts = {split: len(group) for split, group in splits.items()}
    return Written(sum(map(len, kept.values())), already, counts, split_list, eval_list)


def _rows(path: Path, columns: int, good: Callable[[list[str]], bool], header: bool = False) -> list[list[str]]:
    """Rows of a file of columns separated by spaces."""
    lines = read_text(path).splitlines()
    rows = []
    for number, line in enumerate(lines[header:], 1 + header):
        if not (row := line.split()):
            continue
        if len(row) != columns or not good(row):
            raise InputOutputError(f"line {number} of {path} is damaged: {line[:60]!r}", "get the file again")
        rows.append(row)
    return rows
