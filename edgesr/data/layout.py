"""Aligned face crops in folders, one folder a person.

Two layouts are read: ``FOLDER/<pixels>/<split>/<person>/<photo>`` (several sizes and splits), or
``FOLDER/<person>/<photo>`` for a folder of people without splits. Photos are aligned like CelebA-HQ.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from edgesr.errors import InputOutputError, UsageError
from edgesr.files.reading import read_table
from edgesr.images.imaging import IMAGE_SUFFIXES

EVAL_LIST, SHARD_INDEX = "eval_list.csv", "shards.json"
MANIFEST, PART_MANIFESTS = "manifest.csv", "manifest.part-*.csv"
"""What ``edgesr data prepare`` says of each crop; where parts of the people were prepared apart, one a part."""


@dataclasses.dataclass(frozen=True)
class EvalPair:
    """A target and the fixed exemplars every method is measured with."""

    person: str
    target: Path
    exemplars: tuple[Path, ...]

    @property
    def label(self) -> str:
        """Person and photo, as tables name the target and as a phone's preset draws its LR face by."""
        return f"{self.person}/{self.target.name}"


def split_folder(folder: Path, split: str | None, size: int) -> Path:
    """The folder of people that holds ``split`` at ``size`` pixels, in either layout."""
    if not folder.is_dir():
        raise InputOutputError(f"no folder {folder}", "give a folder with one sub-folder of photos per person")
    nested = folder / str(size)
    if nested.is_dir():
        splits = sorted(p.name for p in nested.iterdir() if p.is_dir())
        if split is None or split not in splits:
            raise UsageError(f"no split {split!r} in {nested}", f"it has: {', '.join(splits)}")
        return nested / split
    check_size(folder, size)
    return folder


def check_size(folder: Path, size: int) -> None:
    """Refuse a folder whose crops are all of other sizes; ``size`` 0 is any.

    Raises:
        InputOutputError: it has crops, and none of ``size`` pixels.
    """
    if not size or not folder.is_dir() or (folder / str(size)).is_dir():
        return
    sizes = [p for p in folder.iterdir() if p.is_dir() and p.name.isdecimal()]
    # A person may be called by a number, too: then photos lie in that folder.
    others = [p.name for p in sizes if not any(file.suffix.lower() in IMAGE_SUFFIXES for file in p.iterdir())]
    if others:
        raise InputOutputError(
            f"{folder} has crops of {', '.join(sorted(others, key=int))} pixels, and {size} are needed",
            f"edgesr data prepare PHOTOS -o {folder} --size {size} makes them",
        )


def people(folder: Path) -> dict[str, list[Path]]:
    """Photos of each person, sorted, people without photos left out."""
    found = {
        person.name: sorted(p for p in person.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and p.name[0] != ".")
        for person in sorted(folder.iterdir())
        if person.is_dir()
    }
    found = {name: photos for name, photos in found.items() if photos}
    if not found:
        loose = any(p.suffix.lower() in IMAGE_SUFFIXES for p in folder.iterdir())
        what = f"photos lie in {folder} itself, and none in folders below it" if loose else f"no photos under {folder}"
        raise InputOutputError(what, "it should hold one sub-folder per person with that person's photos in it")
    return found


def read_eval_list(folder: Path, split: str, size: int, list_file: Path | None = None) -> list[EvalPair]:
    """The evaluation list of ``split``: columns split, target, ref1, ref2, ... with paths below ``FOLDER/<size>``.

    In a folder without sizes the paths are below ``FOLDER`` itself.
    """
    list_file = list_file or folder / EVAL_LIST
    rows = _read_rows(list_file)
    for i, row in enumerate(rows):
        if not row["target"] or not row["ref1"]:
            raise InputOutputError(
                f"line {i + 2} of {list_file} has no {'exemplar' if row['target'] else 'target'}",
                "every line names a target and at least ref1",
            )
    check_size(folder, size)
    root = folder / str(size)
    if not root.is_dir():
        root = folder
    pairs = [
        EvalPair(
            person=str(Path(row["target"]).parent),
            target=root / row["target"],
            exemplars=tuple(root / v for k, v in row.items() if k and k.startswith("ref") and v),
        )
        for row in rows
        if row["split"] == split
    ]
    if not pairs:
        splits = sorted({row["split"] for row in rows})
        raise UsageError(f"no split {split!r} in {list_file}", f"it has: {', '.join(splits)}")
    return pairs


def with_more_exemplars(pair: EvalPair, count: int) -> EvalPair:
    """A pair with ``count`` exemplars where its person has as many photos: those of the list, then the other photos in
    the person's folder. Never the target itself, nor one photo twice, also under two names."""
    if len(pair.exemplars) >= count:
        return pair
    found, seen = list(pair.exemplars), {path.read_bytes() for path in (pair.target, *pair.exemplars)}
    for path in people(pair.target.parent.parent)[pair.target.parent.name]:
        if len(found) < count and (photo := path.read_bytes()) not in seen:
            found.append(path)
            seen.add(photo)
    return dataclasses.replace(pair, exemplars=tuple(found))


def evaluation_files(folder: Path, size: int) -> list[Path]:
    """Every photo that the folder's evaluation list names, of all splits; none where there is no list."""
    listed = folder / EVAL_LIST
    if not listed.is_file():
        return []
    pairs = [pair for split in eval_splits(listed) for pair in read_eval_list(folder, split, size)]
    return list(dict.fromkeys(path for pair in pairs for path in (pair.target, *pair.exemplars)))


def manifest_rows(folder: Path, size: int, hint: str = "") -> list[dict[str, str]]:
    """What the folder's manifests say of its crops of ``size`` pixels: at least ``file``, below ``folder/<size>``.

    Raises:
        InputOutputError: there is none, or one is damaged.
    """
    files = [path for path in (folder / MANIFEST, *sorted(folder.glob(PART_MANIFESTS))) if path.exists()]
    rows = [row for file in files or [folder / MANIFEST] for row in read_table(file, hint, ("file", "native_px"))]
    # A folder of several sizes has a row a size, but for shared manifests, which have no such column.
    return [row for row in rows if row.get("size", str(size)) in (str(size), "")]


def eval_splits(list_file: Path) -> list[str]:
    """The splits of an evaluation list."""
    return sorted({row["split"] for row in _read_rows(list_file)})


def to_train_on(folder: Path, split: str | None, size: int, least: int = 1) -> dict[str, list[Path]]:
    """``people`` of a split with at least ``least`` photos, without those whom the evaluation list has elsewhere.

    Raises:
        InputOutputError: nobody is left, or the folder or its list cannot be read.
        UsageError: no such split.
    """
    if (folder / SHARD_INDEX).is_file():
        raise UsageError(f"{folder} holds shards, which edgesr train alone reads", "give the folder that they are of")
    held = evaluated(folder, split, size)
    found = people(split_folder(folder, split, size))
    found = {name: photos for name, photos in found.items() if len(photos) >= least and name not in held}
    if not found:
        others = f" besides the {len(held)} whom {EVAL_LIST} gives to other splits" if held else ""
        raise InputOutputError(
            f"nobody in {folder} has {least} {'photos' if least > 1 else 'photo'} or more{others}",
            "exemplars are other photos of the same person: add photos, or check the folder layout",
        )
    return found


def evaluated(folder: Path, split: str | None, size: int) -> set[str]:
    """People of the folder of ``split`` whom the evaluation list gives to another split: not to be trained on."""
    listed = folder / EVAL_LIST
    if not listed.is_file():
        return set()
    # In a folder without sizes people lie in it itself.
    below = Path(split or "") if (folder / str(size)).is_dir() else Path()
    people_of = [Path(row["target"]).parent for row in _read_rows(listed) if row["split"] != split]
    return {person.name for person in people_of if person.parent == below}


def _read_rows(list_file: Path) -> list[dict[str, str]]:
    if not list_file.parent.is_dir():
        raise InputOutputError(f"no folder {list_file.parent}", "give the folder that edgesr data prepare wrote")
    if not list_file.exists() and list_file.name == EVAL_LIST:
        raise InputOutputError(
            f"no {EVAL_LIST} in {list_file.parent}, which says who is evaluated on",
            f"edgesr data split {list_file.parent} writes one, from the people that are there",
        )
    hint = "an evaluation list starts with the line: split,target,ref1,ref2,..."
    if not (rows := read_table(list_file, hint, ("split", "target", "ref1"))):
        raise InputOutputError(f"{list_file} names no photos", hint)
    return rows
