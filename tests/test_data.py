"""Faces from folders, evaluation lists, and what a training batch promises."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import MakePeople
from PIL import Image
from torch import Tensor

from edgesr.data import batches
from edgesr.data.batches import BatchSampler, Curriculum, warp_and_relight
from edgesr.data.faces import FaceSet, read_eval_list
from edgesr.errors import InputOutputError, UsageError
from edgesr.layers.bicubic import bicubic_downsample

COUNTS = {"ann": 2, "bob": 3, "eve": 6}


@pytest.mark.parametrize("split", [None, "train"])
def test_both_layouts_are_read(make_people: MakePeople, split: str | None) -> None:
    folder = make_people(COUNTS, split=split)
    faces = FaceSet.read(folder, split, 32)
    assert faces.names == ["ann", "bob", "eve"]
    assert faces.images.shape == (11, 3, 32, 32)
    assert faces.images.dtype == torch.uint8
    assert faces.person.tolist() == [0] * 2 + [1] * 3 + [2] * 6
    assert len(faces) == 11


def test_people_without_enough_photos_are_left_out(make_people: MakePeople) -> None:
    folder = make_people({"ann": 1, "bob": 3})
    (folder / "nobody").mkdir()
    (folder / "bob" / "notes.txt").write_text("not a photo")
    (folder / "bob" / "._01.png").write_bytes(b"a file that macOS leaves on foreign disks")
    faces = FaceSet.read(folder, None, 32)
    assert faces.names == ["bob"]
    assert len(faces) == 3


def test_a_folder_without_people_says_what_it_should_hold(make_people: MakePeople, tmp_path: Path) -> None:
    with pytest.raises(InputOutputError, match=r"no folder .*missing"):
        FaceSet.read(tmp_path / "missing", None, 32)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputOutputError, match=r"no photos under .*one sub-folder per person"):
        FaceSet.read(tmp_path / "empty", None, 32)
    (tmp_path / "empty" / "loose.png").touch()
    with pytest.raises(InputOutputError, match=r"photos lie in .*empty itself.*one sub-folder per person"):
        FaceSet.read(tmp_path / "empty", None, 32)
    with pytest.raises(InputOutputError, match=r"nobody in .* has 2 photos"):
        FaceSet.read(make_people({"ann": 1}), None, 32)


@pytest.mark.parametrize("split", ["test", None])
def test_an_unknown_split_lists_the_known_ones(make_people: MakePeople, split: str | None) -> None:
    with pytest.raises(UsageError, match=r"no split .*it has: train"):
        FaceSet.read(make_people(COUNTS, split="train"), split, 32)


def test_a_photo_that_cannot_be_used_is_named(make_people: MakePeople) -> None:
    folder = make_people(COUNTS)
    photo = folder / "bob" / "02.png"
    whole = photo.read_bytes()
    photo.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputOutputError, match=r"bob/02\.png"):
        FaceSet.read(folder, None, 32)
    Image.new("RGB", (32, 31)).save(photo)
    with pytest.raises(InputOutputError, match=r"bob/02\.png is 32x31, not 32x32") as error:
        FaceSet.read(folder, None, 32)
    assert "edgesr data prepare PHOTOS --size 32" in error.value.hint


def test_crops_of_another_size_name_the_command_that_makes_them(make_people: MakePeople) -> None:
    folder = make_people(COUNTS, split="train")
    eval_list(folder, "split,target,ref1\nval,train/bob/01.png,train/bob/02.png\n")
    for read in (lambda: FaceSet.read(folder, "train", 64), lambda: read_eval_list(folder, "val", 64)):
        with pytest.raises(InputOutputError, match="has crops of 32 pixels, and 64 are needed") as error:
            read()
        assert error.value.hint == f"edgesr data prepare PHOTOS -o {folder} --size 64 makes them"


def eval_list(folder: Path, text: str) -> Path:
    path = folder / "eval_list.csv"
    path.write_text(text)
    return folder


GOOD_LIST = """split,target,ref1,ref2
val,val/ann/01.png,val/ann/02.png,
val,val/bob/01.png,val/bob/02.png,val/bob/03.png
"""


def test_an_evaluation_list_gives_targets_with_their_exemplars(tmp_path: Path) -> None:
    (tmp_path / "128").mkdir()
    ann, bob = read_eval_list(eval_list(tmp_path, GOOD_LIST), "val", 128)
    assert ann.person == "val/ann"
    assert ann.target == tmp_path / "128" / "val" / "ann" / "01.png"
    assert [path.name for path in ann.exemplars] == ["02.png"]
    assert [path.name for path in bob.exemplars] == ["02.png", "03.png"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no column 'split'"),
        ("split,target,ref1\n", "names no photos"),
        ("a,b,c\n1,2,3\n", "starts with the line: split,target,ref1"),
        ("split,target,ref1\nval\n", "line 2 .*has 1 fields"),
        ("split,target,ref1\nval,val/ann/01.png\n", "line 2 .*has 2 fields"),
        ("split,target,ref1\nval,val/ann/01.png,\n", "line 2 .*has no .*exemplar"),
    ],
)
def test_a_list_that_is_none_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputOutputError, match=message):
        read_eval_list(eval_list(tmp_path, text), "val", 128)


def test_a_missing_or_binary_list_and_an_unknown_split_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputOutputError, match=r"no eval_list\.csv in .*edgesr data split"):
        read_eval_list(tmp_path, "val", 128)
    (tmp_path / "other.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(InputOutputError, match=r"cannot read .*other\.csv"):
        read_eval_list(tmp_path, "val", 128, tmp_path / "other.csv")
    with pytest.raises(UsageError, match=r"no split 'test' .*it has: val"):
        read_eval_list(eval_list(tmp_path, GOOD_LIST), "test", 128)


@pytest.mark.faces
def test_the_evaluation_list_of_the_faces_names_files_that_exist(faces_folder: Path) -> None:
    for split in ("val", "test"):
        pairs = read_eval_list(faces_folder, split, 128)
        assert all(path.is_file() for pair in pairs for path in (pair.target, *pair.exemplars))
        assert all(pair.target not in pair.exemplars for pair in pairs)
        assert all({path.parent for path in pair.exemplars} == {pair.target.parent} for pair in pairs)


NO_SHOWING = Curriculum(copy_share=0.0, self_probability=0.0, slot_probabilities=(0, 0, 0, 1))


def numbered(counts: dict[str, int], size: int = 8) -> FaceSet:
    """Photo i is grey level i on its left half and black on its right, so a batch tells what it holds."""
    person = torch.tensor([i for i, count in enumerate(counts.values()) for _ in range(count)])
    images = torch.arange(1, len(person) + 1, dtype=torch.uint8)[:, None, None, None].repeat(1, 3, size, size)
    images[..., size // 2 :] = 0
    return FaceSet(images, person, list(counts))


def sampler(faces: FaceSet, curriculum: Curriculum, batch_size: int = 64, seed: int = 0) -> BatchSampler:
    return BatchSampler(faces, 4, batch_size, curriculum, seed, torch.device("cpu"))


def photo_numbers(images: Tensor) -> Tensor:
    """Which photo each image [..., 3, H, W] is, whether flipped or not."""
    return images.flatten(-3).amax(-1).mul(255).round().long() - 1


def test_exemplars_are_other_photos_of_the_same_person() -> None:
    faces = numbered(COUNTS)
    for step in range(20):
        batch = sampler(faces, NO_SHOWING).batch(step, 0.5)
        target, exemplars = photo_numbers(batch.hr), photo_numbers(batch.exemplars)
        valid = batch.valid.bool()
        same_person = faces.person[exemplars] == faces.person[target][:, None]
        assert same_person[valid].all()
        assert (exemplars != target[:, None])[valid].all()
        for row, used in zip(exemplars, valid, strict=True):
            assert len(set(row[used].tolist())) == int(used.sum())  # without repetition


def test_slots_beyond_a_persons_photos_are_empty() -> None:
    faces = numbered(COUNTS)
    batch = sampler(faces, NO_SHOWING).batch(0, 0.5)
    photos = torch.tensor(list(COUNTS.values()))[faces.person[photo_numbers(batch.hr)]]
    assert torch.equal(batch.valid.sum(1), (photos - 1).clamp(max=3).float())


def test_more_slots_than_anybody_has_photos() -> None:
    batch = sampler(numbered({"ann": 2, "bob": 2}), NO_SHOWING).batch(0, 0.5)
    assert batch.exemplars.shape[1] == 3
    assert torch.equal(batch.valid, torch.tensor([[1.0, 0.0, 0.0]]).repeat(64, 1))


def test_every_photo_is_a_target_and_every_other_one_an_exemplar() -> None:
    faces = numbered({"ann": 3})
    batch = sampler(faces, NO_SHOWING, batch_size=256).batch(0, 0.5)
    pairs = set(zip(photo_numbers(batch.hr).tolist(), photo_numbers(batch.exemplars)[:, 0].tolist(), strict=True))
    assert pairs == {(a, b) for a in range(3) for b in range(3) if a != b}


def test_a_face_and_its_exemplars_are_flipped_together() -> None:
    batch = sampler(numbered(COUNTS), NO_SHOWING).batch(0, 0.5)
    flipped = batch.hr[:, 0, 0, 0] == 0
    assert 0.2 < flipped.float().mean() < 0.8
    for slot in range(3):
        assert torch.equal(batch.exemplars[:, slot, 0, 0, 0] == 0, flipped)


def test_the_lr_face_is_the_degraded_target_in_8_bits() -> None:
    batch = sampler(numbered(COUNTS, size=16), NO_SHOWING).batch(0, 0.5)
    assert batch.lr.shape == (64, 3, 4, 4)
    assert torch.equal(batch.lr, bicubic_downsample(batch.hr, 4))
    torch.testing.assert_close(batch.lr * 255, (batch.lr * 255).round(), rtol=0, atol=1e-4)


def test_a_batch_depends_on_seed_step_and_rank_alone() -> None:
    faces = numbered(COUNTS)
    one, other = sampler(faces, Curriculum()), sampler(faces, Curriculum())
    for step in range(3):
        one.batch(step, 0.1)  # the other has no such past
    torch.manual_seed(123)
    first, again = one.batch(7, 0.1), other.batch(7, 0.1)
    for name in ("lr", "hr", "exemplars", "valid", "foreign"):
        assert torch.equal(getattr(first, name), getattr(again, name))
    others = [one.batch(8, 0.1), one.batch(7, 0.1, 1, 2), sampler(faces, Curriculum(), seed=1).batch(7, 0.1)]
    assert all(not torch.equal(first.hr[: len(batch.hr)], batch.hr) for batch in others)


@pytest.mark.parametrize("progress", [0.02, 0.3, 0.9])
def test_processes_together_see_what_one_alone_would(progress: float) -> None:
    one = sampler(numbered(COUNTS), Curriculum(), batch_size=12)
    for step in range(6):
        whole = one.batch(step, progress)
        parts = [one.batch(step, progress, rank, 3) for rank in range(3)]
        for name in ("lr", "hr", "exemplars", "valid", "foreign"):
            assert torch.equal(getattr(whole, name), torch.cat([getattr(part, name) for part in parts])), (step, name)


def test_processes_that_cannot_share_a_batch_are_refused() -> None:
    with pytest.raises(UsageError, match="3 processes"):
        sampler(numbered(COUNTS), Curriculum(), batch_size=4).batch(0, 0.5, 0, 3)


def test_a_curriculum_without_self_exemplars_after_copying() -> None:
    faces = numbered(COUNTS)
    batch = sampler(faces, Curriculum(copy_share=0.0, self_until=0.0, slot_probabilities=(0, 1))).batch(0, 0.0)
    shown = photo_numbers(batch.exemplars)[:, 0] == photo_numbers(batch.hr)
    assert not shown[batch.valid[:, 0].bool()].any()


def test_slot_dropout_draws_the_numbers_of_exemplars_it_is_given() -> None:
    curriculum = Curriculum(copy_share=0.0, self_probability=0.0, slot_probabilities=(0.5, 0.0, 0.5))
    drawn = [sampler(numbered(COUNTS), curriculum, batch_size=2).batch(step, 0.5).valid.shape[1] for step in range(200)]
    assert set(drawn) == {0, 2}
    assert 70 < drawn.count(0) < 130


def whose(faces: FaceSet, batch: batches.Batch) -> tuple[Tensor, Tensor]:
    """Of the samples with exemplars: whether all used slots are the target's person's, and all somebody else's."""
    valid = batch.valid.bool()
    own = faces.person[photo_numbers(batch.exemplars)] == faces.person[photo_numbers(batch.hr)][:, None]
    return (own | ~valid).all(1), (~own | ~valid).all(1)


@pytest.mark.parametrize(("probability", "low", "high"), [(0.0, 0.0, 0.0), (0.3, 0.1, 0.25), (1.0, 0.4, 0.8)])
def test_a_wrong_gallery_is_another_persons_in_every_slot(probability: float, low: float, high: float) -> None:
    faces = numbered(COUNTS)  # three people, more than half of the photos one's: her neighbours are often herself
    curriculum = dataclasses.replace(NO_SHOWING, wrong_gallery=probability)
    batch = sampler(faces, curriculum, batch_size=1024).batch(0, 0.5)
    own, wrong = whose(faces, batch)
    assert (own ^ wrong).all()
    assert torch.equal(batch.foreign, wrong[:, None] & (batch.valid > 0))
    assert low <= float(wrong.float().mean()) <= high
    same = sampler(faces, NO_SHOWING, batch_size=1024).batch(0, 0.5)
    assert torch.equal(photo_numbers(batch.hr), photo_numbers(same.hr))


@pytest.fixture
def warps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Replaces the warp by an image of ones, and collects the amounts it was asked for."""
    amounts: list[float] = []

    def ones(face: Tensor, amount: float, random: torch.Generator, *part: Any) -> Tensor:  # noqa: ARG001
        amounts.append(amount)
        return torch.ones_like(face)

    monkeypatch.setattr(batches, "warp_and_relight", ones)
    return amounts


def shown(progress: float, step: int = 0) -> Tensor:
    """Which slots [256, 3] hold the target itself."""
    curriculum = Curriculum(0.1, 0.8, 0.6, (0, 0, 0, 1))
    batch = sampler(numbered(COUNTS), curriculum, batch_size=256).batch(step, progress)
    holds = batch.exemplars.flatten(2).amin(-1) == 1
    assert batch.valid[holds].all()
    return holds


def test_copying_shows_the_target_in_every_slot_with_a_growing_warp(warps: list[float]) -> None:
    for progress in (0.0, 0.03, 0.06, 0.0999):
        assert shown(progress).all()
    assert warps[0] == 0
    assert warps == sorted(warps)
    assert 0 < warps[2] < 1
    assert warps[3] == pytest.approx(1, abs=0.01)


def test_a_wrong_gallery_never_shows_the_target(warps: list[float]) -> None:
    faces, curriculum = numbered(COUNTS), Curriculum(0.0, 1.0, 1.0, (0, 0, 0, 1), wrong_gallery=1.0)
    batch = sampler(faces, curriculum, batch_size=256).batch(0, 0.0)
    holds = (batch.exemplars.flatten(2).amin(-1) == 1).any(1)
    assert warps
    assert holds.any()  # where the neighbour was the same person
    batch.exemplars[holds] = 0
    _, wrong = whose(faces, batch)
    assert wrong[~holds].all()


@pytest.mark.parametrize(("progress", "probability"), [(0.1, 0.67), (0.3, 0.4), (0.5, 0.13), (0.6, 0), (1, 0)])
def test_after_copying_one_slot_shows_the_target_ever_more_rarely(
    warps: list[float], progress: float, probability: float
) -> None:
    slots = torch.cat([shown(progress, step) for step in range(4)])
    assert slots.sum(1).max() <= 1
    assert abs(slots.any(1).float().mean() - probability) < 0.06
    if probability:
        assert set(slots.float().argmax(1).tolist()) == {0, 1, 2}
    assert set(warps) == {1.0}


def test_a_warp_of_amount_zero_is_the_face_itself() -> None:
    face = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    same = warp_and_relight(face, 0.0, torch.Generator().manual_seed(1))
    torch.testing.assert_close(same, face, rtol=0, atol=1e-5)


def test_a_warp_moves_and_relights_each_face_by_itself() -> None:
    face = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)).repeat(4, 1, 1, 1)
    warped = warp_and_relight(face, 1.0, torch.Generator().manual_seed(1))
    assert warped.shape == face.shape
    assert warped.min() >= 0
    assert warped.max() <= 1
    assert all((warped[i] - warped[j]).abs().mean() > 0.01 for i in range(4) for j in range(i))
    assert (warped - face).abs().mean() > 0.01
