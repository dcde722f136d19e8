"""``edgesr train``: what its options reach, what it says, and what it refuses before it trains."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import TINY, Call, MakePeople

pytest.importorskip("lightning_fabric", reason="training needs lightning-fabric: pip install 'edgesr[train]'")

NETWORK = TINY.replace(lr_size=4)


@pytest.fixture
def train(call: Call, tmp_path: Path) -> Callable[..., tuple[int, dict[str, Any], str]]:
    widths = tmp_path / "tiny.json"
    widths.write_text(json.dumps(NETWORK.to_dict()))
    common = ("--network", widths, "-o", tmp_path / "run", "--steps", 2, "--batch-size", 2, "--validate-every", 1)
    return lambda folder, *arguments: call("train", folder, *common, *arguments)


def test_a_list_without_val_trains_without_validation_and_says_so(
    train: Callable[..., Any], make_people: MakePeople
) -> None:
    folder = make_people({"ann": 3, "bob": 4}, size=16, split="train")
    (folder / "eval_list.csv").write_text("split,target,ref1\ntest,test/ann/01.png,test/ann/02.png\n")
    code, answer, log = train(folder)
    assert (code, answer["done"], answer["validation"]) == (0, True, {})
    assert "no split 'val'" in log
    assert "nothing is validated" in log
    code, answer, _ = train(folder, "--validation-split", "val")
    assert (code, "no split 'val'" in answer["error"]) == (2, True)


def test_people_can_be_held_out_to_validate_on(
    train: Callable[..., Any], make_people: MakePeople, tmp_path: Path
) -> None:
    folder = make_people({"ann": 3, "bob": 4, "eve": 4}, size=16)
    code, answer, log = train(folder, "--validation-people", 1, "--degradation", "phone", "--detail-drop", 0.5)
    assert code == 0
    assert "held out for validation: " in log
    assert answer["validation"]["n=1"] > 5
    assert (tmp_path / "run" / "validation.csv").is_file()
    code, answer, _ = train(folder, "--validation-people", 1, "--validation-split", "val")
    assert (code, "exclude each other" in answer["error"]) == (2, True)


def test_what_the_discriminator_is_told_reaches_the_run(
    train: Callable[..., Any], make_people: MakePeople, tmp_path: Path
) -> None:
    folder = make_people({"ann": 3, "bob": 4}, size=16, split="train")
    code, _, log = train(
        folder, "--adversarial", 0.02, "--discriminator-channels", 2, "--discriminator-learning-rate", 3e-4
    )
    assert code == 0, log
    trained = json.loads((tmp_path / "run" / "checkpoint" / "config.json").read_text())["training"]["train_config"]
    assert trained["discriminator_learning_rate"] == 3e-4
    assert (trained["loss"]["weights"]["adv"], trained["loss"]["discriminator"]["channels"]) == (0.02, 2)


def test_people_with_few_photos_are_left_out_and_that_is_recorded(
    train: Callable[..., Any], make_people: MakePeople, tmp_path: Path
) -> None:
    folder = make_people({"ann": 3, "bob": 5, "eve": 2, "zoe": 6}, size=16)
    code, _, log = train(folder, "--least-photos", 5)
    assert code == 0, log
    assert "11 photos of 2 people, LR faces by bicubic; starting" in log
    trained = json.loads((tmp_path / "run" / "checkpoint" / "config.json").read_text())["training"]
    assert (trained["train_config"]["least_photos"], trained["people"]) == (5, 2)
    code, answer, _ = train(folder, "--least-photos", 7)
    assert (code, "nobody in " in answer["error"], "7 photos or more" in answer["error"]) == (5, True, True)
    code, answer, _ = train(folder, "--steps", 3)
    assert (code, "least_photos" in answer["error"]) == (5, True), "a run goes on with the people it was begun with"
    code, answer, _ = train(folder, "--least-photos", 5, "--validation-people", 2)
    assert (code, "2 people" in answer["error"]) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--slot-probabilities", "nan,1"), 2, "no probabilities"),
        (("--slot-probabilities", "1e400,1"), 2, "no probabilities"),
        (("--slot-probabilities", "1,1e308,1e308"), 2, "no probabilities"),
        (("--slot-probabilities", "1e-320,0"), 2, "no probabilities"),
        (("--name", "../away"), 2, "cannot be called '../away'"),
        (("--name", "a\nb"), 2, "cannot be called"),
        (("-o", "a-file"), 5, "a-file is no folder"),
        (("--perceptual", 0.1, "--vgg19", "none"), 5, "no file none"),
        (("--identity", 0.1, "--embedder", "none"), 5, "no file none"),
    ],
)
def test_what_would_fail_at_the_end_is_refused_at_the_start(
    train: Callable[..., Any],
    make_people: MakePeople,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    code: int,
    says: str,
) -> None:
    folder = make_people({"ann": 3, "bob": 4}, size=16, split="train")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a-file").touch()
    got, answer, _ = train(folder, *arguments)
    assert (got, says in answer["error"]) == (code, True), answer
    assert not (tmp_path / "run" / "checkpoint").exists()


def test_a_run_that_is_finished_says_so_and_a_longer_one_how_to_train_on(
    train: Callable[..., Any], make_people: MakePeople
) -> None:
    folder = make_people({"ann": 3, "bob": 4}, size=16, split="train")
    train(folder)
    code, answer, log = train(folder)
    assert (code, answer["step"]) == (0, 2)
    assert "finished already, at step 2" in log
    code, answer, _ = train(folder, "--steps", 3)
    assert (code, "steps (there 2, here 3)" in answer["error"], "--init" in answer["hint"]) == (5, True, True)


def test_a_run_whose_checkpoint_is_damaged_says_so_before_it_trains_on(
    train: Callable[..., Any], make_people: MakePeople, tmp_path: Path
) -> None:
    folder = make_people({"ann": 3, "bob": 4}, size=16, split="train")
    train(folder)
    (tmp_path / "run" / "checkpoint" / "config.json").unlink()
    code, answer, _ = train(folder)
    assert (code, "is damaged" in answer["error"], "remove it" in answer["hint"]) == (2, True, True)


def test_the_degradation_belongs_to_the_network(
    call: Call, train: Callable[..., Any], make_people: MakePeople, tmp_path: Path
) -> None:
    """What starts from a network for phone photos was trained on bicubic faces, where nobody said otherwise."""
    folder = make_people({"ann": 3, "bob": 4}, size=16, split="train")

    def trained(name: str) -> str:
        config = json.loads((tmp_path / name / "checkpoint" / "config.json").read_text())["training"]["train_config"]
        return str(config["degradation"])

    for name, *arguments in (
        ("first", "--degradation", "phone"),
        ("second", "--init", tmp_path / "first"),
        ("third", "--init", tmp_path / "first", "--degradation", "bicubic"),
    ):
        assert train(folder, *arguments, "-o", tmp_path / name)[0] == 0
    assert [trained(name) for name in ("first", "second", "third")] == ["phone-2", "phone-2", "bicubic"]
    make_people({"eve": 3, "fay": 3}, size=16, split="test")
    assert call("data", "split", folder, "--size", 16)[0] == 0
    code, answer, _ = call("eval", "-c", tmp_path / "second", "--data", folder, "--no-identity")
    assert (code, answer["degradation"]) == (0, "phone-2")


def test_an_evaluation_says_what_it_was_made_with(call: Call, tiny_checkpoint: Path, people_folder: Path) -> None:
    common = ("eval", "-c", tiny_checkpoint, "--data", people_folder, "--no-identity", "--limit", 2)
    papers, phone = call(*common)[1], call(*common, "--degradation", "phone")[1]
    assert (papers["degradation"], phone["degradation"]) == ("bicubic", "phone-2")
    for one, other in zip(papers["rows"], phone["rows"], strict=True):
        assert one["psnr"] != other["psnr"]
    assert phone["rows"][0]["psnr"] < papers["rows"][0]["psnr"]


def test_parameters_learn_at_rates_of_their_own(
    train: Callable[..., Any], make_people: MakePeople, tmp_path: Path
) -> None:
    folder = make_people({"ann": 3, "bob": 4}, size=16, split="train")
    code, _, log = train(folder, "--rate", "rfa.offset.=3", "--rate", "cofa.=0.5")
    assert code == 0, log
    trained = json.loads((tmp_path / "run" / "checkpoint" / "config.json").read_text())["training"]["train_config"]
    assert trained["rates"] == [["rfa.offset.", 3.0], ["cofa.", 0.5]]


@pytest.mark.parametrize(
    ("rate", "said"),
    [
        ("cofa.", "--rate 'cofa.' is no name and factor"),
        ("=2", "is no name and factor"),
        ("cofa.=fast", "is no name and factor"),
        ("cofa.=0", "the learning rate of cofa. is 0"),
        ("cofa.=nan", "the learning rate of cofa. is nan"),
        ("wnn1.=1", "the network has no parameters wnn1.*"),
    ],
)
def test_a_rate_of_nothing_is_refused(train: Callable[..., Any], make_people: MakePeople, rate: str, said: str) -> None:
    code, answer, _ = train(make_people({"ann": 3, "bob": 4}, size=16, split="train"), "--rate", rate)
    assert (code, said in answer["error"]) == (2, True), answer["error"]
