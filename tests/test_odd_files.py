"""Among many files one odd one: it becomes a row, and costs nothing else; nothing of anybody is written over."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Call
from PIL import Image
from scenes import faces
from whole_photos import PLACE, composed

from edgesr.cli.main import run
from edgesr.cli.printable import UNSEEN
from edgesr.enhance import photo
from edgesr.enhance.batch import JOURNAL, Job, Journal, plan_jobs
from edgesr.files.claims import claimed
from edgesr.gallery.photos import stored_name

LATIN = os.fsdecode(b"caf\xe9.jpg")
ODD_NAMES = [LATIN, "a\nb.jpg", "\x1b[31mred.jpg", "[/bold]x.jpg", "\u202egpj.jpg", "-o.jpg", "n" * 246 + ".jpg"]

pytestmark = pytest.mark.usefixtures("known")


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return composed((120, 100), [(faces()[0], PLACE)])


@pytest.fixture
def put(pixels: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Writes the photo under each of the names, below an empty working folder."""
    monkeypatch.chdir(tmp_path)

    def called(*names: str) -> None:
        for name in names:
            path = Path(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)

    return called


@pytest.fixture
def enhance(call: Call, tiny_checkpoint: Path) -> Callable[..., tuple[int, dict[str, Any]]]:
    def called(*arguments: object) -> tuple[int, dict[str, Any]]:
        return call("enhance", "--model", tiny_checkpoint, *arguments)[:2]

    return called


def below(folder: str) -> list[str]:
    """Files below a folder, but the journal."""
    root = Path(folder)
    return sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file() and p.name != JOURNAL)


def test_any_name_is_enhanced_and_shown_without_control_characters(
    put, tiny_checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(*(f"in/{name}" for name in ODD_NAMES))
    command = ["enhance", "--model", str(tiny_checkpoint), "in", "-o", "out", "--compare", "--faces", "faces"]
    for said in ("1 of 1 face restored", "done before"):
        assert run(command) == 0
        shown = capsys.readouterr()
        text = shown.out + shown.err
        assert text.count(said) >= len(ODD_NAMES)
        assert not UNSEEN.search(text)
        assert "caf\\xe9.jpg: " in text
        assert "a\\nb.jpg: " in text
        assert "[/bold]x.jpg: " in text
    names = set(below("out"))
    assert set(ODD_NAMES) <= names
    assert (len(names), len(below("faces"))) == (2 * len(ODD_NAMES), len(ODD_NAMES))


def test_a_gallery_keeps_names_as_text() -> None:
    assert [stored_name(Path(name)) for name in (LATIN, "a\nb", "é" * 120)] == ["caf\ufffd.jpg", "a\ufffdb", "é" * 100]


@pytest.mark.parametrize("failure", [RuntimeError("what nobody expected"), MemoryError(), UnicodeError("so")])
def test_whatever_one_photo_leads_to_the_others_are_done(
    put, enhance, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    put("in/a.jpg", "in/b.jpg", "in/c.jpg")
    read = photo.read_photo

    def fails(path: Path) -> photo.Photo:
        if path.name == "b.jpg":
            raise failure
        return read(path)

    monkeypatch.setattr(photo, "read_photo", fails)
    code, answer = enhance("in", "-o", "out")
    assert (code, below("out")) == (1, ["a.jpg", "c.jpg"])
    assert [row["status"] for row in answer["outputs"]] == ["enhanced", "failed", "enhanced"]
    assert answer["exit_code"] == 1
    assert "b.jpg" in answer["error"]


@pytest.mark.parametrize("odd", ["missing.jpg", "pipe.jpg", "empty.jpg", "text.jpg", "loop.jpg", "/dev/null"])
def test_one_unreadable_photo_among_several_named_does_not_stop_the_rest(put, enhance, odd: str) -> None:
    put("a.jpg", "z.jpg")
    os.mkfifo("pipe.jpg")
    Path("empty.jpg").touch()
    Path("text.jpg").write_text("no photo")
    Path("loop.jpg").symlink_to("loop.jpg")
    code, answer = enhance("a.jpg", odd, "z.jpg", "-o", "out")
    assert (code, below("out")) == (1, ["a.jpg", "z.jpg"])
    assert odd in answer["error"]
    assert enhance(odd, "-o", "one.jpg")[0] == 5, "alone it is the command's error"


@pytest.mark.parametrize("odd", ["missing.png", "pipe.png", "text.png"])
def test_so_it_is_for_restore_and_for_a_gallery(call: Call, tiny_checkpoint: Path, tmp_path: Path, odd: str) -> None:
    face = Image.fromarray(faces()[0])
    for i in range(2):
        face.resize((8, 8)).save(tmp_path / f"{i}.png")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "text.png").write_text("no photo")
    named = [tmp_path / "0.png", tmp_path / odd, tmp_path / "1.png"]
    code, answer, _ = call("restore", *named, "-m", tiny_checkpoint, "-o", tmp_path / "out")
    assert (code, sorted(p.name for p in (tmp_path / "out").iterdir())) == (1, ["0.png", "1.png"])
    assert odd in answer["error"]
    code, answer, _ = call("gallery", "build", *named, "-m", tiny_checkpoint, "-o", tmp_path / "me.gallery")
    assert code == 1
    assert odd in next(row["reason"] for row in answer["rejected"] if row["file"].endswith(odd))
    assert len(answer["rejected"]) + answer["kept"] == 3, "the others were looked at"


@pytest.mark.parametrize("out", ["in/out", "in/deep/out", "in", "in/a-b"])
def test_what_was_made_in_the_folder_is_not_enhanced_again(put, enhance, out: str) -> None:
    put("in/a.jpg", "in/deep/b.jpg", "in/a-b.jpg")
    for _ in range(2):
        code, answer = enhance("in", "-o", out, "--format", "png", "--faces", "in/faces", "--compare")
        assert (code, answer["summary"]["photos"]) == (0, 3), answer


@pytest.mark.parametrize(
    "names",
    [
        ["100APPLE/IMG_1.jpg", "101APPLE/IMG_1.jpg"],
        ["IMG_7.jpg", "IMG_7.png"],
        ["IMG_7.jpg", "img_7.png"],
        ["a.jpg", "a.png", "a.jpg.png"],
        ["a.jpg", "a-compare.png", "a-face1.png"],
        ["a.png", "a-face1.jpg", "a-compare.webp"],
    ],
)
@pytest.mark.parametrize("to", ["faces", "out"])
def test_equal_stems_keep_files_of_their_own(put, enhance, names: list[str], to: str) -> None:
    put(*(f"in/{name}" for name in names))
    command = ("in", "-o", "out", "--compare", "--faces", to)
    for extra in ((), (), ("--force",)):
        code, answer = enhance(*command, *extra)
        assert code == 0, answer
        assert len({*below("out"), *below(to)} if to == "out" else [*below("out"), *below(to)]) == 3 * len(names)
        assert set(names) <= set(below("out"))


@pytest.mark.parametrize("mine", ["b-compare.png", "b-face1.png", "b-heatmap.png"])
@pytest.mark.parametrize("single", [True, False])
def test_a_file_of_the_users_stays_without_force(put, enhance, mine: str, single: bool) -> None:
    put("in/b.jpg")
    folder = Path("out")
    folder.mkdir()
    (folder / mine).write_text("mine")
    where = ("in/b.jpg", "-o", "out/b.jpg") if single else ("in", "-o", "out")
    code, _ = enhance(*where, "--compare", "--heatmap", "--faces", "out")
    if mine == "b-heatmap.png" and not single:
        assert code == 0, "without exemplars there is none"
    else:
        assert code in (1, 2, 5)
        assert below("out") == [mine]
    assert (folder / mine).read_text() == "mine"
    assert enhance(*where, "--compare", "--faces", "out", "--force")[0] == 0
    assert (folder / mine).read_bytes() == b"mine" or mine != "b-heatmap.png"


def test_what_a_stopped_run_was_about_to_write_beside_is_its_own(put, enhance) -> None:
    put("in/b.jpg", "in/c.jpg")
    options = ("in", "-o", "out", "--compare")
    assert enhance(*options)[0] == 0
    kept = Path("out", JOURNAL).read_text().splitlines()
    Path("out", JOURNAL).write_text("\n".join(kept[:-1]) + "\n")  # c.jpg was begun and not finished
    Path("out/c.jpg").unlink()
    assert [row["status"] for row in enhance(*options)[1]["outputs"]] == ["skipped", "enhanced"]


def test_an_empty_output_was_not_done_before(put, enhance) -> None:
    put("in/b.jpg", "in/c.jpg")
    assert enhance("in", "-o", "out")[0] == 0
    Path("out/c.jpg").write_bytes(b"")
    code, answer = enhance("in", "-o", "out")
    assert [code, *(row["status"] for row in answer["outputs"])] == [0, "skipped", "enhanced"]
    assert Path("out/c.jpg").stat().st_size


@pytest.mark.parametrize(
    "line", ['{"output": []}', '{"output": "c.jpg", "further": 3}', "[" * 100_000, '"output"', '{"output": "a\\u0000"}']
)
def test_a_damaged_journal_is_no_fault_of_ours(put, enhance, line: str) -> None:
    put("in/b.jpg", "in/c.jpg")
    assert enhance("in", "-o", "out")[0] == 0
    with Path("out", JOURNAL).open("a") as stream:
        stream.write(line + "\n")
    assert enhance("in", "-o", "out")[0] in (0, 1)


def test_labels_are_told_before_any_work(tmp_path: Path) -> None:
    photos = [(tmp_path / name, Path(name)) for name in ("a.jpg", "a.png", "b.jpg")]
    jobs = plan_jobs(photos, tmp_path / "out", None)
    assert [job.beside(Path(), "compare").name for job in jobs] == [
        "a.jpg-compare.png",
        "a.png-compare.png",
        "b-compare.png",
    ]
    long = [Job(tmp_path, tmp_path / ("é" * 125 + end)).beside(Path(), "face12").name for end in (".jpg", "a.jpg")]
    assert all(len(os.fsencode(name)) <= 255 for name in long)
    assert len(set(long)) == 2


def test_the_journal_knows_what_lies_beside(tmp_path: Path) -> None:
    job = Job(tmp_path / "a.jpg", tmp_path / "out" / "a.jpg")
    job.source.write_bytes(b"photo")
    Journal(tmp_path / "out", {}).begin(job, [tmp_path / "faces" / "a-face1.png"])
    again = Journal(tmp_path / "out", {})
    assert again.made(job, tmp_path / "faces" / "a-face1.png")
    assert not again.made(job, tmp_path / "faces" / "a-face2.png")
    assert set(again.outputs()) == {tmp_path / "out" / "a.jpg", tmp_path / "faces" / "a-face1.png"}


@pytest.mark.parametrize("command", [["targets"], ["doctor"], ["info", "~nobody-of-this-name/x"], ["bench", "~/x"]])
def test_without_home_and_name_commands_answer(
    command: list[str], monkeypatch: pytest.MonkeyPatch, call: Call, tmp_path: Path
) -> None:
    def unknown(number: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for variable in ("HOME", "XDG_CACHE_HOME", "EDGESR_TFLITE_ENV"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    code, answer, _ = call(*command)
    assert code in (0, 1, 5), answer


@pytest.mark.parametrize(
    "command",
    [
        ["gallery", "build", "a.jpg", "-o"],
        ["convert", "-t", "onnx", "-o"],
        ["quantize", "--data", "people", "-o"],
        ["data", "prepare", "people", "-o"],
    ],
    ids=" ".join,
)
def test_two_commands_cannot_make_the_same(put, call: Call, tiny_checkpoint: Path, command: list[str]) -> None:
    put("a.jpg", "people/ann/a.jpg")
    model = {"gallery": ["-m", tiny_checkpoint], "convert": ["-c", tiny_checkpoint], "quantize": []}.get(command[0], [])
    with ThreadPoolExecutor(1) as other:  # another thread is refused as another process is
        claim = claimed(Path("out"))
        other.submit(claim.__enter__).result()
        code, answer, _ = call(*command, "out", *model)
        other.submit(claim.__exit__, None, None, None).result()
    assert (code, "out is being made by process" in answer["error"]) == (5, True), answer
    assert not Path("out").exists()
