"""From raw photos, a folder per person, to aligned crops in our layout."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import functools
import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from edgesr.data.crops import REJECTED, CropFolder, write_list
from edgesr.data.layout import people
from edgesr.data.splits import draw
from edgesr.errors import InputOutputError, UnavailableError, UsageError, told
from edgesr.faces.alignment import crop_face
from edgesr.faces.detection import FaceDetector
from edgesr.faces.face import Face
from edgesr.files.places import refuse_nested
from edgesr.images.imaging import IMAGE_SUFFIXES, Pixels, read_image
from edgesr.process import threads

WAITING = 4
"""Photos that are begun ahead, for each worker."""

AMBIGUOUS = 0.6
"""A second face at least this many times as wide as the largest: it cannot be told whose photo it is."""


@dataclasses.dataclass(frozen=True)
class Part:
    """The ``number``-th of ``of`` parts of the people, 1 first: by their names' hashes, the same on every machine."""

    number: int
    of: int

    def has(self, person: str) -> bool:
        """Whether this part has the person."""
        return int(draw(0, person)[:12], 16) % self.of == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}-of-{self.of}"


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
    workers: int = 1,
    part: Part | None = None,
    progress: Callable[[Sequence[tuple[str, Path]]], Iterable[tuple[str, Path]]] = lambda photos: photos,
) -> Prepared:
    """Align the face of every photo of ``raw/<person>/`` into ``folder/<size>/<split>/<person>/NN``.

    Photos (known by their path below ``raw``) whose crop is there already are skipped, so an interrupted run goes on
    where it stopped.

    Args:
        least_side: Least side of the face's square in the photo, in pixels; ``size`` by default (no enlarging).
        largest: Take the largest face even where another is of like size.
        force: Start over and replace the crops of this size and split.
        workers: Processes that look for faces; the result is the same. Each opens YuNet by ``detector.path``.
        part: Only these people of several parts that are prepared at the same time, in one folder.

    Raises:
        InputOutputError: no photos in ``raw``, or ``folder`` cannot be written.
        UsageError: ``split`` is no plain name, or ``folder`` and ``raw`` lie in each other, or ``folder`` has files
            that this did not write, or crops of another ``suffix``.
    """
    if not raw.is_dir():
        raise InputOutputError(f"no folder {raw}", "give a folder with one sub-folder of photos per person")
    if not split or Path(split).name != split or split.startswith("."):
        raise UsageError(f"{split!r} is no name for a split", "a plain folder name: train, val, test")
    refuse_nested(folder, raw)
    album = people(raw)
    mine = {name for name in album if part is None or part.has(name)}
    photos = [(person, path) for person, paths in album.items() if person in mine for path in paths]
    least_side = size if least_side is None else least_side
    rejected: list[Rejection] = []
    kept: set[str] = set()
    done = already = 0
    named = "" if part is None else str(part)
    with CropFolder(folder, size, suffix, force, named) as crops:
        if force:
            crops.clear(split, None if part is None else mine)
        else:
            crops.refuse_mixed(split)
        todo = [path for _, path in photos if not crops.has(split, path.relative_to(raw).as_posix())]
        look = functools.partial(crop_of, least_side=least_side, largest=largest, size=size)
        with looked_at(todo, detector, look, workers) as found:
            waiting = set(todo)
            for person, path in progress(photos):
                source = path.relative_to(raw).as_posix()
                if path not in waiting:
                    already += 1
                else:
                    crop = next(found)
                    if isinstance(crop, str):
                        rejected.append(Rejection(source, crop))
                        continue
                    crops.add(split, person, source, crop.image, crop.side, crop.score)
                kept.add(person)
                done += 1
        rejected += [one for one in nobodys(raw) if part is None or part.has(one.file)]
        rejected.sort(key=lambda one: Path(one.file))
        # Rejected photos are looked at again by the next run, so the list is always of the latest.
        rows: list[list[object]] = [[one.file, one.reason] for one in rejected]
        listed = REJECTED.format(split if part is None else f"{split}.part-{part}")
        write_list(folder / str(size) / listed, ["file", "reason"], rows, force=True)
        for before in (folder / str(size)).glob(REJECTED.format(f"{split}.part-*")) if part is None else ():
            before.unlink(missing_ok=True)
    return Prepared(done, already, len(kept), rejected)


def nobodys(raw: Path) -> list[Rejection]:
    """Photos below ``raw`` that lie in no person's own folder: nobody can tell whose they are."""
    found = []
    for path in raw.rglob("*"):
        below = path.relative_to(raw)
        hidden = any(part.startswith(".") for part in below.parts)
        if len(below.parts) != 2 and not hidden and path.suffix.lower() in IMAGE_SUFFIXES and path.is_file():
            where = "in no person's folder" if len(below.parts) == 1 else "in a folder below a person's"
            found.append(Rejection(below.as_posix(), f"{where}: photos are looked for in RAW/<person>/"))
    return found


@dataclasses.dataclass(frozen=True)
class Found:
    """A photo's crop uint8 [size, size, 3], its square's side in the photo, and the detector's score."""

    image: Pixels
    side: float
    score: float


def crop_of(path: Path, detector: FaceDetector, *, least_side: float, largest: bool, size: int) -> Found | str:
    """A photo's crop, or why there is none."""
    try:
        photo = read_image(path)
        face = the_face(detector, photo, least_side, largest)
    except (UnavailableError, UsageError):
        raise
    except Exception as error:  # one odd photo must not cost the others
        why = told(error, path.name)[0]
        for said in (f"cannot read {path}: ", f"{path} is ", f"{path} has ", f"{path}: "):  # the photo is named beside
            why = why.removeprefix(said)
        return f"cannot be read: {why}"
    if isinstance(face, str):
        return face
    return Found(crop_face(photo, face.alignment, size), face.alignment.side, face.score)


@contextlib.contextmanager
def looked_at(
    paths: Sequence[Path], detector: FaceDetector, look: Callable[..., Found | str], workers: int
) -> Iterator[Iterator[Found | str]]:
    """What ``look`` makes of each photo, in their order; with several ``workers`` ahead of whoever takes it."""
    if workers == 1:
        yield (look(path, detector) for path in paths)
        return
    # Spawned, not forked: after a fork nobody may use a detector.
    pool = concurrent.futures.ProcessPoolExecutor(
        workers, multiprocessing.get_context("spawn"), _open_detector, (detector.path,)
    )
    try:
        yield _ahead(pool, look, paths, WAITING * workers)
    finally:
        pool.shutdown(cancel_futures=True)


def _ahead(
    pool: concurrent.futures.Executor, look: Callable[..., Found | str], paths: Sequence[Path], most: int
) -> Iterator[Found | str]:
    """Yield results in order, with at most so many photos begun: crops that wait take memory."""
    begun: deque[concurrent.futures.Future[Found | str]] = deque()
    for path in paths:
        begun.append(pool.submit(_look, look, path))
        if len(begun) == most:
            yield begun.popleft().result()
    while begun:
        yield begun.popleft().result()


_detector: FaceDetector
"""A worker process's own."""


def _open_detector(path: Path) -> None:
    global _detector
    threads.use(1)
    _detector = FaceDetector(path)


def _look(look: Callable[..., Found | str], path: Path) -> Found | str:
    return look(path, _detector)


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
