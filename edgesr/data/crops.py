"""Writing aligned crops in our layout, so that it may stop anywhere and go on later.

``FOLDER/<size>/<split>/<person>/NN.png``, a row each in ``FOLDER/manifest.csv``. The row is written before the
crop: a crop without a row is somebody else's and is never overwritten, a row without a crop is made good. Parts of the
people may be worked on at the same time: each appends to a manifest of its own, which ``merge_parts`` or the next whole
run takes in.
"""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Collection
from pathlib import Path
from types import TracebackType

from edgesr.data.layout import MANIFEST, PART_MANIFESTS
from edgesr.errors import InputOutputError, UsageError
from edgesr.files.atomic import cannot_write, file_aside
from edgesr.files.reading import open_plain
from edgesr.images.imaging import Pixels, write_image

REJECTED = "rejected-{}.csv"
"""The file's name below ``FOLDER/<size>``, for each split: the photos that gave no crop, and why."""

FORCE_HINT = "pass --force to replace it, or give another folder"


@dataclasses.dataclass(frozen=True)
class Crop:
    """A row of the manifest: ``file`` below ``FOLDER/<size>``, the photo it comes from, its face's side in pixels."""

    file: str
    identity: str
    split: str
    size: int
    source: str
    native_px: float
    score: float


BYTES = "surrogateescape"
"""Names that are not UTF-8 are written as their bytes, and found again by them."""

COLUMNS = [field.name for field in dataclasses.fields(Crop)]


class CropFolder:
    """Crops of one size and suffix; a context manager, since the manifest stays open for appending.

    With ``force`` files that are not in the manifest are overwritten too. ``part`` names one of several written at
    the same time; it knows the crops of all and appends to its own manifest.
    """

    def __init__(self, folder: Path, size: int, suffix: str = ".png", force: bool = False, part: str = "") -> None:
        self.folder, self.size, self.suffix, self.force = folder, size, suffix, force
        self.manifest = folder / (PART_MANIFESTS.replace("*", part) if part else MANIFEST)
        self._parts = [] if part else sorted(folder.glob(PART_MANIFESTS))
        own = _read_manifest(self.manifest)
        others = [folder / MANIFEST, *folder.glob(PART_MANIFESTS)] if part else self._parts
        rows = [*own, *(row for path in others if path != self.manifest for row in _read_manifest(path))]
        self._rows = {(row.size, row.split, row.source): row for row in rows}
        self._own = {(row.size, row.split, row.source) for row in own} if part else None
        self._last: dict[tuple[str, str], int] = {}
        for row in rows:
            if row.size == size:
                self._count(row)

    def __enter__(self) -> CropFolder:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._rewrite()  # also takes away the half of a row that an interruption left
            for path in self._parts:  # their rows stand in the manifest now
                path.unlink(missing_ok=True)
            self._stream = self.manifest.open("a", newline="", encoding="utf-8", errors=BYTES)
        except OSError as error:
            raise cannot_write(self.manifest, error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()

    def crops(self, split: str) -> list[Crop]:
        """What the manifest has of a split at this size."""
        return [row for row in self._rows.values() if (row.size, row.split) == (self.size, split)]

    def refuse_mixed(self, split: str) -> None:
        """Raises UsageError: an earlier run wrote crops of this split and size in another format."""
        if others := [row.file for row in self.crops(split) if Path(row.file).suffix != self.suffix]:
            kind = Path(others[0]).suffix
            raise UsageError(
                f"{self.folder / str(self.size) / split} has crops of an earlier run as {kind}, not {self.suffix}",
                f"--format {kind[1:]} goes on with them, --force makes all of them anew, as {self.suffix}",
            )

    def has(self, split: str, source: str) -> bool:
        """Whether this photo's crop was made before."""
        row = self._rows.get((self.size, split, source))
        path = None if row is None else self.path(row)
        return path is not None and path.is_file() and path.stat().st_size > 0  # a power cut may leave an empty one

    def path(self, row: Crop) -> Path:
        return self.folder / str(self.size) / row.file

    def add(self, split: str, person: str, source: str, image: Pixels, native_px: float, score: float = 1.0) -> Path:
        """Write a crop under the person's next number.

        Raises:
            UsageError: a file that is not in the manifest lies there.
            InputOutputError: it cannot be written.
        """
        row = self._rows.get((self.size, split, source))
        if row is None:
            number = self._last.get((split, person), 0) + 1
            file = f"{split}/{person}/{number:02}{self.suffix}"
            row = Crop(file, person, split, self.size, source, round(float(native_px), 1), round(score, 3))
            if self.path(row).exists() and not self.force:
                raise UsageError(f"{self.path(row)} already exists and is not in {self.manifest}", FORCE_HINT)
            self._append(row)
        write_image(image, self.path(row))
        return self.path(row)

    def clear(self, split: str, people: Collection[str] | None = None) -> None:
        """Take away the crops of a split at this size, those of the manifest and no other file; of ``people`` alone."""
        gone = [row for row in self.crops(split) if people is None or row.identity in people]
        for row in gone:
            self.path(row).unlink(missing_ok=True)
            del self._rows[row.size, row.split, row.source]
        without = {(split, row.identity) for row in gone}
        self._last = {key: number for key, number in self._last.items() if key not in without}
        self._stream.close()
        self._rewrite()
        self._stream = self.manifest.open("a", newline="", encoding="utf-8", errors=BYTES)

    def _append(self, row: Crop) -> None:
        try:
            self._stream.write(_lines([row]))
            self._stream.flush()
        except OSError as error:
            raise cannot_write(self.manifest, error) from error
        self._rows[row.size, row.split, row.source] = row
        if self._own is not None:
            self._own.add((row.size, row.split, row.source))
        self._count(row)

    def _count(self, row: Crop) -> None:
        key = row.split, row.identity
        self._last[key] = max(self._last.get(key, 0), int(Path(row.file).stem))

    def _rewrite(self) -> None:
        rows = [row for key, row in self._rows.items() if self._own is None or key in self._own]
        with file_aside(self.manifest) as aside:
            aside.write_text(",".join(COLUMNS) + "\n" + _lines(rows), "utf-8", BYTES)


def part_names(folder: Path) -> list[str]:
    """``3-of-16``: the parts whose manifests have not been taken in yet."""
    before, after = PART_MANIFESTS.split("*")
    return sorted(path.name[len(before) : -len(after)] for path in folder.glob(PART_MANIFESTS))


def merge_parts(folder: Path) -> None:
    """Take what parts wrote into the lists of the whole: their manifests, and the photos that gave no crop.

    Nobody may be at work on a part.

    Raises:
        InputOutputError: a list is damaged, or cannot be written.
        UsageError: a manifest is not ours.
    """
    lists: dict[Path, list[Path]] = {}
    for path in sorted(folder.glob("*/" + REJECTED.format("*.part-*"))):
        lists.setdefault(path.with_name(path.name.partition(".part-")[0] + ".csv"), []).append(path)
    if not lists and not part_names(folder):
        return
    with CropFolder(folder, 0) as crops:  # which takes in the manifests
        made = {(row.size, row.split, row.source) for row in crops._rows.values()}
    for whole, parts in lists.items():
        split = whole.stem.removeprefix(REJECTED.partition("{")[0])
        reasons = {file: reason for path in (whole, *parts) for file, reason in _read_rejected(path)}
        size = int(whole.parent.name) if whole.parent.name.isdecimal() else 0
        left = sorted((Path(file), reason) for file, reason in reasons.items() if (size, split, file) not in made)
        write_list(whole, ["file", "reason"], [[file.as_posix(), reason] for file, reason in left], force=True)
        for path in parts:
            path.unlink(missing_ok=True)


def _read_rejected(path: Path) -> list[tuple[str, str]]:
    """Rows of a list of photos that gave no crop; none where there is no such list."""
    try:
        with open_plain(path) as stream:
            rows = list(csv.reader(io.StringIO(stream.read().decode("utf-8", BYTES), newline="")))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputOutputError(f"cannot read {path}: {error.strerror or error}") from error
    if not rows or any(len(row) != 2 for row in rows):
        raise InputOutputError(f"{path} is damaged", "delete it: the next edgesr data prepare writes it anew")
    return [(file, reason) for file, reason in rows[1:]]


def write_list(path: Path, columns: list[str], rows: list[list[object]], force: bool) -> None:
    """A CSV file that is never overwritten by another content without ``force``."""
    text = _csv([list(columns), *rows])
    if path.is_file() and not force and path.read_bytes() != text.encode(errors=BYTES):
        raise UsageError(f"{path} already exists with other content", FORCE_HINT)
    with file_aside(path) as aside:
        aside.write_text(text, "utf-8", BYTES)


def _lines(rows: list[Crop]) -> str:
    return _csv([list(dataclasses.astuple(row)) for row in rows])


def _csv(rows: list[list[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _read_manifest(path: Path) -> list[Crop]:
    """Rows of a manifest of ours; a last line that was cut off is left out."""
    try:
        with open_plain(path) as stream:
            text = stream.read().decode("utf-8", BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise InputOutputError(f"cannot read {path}: {error}") from error
    complete = text[: text.rfind("\n") + 1]
    rows = list(csv.reader(io.StringIO(complete)))
    if not rows or rows[0] != COLUMNS:
        raise UsageError(f"{path} was not written by edgesr data", "give another output folder")
    found = []
    for number, row in enumerate(rows[1:], 2):
        try:
            file, identity, split, size, source, native_px, score = row
            int(Path(file).stem)
            found.append(Crop(file, identity, split, int(size), source, float(native_px), float(score)))
        except ValueError as error:
            raise InputOutputError(f"line {number} of {path} is damaged", "give another output folder") from error
    return found
