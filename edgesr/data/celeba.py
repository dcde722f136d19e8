"""CelebA as the PWAve paper uses it (Section 4): its own splits, crops of 128x128, people with at least 5 photos.

The paper does not say where the crop lies: it is the one that is usual at this size (Karras et al. 2018), of the
aligned photos of 178x218 as they are, around the point (89, 121). Nothing is scaled. Eyes lie higher and
farther apart in it than in crops that are aligned like CelebA-HQ, so these two do not mix.
"""

from __future__ import annotations

from pathlib import Path

from edgesr.data.identities import IDENTITIES, Person, Track, Written, read_columns, read_identities, write_people
from edgesr.data.splits import TARGETS, draw
from edgesr.errors import InputOutputError
from edgesr.images.imaging import Pixels, read_image

LEAST_PHOTOS = 5
PHOTOS, PARTITION = "img_align_celeba", "list_eval_partition.txt"
SPLITS = ("train", "val", "test")
"""By the numbers of the partition."""
WIDTH, HEIGHT = 178, 218
SIZE, CENTRE = 128, (89, 121)


def read_splits(root: Path, identities: Path | None = None, partition: Path | None = None) -> dict[str, list[Person]]:
    """Everybody with at least ``LEAST_PHOTOS`` photos by split, by identity number.

    Args:
        root: CelebA's folder. Its files lie in it, or in Img, Anno and Eval below it, as they are given away.
        identities: identity_CelebA.txt, where it lies elsewhere.
        partition: list_eval_partition.txt, likewise.

    Raises:
        InputOutputError: a list or the folder of photos is missing, damaged or of another data set, or too few people
            are left.
    """
    folder = _found(root, PHOTOS, "Img", "the folder of aligned photos", None)
    identities = _found(root, IDENTITIES, "Anno", "it says who is on each photo", "--identities", identities)
    partition = _found(root, PARTITION, "Eval", "it says which split each photo is in", "--partition", partition)
    person_of = read_identities(identities)
    photos: dict[int, list[str]] = {}
    split_of: dict[int, str] = {}
    for file, number in read_columns(partition, 2, lambda row: row[1] in ("0", "1", "2")):
        if file not in person_of:
            raise InputOutputError(f"{file} of {partition} is not in {identities}", "the two belong to other data sets")
        person, split = person_of[file], SPLITS[int(number)]
        if split_of.setdefault(person, split) != split:
            raise InputOutputError(
                f"identity {person} is in {split_of[person]} and in {split} of {partition}",
                "nobody of CelebA is in two splits: get both lists again",
            )
        photos.setdefault(person, []).append(file)
    splits: dict[str, list[Person]] = {split: [] for split in SPLITS}
    for person, files in sorted(photos.items()):
        if len(files) >= LEAST_PHOTOS:
            splits[split_of[person]].append(Person(person, tuple(folder / file for file in sorted(files))))
    if few := [split for split in ("train", "test") if len(splits[split]) < 2]:
        raise InputOutputError(
            f"{len(splits[few[0]])} people of {few[0]} in {root} have {LEAST_PHOTOS} photos or more",
            "at least two are needed",
        )
    return {split: group for split, group in splits.items() if group}


def write_celeba(
    root: Path,
    folder: Path,
    *,
    identities: Path | None = None,
    partition: Path | None = None,
    seed: int = 0,
    val_people: int = 50,
    suffix: str = ".png",
    force: bool = False,
    progress: Track = lambda people: people,
) -> Written:
    """Write the crops of every split, ``split.csv`` and ``eval_list.csv`` into ``folder``.

    Every photo of test is a target, as in the paper. What training validates on is measured often, so of val that is
    ``val_people`` people, with at most ``TARGETS`` targets each.
    """
    splits = read_splits(root, identities, partition)
    drawn = sorted(splits.get("val", []), key=lambda person: draw(seed, person.name))[:val_people]
    return write_people(
        splits,
        folder,
        lambda photo: (crop_of(photo), SIZE),
        size=SIZE,
        evaluated={"test": (splits["test"], None), "val": (drawn, TARGETS)},
        seed=seed,
        suffix=suffix,
        force=force,
        progress=progress,
    )


def crop_of(photo: Path) -> Pixels:
    """The 128x128 pixels of an aligned photo.

    Raises:
        InputOutputError: it is missing, damaged, or none of CelebA's size.
    """
    image = read_image(photo)
    if image.shape[:2] != (HEIGHT, WIDTH):
        raise InputOutputError(
            f"{photo} is {image.shape[1]}x{image.shape[0]}", f"CelebA's aligned photos are {WIDTH}x{HEIGHT}: {PHOTOS}"
        )
    left, top = (middle - SIZE // 2 for middle in CENTRE)
    return image[top : top + SIZE, left : left + SIZE].copy()


def _found(root: Path, name: str, below: str, what: str, option: str | None, given: Path | None = None) -> Path:
    if given is not None:
        return given
    for place in (root / name, root / below / name):
        if place.exists():
            return place
    hint = f"{what}: it belongs into {root} or {root / below}" + (f"; or pass {option} FILE" if option else "")
    raise InputOutputError(f"no {name} in {root}", hint)
