"""CelebA as PWAve's paper uses it, on a made copy of its layout."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgesr.cli.main import run
from edgesr.data.celeba import PARTITION, read_splits, write_celeba
from edgesr.data.faces import FaceSet, read_eval_list
from edgesr.data.identities import IDENTITIES
from edgesr.errors import EXIT_IO, InputOutputError, UsageError
from edgesr.images.imaging import read_image

PEOPLE = {17: (5, 0), 2880: (6, 0), 9000: (4, 0), 44: (5, 1), 45: (9, 1), 301: (7, 2), 302: (5, 2), 303: (1, 2)}
"""Photos of each identity, and its partition: 0 is train, 1 val, 2 test."""
KEPT = {"train": {17: 5, 2880: 6}, "val": {44: 5, 45: 9}, "test": {301: 7, 302: 5}}
PHOTOS = sum(count for people in KEPT.values() for count in people.values())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The layout of the data set, its photos numbered without regard to people."""
    folder = tmp_path / "CelebA"
    (folder / "img_align_celeba").mkdir(parents=True)
    of = [person for person, (count, _) in PEOPLE.items() for _ in range(count)]
    identities, partition = [], []
    for number, index in enumerate(np.random.default_rng(0).permutation(len(of)), 1):
        person = of[index]
        image = np.random.default_rng(number).integers(0, 256, (22, 18, 3), np.uint8).repeat(10, 0).repeat(10, 1)
        Image.fromarray(image[:218, :178]).save(folder / "img_align_celeba" / f"{number:06}.jpg")
        identities.append(f"{number:06}.jpg {person}")
        partition.append(f"{number:06}.jpg {PEOPLE[person][1]}")
    (folder / IDENTITIES).write_text("\n".join(identities) + "\n")
    (folder / PARTITION).write_text("\n".join(partition) + "\n")
    return folder


def found(root: Path) -> dict[str, dict[int, int]]:
    return {split: {p.identity: len(p.photos) for p in group} for split, group in read_splits(root).items()}


def test_splits_are_celebas_and_people_with_few_photos_are_dropped(root: Path) -> None:
    assert found(root) == KEPT


def test_the_files_may_lie_as_they_are_given_away(root: Path, tmp_path: Path) -> None:
    for below, name in (("Img", "img_align_celeba"), ("Anno", IDENTITIES), ("Eval", PARTITION)):
        (root / below).mkdir()
        (root / name).rename(root / below / name)
    assert found(root) == KEPT
    lists = [(root / "Anno" / IDENTITIES).rename(tmp_path / "who"), (root / "Eval" / PARTITION).rename(tmp_path / "w")]
    assert {split: len(group) for split, group in read_splits(root, *lists).items()} == dict.fromkeys(KEPT, 2)


def test_the_command_writes_crops_split_and_evaluation_list(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(["data", "celeba", str(root), "-o", str(out), "--val-people", "1", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["kept"], answer["people"]) == (PHOTOS, {"train": 2, "val": 2, "test": 2})
    with (out / "split.csv").open(newline="") as stream:
        split = {row["identity"]: (row["split"], int(row["images"])) for row in csv.DictReader(stream)}
    assert split == {f"celeba_{i:05}": (name, count) for name, people in KEPT.items() for i, count in people.items()}
    assert FaceSet.read(out, "train", 128).names == ["celeba_00017", "celeba_02880"]
    with (out / "manifest.csv").open(newline="") as stream:
        row = next(csv.DictReader(stream))
    whole = read_image(root / "img_align_celeba" / row["source"])
    assert np.array_equal(read_image(out / "128" / row["file"]), whole[57:185, 25:153]), "nothing is scaled"
    test, val = (read_eval_list(out, name, 128) for name in ("test", "val"))
    assert len(test) == 12, "every photo of test is a target"
    assert len({pair.person for pair in val}) == 1, "as many people as asked for"
    assert len(val) in (5, 8), "at most 8 targets of a person"
    for pair in (*test, *val):
        assert len(set(pair.exemplars)) == len(pair.exemplars) >= 4
        assert pair.target not in pair.exemplars
        assert all(path.is_file() and path.parent == pair.target.parent for path in pair.exemplars)


def test_the_same_again_changes_nothing_and_an_interruption_is_made_good(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_celeba(root, out)
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    next((out / "128").rglob("02.png")).unlink()
    (out / "eval_list.csv").unlink()
    assert write_celeba(root, out).already == PHOTOS - 1
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before
    with pytest.raises(UsageError, match=r"eval_list\.csv already exists with other content .*--force"):
        write_celeba(root, out, seed=1)


def rewrite(name: str, change: Callable[[str], str]) -> Callable[[Path], object]:
    return lambda root: (root / name).write_text(change((root / name).read_text()), encoding="latin-1")


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no partition": (lambda root: (root / PARTITION).unlink(), r"no list_eval_partition\.txt in .*--partition FILE"),
    "no identities": (lambda root: (root / IDENTITIES).unlink(), r"no identity_CelebA\.txt in .*--identities FILE"),
    "no photos": (lambda root: (root / "img_align_celeba").rename(root / "img"), "no img_align_celeba in "),
    "empty partition": (rewrite(PARTITION, lambda _: ""), "0 people of train in .* have 5 photos or more"),
    "empty identities": (rewrite(IDENTITIES, lambda _: ""), r"\.jpg of .*partition\.txt is not in .*CelebA\.txt"),
    "another number": (rewrite(PARTITION, lambda text: text.replace(" 2\n", " 3\n")), "line .* is damaged"),
    "no number": (rewrite(IDENTITIES, lambda text: "000001.jpg somebody\n" + text), "line 1 of .* is damaged"),
    "a name that leads out": (
        rewrite(PARTITION, lambda text: text.replace("000003.jpg", "../../x.jpg")),
        "line 3 of .* is damaged",
    ),
    "listed twice": (rewrite(IDENTITIES, lambda text: text + "000001.jpg 2\n"), r"lists 000001\.jpg twice, the second"),
    "no text": (rewrite(PARTITION, lambda _: "\xff"), "it is no UTF-8 text"),
    "two splits": (rewrite(PARTITION, lambda text: text.replace(" 1\n", " 0\n", 1)), "identity 4[45] is in "),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_lists_are_named(damage: str, root: Path) -> None:
    break_it, message = DAMAGES[damage]
    break_it(root)
    with pytest.raises(InputOutputError, match=message):
        read_splits(root)


def test_missing_damaged_and_wrong_photos_are_named(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = read_splits(root)["train"][0].photos[0]
    for break_it, said in (
        (lambda: photo.write_bytes(photo.read_bytes()[:200]), f"{photo}"),
        (lambda: Image.new("RGB", (178, 178)).save(photo), f"{photo} is 178x178"),
        (photo.unlink, f"no file {photo}"),
    ):
        break_it()
        assert run(["data", "celeba", str(root), "-o", str(tmp_path / "out")]) == EXIT_IO
        error = capsys.readouterr().err
        assert said in error
        assert "Traceback" not in error
