"""``edgesr data split``: who is evaluated on, nobody in two splits, the same for the same seed."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Call, MakePeople

from edgesr.data.faces import FaceSet, read_eval_list
from edgesr.data.holdout import hold_out
from edgesr.data.splits import draw_people, write_split
from edgesr.errors import InputOutputError, UsageError


def counts(people: int, photos: int = 3) -> dict[str, int]:
    return {f"p{i:02}": photos for i in range(people)}


@pytest.mark.parametrize(
    ("people", "test", "val", "train"),
    [(2, 2, 0, 0), (3, 2, 0, 1), (4, 2, 0, 2), (5, 2, 0, 3), (6, 2, 2, 2), (20, 2, 2, 16), (100, 10, 10, 80)],
)
def test_small_sets_are_split_sensibly(people: int, test: int, val: int, train: int) -> None:
    groups = draw_people(list(counts(people)), {"test": 0.1, "val": 0.1})
    assert {name: len(group) for name, group in groups.items()} == {"test": test, "val": val, "train": train}
    assert sorted(name for group in groups.values() for name in group) == list(counts(people)), (
        "everybody is in one split, and nobody in two"
    )


def test_the_seed_decides_and_the_order_of_names_does_not() -> None:
    names, shares = list(counts(40)), {"test": 0.2, "val": 0.1}
    assert draw_people(names, shares) == draw_people(names[::-1], shares)
    assert draw_people(names, shares, 1)["test"] != draw_people(names, shares, 2)["test"]


@pytest.mark.parametrize("split", ["train", None])
def test_nobody_who_is_evaluated_on_is_trained_on(make_people: MakePeople, split: str | None) -> None:
    folder = make_people(counts(12) | {"once": 1}, split=split)
    made = write_split(folder, 32)
    assert made.few == {"once": 1}
    trained = set(FaceSet.read(folder, "train", 32).names)
    assert trained == set(made.people["train"])
    listed = {name: read_eval_list(folder, name, 32) for name in ("test", "val")}
    for name, pairs in listed.items():
        assert {Path(pair.person).name for pair in pairs} == set(made.people[name])
        for pair in pairs:
            assert all(path.is_file() for path in (pair.target, *pair.exemplars))
            assert pair.target not in pair.exemplars
            assert {path.parent for path in pair.exemplars} == {pair.target.parent}
    assert trained.isdisjoint(made.people["test"] + made.people["val"])
    held, pairs = hold_out(folder, "train", 32, 2)
    assert {pair.person for pair in pairs} | set(held.names) == trained, "held out are people who would be trained on"


def test_folders_that_are_splits_stay_whole(make_people: MakePeople) -> None:
    folder = make_people(counts(8), split="train")
    make_people({"eve": 3, "bob": 2}, split="test")
    made = write_split(folder, 32)
    assert made.people["test"] == ["bob", "eve"]
    assert len(made.people["val"]) == 2
    make_people({"p00": 2}, split="val")
    with pytest.raises(UsageError, match=r"p00 lies in .*val and in another split"):
        write_split(folder, 32, force=True)


def test_many_photos_of_a_person_are_not_all_targets(make_people: MakePeople) -> None:
    folder = make_people({"ann": 20, "bob": 3})
    write_split(folder, 32, test=1, val=0)
    pairs = read_eval_list(folder, "test", 32)
    assert [sum(pair.person == name for pair in pairs) for name in ("ann", "bob")] == [8, 3]
    assert max(len(pair.exemplars) for pair in pairs) == 5


@pytest.mark.parametrize(
    ("people", "shares", "message"),
    [
        ({"ann": 3}, {}, "1 person in .* too few to evaluate on"),
        ({"ann": 3, "bob": 3}, {"test": 0.0, "val": 0.0}, "2 people in .* too few"),
    ],
)
def test_what_cannot_be_split_says_so(
    make_people: MakePeople, people: dict[str, int], shares: dict[str, float], message: str
) -> None:
    folder = make_people(people)
    with pytest.raises(InputOutputError, match=message):
        write_split(folder, 32, **shares)
    assert not (folder / "eval_list.csv").exists()
    with pytest.raises(UsageError, match="together at most 1"):
        write_split(folder, 32, val=0.6, test=0.6)


def test_a_list_is_remade_by_force_alone(call: Call, make_people: MakePeople) -> None:
    folder = make_people(counts(20) | {"once": 1}, split="train")
    code, answer, _ = call("data", "split", folder)
    assert (code, answer["few_photos"], answer["targets"]) == (0, {"once": 1}, 12)
    written = (folder / "eval_list.csv").read_bytes()
    assert call("data", "split", folder)[0] == 0, "the same list again is no other one"
    code, answer, _ = call("data", "split", folder, "--seed", 1)
    assert (code, "--force" in answer["hint"]) == (2, True)
    assert (folder / "eval_list.csv").read_bytes() == written
    assert call("data", "split", folder, "--seed", 1, "--force")[0] == 0
    assert (folder / "eval_list.csv").read_bytes() != written


def test_eval_runs_on_a_folder_of_ones_own(call: Call, make_people: MakePeople, tiny_checkpoint: Path) -> None:
    folder = make_people(counts(4))
    evaluate = ("eval", "-c", tiny_checkpoint, "--data", folder, "--no-identity")
    command = f"edgesr data split {folder}"
    for arguments in (evaluate, ("report", "-c", tiny_checkpoint, "--data", folder, "-o", folder.parent / "out.html")):
        code, answer, _ = call(*arguments)
        assert (code, answer["error"].split(",")[0]) == (5, f"no eval_list.csv in {folder}")
        assert answer["hint"].startswith(command)
    assert call("data", "split", folder)[0] == 0
    code, answer, _ = call(*evaluate)
    assert (code, answer["people"]) == (0, 2)
