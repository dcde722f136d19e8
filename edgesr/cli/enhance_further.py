"""What ``edgesr enhance`` writes beside a photo: the side-by-side, the heatmap, the faces."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgesr.errors import InputOutputError

if TYPE_CHECKING:
    from edgesr.enhance.batch import Job, Journal
    from edgesr.enhance.photo import Photo
    from edgesr.enhance.run import Enhanced
    from edgesr.images.imaging import Pixels


@dataclasses.dataclass(frozen=True)
class Further:
    """A file beside an output. ``key`` is where its path stands in the row, in a list where there may be several."""

    path: Path
    key: str
    draw: Callable[[], Pixels]


def named_before(job: Job, options: dict[str, Any]) -> list[Path]:
    """The files whose names are known before any work."""
    return [job.beside(job.target.parent, what) for what in ("compare", "heatmap") if options[what]]


def further_files(job: Job, out: Path, done: Enhanced, before: Photo | None, options: dict[str, Any]) -> list[Further]:
    """The files that were asked for, in the order they are written; ``out``: below it lie all outputs."""
    return list(_files(job, out, done, before, options))


def refuse_others(job: Job, files: list[Further], journal: Journal | None, taken: set[Path], force: bool) -> None:
    """Refuse to write where something lies that no former run put there for this very photo.

    Raises:
        InputOutputError: such a file, or one that another photo is to become (``taken``).
    """
    for file in files:
        if file.path in taken:
            raise InputOutputError(f"{file.path} is to become another photo", "enhance them into different folders")
        ours = journal is not None and journal.made(job, file.path)
        if os.path.lexists(file.path) and not force and not ours:
            raise InputOutputError(f"{file.path} already exists", "pass --force to replace it")


def write_further(files: list[Further], faces: bool) -> dict[str, Any]:
    """Write them; their paths for the row. ``faces``: faces were asked for, so they have a list, if an empty one."""
    from edgesr.images.imaging import write_image

    said: dict[str, Any] = {"face_files": []} if faces else {}
    for file in files:
        write_image(file.draw(), file.path)
        if file.key == "face_files":
            said[file.key].append(str(file.path))
        else:
            said[file.key] = str(file.path)
    return said


def _files(job: Job, out: Path, done: Enhanced, before: Photo | None, options: dict[str, Any]) -> Iterator[Further]:
    from edgesr.enhance.heatmap import compare_sheet, heatmap_sheet

    restored = [face for face in done.faces if face.restored and face.sr is not None and face.before is not None]
    folder = job.target.parent
    if before is not None:
        pairs: Any = [(face.before, face.sr) for face in restored]
        rgb = before.rgb()
        yield Further(job.beside(folder, "compare"), "compare", lambda: compare_sheet(rgb, done.image, pairs))
    weighted = [face for face in restored if face.weights is not None and len(face.weights)]
    if options["heatmap"] and weighted:
        rows: Any = [(face.sr, face.weights, [f"exemplar {i + 1}" for i in face.exemplars]) for face in weighted]
        yield Further(job.beside(folder, "heatmap"), "heatmap", lambda: heatmap_sheet(rows))
    if options["faces_folder"]:
        # As the photos lie: equal names in two folders stay two.
        within = folder.relative_to(out) if folder.is_relative_to(out) else Path()
        for i, face in enumerate(restored):
            assert face.sr is not None
            path = job.beside(options["faces_folder"] / within, f"face{i + 1}")
            yield Further(path, "face_files", lambda sr=face.sr: sr)  # type: ignore[misc]
