"""Who is trained on and who is evaluated on: people drawn into splits, and the evaluation list that says so.

The crops stay where they are. ``eval_list.csv`` names the photos of the people that are evaluated on, and training
leaves those people out (``edgesr.data.layout.evaluated``), so nobody is in two splits. Everything is drawn by hashes
of names: the same on every machine, and nearly the same where people are added.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgesr.data.crops import merge_parts, part_names, write_list
from edgesr.data.layout import EVAL_LIST, SHARD_INDEX, people
from edgesr.errors import InputOutputError, UsageError
from edgesr.files.claims import claimed

EXEMPLARS = 5
"""Exemplars a target in the evaluation list, where its person has so many other photos."""

TARGETS = 8
"""Targets of a person at most: figures are means over people, so more cost time and tell little."""

LEAST_PHOTOS = 2
"""A target, and another photo of its person as exemplar."""

LEAST_PEOPLE = 2
"""People of a split that is evaluated on: the control is somebody else's exemplars."""

POOL = "train"
"""The folder of people that ``val`` and ``test`` are drawn from, where they have no folders of their own."""


@dataclasses.dataclass(frozen=True)
class Split:
    """What ``write_split`` made: the list, the people of each split, and those with too few photos to be in one."""

    eval_list: Path
    people: dict[str, list[str]]
    targets: int
    few: dict[str, int]


def write_split(
    folder: Path, size: int, *, val: float = 0.1, test: float = 0.1, seed: int = 0, force: bool = False
) -> Split:
    """Write ``folder/eval_list.csv`` for the crops of ``size`` pixels; ``val`` and ``test`` are shares of the people.

    Folders of people other than ``train`` (``FOLDER/<size>/test``) are splits already, and are taken as they are.
    What parts of the people left (``edgesr.data.crops.merge_parts``) is taken into the lists of the whole before.

    Raises:
        InputOutputError: no crops of that size, too few people, a part is still being made, or it cannot be written.
        UsageError: the shares leave nobody to train on, somebody lies in two folders, or there is another list.
    """
    if val < 0 or test < 0 or val + test > 1:
        raise UsageError(f"shares of {val} for val and {test} for test", "shares of all people, together at most 1")
    if (folder / SHARD_INDEX).is_file():
        raise UsageError(f"{folder} holds shards", "split the folder that they are of, and shard it again")
    take_in_parts(folder)
    photos, fixed = _photos(folder, size)
    few = {name: len(files) for name, files in photos.items() if len(files) < LEAST_PHOTOS}
    able = {name: files for name, files in photos.items() if name not in few}
    groups: dict[str, list[str]] = {}
    for name in able:
        groups.setdefault(fixed.get(name, POOL), []).append(name)
    shares = {name: share for name, share in (("test", test), ("val", val)) if name not in groups}
    groups |= draw_people(groups.pop(POOL, []), shares, seed)
    evaluated = {split: sorted(names) for split, names in sorted(groups.items()) if split != POOL and names}
    if not evaluated:
        raise InputOutputError(
            f"{len(able)} {'person' if len(able) == 1 else 'people'} in {folder} with {LEAST_PHOTOS} photos or more: "
            "too few to evaluate on",
            f"two people with two photos each at least, and shares (--test {test}, --val {val}) above nothing",
        )
    rows = [
        row for split, names in evaluated.items() for row in evaluation_rows(split, {n: able[n] for n in names}, seed)
    ]
    columns = ["split", "target", *[f"ref{i + 1}" for i in range(EXEMPLARS)]]
    write_list(folder / EVAL_LIST, columns, rows, force)
    return Split(folder / EVAL_LIST, evaluated | {POOL: sorted(groups.get(POOL, []))}, len(rows), few)


def take_in_parts(folder: Path) -> None:
    """``merge_parts``, while nobody is at work on one of them.

    Raises:
        InputOutputError: somebody is, or as ``merge_parts``.
    """
    with contextlib.ExitStack() as claims:
        for name in part_names(folder):
            claims.enter_context(claimed(part_claim(folder, name)))
        merge_parts(folder)


def part_claim(folder: Path, name: str) -> Path:
    """What whoever prepares a part (``3-of-16``) claims: parts may be at work together, but not the same part twice."""
    return folder / f"part-{name}"


def draw_people(names: Sequence[str], shares: Mapping[str, float], seed: int = 0) -> dict[str, list[str]]:
    """People by split: each of ``shares`` gets its share, rounded, the rest is ``train``.

    No split to evaluate on has fewer than two people. Where they are too few for that, the first of ``shares`` comes
    first, and a later one gets nobody rather than leaving fewer than two to train on.
    """
    left = sorted(names, key=lambda name: draw(seed, name))
    groups: dict[str, list[str]] = {}
    for i, (split, share) in enumerate(shares.items()):
        count = max(LEAST_PEOPLE, round(share * len(names))) if share else 0
        keep = LEAST_PEOPLE if i else 0
        if count > len(left) - keep:
            count = 0
        groups[split], left = left[:count], left[count:]
    return groups | {POOL: left}


def evaluation_rows(
    split: str, files: Mapping[str, Sequence[str]], seed: int = 0, targets: int | None = TARGETS
) -> list[list[object]]:
    """A row a target of the photos of each person: split, target, and its exemplars in a fixed random order."""
    rows: list[list[object]] = []
    for photos in files.values():
        chosen = set(sorted(photos, key=lambda photo: draw(seed, photo))[:targets])
        for target in (photo for photo in photos if photo in chosen):
            others = sorted((p for p in photos if p != target), key=lambda p: draw(seed, f"{target} {p}"))
            exemplars = others[:EXEMPLARS]
            rows.append([split, target, *exemplars, *[""] * (EXEMPLARS - len(exemplars))])
    return rows


def draw(seed: int, name: str) -> str:
    """A number between 0 and 1, in hexadecimal, that is the same on every machine."""
    return hashlib.sha256(f"{seed} {name}".encode(errors="surrogateescape")).hexdigest()


def _photos(folder: Path, size: int) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Files of each person, below the folder that lists are relative to, and the split of those who have one."""
    if not folder.is_dir():
        raise InputOutputError(f"no folder {folder}", "give a folder of aligned crops")
    nested = folder / str(size)
    root = nested if nested.is_dir() else folder
    splits = sorted(p for p in nested.iterdir() if p.is_dir()) if nested.is_dir() else [folder]
    photos: dict[str, list[str]] = {}
    fixed: dict[str, str] = {}
    for split in splits:
        for name, files in people(split).items():
            if name in photos:
                raise UsageError(
                    f"{name} lies in {split} and in another split of {nested}", "a person is in one split: move one"
                )
            photos[name] = [file.relative_to(root).as_posix() for file in files]
            if nested.is_dir() and split.name != POOL:
                fixed[name] = split.name
    return photos, fixed


def sizes_of(folder: Path) -> list[int]:
    """Sizes of crops that a folder has sub-folders of."""
    if not folder.is_dir():
        return []
    return sorted(int(p.name) for p in folder.iterdir() if p.is_dir() and p.name.isdecimal())
