"""Many photos: which they are, where their outputs go, what is done already, and what became of each."""

from __future__ import annotations

import dataclasses
import glob
import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgesr.enhance.write import KINDS, SUFFIXES
from edgesr.errors import InputOutputError, UsageError
from edgesr.files.atomic import cannot_write
from edgesr.files.places import expanded, refuse_own_output
from edgesr.files.reading import read_text
from edgesr.images.imaging import IMAGE_SUFFIXES

JOURNAL = ".edgesr-enhance.jsonl"
"""A file in the output folder: a line for each photo begun and one for each done, so that a run may go on."""

FURTHER = re.compile(r"-(compare|heatmap|face\d+)\.png$")
"""How the names of files beside an output end."""
ENDING = re.compile(r"\.[A-Za-z]{1,5}")
"""How a file's name ends; a folder may be called ``2024.06``."""
LONGEST_NAME = 255
"""Bytes that file systems take."""

MOST_JOURNAL = 1 << 30

PATTERN = set("*?[")


@dataclasses.dataclass(frozen=True)
class Job:
    """A photo and where its output goes."""

    source: Path
    target: Path
    label: str = ""
    """What the names of files beside the target begin with: its stem, or its name where others share the stem."""

    def beside(self, folder: Path, what: str) -> Path:
        """A further file of this photo in ``folder``: ``IMG_7-compare.png``."""
        label, ending = self.label or self.target.stem, f"-{what}.png"
        if len(os.fsencode(label + ending)) > LONGEST_NAME:
            head = os.fsencode(label)[: LONGEST_NAME - len(ending) - 9].decode(errors="ignore")
            label = f"{head}~{hashlib.sha256(os.fsencode(label)).hexdigest()[:8]}"
        return folder / f"{label}{ending}"


def find_photos(paths: Iterable[Path], outputs: Iterable[Path] = ()) -> list[tuple[Path, Path]]:
    """Each photo once, with its path below what was named, in a fixed order.

    A path is a photo, a folder (searched at any depth, hidden files left out), or a pattern that no shell expanded.
    ``outputs`` are folders, and files, that a search leaves out: what was made here is not enhanced again.

    Raises:
        InputOutputError: nothing there.
    """
    found: dict[Path, Path] = {}
    paths = list(paths)
    made = {output.resolve() for output in outputs}
    for path in paths:
        if path.is_dir():
            out = made - {path.resolve(), *path.resolve().parents}
            below = sorted(p for p in path.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file())
            for p in below:
                relative = p.relative_to(path)
                hidden = any(part.startswith(".") for part in relative.parts)
                if not hidden and not (out and out & {(real := p.resolve()), *real.parents}):
                    found.setdefault(p, relative)
        elif path.exists() or not PATTERN & set(str(path)):
            found.setdefault(path, Path(path.name))  # a missing one is named when its turn comes
        else:
            matches = (Path(name) for name in sorted(glob.glob(str(expanded(path)), recursive=True)))  # noqa: PTH207
            for p in matches:
                if p.is_file() and p.suffix.lower() in IMAGE_SUFFIXES:
                    found.setdefault(p, Path(p.name))
    if not found:
        raise InputOutputError(
            f"no photos in {', '.join(map(str, paths))}", f"they end in {', '.join(sorted(IMAGE_SUFFIXES))}"
        )
    return list(found.items())


def plan_jobs(photos: Sequence[tuple[Path, Path]], out: Path, kind: str | None) -> list[Job]:
    """Where each photo goes: ``out`` itself for one photo and a file name, else below the folder ``out``.

    ``kind`` is the format (JPEG, PNG, WEBP, HEIF), None keeps each photo's own, or PNG where that is not written.

    Raises:
        UsageError: two photos for one output, an output that is its own input, or a suffix that is not ``kind`` or
            not written.
    """
    if len(photos) == 1 and out.suffix.lower() in KINDS and not out.is_dir():
        if kind is not None and KINDS[out.suffix.lower()] != kind:
            raise UsageError(f"{out.name} is no {kind}", "leave --format out, or give the file its suffix")
        jobs = [Job(photos[0][0], out)]
    elif out.suffix.lower() in KINDS:
        raise UsageError(f"{len(photos)} photos cannot all become {out.name}", "give a folder: -o sharp/")
    elif not out.is_dir() and (
        out.suffix.lower() in IMAGE_SUFFIXES or (len(photos) == 1 and ENDING.fullmatch(out.suffix) and not out.exists())
    ):  # else a folder of that name would be made
        raise UsageError(
            f"cannot write {out.suffix}: {out}", f"give a folder, or a name that ends in {', '.join(KINDS)}"
        )
    elif out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file", f"give a folder, or a name that ends in {', '.join(KINDS)}")
    else:
        jobs = [Job(source, out / _renamed(relative, kind)) for source, relative in photos]
    seen: dict[Path, Path] = {}
    for job in jobs:
        if job.target in seen:
            raise UsageError(
                f"{job.source} and {seen[job.target]} would both become {job.target}",
                "enhance them into different folders",
            )
        seen[job.target] = job.source
        refuse_own_output(job.target, job.source, hint="give another folder")
    return labelled(jobs)


def labelled(jobs: Sequence[Job]) -> list[Job]:
    """Labels that no two jobs of a folder share; names that differ in capitals alone are one on many disks."""
    stems = Counter((job.target.parent, job.target.stem.casefold()) for job in jobs)
    names = {(job.target.parent, job.target.name.casefold()) for job in jobs}
    further = {(folder, FURTHER.sub("", name)) for folder, name in names if FURTHER.search(name)}

    def label(job: Job) -> str:
        own = job.target.parent, job.target.stem.casefold()
        return job.target.name if stems[own] > 1 or own in names or own in further else job.target.stem

    return [dataclasses.replace(job, label=label(job)) for job in jobs]


def _renamed(relative: Path, kind: str | None) -> Path:
    suffix = relative.suffix.lower()
    if kind is not None:
        return relative if KINDS.get(suffix) == kind else relative.with_suffix(SUFFIXES[kind])
    return relative if suffix in KINDS else relative.with_suffix(SUFFIXES["PNG"])


class Journal:
    """What was done in an output folder, by which settings, from which files.

    A line is written before an output is, so an output with a line was made by it: files are written complete or not
    at all. An output without one is somebody else's and is not touched.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self.path = folder / JOURNAL
        self.settings = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]
        self._rows: dict[str, dict[str, Any]] = {}
        try:
            lines = read_text(self.path, "delete it to start anew", MOST_JOURNAL).splitlines()
        except InputOutputError:
            if self.path.exists():
                raise
            lines = []
        for line in lines:
            try:
                row = json.loads(line)
                if isinstance(row["output"], str) and isinstance(row.get("further", []), list):
                    self._rows[row["output"]] = row
            except (ValueError, TypeError, KeyError, RecursionError):
                continue  # the half of a line that an interruption left

    def done(self, job: Job) -> dict[str, Any] | None:
        """What a former run said of this photo, where its output is there and neither photo nor settings changed."""
        row = self._begun(job)
        result = row.get("result") if row and _has_content(job.target) else None
        faces = result.get("faces") if isinstance(result, dict) else None
        whole = isinstance(faces, list) and all(isinstance(face, dict) and "restored" in face for face in faces)
        return result if whole else None

    def unfinished(self, job: Job) -> bool:
        """Whether a former run with these settings was stopped at this photo: what it left may be replaced."""
        row = self._begun(job)
        return row is not None and (row.get("result") is None or not _has_content(job.target))

    def other(self, job: Job) -> str:
        """Why what lies where the photo's output goes is not that output; empty where no former run made it."""
        row = self._rows.get(self._name(job))
        if row is None:
            return ""
        key, now = row.get("key"), self._key(job)
        if isinstance(key, list) and key and now and key[0] != now[0]:
            return "was made of another photo"
        return "was made with other options" if key and key[:-1] == now[:-1] else "was made before the photo changed"

    def made(self, job: Job, path: Path) -> bool:
        """Whether a former run wrote ``path``, or was about to, as a further file of this photo."""
        further = self._rows.get(self._name(job), {}).get("further", ())
        return self._relative(path) in further

    def outputs(self) -> list[Path]:
        """What former runs wrote, or were about to."""
        names = [row["output"] for row in self._rows.values()]
        names += [name for row in self._rows.values() for name in row.get("further", ())]
        return [self.path.parent / name for name in names if isinstance(name, str) and "\0" not in name]

    def _begun(self, job: Job) -> dict[str, Any] | None:
        row = self._rows.get(self._name(job))
        return row if row is not None and row.get("key") == self._key(job) else None

    def begin(self, job: Job, further: Iterable[Path] = ()) -> None:
        """The photo's output, and ``further`` files, are about to be written."""
        self._append(job, None, [self._relative(path) for path in further])

    def finish(self, job: Job, result: dict[str, Any]) -> None:
        """The photo's output is there."""
        self._append(job, result, self._rows.get(self._name(job), {}).get("further", []))

    def _append(self, job: Job, result: dict[str, Any] | None, further: list[str]) -> None:
        name = self._name(job)
        row: dict[str, Any] = {"output": name, "key": self._key(job), "result": result}
        row |= {"further": further} if further else {}
        self._rows[name] = row
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as stream:
                # A line that an interruption cut off must not swallow this one.
                stream.write(("" if stream.tell() == 0 else "\n") + json.dumps(row) + "\n")
                stream.flush()
                os.fsync(stream.fileno())  # before the output: one without a line would be somebody else's
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def _name(self, job: Job) -> str:
        return self._relative(job.target)

    def _relative(self, path: Path) -> str:
        try:
            return path.relative_to(self.path.parent).as_posix()
        except ValueError:
            return str(path.absolute())

    def _key(self, job: Job) -> list[Any]:
        try:
            status = job.source.stat()
        except OSError:
            return []
        return [str(job.source.resolve()), status.st_size, status.st_mtime_ns, self.settings]


def _has_content(path: Path) -> bool:
    """Whether a file is there, and not the empty one that a power cut may leave."""
    try:
        return path.stat().st_size > 0
    except OSError:
        return False
