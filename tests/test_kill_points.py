"""Killed before any system call that writes, every way of writing leaves the old result or the new, and no litter.

Here at every few of those calls; at all of them, with their count: ``python tests/test_kill_points.py``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import TINY, lively
from galleries import gallery
from kill_points import SUPPORTED, kill_at
from PIL import Image

from edgesr.bundle import hashes, write_aside
from edgesr.data.crops import CropFolder, write_list
from edgesr.enhance.batch import Job, Journal
from edgesr.enhance.clip import Frame, Look, open_clip
from edgesr.enhance.clip_write import write_clip
from edgesr.enhance.deliver import copy_file
from edgesr.enhance.photo import read_photo
from edgesr.enhance.write import write_photo
from edgesr.errors import InputOutputError
from edgesr.files import exchange, leftovers
from edgesr.files.leftovers import recover
from edgesr.gallery.format import encode_gallery, write_gallery
from edgesr.gallery.storage import erase
from edgesr.images.imaging import write_image
from edgesr.models.checkpoint import WEIGHTS, load_checkpoint, save_checkpoint, sha256_of
from edgesr.training.logs import RunLog
from edgesr.training.state import read_state, write_state

OUT = "out"
EVERY = 4
"""So many calls lie between two that a process is killed at, where time is short."""

pytestmark = pytest.mark.skipif(not SUPPORTED, reason="tracing system calls is Linux's")


@dataclasses.dataclass(frozen=True)
class Way:
    """A way of writing: ``write`` version 0 or 1 of an output in a folder, and what a reader finds there.

    ``first``: it may also write where nothing stood before. What ``read`` raises counts as neither old nor new.
    """

    write: Callable[[Path, int], object]
    read: Callable[[Path], object]
    first: bool = True


def pixels(version: int, size: int = 16) -> np.ndarray:
    return np.random.default_rng(version).integers(0, 256, (size, size, 3), np.uint8)


def photo(suffix: str) -> Way:
    def write(folder: Path, version: int) -> None:
        write_photo(read_photo(SOURCES[version]), folder / f"{OUT}{suffix}")

    return Way(write, lambda folder: decoded(folder / f"{OUT}{suffix}"))


def decoded(path: Path) -> bytes | None:
    """Pixels of a picture, as a reader gets them; None where there is none."""
    return read_photo(path).pixels.tobytes() if path.exists() else None


def content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def bundle(folder: Path, version: int) -> None:
    with write_aside(folder / OUT, force=True) as aside:
        (aside / "manifest.json").write_text("{}")
        (aside / "deep").mkdir()
        for name in ("a.bin", "deep/b.bin"):
            (aside / name).write_bytes(bytes([version]) * 5000)


def read_bundle(folder: Path) -> object:
    recover(folder / OUT)
    return (hashes(folder / OUT), (folder / OUT / "manifest.json").read_text()) if (folder / OUT).exists() else None


def without_exchange(folder: Path, version: int) -> None:
    able, exchange.exchange = exchange.exchange, lambda *_: False
    try:
        bundle(folder, version)
    finally:
        exchange.exchange = able


def checkpoint(folder: Path, version: int) -> None:
    save_checkpoint(folder / OUT, "tiny", MODELS[version], training={})


def read_checkpoint(folder: Path) -> object:
    recover(folder / OUT)
    if not (folder / OUT).exists():
        return None
    load_checkpoint(folder / OUT)
    return sha256_of(folder / OUT / WEIGHTS)


def state(folder: Path, version: int) -> None:
    write_state(folder / "state.safetensors", MODELS[version].state_dict(), version, "run")


def read_run(folder: Path) -> object:
    return read_state(folder / "state.safetensors", "run")[1] if (folder / "state.safetensors").exists() else None


def wipe(folder: Path, version: int) -> None:
    if version == 0:
        write_gallery(folder / "me.gallery", GALLERIES[0])
    else:
        with contextlib.suppress(InputOutputError):  # it is gone already
            erase(folder / "me.gallery")


def crops(folder: Path, version: int) -> None:
    with CropFolder(folder / OUT, 16) as written:
        for number in range(version + 1):
            if not written.has("train", f"{number}.jpg"):
                written.add("train", "ann", f"{number}.jpg", pixels(number), 16.0)


def read_crops(folder: Path) -> object:
    written = CropFolder(folder / OUT, 16)
    rows = [row for row in written.crops("train") if written.has("train", row.source)]
    return {row.source: decoded(written.path(row)) for row in rows} or None


def journal(folder: Path, version: int) -> None:
    done = Journal(folder / OUT, {})
    for number in range(version + 1):
        job = Job(SOURCES[number], folder / OUT / f"{number}.png")
        if done.done(job) is None:
            if job.target.exists() and not done.unfinished(job):
                raise FileExistsError("an output of ours is taken for somebody else's")
            done.begin(job, [job.beside(job.target.parent, "compare")])
            copy_file(job.source, job.target)
            write_image(pixels(number), job.beside(job.target.parent, "compare"))
            done.finish(job, {"faces": []})


def read_journal(folder: Path) -> object:
    done, jobs = Journal(folder / OUT, {}), [Job(SOURCES[n], folder / OUT / f"{n}.png") for n in range(2)]
    for path in (folder / OUT).glob("[!.]*.png"):
        decoded(path)
    return tuple(job.target.name for job in jobs if done.done(job) is not None) or None


def log(folder: Path, version: int) -> None:
    told = RunLog(folder)
    told._writer = False
    for step in range(version + 1):
        if step >= len(read_log(folder) or ()):
            told.append("log", step, {"loss": 0.5})


def read_log(folder: Path) -> Any:
    text = (content(folder / "log.csv") or b"").decode()
    return text[: text.rfind("\n") + 1].splitlines()[1:] or None


def clip(folder: Path, version: int) -> None:
    with write_clip(folder / "out.mp4", (32, 32), Look(Fraction(25), Fraction(1, 25))) as writer:
        for i in range(2 + version):
            writer.write(Frame(pixels(version * 8 + i, 32), i, 1))


def read_clip(folder: Path) -> object:
    path = folder / "out.mp4"
    return f"{len(list(open_clip(path).read()))} frames" if path.exists() else None  # encoders vary the last bits


SOURCES = [Path(tempfile.mkdtemp()) / f"{version}.png" for version in range(2)]
MODELS = [lively(TINY, seed) for seed in range(2)]
GALLERIES = [gallery(1, 2), gallery(*range(10, 20))]
CONTENTS = [b"".join(encode_gallery(one)) for one in GALLERIES]
WAYS = {
    "a picture": Way(lambda f, v: write_image(pixels(v), f / "out.png"), lambda f: decoded(f / "out.png")),
    **{f"a photo {suffix}": photo(suffix) for suffix in (".jpg", ".png", ".webp", ".heic")},
    "a photo copied": Way(lambda f, v: copy_file(SOURCES[v], f / "out.png"), lambda f: decoded(f / "out.png")),
    "a list": Way(
        lambda f, v: write_list(f / "out.csv", ["n"], [[v]] * 9, force=True), lambda f: content(f / "out.csv")
    ),
    "a bundle": Way(bundle, read_bundle),
    "a bundle without exchange": Way(without_exchange, read_bundle),
    "a checkpoint": Way(checkpoint, read_checkpoint),
    "a run's state": Way(state, read_run),
    "a gallery": Way(lambda f, v: write_gallery(f / "me.gallery", GALLERIES[v]), lambda f: content(f / "me.gallery")),
    "a gallery, the old one erased": Way(
        lambda f, v: write_gallery(f / "me.gallery", GALLERIES[v], erase_old=True), lambda f: content(f / "me.gallery")
    ),
    "a gallery wiped": Way(wipe, lambda f: content(f / "me.gallery"), first=False),
    "crops": Way(crops, read_crops),
    "a folder of photos": Way(journal, read_journal),
    "a run's log": Way(log, read_log),
    "a clip": Way(clip, read_clip),
}


@pytest.fixture(autouse=True, scope="module")
def sources() -> None:
    for version, source in enumerate(SOURCES):
        Image.fromarray(pixels(version)).save(source)


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def killed(way: Way, place: Path, there: bool, points: Callable[[int], range]) -> int:
    """Kill ``way`` at the points of however many it has; returns how many they were.

    Raises:
        AssertionError: neither the old nor the new result, or the next run did not make good what was left.
    """
    before, after = place / "before", place / "after"
    for folder in (before, after):
        folder.mkdir(parents=True)
        if there:
            way.write(folder, 0)
    old = way.read(before)
    count, _ = kill_at(lambda: way.write(after, 1), None)
    new = way.read(after)
    assert old != new
    tried = points(count)
    for point in tried:
        folder = place / f"at-{point}"
        shutil.copytree(before, folder)
        _, call = kill_at(lambda folder=folder: way.write(folder, 1), point)  # type: ignore[misc]
        where = f"killed at call {point} of {count}, {call}"
        found = way.read(folder)
        # Of several outputs those done so far may be there, each whole.
        assert found in (old, new) or (isinstance(found, list | tuple | dict) and len(found) < len(new)), where  # type: ignore[arg-type]
        leftovers._swept.clear()
        way.write(folder, 1)
        assert way.read(folder) == new, where
        assert names(folder) == names(after), where
        shutil.rmtree(folder)
    return len(tried)


@pytest.mark.parametrize("there", [True, False], ids=["replaced", "new"])
@pytest.mark.parametrize("name", WAYS)
def test_a_killed_process_leaves_the_old_or_the_new(name: str, there: bool, tmp_path: Path) -> None:
    way = WAYS[name]
    if there or way.first:
        # The later calls are those at which results take their place.
        killed(way, tmp_path, there, lambda count: range(count, 0, -EVERY))


def main() -> None:
    """Every point of every way."""
    sources.__wrapped__()  # type: ignore[attr-defined]
    counts = {}
    for name, way in WAYS.items():
        for there in (True, False) if way.first else (True,):
            with tempfile.TemporaryDirectory() as place:
                label = f"{name}, {'replaced' if there else 'new'}"
                counts[label] = killed(way, Path(place), there, lambda count: range(1, count + 1))
                sys.stderr.write(f"{label}: {counts[label]}\n")
    sys.stdout.write(json.dumps({"ways": len(counts), "points": sum(counts.values()), "neither": 0}) + "\n")


if __name__ == "__main__":
    main()
