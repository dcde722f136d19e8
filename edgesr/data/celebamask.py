"""CelebAMask-HQ as the HIME paper uses it (Sec. 4.1): people with at least 4 photos, 2,600 to train, 287 to test.

The photos are aligned already and are scaled down by antialiased bicubic. The paper does not publish its split;
ours is drawn by hashes, so it is the same everywhere, and is written out.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgesr.data.identities import IDENTITIES, Person, Track, Written, read_columns, read_identities, write_people
from edgesr.data.splits import draw
from edgesr.errors import InputOutputError, UsageError
from edgesr.images.imaging import Pixels, read_image, resize_bicubic

LEAST_PHOTOS = 4
TRAIN_PEOPLE, TEST_PEOPLE = 2600, 287
PHOTOS, MAPPING = "CelebA-HQ-img", "CelebA-HQ-to-CelebA-mapping.txt"


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
    person_of = read_identities(identities)
    photos: dict[int, list[int]] = {}
    # idx orig_idx orig_file, with a header
    for number, _, file in read_columns(inner / MAPPING, 3, lambda row: row[0].isdigit(), header=True):
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
    progress: Track = lambda people: people,
) -> Written:
    """Write the crops of every split, ``split.csv`` and ``eval_list.csv`` (test and val) into ``folder``."""
    splits = split_people(read_people(root, identities), seed, val_people)

    def crop(photo: Path) -> tuple[Pixels, int]:
        image = read_image(photo)
        side = image.shape[0]
        if image.shape[1] != side or side < size:
            raise InputOutputError(
                f"{photo} is {image.shape[1]}x{side}", f"CelebA-HQ is square, and at least {size} here"
            )
        return resize_bicubic(image, size, size), side

    return write_people(
        splits,
        folder,
        crop,
        size=size,
        evaluated={split: (splits[split], None) for split in ("test", "val") if split in splits},
        seed=seed,
        suffix=suffix,
        force=force,
        progress=progress,
    )
