"""What README and docs tell the reader to type works as it stands, in an empty folder with photos in it."""

from __future__ import annotations

import dataclasses
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from scenes import SIDE, Place, compose

from edgesr.cli.main import run
from edgesr.convert import pipeline
from edgesr.convert.pipeline import prove
from edgesr.convert.plan import Plan, Proven
from edgesr.convert.target import Report
from edgesr.data.samples import sample_faces
from edgesr.deployment.graphs import Graphs
from edgesr.evaluation.methods import degrade
from edgesr.images.imaging import Pixels

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LANGUAGES = {"sh", "python", "html", "json", "kotlin", "swift", "text"}
"""``sh`` and ``python`` are run, ``html``, ``json`` and ``kotlin`` are a file's content, ``swift`` is an example that
the iOS booth's check builds, ``text`` is anything else to look at."""

FENCE = re.compile(r"^\s*```(.*)$")
NO_RUN = re.compile(r"<!-- no-run: (.+) -->")
REASONS = ("bootstrap", "servers", "long training", "minutes of emulation", "a device")
"""Why a block may be left out; nothing else is a reason."""


@dataclasses.dataclass(frozen=True)
class Block:
    page: Path
    line: int
    language: str
    text: str
    no_run: str | None

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    """The fenced blocks of a page; ``<!-- no-run: REASON -->`` may stand on the line above one."""
    found, lines = [], page.read_text().splitlines()
    begun: int | None = None
    for number, line in enumerate(lines):
        fence = FENCE.match(line)
        if not fence:
            continue
        if begun is None:
            begun, language = number, fence[1].strip()
            continue
        reason = NO_RUN.fullmatch(lines[begun - 1].strip()) if begun else None
        text = "\n".join(lines[begun + 1 : number])
        found.append(Block(page, begun + 1, language, text, reason[1] if reason else None))
        begun = None
    assert begun is None, f"{page}: the block that begins in line {begun} does not end"
    return found


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
RUN = [block for block in BLOCKS if block.language in ("sh", "python") and block.no_run is None]


def test_every_block_says_what_it_is() -> None:
    assert {str(block): block.language for block in BLOCKS if block.language not in LANGUAGES} == {}


def test_a_block_is_left_out_for_a_good_reason_alone() -> None:
    left_out = {str(block): block.no_run for block in BLOCKS if block.no_run is not None}
    assert {name: reason for name, reason in left_out.items() if reason not in REASONS} == {}
    assert all(block.language in ("sh", "python") for block in BLOCKS if block.no_run)
    marks = sum(len(NO_RUN.findall(page.read_text())) for page in PAGES)
    assert marks == len(left_out), "a mark stands right above its block"


def test_the_first_two_commands_of_readme_set_everything_up() -> None:
    first = [block for block in BLOCKS if block.page.name == "README.md" and block.language == "sh"][:2]
    assert [block.text for block in first] == ["./bootstrap demo", "./bootstrap test"]
    assert [block.no_run for block in first] == ["bootstrap", "bootstrap"]


def photo_of(face: Pixels, side: float = 260.0, angle: float = 0.05) -> Pixels:
    return compose((640, 480), [(face, Place((320, 240), side, angle))])


@pytest.fixture(scope="session")
def photo_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What readers have, of London samples: a person's photos, photos and a clip with tiny faces, a tiny face."""
    folder = tmp_path_factory.mktemp("library")
    me, other = sample_faces(SIDE)[:2]
    pictures = {
        "me-1.jpg": photo_of(me.exemplar),
        "me-2.jpg": photo_of(me.target, angle=-0.05),
        "my-photos/summer.jpg": photo_of(me.exemplar),
        "my-photos/winter.jpg": photo_of(me.target, angle=-0.05),
        "party.jpg": compose((480, 320), [(me.target, Place((130, 150), 40)), (other.target, Place((340, 140), 48))]),
        "holiday/beach.jpg": compose((320, 240), [(me.target, Place((160, 120), 36, 0.1))]),
        "holiday/far/hill.png": compose((320, 240), [(me.exemplar, Place((150, 110), 20))]),
        **{
            f"people/{name}/{i + 1}.jpg": photo_of(photo)
            for name, person in (("ann", me), ("bob", other))
            for i, photo in enumerate((person.exemplar, person.target))
        },
        **{
            f"family/{person.person}/{name}.jpg": photo_of(photo)
            for person in sample_faces(SIDE)
            for name, photo in (("spring", person.exemplar), ("autumn", person.target))
        },
        "tiny-face.png": degrade(sample_faces(128)[0].target, 4),
    }
    for name, picture in pictures.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(folder / name, quality=95)
    clip = cv2.VideoWriter(str(folder / "clip.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 10.0, (200, 180))
    for side in (140, 138, 60, 40):
        clip.write(np.ascontiguousarray(compose((200, 180), [(me.exemplar, Place((100, 90), side))])[..., ::-1]))
    clip.release()
    return folder


class Conversions:
    """What one page converted serves the pages behind it: the same plan a second time would prove nothing new."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.known: dict[object, tuple[Proven, Path]] = {}

    def prove(self, plan: Plan, folder: Path, report: Report, graphs: Graphs | None = None) -> Proven:
        """As ``pipeline.prove``."""
        if graphs is not None or plan.calibration is not None:
            return prove(plan, folder, report, graphs)
        key = (plan.target.name, plan.precision, plan.lowering, plan.config, plan.checkpoint.sha256)
        if key in self.known:
            proven, kept = self.known[key]
            shutil.copytree(kept, folder, dirs_exist_ok=True)
            return proven
        proven, kept = prove(plan, folder, report), self.folder / str(len(self.known))
        shutil.copytree(folder, kept)
        self.known[key] = proven, kept
        return proven


@pytest.fixture(scope="module")
def conversions(tmp_path_factory: pytest.TempPathFactory) -> Conversions:
    return Conversions(tmp_path_factory.mktemp("converted"))


def carry_out(block: Block) -> dict[str, Any]:
    """Run a block in this process, where torch is loaded already; what is no command of ours by the shell.

    Returns the names that a Python block has at its end.
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    if block.language == "python":
        exec(compile(block.text, str(block), "exec"), names)
        return names
    for line in block.text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words and words[0] == "edgesr":
            assert run(words[1:]) == 0, f"{block}: {line}"
        elif words:
            subprocess.run(["sh", "-euc", line], check=True)
    return names


def pages_to_run() -> list[Any]:
    """Each page with something to run; those that convert for the web need a browser."""
    web = {block.page for block in RUN if "--target web" in block.text}
    pages = sorted({block.page for block in RUN})
    marks = {page: [pytest.mark.chromium] if page in web else [] for page in pages}
    return [pytest.param(page, marks=marks[page], id=str(page.relative_to(ROOT))) for page in pages]


@pytest.mark.parametrize("page", pages_to_run())
def test_what_a_page_says_works_in_an_empty_folder(
    page: Path, photo_library: Path, conversions: Conversions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "prove", conversions.prove)
    here = tmp_path / "empty"
    shutil.copytree(photo_library, here)
    monkeypatch.chdir(here)
    names: dict[str, Any] = {}
    for block in RUN:
        if block.page == page:
            names |= carry_out(block)
            if block.language == "python":
                names |= carry_out(block)  # a reader runs it again
    if page == ROOT / "README.md":
        with Image.open("party.jpg") as party, Image.open("party-sharp.jpg") as sharp:
            assert sharp.width > party.width, "enlarged, so that the restored face shows"
        assert names["sr"].shape == (128, 128, 3)
        assert names["weights"].shape == (2, 32, 32)
