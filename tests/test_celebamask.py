"""CelebAMask-HQ as the paper uses it, on a made copy of its layout."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgesr.cli.main import run
from edgesr.data.celebamask import read_people, split_people, write_celebamask
from edgesr.data.faces import FaceSet, read_eval_list
from edgesr.data.identities import Person
from edgesr.errors import InputOutputError, UsageError
from edgesr.images.imaging import read_image, resize_bicubic

PHOTOS_OF = {2880: 4, 17: 5, 9000: 3, 301: 8, 44: 4, 1: 1}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The layout of the data set: photos numbered without regard to people, two text files of columns."""
    folder = tmp_path / "CelebAMask-HQ"
    (folder / "CelebA-HQ-img").mkdir(parents=True)
    people = [person for person, count in PHOTOS_OF.items() for _ in range(count)]
    order = np.random.default_rng(0).permutation(len(people))
    mapping, identities = ["idx          orig_idx     orig_file"], ["000000.jpg 5000"]  # one that is not in CelebA-HQ
    for number, original in enumerate(order):
        mapping.append(f"{number:<13}{original + 1:<13}{original + 1:06}.jpg")
        image = np.random.default_rng(number).integers(0, 256, (64, 64, 3), np.uint8)
        Image.fromarray(image).save(folder / "CelebA-HQ-img" / f"{number}.jpg")
    identities += [f"{original + 1:06}.jpg {person}" for original, person in enumerate(people)]
    (folder / "CelebA-HQ-to-CelebA-mapping.txt").write_text("\n".join(mapping) + "\n")
    (folder / "identity_CelebA.txt").write_text("\n".join(identities) + "\n")
    return folder


@pytest.mark.parametrize("inner", [True, False])
def test_people_with_four_photos_or_more_are_read(root: Path, inner: bool) -> None:
    people = read_people(root if inner else root.parent)
    assert [(person.identity, len(person.photos)) for person in people] == [(17, 5), (44, 4), (301, 8), (2880, 4)]
    assert people[0].name == "celeba_00017"
    order = np.random.default_rng(0).permutation(sum(PHOTOS_OF.values()))
    assert {int(photo.stem) for photo in people[3].photos} == {i for i, o in enumerate(order) if o < 4}


def test_the_identity_file_may_lie_elsewhere(root: Path) -> None:
    elsewhere = (root / "identity_CelebA.txt").rename(root.parent / "identity_CelebA.txt")
    assert len(read_people(root)) == 4
    assert len(read_people(root, elsewhere.rename(root.parent / "Anno-identities.txt"))) == 4
    with pytest.raises(InputOutputError, match=r"no identity_CelebA\.txt .*--identities"):
        read_people(root)


def everybody(count: int) -> list[Person]:
    return [Person(i, ()) for i in range(1, count + 1)]


def test_the_papers_numbers_come_out_of_the_whole_data_set() -> None:
    splits = split_people(everybody(2887))
    assert {split: len(group) for split, group in splits.items()} == {"train": 2600, "test": 287}
    names = [person.name for group in splits.values() for person in group]
    assert len(set(names)) == 2887
    # The same on every machine and in every version: these were drawn first.
    assert [person.identity for person in splits["test"][:5]] == [14, 16, 24, 41, 65]
    assert split_people(everybody(2887), seed=1)["test"] != splits["test"]


def test_val_is_taken_from_train() -> None:
    without, with_val = split_people(everybody(2887)), split_people(everybody(2887), val_people=20)
    assert with_val["test"] == without["test"]
    assert len(with_val["val"]) == 20
    assert {p.name for p in with_val["val"] + with_val["train"]} == {p.name for p in without["train"]}
    with pytest.raises(UsageError, match="leave none to train"):
        split_people(everybody(4), val_people=3)


def test_the_command_writes_crops_split_and_evaluation_list(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(["data", "celebamask", str(root), "-o", str(out), "--size", "16", "--val-people", "1", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["ok"]
    assert (answer["kept"], answer["people"]) == (21, {"test": 1, "val": 1, "train": 2})
    with (out / "split.csv").open(newline="") as stream:
        split = {row["identity"]: row for row in csv.DictReader(stream)}
    assert sorted(split) == ["celeba_00017", "celeba_00044", "celeba_00301", "celeba_02880"]
    assert sum(int(row["images"]) for row in split.values()) == 21
    train = FaceSet.read(out, "train", 16)
    assert train.names == sorted(name for name, row in split.items() if row["split"] == "train")
    with (out / "manifest.csv").open(newline="") as stream:
        row = next(csv.DictReader(stream))
    whole = read_image(root / "CelebA-HQ-img" / row["source"])
    assert np.array_equal(read_image(out / "16" / row["file"]), resize_bicubic(whole, 16, 16))
    for name in ("val", "test"):
        pairs = read_eval_list(out, name, 16)
        person = next(key for key, row in split.items() if row["split"] == name)
        count = int(split[person]["images"])
        assert len(pairs) == count
        for pair in pairs:
            assert len(set(pair.exemplars)) == len(pair.exemplars) == min(5, count - 1)
            assert pair.target not in pair.exemplars
            assert all(path.is_file() and path.parent.name == person for path in (pair.target, *pair.exemplars))


def test_the_same_again_changes_nothing_and_an_interruption_is_made_good(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_celebamask(root, out, size=16)
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    again = write_celebamask(root, out, size=16)
    assert (again.kept, again.already) == (21, 21)
    next((out / "16").rglob("02.png")).unlink()
    (out / "eval_list.csv").unlink()
    assert write_celebamask(root, out, size=16).already == 20
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before


def test_another_split_is_not_written_over_the_first(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_celebamask(root, out, size=16)
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    with pytest.raises(UsageError, match=r"split\.csv already exists with other content .*--force"):
        write_celebamask(root, out, size=16, val_people=1)
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before
    written = write_celebamask(root, out, size=16, val_people=1, force=True)
    assert written.people == {"test": 1, "val": 1, "train": 2}
    assert len(list((out / "16").rglob("*.png"))) == 21


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("CelebA-HQ-to-CelebA-mapping.txt", "idx a b\n0 1\n", r"line 2 of .*mapping\.txt is damaged"),
        ("CelebA-HQ-to-CelebA-mapping.txt", "idx a b\n0 1 999999.jpg\n", r"999999\.jpg .* is not in"),
        ("CelebA-HQ-to-CelebA-mapping.txt", "idx a b\n", "0 people in .* have 4 photos"),
        ("identity_CelebA.txt", "000001.jpg somebody\n", r"line 1 of .*CelebA\.txt is damaged"),
        ("identity_CelebA.txt", "\xff", "is damaged"),
    ],
)
def test_damaged_lists_are_named(root: Path, file: str, text: str, message: str) -> None:
    (root / file).write_text(text)
    with pytest.raises(InputOutputError, match=message):
        read_people(root)


def test_a_folder_that_is_not_celebamask_says_what_it_should_hold(tmp_path: Path) -> None:
    with pytest.raises(InputOutputError, match=r"no CelebA-HQ-to-CelebA-mapping\.txt .*CelebA-HQ-img"):
        read_people(tmp_path)


def test_a_missing_or_wrong_photo_is_named(root: Path, tmp_path: Path) -> None:
    photo = read_people(root)[0].photos[0]
    Image.new("RGB", (64, 60)).save(photo)
    with pytest.raises(InputOutputError, match=rf"{photo.name} is 64x60"):
        write_celebamask(root, tmp_path / "out", size=16)
    photo.unlink()
    with pytest.raises(InputOutputError, match=rf"no file .*{photo.name}"):
        write_celebamask(root, tmp_path / "out", size=16)
