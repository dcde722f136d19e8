"""Shards hold the same photos as the folder they are of: the same batches to the bit, and exact resume."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from conftest import TINY, Call, MakePeople
from torch import Tensor

pytest.importorskip("pyarrow", reason="shards need pyarrow: pip install 'edgesr[train]'")
pytest.importorskip("lightning_fabric", reason="training needs lightning-fabric: pip install 'edgesr[train]'")

from edgesr.data.batches import BatchSampler, Curriculum
from edgesr.data.crops import Crop, CropFolder
from edgesr.data.faces import Faces, FaceSet, read_eval_list
from edgesr.data.shards import ShardedFaces, Written, write_shards
from edgesr.data.splits import write_split
from edgesr.errors import CheckpointError, InputOutputError, UsageError
from edgesr.evaluation.bins import sizes
from edgesr.training.config import TrainConfig
from edgesr.training.setup import read_training_data
from edgesr.training.trainer import Trainer

COUNTS = {"ann": 3, "bob": 70, "eve": 4, "once": 1, "zoe": 2}
CURRICULUM = Curriculum(wrong_gallery=0.3, augment=0.5)


@pytest.fixture
def folder(make_people: MakePeople) -> Path:
    return make_people(COUNTS, split="train")


@pytest.fixture
def shards(folder: Path, tmp_path: Path) -> Path:
    """In files of ten photos, so that a person lies in several."""
    assert write_shards(folder, tmp_path / "shards", 32, rows=10) == Written(79, 4, 8, 0)
    return tmp_path / "shards"


def test_nothing_but_shards_is_replaced(call: Call, folder: Path, shards: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "note.txt").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    for out, why in (
        (folder, "lie in each other"),
        (folder.parent, "lie in each other"),
        (folder / "32", "lie in each other"),
        (tmp_path / "kept", "holds no shards"),
    ):
        code, answer, _ = call("data", "shard", folder, "-o", out, "--size", 32, "--force")
        assert (code, why in answer["error"]) == (2, True), out
    assert call("data", "split", shards, "--force")[0] == 2
    assert sorted(tmp_path.rglob("*")) == before
    assert call("data", "shard", folder, "-o", shards, "--size", 32, "--force")[0] == 0


def sampler(faces: Faces) -> BatchSampler:
    return BatchSampler(faces, 4, 6, CURRICULUM, 5, torch.device("cpu"))


def test_batches_are_the_same_from_either_form_in_any_order(folder: Path, shards: Path) -> None:
    memory, disk = FaceSet.read(folder, "train", 32), ShardedFaces.open(shards, 32, "train")
    assert (disk.names, disk.person.tolist(), len(disk)) == (memory.names, memory.person.tolist(), len(memory))
    one, other = sampler(memory), sampler(disk)
    for step, part in [(0, (0, 1)), (1, (0, 1)), (2, (1, 3)), (7, (0, 1)), (3, (2, 3)), (4, (2, 3))]:
        first, again = one.batch(step, 0.3, *part), other.batch(step, 0.3, *part)
        for name in ("lr", "hr", "exemplars", "valid"):
            assert torch.equal(getattr(first, name), getattr(again, name)), (step, part, name)


def state(trainer: Trainer) -> dict[str, Tensor]:
    return safetensors.torch.load_file(trainer.run / "state.safetensors")


def test_a_resumed_run_equals_an_uninterrupted_one_and_that_from_the_folder(
    folder: Path, shards: Path, tmp_path: Path
) -> None:
    config = TrainConfig(
        steps=6, batch_size=2, learning_rate=1e-3, warmup_steps=3, precision="32-true", curriculum=Curriculum(0.2)
    )

    def trainer(run: str, faces: Faces) -> Trainer:
        return Trainer(tmp_path / run, "tiny", TINY, config, faces)

    whole = trainer("whole", FaceSet.read(folder, "train", 32))
    whole.fit()
    part = trainer("part", ShardedFaces.open(shards, 32, "train"))
    for _ in range(3):
        part.train_step()
    part.save()
    resumed = trainer("part", ShardedFaces.open(shards, 32, "train"))
    assert resumed.step == 3
    resumed.fit()
    expected, found = state(whole), state(resumed)
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert (whole.checkpoint / "config.json").read_bytes() == (resumed.checkpoint / "config.json").read_bytes()
    write_shards(folder, tmp_path / "shards", 32, rows=20)
    with pytest.raises(CheckpointError, match="holds another run"):
        trainer("part", ShardedFaces.open(shards, 32, "train"))


def damaged(path: Path) -> None:
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 8] = bytes(byte ^ 0xFF for byte in content[middle : middle + 8])
    path.write_bytes(bytes(content))


def test_a_missing_cut_or_damaged_shard_is_named(shards: Path) -> None:
    path = shards / "train-00003.arrow"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(InputOutputError, match=r"train-00003\.arrow has .* bytes, not .*: cut off") as error:
        ShardedFaces.open(shards, 32, "train")
    assert "edgesr data shard" in error.value.hint
    path.write_bytes(whole)
    damaged(path)
    faces = ShardedFaces.open(shards, 32, "train")
    assert faces.take(torch.arange(30)).shape == (30, 3, 32, 32), "the others are whole"
    with pytest.raises(InputOutputError, match=r"train-00003\.arrow is damaged: photo \d"):
        faces.take(torch.arange(30, 40))
    path.unlink()
    with pytest.raises(InputOutputError, match=r"train-00003\.arrow is missing, one of 8 shards"):
        ShardedFaces.open(shards, 32, "train")


@pytest.mark.parametrize("change", [{"format": "x"}, {"people": [["ann"]]}, {"people": [["ann", 3]]}, {"shards": [{}]}])
def test_an_index_that_is_none_is_refused(shards: Path, change: dict[str, Any]) -> None:
    path = shards / "shards.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputOutputError, match=r"shards\.json"):
        ShardedFaces.open(shards, 32, "train")


def test_shards_leave_out_who_is_evaluated_on_and_bring_the_list(make_people: MakePeople, tmp_path: Path) -> None:
    folder = make_people({f"p{i}": 3 for i in range(8)}, split="train")
    made = write_split(folder, 32)
    with CropFolder(folder, 32, part="1-of-1") as crops:
        everybody = sorted((folder / "32").rglob("*.png"))
        for i, path in enumerate(everybody):
            file = path.relative_to(folder / "32").as_posix()
            crops._append(Crop(file, path.parent.name, "train", 32, f"raw/{file}", 100.0 + i, 1.0))
    write_shards(folder, tmp_path / "shards", 32)
    there = [path for path in everybody if (tmp_path / "shards" / path.relative_to(folder)).is_file()]
    assert 0 < len(there) < len(everybody)
    value = sizes(tmp_path / "shards", 32)
    assert [value(tmp_path / "shards" / path.relative_to(folder)) for path in there] == [
        100.0 + everybody.index(path) for path in there
    ]
    assert len((tmp_path / "shards" / "manifest.csv").read_text().splitlines()) == 1 + len(there)
    data = read_training_data(tmp_path / "shards", 32)
    assert (data.faces.names, data.note) == (made.people["train"], "")
    assert data.validation == [
        type(pair)(pair.person, *(tmp_path / "shards" / pair.target.relative_to(folder),), exemplars)
        for pair in read_eval_list(folder, "val", 32)
        for exemplars in [tuple(tmp_path / "shards" / path.relative_to(folder) for path in pair.exemplars)]
    ]
    assert all(pair.target.is_file() for pair in data.validation or [])
    with pytest.raises(UsageError, match="--validation-people needs photos"):
        read_training_data(tmp_path / "shards", 32, validation_people=1)
    with pytest.raises(UsageError, match="--least-photos needs photos"):
        read_training_data(tmp_path / "shards", 32, least=3)
    with pytest.raises(UsageError, match="which edgesr train alone reads"):
        FaceSet.read(tmp_path / "shards", "train", 32)
    with pytest.raises(UsageError, match="has crops of 32 pixels of 'train', not 64"):
        read_training_data(tmp_path / "shards", 64)


def test_the_command_writes_shards_that_train_takes(call: Call, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny.json").write_text(json.dumps(TINY.to_dict()))
    out = tmp_path / "out"
    code, answer, _ = call("data", "shard", folder, "-o", out, "--size", 32, "--shard-size", 64)
    assert (code, answer["photos"], answer["people"], answer["shards"]) == (0, 79, 4, 2)
    code, answer, _ = call("data", "shard", folder, "-o", out, "--size", 32)
    assert (code, answer["hint"]) == (2, "pass --force to replace it")
    train = ("train", out, "--network", tmp_path / "tiny.json", "-o", tmp_path / "run", "--steps", 2)
    code, answer, _ = call(*train, "--batch-size", 2, "--precision", "32-true")
    assert (code, answer["step"], answer["done"]) == (0, 2, True)
