"""``edgesr enhance``: one photo and many, what is written beside them, what is left alone, and how it fails."""

from __future__ import annotations

import json
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner
from conftest import Call
from PIL import ExifTags, Image
from scenes import Place, faces
from whole_photos import PLACE, KnownFaces, background, composed, face_at, gallery_of

import edgesr
from edgesr.cli.asking import ask_whose
from edgesr.cli.main import run
from edgesr.data.samples import sample_faces
from edgesr.enhance.batch import JOURNAL, Job, Journal
from edgesr.gallery.format import Gallery, Section, write_gallery
from edgesr.models.checkpoint import SHIPPED, read_description, shipped_names


@pytest.fixture(scope="module")
def gallery(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gallery") / "me.gallery"
    write_gallery(path, gallery_of(edgesr.load(tiny_checkpoint), [face.exemplar for face in sample_faces(32)[:3]]))
    return path


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    return composed((120, 100), [(faces()[0], PLACE)])


@pytest.fixture
def holiday(scene: np.ndarray, tmp_path: Path) -> Path:
    """JPEG, PNG, WebP and GIF photos, one of them below, one that cannot be read, and a text."""
    folder = tmp_path / "holiday"
    (folder / "day 2").mkdir(parents=True)
    exif = Image.Exif()
    exif[ExifTags.Base.Model] = "Pixel"
    Image.fromarray(scene).save(folder / "a.jpg", exif=exif, quality=90)
    Image.fromarray(scene).save(folder / "b.png")
    Image.fromarray(scene).save(folder / "day 2" / "c.webp", lossless=True)
    (folder / "broken.jpg").write_bytes((folder / "a.jpg").read_bytes()[:900])
    Image.fromarray(scene).save(folder / "moving.gif")
    (folder / "notes.txt").write_text("no photo")
    return folder


OLD_GALLERY = Path(__file__).parent / "data" / "galleries" / "hime-small-x4-int8.gallery"
"""Of the network that was the default before."""


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("kind", ["enhance", "restore"])
def test_a_gallery_of_the_earlier_default_goes_on_working_and_is_told_how_to_be_rebuilt(
    kind: str, call: Call, holiday: Path, tmp_path: Path
) -> None:
    face = tmp_path / "face.png"
    Image.fromarray(sample_faces(32)[0].target).save(face)
    words = (kind, holiday / "b.png" if kind == "enhance" else face, "--gallery", OLD_GALLERY, "--force")
    code, _, said = call(*words, "-o", tmp_path / "out.png")
    assert code == 0
    assert (tmp_path / "out.png").is_file()
    assert said.count(f"edgesr gallery build PHOTOS -o {OLD_GALLERY} --force") == 1
    assert f"for phone photos {edgesr.DEFAULT_CHECKPOINT} is better" in said
    code, _, said = call(*words, "-o", tmp_path / "out.png", "--model", "hime-small-x4")
    assert (code, "gallery build" in said) == (0, False), "who names the network means it"


@pytest.mark.usefixtures("known")
def test_a_heatmap_that_has_no_exemplar_to_show_is_not_written_and_it_is_said(
    call: Call, tiny_checkpoint: Path, holiday: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.png"
    code, answer, _ = call("enhance", holiday / "b.png", "--model", tiny_checkpoint, "-o", out, "--heatmap")
    row = answer["outputs"][0]
    assert (code, row["faces"][0]["restored"], "heatmap" in row) == (0, True, False)
    assert "no heatmap: no face was restored with exemplars" in row["notes"]
    assert [path.name for path in tmp_path.glob("out*")] == ["out.png"]


@pytest.mark.usefixtures("known")
def test_one_photo_with_everything_beside_it(
    call: Call, gallery: Path, tiny_checkpoint: Path, holiday: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.png"
    code, answer, _ = call(
        *("enhance", holiday / "b.png", "--gallery", gallery, "--model", tiny_checkpoint, "-o", out),
        *("--compare", "--heatmap", "--faces", tmp_path / "faces"),
    )
    assert code == 0
    row = answer["outputs"][0]
    assert answer["ok"]
    assert (row["input"], row["output"], row["upscale"]) == (str(holiday / "b.png"), str(out), 2)
    face = row["faces"][0]
    assert face["restored"]
    assert len(face["box"]) == 4
    assert sorted(set(face["exemplars"]) | {1, 2, 3}) == [1, 2, 3]
    assert len(face["exemplars"]) == 2
    assert "12 px" in face["reason"] or "13 px" in face["reason"]
    for name in (out, row["compare"], row["heatmap"], *row["face_files"]):
        with Image.open(name) as image:
            image.load()
    with Image.open(out) as image:
        assert image.size == (240, 200)
        assert image.getexif()[ExifTags.Base.Software].startswith("edgesr")
    assert run(["enhance", str(holiday / "b.png"), "-g", str(gallery), "-o", str(out)]) == 2, "it exists"


@pytest.mark.usefixtures("known")
def test_a_folder_goes_on_where_it_stopped(
    call: Call, gallery: Path, tiny_checkpoint: Path, holiday: Path, tmp_path: Path
) -> None:
    out = tmp_path / "sharp"
    command = ("enhance", holiday, "--gallery", gallery, "--model", tiny_checkpoint, "-o", out)
    code, answer, _ = call(*command)
    assert code == 1, "one photo cannot be read"
    assert not answer["ok"]
    assert "broken.jpg" in answer["error"]
    assert answer["exit_code"] == 1
    assert answer["summary"]["enhanced"] == 4
    assert answer["summary"]["failed"] == 1
    assert sorted(p.relative_to(out).as_posix() for p in out.rglob("*.*") if p.name != JOURNAL) == [
        "a.jpg",
        "b.png",
        "day 2/c.webp",
        "moving.png",
    ]
    stamps = {p: p.stat().st_mtime_ns for p in out.rglob("*.*")}
    (out / "b.png").unlink()  # as if it had been stopped before
    with (out / JOURNAL).open("a") as journal:
        journal.write('{"output": "half a li')
    code, answer, _ = call(*command)
    status = {Path(row["input"]).name: row["status"] for row in answer["outputs"]}
    assert status == {
        "a.jpg": "skipped",
        "b.png": "enhanced",
        "c.webp": "skipped",
        "broken.jpg": "failed",
        "moving.gif": "skipped",
    }
    assert (out / "a.jpg").stat().st_mtime_ns == stamps[out / "a.jpg"]
    assert all(row["faces"] for row in answer["outputs"] if row["status"] == "skipped"), "what was done is known"
    code, answer, _ = call(*command, "--strength", 0.5)
    assert answer["summary"]["failed"] == 5, "made with other options: not replaced"
    other = [row for row in answer["outputs"] if "broken" not in row["input"]]
    assert all(row["error"].endswith(" was made with other options") and "--force" in row["hint"] for row in other)
    code, answer, _ = call(*command, "--strength", 0.5, "--force")
    assert answer["summary"]["enhanced"] == 4


@pytest.mark.usefixtures("known")
def test_a_foreign_file_is_not_touched(call: Call, tiny_checkpoint: Path, holiday: Path, tmp_path: Path) -> None:
    out = tmp_path / "sharp"
    out.mkdir()
    (out / "b.png").write_text("mine")
    code, _, _ = call("enhance", holiday / "b.png", holiday / "a.jpg", "--model", tiny_checkpoint, "-o", out)
    assert code == 1
    assert (out / "b.png").read_text() == "mine"
    assert (out / "a.jpg").exists()


def test_strength_0_and_no_face_copy_the_file(
    call: Call, known: KnownFaces, gallery: Path, tiny_checkpoint: Path, holiday: Path, tmp_path: Path
) -> None:
    for name, arguments, found in (("zero.jpg", ("--strength", 0, "-g", gallery), True), ("none.jpg", (), False)):
        if not found:
            known.faces = []
        code, answer, _ = call(
            "enhance", holiday / "a.jpg", "--model", tiny_checkpoint, "-o", tmp_path / name, *arguments
        )
        assert code == 0
        assert answer["outputs"][0]["status"] == "unchanged"
        said = [(face["reason"], face["exemplars"]) for face in answer["outputs"][0]["faces"]]
        assert said == ([("strength 0", [])] if found else []), "no exemplar took part"
        assert (tmp_path / name).read_bytes() == (holiday / "a.jpg").read_bytes()


@pytest.mark.usefixtures("known")
def test_formats_globs_and_deliberate_editing(
    call: Call, gallery: Path, tiny_checkpoint: Path, holiday: Path, tmp_path: Path
) -> None:
    code, answer, _ = call(
        *("enhance", f"{holiday}/*.p*", "--format", "webp", "-g", gallery, "-m", tiny_checkpoint, "--allow-other"),
        *("-o", tmp_path / "o", "--quality", 80),
    )
    assert code == 0
    assert [Path(row["output"]).name for row in answer["outputs"]] == ["b.webp"]
    assert answer["outputs"][0]["edited"]
    with Image.open(tmp_path / "o" / "b.webp") as image:
        assert "edited" in image.getexif()[ExifTags.Base.Software]


@pytest.mark.usefixtures("known")
def test_exif_goes_with_the_photo(tiny_checkpoint: Path, holiday: Path, tmp_path: Path) -> None:
    assert run(["enhance", str(holiday / "a.jpg"), "-m", str(tiny_checkpoint), "-o", str(tmp_path / "o.jpg")]) == 0
    with Image.open(tmp_path / "o.jpg") as image:
        assert image.getexif()[ExifTags.Base.Model] == "Pixel"


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["a.jpg"], 2, "no output named"),
        (["a.jpg", "b.png", "-o", "one.png"], 2, "cannot all become"),
        (["a.jpg", "-o", "one.tiff"], 2, "cannot write .tiff"),
        (["a.jpg", "-o", "a.jpg", "--force"], 2, "its own output"),
        (["a.jpg", "-o", "b.bmp/x.bmp.txt", "--strength", "2"], 2, "strength"),
        (["missing.jpg", "-o", "x.jpg"], 5, "no file"),
        (["broken.jpg", "-o", "x.jpg"], 5, "broken.jpg"),
        (["a.jpg", "-o", "x.jpg", "--gallery", "none.gallery"], 5, "none.gallery"),
        (["a.jpg", "-o", "x.jpg", "--allow-other"], 2, "needs a gallery"),
        (["a.jpg", "-o", "x.jpg", "--upscale", "4", "--max-megapixels", "0.1"], 2, "--max-megapixels"),
        (["a.jpg", "-o", "x.png", "--format", "jpeg"], 2, "no JPEG"),
        (["a.jpg", "-o", "x.jpg", "--temporal-table"], 2, "a clip"),
        (["*.nothing", "-o", "o"], 5, "no photos"),
    ],
)
def test_what_goes_wrong_is_said(
    call: Call,
    tiny_checkpoint: Path,
    holiday: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    says: str,
) -> None:
    monkeypatch.chdir(holiday)
    got, answer, _ = call("enhance", *arguments, "-m", tiny_checkpoint)
    assert got == code
    assert not answer["ok"]
    assert says in json.dumps(answer)
    assert not (holiday / "x.jpg").exists()


@pytest.mark.parametrize("built_with", shipped_names())
def test_one_shipped_network_serves_a_gallery(call: Call, known: KnownFaces, built_with: str, tmp_path: Path) -> None:
    """Without --model: of the networks of the gallery's feature space the quickest in PyTorch, the float one."""
    description = read_description(SHIPPED / built_with)
    config = description.config
    maps = config.interface.feature_maps
    empty = Gallery((Section(description.feature_space, config.scale, config.lr_size, maps, (), "fp16", None),))
    write_gallery(tmp_path / "me.gallery", empty)
    side = float(config.lr_size)
    known.faces = [face_at(Place((side, side), side))]
    Image.fromarray(background((int(2 * side),) * 2)).save(tmp_path / "a.png")
    code, answer, _ = call("enhance", tmp_path / "a.png", "-g", tmp_path / "me.gallery", "-o", tmp_path / "o.png")
    assert code == 0
    serving = answer["outputs"][0]["faces"][0]["network"]
    chosen = read_description(SHIPPED / serving)
    assert (chosen.feature_space, chosen.quantization) == (description.feature_space, None)


def test_strangers_in_a_photo_do_not_get_the_gallerys_features(
    call: Call, known: KnownFaces, gallery: Path, tiny_checkpoint: Path, holiday: Path, tmp_path: Path
) -> None:
    """The gallery holds no embeddings, so of two faces nobody can tell which is its person's."""
    known.faces.append(face_at(Place((100.0, 80.0), 12.0)))
    command = ("enhance", holiday / "a.jpg", "-g", gallery, "-m", tiny_checkpoint)
    for name, arguments, exemplars in (("a.png", (), 0), ("b.png", ("--assume-same-person",), 2)):
        code, answer, _ = call(*command, "-o", tmp_path / name, *arguments)
        assert code == 0
        rows = answer["outputs"][0]["faces"]
        assert [len(row["exemplars"]) for row in rows] == [exemplars] * 2
        assert all(row["restored"] for row in rows)
        assert all(("--assume-same-person" in row["reason"]) == (not exemplars) for row in rows)
    assert call("enhance", holiday / "a.jpg", "--assume-same-person", "-o", tmp_path / "c.png")[0] == 2


@pytest.mark.parametrize(("answer", "meant"), [("2\n", 1), ("0\n", None), ("\n", None), ("7\n1\n", 0)])
def test_a_user_is_asked_which_face_is_meant(answer: str, meant: int | None) -> None:
    two = [face_at(PLACE), face_at(Place((100.0, 80.0), 12.0))]

    @click.command()
    def command() -> None:
        click.echo(f"meant {ask_whose(background((120, 100)), two)}")

    result = CliRunner().invoke(command, input=answer)
    assert f"meant {meant}" in result.stdout
    assert "2: 12 px large, 83% from the left, 80% down" in result.stderr


def test_a_photo_that_was_begun_and_not_finished_is_done_again(tmp_path: Path) -> None:
    source, target = tmp_path / "a.png", tmp_path / "out" / "a.png"
    source.write_bytes(b"photo")
    job = Job(source, target)
    Journal(target.parent, {"strength": 1}).begin(job)
    target.write_bytes(b"of who knows what")
    again = Journal(target.parent, {"strength": 1})
    assert again.done(job) is None
    assert again.unfinished(job)
    again.finish(job, {"faces": []})
    assert Journal(target.parent, {"strength": 1}).done(job) == {"faces": []}
    assert not Journal(target.parent, {"strength": 1}).unfinished(job)
    assert not Journal(target.parent, {"strength": 0.5}).unfinished(job)


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(
    ("name", "width", "longest"),
    [("o.webp", 9000, 16383), ("o.heic", 9000, 16383), ("o.jpg", 33000, 65500), ("o.png", 9000, None)],
)
def test_an_enlargement_keeps_to_what_the_format_takes(
    call: Call, tiny_checkpoint: Path, scene: np.ndarray, tmp_path: Path, name: str, width: int, longest: int | None
) -> None:
    """By itself it stays below; one that was asked for is refused, and the limit is named."""
    wide = np.repeat(scene[:, -1:], width, axis=1)
    wide[:, :120] = scene
    Image.fromarray(wide).save(tmp_path / "wide.png", compress_level=1)
    arguments = ("enhance", tmp_path / "wide.png", "-m", tiny_checkpoint, "-o", tmp_path / name)
    code, answer, _ = call(*arguments)
    assert code == 0
    row = answer["outputs"][0]
    assert row["size"] == [width, 100] if longest else [2 * width, 200]
    assert any(str(longest) in note for note in row["notes"]) == (longest is not None)
    (tmp_path / name).unlink()
    code, answer, _ = call(*arguments, "--upscale", 2)
    assert code == (2 if longest else 0)
    assert longest is None or str(longest) in answer["hint"]


@pytest.mark.parametrize(("found", "said"), [(0, "no face found"), (1, "1 of 1 face restored"), (2, "2 of 2 faces")])
def test_how_many_faces_is_said(
    found: int, said: str, capsys: pytest.CaptureFixture[str], known: KnownFaces, tiny_checkpoint: Path, holiday: Path
) -> None:
    known.faces = [face_at(PLACE), face_at(Place((100.0, 80.0), 12.0))][:found]
    assert run(["enhance", str(holiday / "a.jpg"), "-m", str(tiny_checkpoint), "-o", str(holiday / "x.jpg")]) == 0
    assert f"x.jpg: {said}" in capsys.readouterr().out
