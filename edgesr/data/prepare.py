"""From raw photos, a folder per person, to aligned crops in our layout."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from edgesr.data.crops import CropFolder, write_list
from edgesr.data.layout import people
from edgesr.errors import InputOutputError, UnavailableError, UsageError, told
from edgesr.faces.alignment import crop_face
from edgesr.faces.detection import FaceDetector
from edgesr.faces.face import Face
from edgesr.images.imaging import Pixels, read_image

AMBIGUOUS = 0.6
"""A second face at least this many times as wide as the largest: it cannot be told whose photo it is."""


@dataclasses.dataclass(frozen=True)
class Rejection:
    """A photo that gave no crop, and why."""

    file: str
    reason: str


@dataclasses.dataclass(frozen=True)
class Prepared:
    """What came of a folder: crops ``kept``, of which ``already`` were there, of ``people``, and what was rejected."""

    kept: int
    already: int
    people: int
    rejected: list[Rejection]


def prepare(
    raw: Path,
    folder: Path,
    detector: FaceDetector,
    *,
    size: int = 128,
    split: str = "train",
    least_side: float | None = None,
    largest: bool = False,
    suffix: str = ".png",
    force: bool = False,
    progress: Callable[[Sequence[tuple[str, Path]]], Iterable[tuple[str, Path]]] = lambda photos: photos,
) -> Prepared:
    """Align the face of every photo of ``raw/<person>/`` into ``folder/<size>/<split>/<person>/NN``.

    Photos (known by their path below ``raw``) whose crop is there already are skipped, so an interrupted run goes on
    where it stopped.

    Args:
        least_side: Least side of the face's square in the photo, in pixels; ``size`` by default (no enlarging).
        largest: Take the largest face even where another is of like size.
        force: Start over and replace the crops of this size and split.

    Raises:
        InputOutputError: no photos in ``raw``, or ``folder`` cannot be written.
        UsageError: ``split`` is no plain name, or ``folder`` and ``raw`` lie in each other, or ``folder`` has files
            that this did not write.
    """
    if not raw.is_dir():
        raise InputOutputError(f"no folder {raw}", "give a folder with one sub-folder of photos per person")
    if not split or Path(split).name != split or split.startswith("."):
        raise UsageError(f"{split!r} is no name for a split", "a plain folder name: train, val, test")
    inside, outside = raw.resolve(), folder.resolve()
    if inside == outside or inside in outside.parents or outside in inside.parents:
        raise UsageError(f"{folder} and {raw} lie in each other", "give an output folder of its own")
    photos = [(person, path) for person, paths in people(raw).items() for path in paths]
    least_side = size if least_side is None else least_side
    rejected: list[Rejection] = []
    kept: set[str] = set()
    done = already = 0
    with CropFolder(folder, size, suffix, force) as crops:
        if force:
            crops.clear(split)
        for person, path in progress(photos):
            source = path.relative_to(raw).as_posix()
            if crops.has(split, source):
                already += 1
            else:
                try:
                    photo = read_image(path)
                    face = the_face(detector, photo, least_side, largest)
                except (UnavailableError, UsageError):
                    raise
                except Exception as error:  # one odd photo must not cost the others
                    rejected.append(Rejection(source, f"cannot be read: {told(error, source)[0]}"))
                    continue
                if isinstance(face, str):
                    rejected.append(Rejection(source, face))
                    continue
                image = crop_face(photo, face.alignment, size)
                crops.add(split, person, source, image, face.alignment.side, face.score)
            kept.add(person)
            done += 1
        # Rejected photos are looked at again by the next run, so the list is always of the latest.
        rows: list[list[object]] = [[one.file, one.reason] for one in rejected]
        write_list(folder / str(size) / f"rejected-{split}.csv", ["file", "reason"], rows, force=True)
    return Prepared(done, already, len(kept), rejected)


def the_face(detector: FaceDetector, photo: Pixels, least_side: float, largest: bool) -> Face | str:
    """The photo's one face, its landmarks refined, or why there is none to take."""
    faces = detector.detect(photo)
    if not faces:
        return "no face found"
    widths = [max(face.box[2:]) for face in faces]
    alike = sum(width >= AMBIGUOUS * max(widths) for width in widths)
    if alike > 1 and not largest:
        return f"several faces ({alike} of like size)"
    face = detector.refine(photo, faces[0])
    side = face.alignment.side
    if side < least_side:
        return f"too small ({side:.0f} px, {least_side:.0f} wanted)"
    return face
