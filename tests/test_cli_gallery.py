"""``edgesr gallery`` and ``edgesr restore --gallery``, on composed photos of the sample people."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import TINY, Call, lively
from PIL import Image
from scenes import SIDE, Place, compose

from edgesr.cli.main import run
from edgesr.data.samples import sample_faces
from edgesr.gallery.format import read_gallery, write_gallery
from edgesr.images.imaging import resize_bicubic, write_image
from edgesr.models.checkpoint import save_checkpoint

pytestmark = [pytest.mark.faces, pytest.mark.usefixtures("yunet")]
# Composed photos: a sample face, turned a little, in a grey picture; the embedder is not needed for one person.


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One person's folder: two good photos, one of them again (smaller), a blurred one, one without a face."""
    folder = tmp_path_factory.mktemp("photos")
    person = sample_faces(SIDE)[0]

    def photo(name: str, face: Any, side: float = 260.0, angle: float = 0.05) -> None:
        write_image(compose((640, 480), [(face, Place((320, 240), side, angle))]), folder / name)

    photo("good.png", person.exemplar)
    photo("smile.jpg", person.target, angle=-0.05)
    with Image.open(folder / "smile.jpg") as smile:
        smile.resize((512, 384)).save(folder / "smile again.jpg", quality=80)
    soft = np.asarray(Image.fromarray(person.exemplar).resize((24, 24)).resize((SIDE, SIDE)))
    photo("soft.png", soft)
    write_image(np.full((480, 640, 3), 128, np.uint8), folder / "wall.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 no photo")
    return folder


@pytest.fixture(scope="session")
def built_once(photos: Path, tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built") / "me.gallery"
    assert run(["gallery", "build", str(photos), "-o", str(out), "--model", str(tiny_checkpoint)]) == 0
    return out


@pytest.fixture
def built(built_once: Path, tmp_path: Path) -> Path:
    """A gallery of the photos, to do with as one likes."""
    return Path(shutil.copy(built_once, tmp_path / "me.gallery"))


def answer(capsys: pytest.CaptureFixture[str], *arguments: Any, code: int = 0) -> Any:
    assert run([*map(str, arguments), "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_a_build_says_what_it_took_and_why_not_the_rest(
    photos: Path, tiny_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "me.gallery"
    said = answer(capsys, "gallery", "build", photos, "-o", out, "--model", tiny_checkpoint)
    assert {"ok", "gallery", "kept", "rejected", "seconds"} <= set(said)
    assert (said["ok"], said["kept"], said["entries"]) == (True, 2, 2)
    reasons = {Path(one["file"]).name: one["reason"] for one in said["rejected"]}
    assert set(reasons) == {"broken.jpg", "soft.png", "wall.png", "smile again.jpg"} or set(reasons) == {
        "broken.jpg",
        "soft.png",
        "wall.png",
        "smile.jpg",
    }
    assert "blurred" in reasons["soft.png"]
    assert reasons["wall.png"] == "no face found"
    assert "cannot" in reasons["broken.jpg"] or "no image" in reasons["broken.jpg"]
    assert "same picture" in next(reason for name, reason in reasons.items() if name.startswith("smile"))
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_a_photo_that_is_left_out_is_named_once(
    photos: Path, tiny_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("gallery", "build", photos, "-o", tmp_path / "me.gallery", "--model", tiny_checkpoint)
    assert run([str(argument) for argument in arguments]) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("left out")]
    for name in ("broken.jpg", "soft.png", "wall.png"):
        (line,) = (line for line in lines if name in line)
        assert line.count(name) == 1, line


def test_nothing_of_a_path_or_name_is_stored_unless_asked(
    photos: Path, tiny_checkpoint: Path, tmp_path: Path, built: Path
) -> None:
    content = built.read_bytes()
    for word in (b"good", b"smile", b".png", b".jpg", str(photos).encode(), os.fsencode(photos.parent.name)):
        assert word not in content
    named = tmp_path / "named.gallery"
    arguments = ["gallery", "build", str(photos), "-o", str(named), "--model", str(tiny_checkpoint), "--keep-names"]
    assert run(arguments) == 0
    assert "good.png" in {entry.name for entry in read_gallery(named).entries}
    assert str(photos).encode() not in named.read_bytes()


def test_an_existing_gallery_is_replaced_only_with_force(photos: Path, tiny_checkpoint: Path, built: Path) -> None:
    arguments = ["gallery", "build", str(photos), "-o", str(built), "--model", str(tiny_checkpoint)]
    before = built.read_bytes()
    assert run(arguments) == 2
    assert run([*arguments, "--max", "1", "--dtype", "fp16", "--force"]) == 0
    assert built.read_bytes() != before
    after = read_gallery(built)
    assert (len(after), [section.dtype for section in after.sections]) == (1, ["fp16"])


def test_force_replaces_galleries_alone(call: Call, photos: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    photo = tmp_path / "mine.png"
    shutil.copy(photos / "good.png", photo)
    code, answer, _ = call("gallery", "build", photos, "-o", photo, "-m", tiny_checkpoint, "--force")
    assert (code, answer["error"]) == (2, f"{photo} is no gallery")
    assert photo.read_bytes() == (photos / "good.png").read_bytes()


def test_a_folder_without_a_usable_photo_writes_nothing(
    photos: Path, tiny_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "no.gallery"
    said = answer(capsys, "gallery", "build", photos / "wall.png", "-o", out, "-m", tiny_checkpoint, code=1)
    assert said["ok"] is False
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["build", "nowhere", "-o", "a.gallery"], 5),
        (["build", ".", "-o", "."], 2),
        (["list", "nowhere.gallery"], 5),
        (["add", "nowhere.gallery", "x.jpg"], 5),
        (["remove", "nowhere.gallery", "1"], 5),
        (["wipe", "nowhere.gallery"], 5),
    ],
)
def test_what_cannot_be_done_is_said_in_json_too(
    arguments: list[str], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    said = answer(capsys, "gallery", *arguments, code=code)
    assert (said["ok"], said["exit_code"]) == (False, code)


def test_list_inspect_add_remove_and_wipe(
    photos: Path, tiny_checkpoint: Path, built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = answer(capsys, "gallery", "list", built)["entries"]
    assert [entry["index"] for entry in listed] == [1, 2]
    assert set(listed[0]["quality"]) == {"sharpness", "size_px", "exposure"}
    assert abs(listed[0]["quality"]["size_px"] - 260) < 30
    assert set(listed[0]["pose"]) == {"yaw_deg", "pitch_deg", "roll_deg"}
    facts = answer(capsys, "gallery", "inspect", built, "--model", tiny_checkpoint)
    assert (facts["fits"], facts["entries"], facts["mode"]) == (True, 2, "0600")
    assert answer(capsys, "gallery", "inspect", built, "--model", "hime-small-x4", code=1)["fits"] is False

    removed = answer(capsys, "gallery", "remove", built, listed[0]["photo_sha256"][:8])
    assert (removed["removed"][0]["index"], removed["entries"]) == (1, 1)
    again = answer(capsys, "gallery", "add", built, photos, "--model", tiny_checkpoint)
    assert (again["kept"], again["entries"]) == (1, 2)
    nothing = answer(capsys, "gallery", "add", built, photos, "--model", tiny_checkpoint, code=1)
    assert (nothing["kept"], nothing["entries"]) == (0, 2)
    assert run(["gallery", "add", str(built), str(photos)]) == 5  # no shipped network has its feature space

    precious = tmp_path / "holiday.jpg"
    precious.write_bytes(b"precious")
    assert run(["gallery", "wipe", str(precious)]) == 5
    assert precious.read_bytes() == b"precious"
    assert answer(capsys, "gallery", "wipe", built)["bytes"] > 0
    assert not built.exists()


def test_restore_takes_a_gallery(
    tiny_checkpoint: Path, built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lr, out = tmp_path / "lr.png", tmp_path / "sr.png"
    write_image(resize_bicubic(sample_faces(32)[0].target, 8, 8), lr)
    said = answer(capsys, "restore", lr, "--gallery", built, "-o", out, "-m", tiny_checkpoint)
    assert sorted(said["outputs"][0]["exemplars"]) == [1, 2]
    plain = tmp_path / "plain.png"
    assert run(["restore", str(lr), "-o", str(plain), "-m", str(tiny_checkpoint)]) == 0
    assert not np.array_equal(np.asarray(Image.open(out)), np.asarray(Image.open(plain)))
    assert run(["restore", str(lr), "--gallery", str(built), "--exemplars", str(lr), "-o", str(plain), "--force"]) == 2
    capsys.readouterr()
    write_image(np.zeros((48, 64, 3), np.uint8), tmp_path / "whole.jpg")
    whole = ("restore", tmp_path / "whole.jpg", "--gallery", built, "-o", plain, "-m", tiny_checkpoint, "--force")
    said = answer(capsys, *whole, code=5)
    assert "whole.jpg is 64x48" in said["error"]
    assert "edgesr enhance takes whole photos" in said["hint"]


def test_a_gallery_that_a_bundle_encoded_serves_the_checkpoint(
    photos: Path, tiny_bundle: Path, tiny_checkpoint: Path, built: Path, tmp_path: Path
) -> None:
    """A gallery for the phone is built by the very artifact that runs there."""
    made = tmp_path / "phone.gallery"
    assert run(["gallery", "build", str(photos), "-o", str(made), "--model", str(tiny_bundle)]) == 0
    ours, theirs = read_gallery(made), read_gallery(built)
    assert [e.photo_sha256 for e in ours.entries] == [e.photo_sha256 for e in theirs.entries]
    for one, other in zip(ours.entries, theirs.entries, strict=True):
        ((mine,),), ((its,),) = one.features, other.features  # of one section, which has one map
        assert np.abs(mine.astype(int) - its.astype(int)).max() <= 1  # a step of int8
    lr = tmp_path / "lr.png"
    write_image(resize_bicubic(sample_faces(32)[0].target, 8, 8), lr)
    for gallery, model, out in ((made, tiny_checkpoint, "a.png"), (built, tiny_bundle, "b.png")):
        arguments = ["--gallery", str(gallery), "-o", str(tmp_path / out), "-m", str(model)]
        assert run(["restore", str(lr), *arguments]) == 0
    one, other = (np.asarray(Image.open(tmp_path / name)).astype(int) for name in ("a.png", "b.png"))
    assert np.abs(one - other).max() <= 2


def test_exemplars_are_found_and_aligned_unless_they_are_said_to_be(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A square photo was taken for an aligned crop without a word."""
    person = sample_faces(SIDE)[0]
    write_image(resize_bicubic(sample_faces(128)[0].target, 32, 32), tmp_path / "lr.png")
    write_image(person.exemplar, tmp_path / "crop.png")
    write_image(compose((600, 600), [(person.exemplar, Place((380, 220), 200, 0.1))]), tmp_path / "square.png")

    def restored(name: str, *arguments: Any) -> Any:
        said = answer(capsys, "restore", tmp_path / "lr.png", "-o", tmp_path / f"{name}.out.png", *arguments)
        assert said["ok"]
        return np.asarray(Image.open(tmp_path / f"{name}.out.png")).astype(float)

    crop = restored("crop", "--exemplars", tmp_path / "crop.png")
    as_said = restored("said", "--exemplars", tmp_path / "crop.png", "--aligned")
    np.testing.assert_array_equal(crop, as_said)  # a crop that is aligned is taken whole
    square = restored("square", "--exemplars", tmp_path / "square.png")
    mistaken = restored("mistaken", "--exemplars", tmp_path / "square.png", "--aligned")
    plain = restored("plain")
    assert np.abs(square - crop).mean() < np.abs(plain - crop).mean() / 2
    assert np.abs(square - crop).mean() < np.abs(mistaken - crop).mean() / 2
    wall = ("restore", tmp_path / "lr.png", "-o", tmp_path / "o.png", "--exemplars", photos / "wall.png")
    said = answer(capsys, *wall, code=5)
    assert "no face found" in said["error"]
    assert "--aligned" in said["hint"]


def test_restore_takes_the_gallerys_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_image(compose((300, 300), [(sample_faces(SIDE)[0].exemplar, Place((150, 150), 200))]), tmp_path / "me.png")
    write_image(resize_bicubic(sample_faces(128)[0].target, 16, 16), tmp_path / "lr.png")
    gallery = tmp_path / "x8.gallery"
    networks = ("-m", "hime-small-x8", "-m", "hime-small-x4")
    answer(capsys, "gallery", "build", tmp_path / "me.png", "-o", gallery, *networks, "--no-embeddings")
    said = answer(capsys, "restore", tmp_path / "lr.png", "--gallery", gallery, "-o", tmp_path / "sr.png")
    assert (said["outputs"][0]["exemplars"], said["outputs"][0]["network"]) == ([1], "hime-small-x8")
    write_image(np.zeros((40, 24, 3), np.uint8), tmp_path / "other.png")
    said = answer(capsys, "restore", tmp_path / "other.png", "--gallery", gallery, "-o", tmp_path / "o.png", code=5)
    assert "other.png is 24x40" in said["error"]
    assert "16x16 or 32x32" in said["hint"]


def test_restore_refuses_a_gallery_of_another_network(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lr = tmp_path / "lr.png"
    write_image(resize_bicubic(sample_faces(128)[0].target, 32, 32), lr)
    said = answer(capsys, "restore", lr, "--gallery", built, "-o", tmp_path / "sr.png", code=5)
    assert "feature space" in said["error"]
    assert not (tmp_path / "sr.png").exists()


def test_a_gallery_with_other_steps_is_refused_by_every_command_that_takes_one(
    built: Path, tiny_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gallery = read_gallery(built)
    (section,) = gallery.sections
    assert section.steps is not None
    forged = tmp_path / "forged.gallery"
    steps = {part: 100 * step for part, step in section.steps.items()}
    write_gallery(forged, gallery.replace(sections=(dataclasses.replace(section, steps=steps),)))
    photo = tmp_path / "photo.png"
    write_image(sample_faces(128)[1].target, photo)
    write_image(resize_bicubic(sample_faces(32)[0].target, 8, 8), tmp_path / "lr.png")
    model = ("-m", tiny_checkpoint)
    for command in (
        ("restore", tmp_path / "lr.png", "--gallery", forged, "-o", tmp_path / "sr.png", *model),
        ("gallery", "add", forged, photo, *model),
    ):
        assert "int8 step" in answer(capsys, *command, code=5)["error"]
    assert not (tmp_path / "sr.png").exists()
    said = answer(capsys, "gallery", "inspect", forged, *model, code=1)
    assert (said["fits"], "int8 step" in said["reason"]) == (False, True)


def test_one_file_serves_two_networks_and_says_which_it_could_not_add_to(
    photos: Path, tiny_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    larger, made = tmp_path / "larger", tmp_path / "me.gallery"
    network = lively(TINY.replace(lr_size=16))
    save_checkpoint(larger, "larger", network, training={}, feature_scales={"f_ref": 0.1, "g_ref": 0.1})
    both = ("-m", tiny_checkpoint, "-m", larger)
    said = answer(capsys, "gallery", "build", photos / "good.png", "-o", made, *both)
    assert [section["entries"] for section in said["sections"]] == [1, 1]
    assert run(["gallery", "add", str(made), str(photos / "smile.jpg"), "-m", str(tiny_checkpoint)]) == 0
    spaces = [section.feature_space for section in read_gallery(made).sections]
    assert f"no network here makes features of {spaces[1]}" in capsys.readouterr().err
    facts = answer(capsys, "gallery", "inspect", made, "-m", larger)
    assert (facts["format_version"], facts["entries"], facts["section"]) == (2, 2, 2)
    assert [(s["lr_size"], s["entries"]) for s in facts["sections"]] == [(8, 2), (16, 1)]
    for model, side, exemplars in ((tiny_checkpoint, 8, {1, 2}), (larger, 16, {1})):
        lr = tmp_path / f"lr-{side}.png"
        write_image(resize_bicubic(sample_faces(32)[0].target, side, side), lr)
        said = answer(capsys, "restore", lr, "--gallery", made, "-m", model, "-o", tmp_path / f"sr-{side}.png")
        assert set(said["outputs"][0]["exemplars"]) == exemplars
    before = read_gallery(made)
    said = answer(capsys, "gallery", "add", made, photos / "smile.jpg", photos / "good.png", "-m", larger)
    assert (said["kept"], said["entries"], [s["entries"] for s in said["sections"]]) == (1, 2, [2, 2])
    assert [Path(one["file"]).name for one in said["rejected"]] == ["good.png"]
    after = read_gallery(made)
    for old, new in zip(before.entries, after.entries, strict=True):
        assert old.features[0] is not None
        assert new.features[0] is not None
        assert np.array_equal(old.features[0][0], new.features[0][0])
    assert answer(capsys, "gallery", "remove", made, "1")["entries"] == 1
    said = answer(capsys, "gallery", "build", photos / "good.png", "-o", made, *both, "-m", larger, "--force", code=2)
    assert "the same features" in said["error"]


def test_several_people_are_told_apart_and_asked_for(
    tiny_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("dlib", reason="no embedder: pip install 'edgesr[identity]'")
    folder = tmp_path / "photos"
    for name, person in zip(("ann", "bea"), sample_faces(SIDE)[:2], strict=True):
        (folder / name).mkdir(parents=True)
        for i, face in enumerate((person.exemplar, person.target)):
            write_image(compose((640, 480), [(face, Place((320, 240), 260))]), folder / name / f"{i}.png")
    command = ["gallery", "build", folder, "-o", tmp_path / "a.gallery", "-m", tiny_checkpoint, "--force"]
    said = answer(capsys, *command, code=2)
    assert said["error"].endswith("2 people: 1: 2 photos (ann/0.png, ann/1.png); 2: 2 photos (bea/0.png, bea/1.png)")
    assert said["hint"].endswith("--person 1, or a folder's: --person ann")
    for person in ("bea", "2"):
        said = answer(capsys, *command, "--person", person)
        assert {Path(file).parent.name for file in said["files"]} == {"bea"}
    assert answer(capsys, *command, "--person", "cleo", code=2)["hint"].startswith("there are: ann, bea")
    stored = read_gallery(tmp_path / "a.gallery")
    assert stored.embedder == said["embedder"] == "dlib ResNet", "stored where an embedder is installed"
    bare = answer(capsys, *command, "--person", "ann", "--no-embeddings", "-o", tmp_path / "bare.gallery")
    assert (bare["embedder"], read_gallery(tmp_path / "bare.gallery").embedder) == (None, None)
    # What is added belongs to whom the gallery is of.
    said = answer(capsys, "gallery", "add", tmp_path / "a.gallery", folder, "-m", tiny_checkpoint, code=1)
    assert all("another person" in one["reason"] for one in said["rejected"] if "ann" in one["file"])
