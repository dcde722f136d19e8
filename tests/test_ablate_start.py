"""What an ablation's rows start from, and what they are evaluated with where the list names too few exemplars."""

from __future__ import annotations

import copy
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TINY, Call, MakePeople
from torch import Tensor

pytest.importorskip("lightning_fabric", reason="training needs lightning-fabric: pip install 'edgesr[train]'")

from edgesr.ablations import budget as budgets
from edgesr.ablations.definitions import Row, load_row
from edgesr.ablations.start import Start
from edgesr.ablations.tables import load_table
from edgesr.cli.ablate import one_start
from edgesr.data.faces import EvalPair
from edgesr.data.layout import with_more_exemplars
from edgesr.errors import UsageError
from edgesr.models import load_checkpoint
from edgesr.models.registry import architecture_of
from edgesr.training.config import TrainConfig
from edgesr.training.trainer import Trainer

OWN = {
    "convolution": ("rfa.g_ref", "rfa.projection"),
    "hime": ("rfa.deform", "rfa.g_ref", "rfa.offset"),
    "hime-large": ("rfa.deform", "rfa.flow", "rfa.g_ref", "rfa.offset"),
}
"""Of the rows of ``alignment``, what not all of them have: g_ref is 1x1 in HIME-large."""


def rows_of(table: str, seed: int = 5) -> list[Row]:
    return [load_row(entry.row, TINY, TrainConfig(seed=seed)) for entry in load_table(table).entries]


def fresh(row: Row) -> dict[str, Tensor]:
    torch.manual_seed(row.training.seed)
    state: dict[str, Tensor] = architecture_of(row.network).build(row.network).state_dict()
    return state


def test_rows_start_from_the_tensors_that_all_of_them_have_and_from_nothing_else(tiny_checkpoint: Path) -> None:
    checkpoint, rows = load_checkpoint(tiny_checkpoint), rows_of("alignment")
    for tensor in checkpoint.model.state_dict().values():
        tensor += 1  # no tensor is as a seed makes it
    given, start = checkpoint.model.state_dict(), Start.of(checkpoint, rows)
    for row in rows:
        state, random = start.weights(row), fresh(row)
        assert state.keys() == random.keys()
        own = {name for name in state if name.startswith(OWN[row.name])}
        assert own
        assert all(torch.equal(state[name], random[name]) for name in own)
        assert all(torch.equal(state[name], given[name]) for name in state.keys() - own)
        assert not any(torch.equal(given[name], random[name]) for name in state.keys() - own), "the start is trained"
        assert (start.tensors, start.parameters) == (
            len(state.keys() - own),
            sum(given[name].numel() for name in state.keys() - own),
        )


def test_rows_of_one_network_take_over_everything(tiny_checkpoint: Path) -> None:
    checkpoint = load_checkpoint(tiny_checkpoint)
    rows = [*rows_of("offset-bound"), *rows_of("exemplars")]
    start = Start.of(checkpoint, rows)
    given = checkpoint.model.state_dict()
    assert (start.shared, start.identity) == (None, checkpoint.sha256)
    for row in rows:
        assert all(torch.equal(tensor, given[name]) for name, tensor in start.weights(row).items())


def test_a_start_of_other_widths_is_refused_and_one_that_favours_a_row_is_said(tiny_checkpoint: Path) -> None:
    checkpoint, rows = load_checkpoint(tiny_checkpoint), rows_of("alignment")
    wider = [dataclasses.replace(row, network=row.network.replace(tail_channels=8)) for row in rows]
    with pytest.raises(UsageError, match=r"cannot share a start: tiny has no .* of their shape"):
        Start.of(checkpoint, wider)
    for probabilities, favours in (([0.5, 0.5], True), ([1.0], False)):
        of = {"train_config": {"curriculum": {"slot_probabilities": probabilities}}}
        told = Start.of(dataclasses.replace(checkpoint, training=of), rows).told()
        assert any("favours rows of its own network" in line for line in told) == favours
        assert "those that all rows have" in told[0]


def test_the_command_says_and_keeps_what_rows_share_and_takes_no_run_of_another_start(
    call: Call, tiny_checkpoint: Path, make_people: MakePeople, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("ROUNDS", 1), ("STEPS", 1), ("WARM_UP", 0)):
        monkeypatch.setattr(budgets, name, value)
    monkeypatch.setattr(budgets, "step_seconds", lambda trainers, _: [0.03 for _ in trainers])
    started: dict[str, dict[str, Any]] = {}
    fit = Trainer.fit

    def noted(self: Trainer, **options: Any) -> None:
        started[self.name] = copy.deepcopy(self.model.state_dict())
        fit(self, **options)

    monkeypatch.setattr(Trainer, "fit", noted)
    people = make_people({"ann": 4, "bob": 4}, size=32, split="train")
    lines = ["split,target,ref1,ref2"]  # and there are three
    for split in ("val", "test"):
        make_people({f"{split}-a": 4, f"{split}-b": 4}, size=32, split=split)
        lines += [",".join([split, *(f"{split}/{split}-{who}/{i + 1:02}.png" for i in range(3))]) for who in "ab"]
    (people / "eval_list.csv").write_text("\n".join(lines) + "\n")
    widths = tmp_path / "tiny.json"
    widths.write_text(json.dumps(TINY.to_dict()))
    common = ("ablate", "aggregation", "--data", people, "--network", widths, "-o", tmp_path / "runs", "--seed", 7)
    command = (*common, "--minutes", 0.001, "--init", tiny_checkpoint)
    code, answer, log = call(*command, "--rows", "max,cofa")
    assert code == 0, log  # also with more exemplars than the network has slots
    assert "every row takes over 35 tensors (12,652 parameters) of tiny" in log
    max_, cofa = answer["tables"][0]["rows"][1:]
    assert (
        (max_["shared_tensors"], max_["shared_parameters"])
        == (35, 12652)
        == tuple(cofa[f"shared_{what}"] for what in ("tensors", "parameters"))
    )
    given = load_checkpoint(tiny_checkpoint).model.state_dict()
    assert {name for name in given if not torch.equal(started["hime"][name], given[name])} == {
        f"cofa.{part}.{kind}" for part in ("g1", "g2") for kind in ("weight", "bias")
    }
    assert all(torch.equal(tensor, given[name]) for name, tensor in started["max"].items())
    code, answer, _ = call("ablate", "alignment", *command[1:], "--rows", "cofa")
    assert (code, "beside other rows, which share other tensors" in answer["error"]) == (2, True)


def test_tables_about_fine_tuning_start_from_shipped_weights() -> None:
    for name in ("correlation-alone", "correlation-window"):
        assert load_checkpoint(load_table(name).init).model.config.to_dict()["scale"] == 8
    assert one_start([load_table("correlation-alone"), load_table("correlation-window")]) == "hime-small-x8"
    assert one_start([load_table("alignment")]) == ""
    with pytest.raises(UsageError, match="start at random and from hime-small-x8"):
        one_start([load_table("correlation"), load_table("correlation-window")])
    for row in rows_of("correlation"):
        if row.training.loss.weights.adv:
            assert row.training.discriminator_learning_rate > row.training.learning_rate, "else it stays at chance"


# Exemplars beyond the list's


def test_more_exemplars_are_other_photos_of_the_person_and_never_the_target(tmp_path: Path) -> None:
    folder = tmp_path / "ann"
    folder.mkdir()
    contents = {"1": b"target", "2": b"two", "3": b"target", "4": b"two", "5": b"five", "6": b"six", "7": b"five"}
    for name, content in contents.items():
        (folder / f"{name}.png").write_bytes(content)
    (folder / "notes.txt").write_bytes(b"no photo")
    pair = EvalPair("ann", folder / "1.png", (folder / "2.png",))
    assert with_more_exemplars(pair, 1) is pair
    assert [path.stem for path in with_more_exemplars(pair, 2).exemplars] == ["2", "5"]
    assert [path.stem for path in with_more_exemplars(pair, 9).exemplars] == ["2", "5", "6"]
