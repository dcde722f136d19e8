"""One exit code for one kind of mistake: a file that is missing, damaged or of another kind is 5 for every command."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from conftest import Call

from edgesr.data.samples import sample_faces
from edgesr.errors import EXIT_IO, EXIT_USAGE
from edgesr.images.imaging import write_image

GALLERY = Path(__file__).parent / "data" / "galleries" / "hime-small-x4-int8.gallery"

READERS = (
    "enhance {photo} -o out.png",
    "restore {photo} -o out.png",
    "enhance photo.png -o out.png --gallery {gallery}",
    "restore photo.png -o out.png --gallery {gallery}",
    "restore photo.png -o out.png --exemplars {photo}",
    "gallery add {gallery} photo.png",
    "gallery list {gallery}",
    "gallery inspect {gallery}",
    "gallery remove {gallery} 1",
    "gallery wipe {gallery}",
    "enhance photo.png -o out.png --model {model}",
    "restore photo.png -o out.png --model {model}",
    "gallery build photo.png -o out.gallery --model {model}",
    "gallery inspect {gallery_ok} --model {model}",
    "info {model}",
    "convert --target onnx --checkpoint {model} -o out",
    "verify {bundle}",
    "bench {bundle}",
    "eval --data {folder}",
    "quantize --data {folder} -o out",
    "train {folder} -o out",
    "data prepare {folder} -o out",
    "data split {folder}",
    "data shard {folder} -o out",
)
KINDS = ("photo", "gallery", "model", "bundle", "folder")
ROWS = [(line, kind) for line in READERS for kind in KINDS if "{" + kind + "}" in line]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_image(sample_faces(128)[0].target, tmp_path / "photo.png")
    shutil.copy(GALLERY, tmp_path / "my.gallery")
    (tmp_path / "noise.bin").write_bytes(bytes(range(256)) * 20)
    (tmp_path / "text.png").write_text("no picture at all")
    (tmp_path / "short.gallery").write_bytes(GALLERY.read_bytes()[:-1])
    (tmp_path / "header.gallery").write_bytes((40).to_bytes(8, "little") + bytes(range(200, 256)))
    (tmp_path / "empty").mkdir()
    return tmp_path


def filled(line: str, kind: str, name: str) -> list[str]:
    good = {"gallery_ok": "my.gallery"}
    return [part.format(**{kind: name}, **good) if "{" in part else part for part in line.split()]


@pytest.mark.parametrize(("line", "kind"), ROWS, ids=lambda value: value)
@pytest.mark.parametrize("name", ["nowhere/x", "noise.bin", "text.png", "short.gallery", "header.gallery", "empty"])
@pytest.mark.usefixtures("place")
def test_a_file_that_is_missing_damaged_or_of_another_kind(line: str, kind: str, name: str, call: Call) -> None:
    before = sorted(Path().rglob("*"))
    code, answer, said = call(*filled(line, kind, name))
    assert (code, answer["exit_code"]) == (EXIT_IO, EXIT_IO), answer
    assert "codec" not in answer["error"]
    assert "internal error" not in said
    assert sorted(Path().rglob("*")) == before, "nothing was made, and nothing wiped"


@pytest.mark.parametrize(
    "line",
    [
        "enhance photo.png -o out.png --gallery my.gallery --model {model}",
        "restore photo.png -o out.png --gallery my.gallery --model {model}",
        "gallery add my.gallery photo.png --model {model}",
    ],
)
@pytest.mark.usefixtures("place")
def test_a_network_that_the_gallery_is_not_for(line: str, call: Call, tiny_checkpoint: Path) -> None:
    code, answer, _ = call(*filled(line, "model", str(tiny_checkpoint)))
    assert (code, answer["exit_code"]) == (EXIT_IO, EXIT_IO), answer
    assert "tiny" in answer["error"]
    assert "edgesr gallery build PHOTOS" in answer["hint"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("enhance photo.png -o out.png --strength much", "'much' is no number from 0 to 1"),
        ("enhance photo.png -o out.png --quality 0", "0 is not in the range 1<=x<=100"),
        ("enhance photo.png -o out.png --quality fine", "'fine' is no whole number from 1 to 100"),
        ("train empty --max-minutes soon", "'soon' is no number above 0"),
        ("setup", "Missing argument 'WHAT'"),
        ("enhance photo.png -o out.txt", "cannot write .txt"),
    ],
)
@pytest.mark.usefixtures("place")
def test_a_call_that_is_wrong_in_itself(line: str, says: str, call: Call) -> None:
    code, answer, _ = call(*line.split())
    assert (code, says in answer["error"]) == (EXIT_USAGE, True), answer
