"""``edgesr data prepare``: from raw photos to crops that train reads, resumable, and never over somebody's files."""

from __future__ import annotations

import concurrent.futures
import csv
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scenes import Place, compose, faces, padded

from edgesr.cli.main import run
from edgesr.data.crops import CropFolder
from edgesr.data.faces import FaceSet
from edgesr.data.prepare import Part, Prepared, prepare
from edgesr.data.splits import part_claim, take_in_parts
from edgesr.errors import InputOutputError, UsageError
from edgesr.evaluation.metrics import psnr
from edgesr.faces.alignment import crop_face
from edgesr.faces.detection import FaceDetector
from edgesr.faces.face import Face
from edgesr.files.claims import claimed
from edgesr.images.imaging import Pixels, read_image

Detect = Callable[[Pixels], list[Face]]


class ByColour(FaceDetector):
    """Stands for the detector: every pure red pixel of a photo is the centre of a face, its green the size."""

    def __init__(self) -> None:
        self.calls = 0

    def detect(self, photo: Pixels, long_side: int | None = None) -> list[Face]:  # noqa: ARG002
        self.calls += 1
        found = [(float(photo[y, x, 1]), x, y) for y, x in np.argwhere(photo[..., 0] == 255)]
        offsets = np.array([[-0.25, -0.1], [0.25, -0.1], [0, 0], [-0.2, 0.3], [0.2, 0.3]])
        return [
            Face((x - s / 2, y - s / 2, s, s), offsets * s + [x, y], 0.9) for s, x, y in sorted(found, reverse=True)
        ]

    def refine(self, photo: Pixels, face: Face) -> Face:  # noqa: ARG002
        return face


def photo(path: Path, *sizes: int, size: tuple[int, int] = (90, 70), level: int = 100) -> Path:
    """A photo with a marked face of each size."""
    image = np.full((size[1], size[0], 3), level, np.uint8)
    for i, side in enumerate(sizes):
        image[35, 30 + 20 * i] = (255, side, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    return path


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    photo(folder / "ann" / "a.png", 40)
    photo(folder / "ann" / "b.png")
    photo(folder / "ann" / "c.png", 44, 10)
    photo(folder / "bob" / "x.png", 40, 36)
    photo(folder / "bob" / "y.png", 5)
    photo(folder / "bob" / "z.png", 40)
    (folder / "bob" / "w.jpg").write_bytes(b"no photo")
    (folder / "bob" / "notes.txt").write_text("no photo either")
    return folder


def prepared(raw: Path, out: Path, **options: Any) -> Prepared:
    return prepare(raw, out, options.pop("detector", ByColour()), size=16, **options)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def snapshot(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_photos_become_crops_and_the_others_a_reason(raw: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = prepared(raw, out)
    assert (result.kept, result.already, result.people) == (3, 0, 2)
    reasons = {one.file: one.reason for one in result.rejected}
    assert list(reasons) == ["ann/b.png", "bob/w.jpg", "bob/x.png", "bob/y.png"]
    assert reasons["ann/b.png"] == "no face found"
    assert reasons["bob/x.png"] == "several faces (2 of like size)"
    assert reasons["bob/y.png"] == "too small (10 px, 16 wanted)"  # its square, not its box
    assert reasons["bob/w.jpg"].startswith("cannot be read: ")
    assert rows(out / "16" / "rejected-train.csv") == [{"file": k, "reason": v} for k, v in reasons.items()]
    manifest = rows(out / "manifest.csv")
    assert [(row["file"], row["source"]) for row in manifest] == [
        ("train/ann/01.png", "ann/a.png"),
        ("train/ann/02.png", "ann/c.png"),
        ("train/bob/01.png", "bob/z.png"),
    ]
    assert {(row["split"], row["size"], row["score"]) for row in manifest} == {("train", "16", "0.9")}
    picture = read_image(raw / "ann" / "a.png")
    expected = crop_face(picture, ByColour().detect(picture)[0].alignment, 16)
    assert np.array_equal(read_image(out / "16" / "train" / "ann" / "01.png"), expected)


def test_train_reads_what_prepare_writes(raw: Path, tmp_path: Path) -> None:
    prepared(raw, tmp_path / "out")
    faces_read = FaceSet.read(tmp_path / "out", "train", 16)
    assert faces_read.names == ["ann"]  # bob has one photo left
    assert faces_read.images.shape == (2, 3, 16, 16)


@pytest.mark.parametrize(
    ("options", "kept"), [({"largest": True}, 4), ({"least_side": 5}, 4), ({"least_side": 81}, 1), ({}, 3)]
)
def test_options_decide_what_is_kept(raw: Path, tmp_path: Path, options: dict[str, Any], kept: int) -> None:
    assert prepared(raw, tmp_path / "out", **options).kept == kept


def test_the_same_again_does_nothing_and_new_photos_are_taken_in(raw: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    prepared(raw, out)
    before = snapshot(out)
    detector = ByColour()
    again = prepared(raw, out, detector=detector)
    assert (again.kept, again.already) == (3, 3)
    assert detector.calls == 3  # the rejected ones that could be read
    assert snapshot(out) == before
    photo(raw / "ann" / "0.png", 40)
    assert prepared(raw, out).kept == 4
    after = snapshot(out)
    assert {k: v for k, v in after.items() if k in before and "csv" not in k} == {
        k: v for k, v in before.items() if "csv" not in k
    }
    assert "16/train/ann/03.png" in after


class Stop(BaseException):
    """An interruption at any moment."""


@pytest.mark.parametrize("photos", range(1, 7))
def test_interrupted_and_run_again_it_is_as_if_nothing_had_happened(raw: Path, tmp_path: Path, photos: int) -> None:
    prepared(raw, tmp_path / "whole")

    def stopping(items: Sequence[tuple[str, Path]]) -> Iterator[tuple[str, Path]]:
        yield from items[:photos]
        raise Stop

    with pytest.raises(Stop):
        prepared(raw, tmp_path / "out", progress=stopping)
    prepared(raw, tmp_path / "out")
    assert snapshot(tmp_path / "out") == snapshot(tmp_path / "whole")


def test_a_row_cut_off_and_a_crop_that_never_came_are_made_good(raw: Path, tmp_path: Path) -> None:
    prepared(raw, tmp_path / "whole")
    out = tmp_path / "out"
    prepared(raw, out)
    manifest = out / "manifest.csv"
    manifest.write_bytes(manifest.read_bytes()[:-12])
    (out / "16" / "train" / "bob" / "01.png").unlink()
    (out / "16" / "train" / "ann" / "02.png").unlink()
    prepared(raw, out)
    assert snapshot(out) == snapshot(tmp_path / "whole")


def test_files_of_others_are_never_overwritten_without_force(raw: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    mine = photo(out / "16" / "train" / "ann" / "01.png")
    content = mine.read_bytes()
    with pytest.raises(UsageError, match=r"01\.png already exists .*--force"):
        prepared(raw, out)
    assert mine.read_bytes() == content
    assert prepared(raw, out, force=True).kept == 3
    assert mine.read_bytes() != content


def test_force_starts_over_and_leaves_other_splits_alone(raw: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    prepared(raw, out)
    prepared(raw, out, split="val")
    (raw / "ann" / "a.png").unlink()
    val = {k: v for k, v in snapshot(out).items() if k.startswith("16/val")}
    assert prepared(raw, out, force=True).kept == 2
    after = snapshot(out)
    assert {k: v for k, v in after.items() if k.startswith("16/val")} == val
    assert "16/train/ann/02.png" not in after
    assert [row["split"] for row in rows(out / "manifest.csv")] == ["val"] * 3 + ["train"] * 2


def test_folders_that_make_no_sense_are_refused(raw: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputOutputError, match=r"no photos under .*empty"):
        prepared(tmp_path / "empty", tmp_path / "out")
    with pytest.raises(InputOutputError, match=r"no folder .*missing"):
        prepared(tmp_path / "missing", tmp_path / "out")
    for out in (raw, raw / "out", tmp_path):
        with pytest.raises(UsageError, match="lie in each other"):
            prepared(raw, out)
    for split in ("..", "a/b", "", ".hidden"):
        with pytest.raises(UsageError, match="no name for a split"):
            prepared(raw, tmp_path / "out", split=split)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,identity\nx,y\n", "was not written by edgesr data"),
        ("", "was not written by edgesr data"),
        ("file,identity,split,size,source,native_px,score\na,b\n", "line 2 of .* is damaged"),
        ("file,identity,split,size,source,native_px,score\nt/a/01.png,a,t,big,s,1,1\n", "line 2 of .* is damaged"),
    ],
)
def test_a_manifest_of_others_is_refused(raw: Path, tmp_path: Path, text: str, message: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "manifest.csv").write_text(text)
    with pytest.raises((UsageError, InputOutputError), match=message):
        prepared(raw, out)
    assert (out / "manifest.csv").read_text() == text


def test_a_folder_that_cannot_be_written_is_named(raw: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputOutputError, match=r"cannot write .*file"):
        prepared(raw, tmp_path / "file" / "out")


def test_crops_may_be_jpeg(raw: Path, tmp_path: Path) -> None:
    prepared(raw, tmp_path / "out", suffix=".jpg")
    with CropFolder(tmp_path / "out", 16) as crops:
        assert [crop.file for crop in crops.crops("train")] == [
            f"train/{n}.jpg" for n in ("ann/01", "ann/02", "bob/01")
        ]


def test_a_photo_in_no_persons_folder_is_named(raw: Path, tmp_path: Path) -> None:
    photo(raw / "loose.png", 40)
    photo(raw / "ann" / "2024" / "deep.png", 40)
    photo(raw / ".trash" / "bob" / "gone.png", 40)
    result = prepared(raw, tmp_path / "out")
    reasons = {one.file: one.reason for one in result.rejected}
    assert result.kept == 3
    assert reasons["loose.png"] == "in no person's folder: photos are looked for in RAW/<person>/"
    assert reasons["ann/2024/deep.png"].startswith("in a folder below a person's: ")
    assert len(reasons) == 6, "hidden ones are nobody's business"


def test_crops_of_one_split_are_in_one_format(raw: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    prepared(raw, out, part=Part(1, 2))
    prepared(raw, out, part=Part(2, 2))
    before = snapshot(out)
    for options in ({}, {"part": Part(1, 2)}, {"part": Part(3, 3)}):
        with pytest.raises(UsageError, match=r"has crops of an earlier run as \.png, not \.jpg") as refused:
            prepared(raw, out, suffix=".jpg", **options)
        assert "--format png goes on" in refused.value.hint
    assert {k: v for k, v in snapshot(out).items() if k.endswith(".png")} == {
        k: v for k, v in before.items() if k.endswith(".png")
    }
    assert prepared(raw, out, suffix=".jpg", split="other").kept == 3
    assert prepared(raw, out, suffix=".jpg", force=True).already == 0
    assert {path.suffix for path in (out / "16" / "train").rglob("*.*")} == {".jpg"}


def in_another_thread(work: Callable[[], None]) -> None:
    """What a thread has claimed is its own, as with processes."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pool.submit(work).result()


@pytest.mark.parametrize("how", ["prepare", "split"])
def test_parts_together_make_what_one_run_makes(how: str, raw: Path, tmp_path: Path) -> None:
    photo(raw / "loose.png", 40)
    for i in range(6):
        photo(raw / f"p{i}" / "a.png", 40, level=20 * i)
    prepared(raw, tmp_path / "whole")
    out = tmp_path / "out"
    parts = [Part(number, 3) for number in (1, 2, 3)]
    assert sorted(sum(part.has(name) for part in parts) for name in ("ann", "bob", "p0", "p5")) == [1] * 4
    assert sum(prepared(raw, out, part=part).kept for part in parts) == 9
    assert prepared(raw, out, part=parts[0]).already == prepared(raw, out, part=parts[0]).kept
    force = prepared(raw, out, part=parts[1], force=True)
    assert (force.already, sum(path.suffix == ".png" for path in out.rglob("*"))) == (0, 9)
    if how == "split":
        with claimed(part_claim(out, "2-of-3")), pytest.raises(InputOutputError, match=r"is being made"):
            in_another_thread(lambda: take_in_parts(out))
        assert len(list(out.glob("manifest.part-*"))) == 3
        take_in_parts(out)
    else:
        merged = prepared(raw, out)
        assert (merged.kept, merged.already) == (9, 9)
    assert not list(out.rglob("*.part-*"))
    assert (out / "16" / "rejected-train.csv").read_text() == (tmp_path / "whole/16/rejected-train.csv").read_text()
    made, whole = (
        {k: v for k, v in snapshot(folder).items() if k.endswith(".png")} for folder in (out, tmp_path / "whole")
    )
    assert made == whole
    listed = [{row["file"] for row in rows(folder / "manifest.csv")} for folder in (out, tmp_path / "whole")]
    assert listed[0] == listed[1]


@pytest.mark.faces
def test_composed_photos_become_aligned_crops_by_one_command(
    yunet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    people = list(zip(faces(True), faces(False), strict=True))[:3]
    raw, out = tmp_path / "raw", tmp_path / "out"
    for name, photos in zip(("ann", "bob", "eve"), people, strict=True):
        (raw / name).mkdir(parents=True)
        for i, face in enumerate(photos):
            picture = compose((640, 480), [(face, Place((300 + 30 * i, 230), 230 - 60 * i, 0.2 - 0.3 * i))])
            Image.fromarray(picture).save(raw / name / f"{i}.jpg", quality=95)
    couple = compose((640, 400), [(people[0][0], Place((170, 190), 190)), (people[1][0], Place((470, 190), 180))])
    Image.fromarray(couple).save(raw / "ann" / "couple.png")
    Image.new("RGB", (200, 200), "grey").save(raw / "bob" / "wall.png")
    Image.fromarray(compose((300, 300), [(people[2][0], Place((150, 150), 50))])).save(raw / "eve" / "far.png")

    arguments = ["data", "prepare", str(raw), "-o", str(out), "--size", "64", "--detector", str(yunet), "--json"]
    assert run(arguments) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["ok"], answer["kept"], answer["people"]) == (True, 6, 3)
    assert {name: len(names) for name, names in answer["eval_list"]["people"].items()} == {"test": 2, "train": 1}
    listed = (out / "eval_list.csv").read_bytes()
    assert len(FaceSet.read(out, "train", 64).names) == 1
    assert {one["file"]: one["reason"].split(" (")[0] for one in answer["rejected"]} == {
        "ann/couple.png": "several faces",
        "bob/wall.png": "no face found",
        "eve/far.png": "too small",
    }
    # The crop of a composed picture is the crop of the sample itself, but for its being sampled twice.
    detector = FaceDetector(yunet)
    for name, photos in zip(("ann", "bob", "eve"), people, strict=True):
        for i, face in enumerate(photos):
            crop = read_image(out / "64" / "train" / name / f"{i + 1:02}.png")
            whole = padded(face)
            alone = detector.refine(whole, detector.detect(whole)[0])
            assert psnr(crop, crop_face(whole, alone.alignment, 64)) > 27
    assert run(arguments) == 0
    assert json.loads(capsys.readouterr().out)["already"] == 6
    made = {k: v for k, v in snapshot(out).items() if "rejected" not in k}
    several = [str(tmp_path / "several") if argument == str(out) else argument for argument in arguments]
    assert run([*several, "--workers", "2"]) == 0
    capsys.readouterr()
    assert {k: v for k, v in snapshot(tmp_path / "several").items() if "rejected" not in k} == made
    assert run([*arguments, "--part", "0/4"]) == 2
    assert "--part 1/16" in json.loads(capsys.readouterr().out)["hint"]
    assert (out / "eval_list.csv").read_bytes() == listed


def test_a_missing_detector_has_its_own_exit_code(
    raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["data", "prepare", str(raw), "-o", str(tmp_path / "out"), "--detector", str(tmp_path / "no.onnx")]
    assert run([*arguments, "--json"]) == 3
    answer = json.loads(capsys.readouterr().out)
    assert "no face detector" in answer["error"]
    assert not (tmp_path / "out").exists()


@pytest.mark.faces
def test_no_crop_at_all_is_a_negative_result(yunet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo(tmp_path / "raw" / "ann" / "wall.png")
    arguments = ["data", "prepare", str(tmp_path / "raw"), "-o", str(tmp_path / "out"), "--detector", str(yunet)]
    assert run([*arguments, "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert (answer["ok"], answer["kept"], len(answer["rejected"])) == (False, 0, 1)
