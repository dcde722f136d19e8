"""Ablations: tables that hold together, and runs that are shared, resumed and reused."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TINY, Call

pytest.importorskip("lightning_fabric", reason="training needs lightning-fabric: pip install 'edgesr[train]'")

from edgesr.ablations import budget as budgets
from edgesr.ablations.budget import Budget, described
from edgesr.ablations.definitions import Row, load_row
from edgesr.ablations.report import TableReport, remarks, text
from edgesr.ablations.runs import Ablation, RowResult
from edgesr.ablations.tables import load_table, table_names
from edgesr.cli.ablate import measurable, one_network, show
from edgesr.data.faces import EvalPair
from edgesr.errors import UsageError
from edgesr.evaluation.methods import Evaluation
from edgesr.models import PRESETS, load_checkpoint
from edgesr.training.config import TrainConfig
from edgesr.training.setup import initial_weights, settings_for
from edgesr.training.trainer import Trainer

MINUTES = 0.002


def rows_of(table: str) -> dict[str, Row]:
    network = PRESETS[load_table(table).network]
    return {e.label: load_row(e.row, network, settings_for(network, {})) for e in load_table(table).entries}


# What is compared


@pytest.mark.parametrize("name", table_names())
def test_every_table_names_rows_that_differ_and_a_baseline_of_its_own(name: str) -> None:
    rows = rows_of(name)
    assert load_table(name).baseline in rows
    described_rows = [json.dumps(described(row), sort_keys=True) for row in rows.values()]
    assert len(set(described_rows)) == len(rows) > 1
    for row in rows.values():
        slots = row.training.curriculum.slot_probabilities
        assert [bool(p) for p in slots] == [n == row.exemplars for n in range(len(slots))]
        sizes = (16, 8) if "x16" in name else (8, 16)
        assert (row.network.scale, row.network.lr_size) == sizes


def test_exemplars_of_pwave_are_counted_to_five_by_both_ways_to_combine_them() -> None:
    """PWAve paper, Fig. 8."""
    for name in ("pwave-exemplars", "pwave-exemplars-x16"):
        rows = rows_of(name)
        found = {(row.exemplars, row.network.aggregation) for row in rows.values()}  # type: ignore[attr-defined]
        assert found == {(0, "pwave"), *((k, how) for k in range(1, 6) for how in ("pwave", "average"))}
        assert {row.training.betas for row in rows.values()} == {(0.0, 0.99)}
    with_critic = rows_of("pwave-critic")["with"].training.loss
    assert (with_critic.weights.adv, with_critic.gan, with_critic.discriminator.batch_norm) == (0.001, "wgan-gp", False)
    with pytest.raises(UsageError, match="tables of hime-small-x8 and pwave-x8"):
        one_network([load_table("alignment"), load_table("pwave-critic")])


def test_the_papers_tables_are_there() -> None:
    rows = rows_of("alignment")
    assert {label: row.network.alignment for label, row in rows.items()} == {
        "convolution": "convolution",
        "deformable": "deformable",
        "deformable-flow": "deformable",
    }
    large, same = rows["deformable-flow"], rows["deformable"].network.to_dict().items()
    assert large.network == PRESETS["hime-large-x8"]
    assert {name for name, value in same if large.network.to_dict()[name] != value} == {"offset_bound"}
    assert large.training.pretraining_share > 0, "its flow is learned first"
    assert {label: row.network.aggregation for label, row in rows_of("aggregation").items()} == {
        "average": "average",
        "max": "max",
        "cofa": "cofa",
    }
    assert [row.exemplars for row in rows_of("exemplars").values()] == [0, 1, 3]
    weights = {
        label: (row.training.loss.weights.cor, row.training.loss.weights.adv)
        for label, row in rows_of("correlation").items()
    }
    assert weights == {"rec": (0, 0), "rec-cor": (0.1, 0), "gan": (0, 0.1), "gan-cor": (0.1, 0.1)}
    assert [row.training.curriculum.flips for row in rows_of("chirality").values()] == ["none", "uneven", "even"]
    windows = {
        (row.training.loss.correlation_window, row.training.loss.weights.rec, row.training.loss.weights.cor)
        for name in ("correlation-alone", "correlation-window")
        for row in rows_of(name).values()
    }
    assert windows == {(k, *weights) for k in (1, 3, 5, 7, 9) for weights in ((0.0, 1.0), (1.0, 0.1))}
    assert "22.63 would fit" in remarks([TableReport(load_table("chirality"), {})], 1.0)[0]
    printed = {e.label: e.paper["psnr"] for e in load_table("exemplars").entries}
    assert printed == {"0": 23.84, "1": 24.35, "3": 24.54}
    assert rows["deformable"] == rows_of("aggregation")["cofa"] == rows_of("exemplars")["3"]


def test_a_field_that_does_not_exist_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgesr.ablations.tables.FOLDER", tmp_path)
    (tmp_path / "rows").mkdir()
    for text_, message in (
        ('about = "x"\nexemplars = 1\n[network]\nwidth = 3\n', "HIMEConfig has no width"),
        ('about = "x"\nexemplars = 1\n[loss.weights]\ncorr = 3\n', "LossWeights has no corr"),
        ('about = "x"\nexemplars = 1\nspeed = 2\n', "unknown speed"),
    ):
        (tmp_path / "rows" / "odd.toml").write_text(text_)
        with pytest.raises(UsageError, match=message):
            load_row("odd", TINY, TrainConfig())


# The table


def result(of: Row, gain: float) -> RowResult:
    people = [person for person in "abcdef" for _ in range(2)]
    bicubic = [20.0 + i % 3 for i in range(12)]
    scores = {
        "psnr": {
            "bicubic": bicubic,
            f"n={of.exemplars}": [v + gain + 0.01 * (i % 2) for i, v in enumerate(bicubic)],
            "wrong-person": [v + gain - 0.1 for v in bicubic],
        },
        "ssim": {name: [0.5] * 12 for name in ("bicubic", f"n={of.exemplars}", "wrong-person")},
    }
    budget = Budget(described(of), 8.0, 0.25, 1920, "cpu", "abc")
    return RowResult(of, budget, {split: Evaluation(people, scores) for split in ("val", "test")})


def test_rows_are_compared_on_the_same_targets_and_beside_the_paper() -> None:
    rows = rows_of("exemplars")
    report = TableReport(
        load_table("exemplars"), {r.name: result(r, g) for r, g in zip(rows.values(), (2, 2.5), strict=False)}
    )
    none, one, three = report.rows()
    figures = one["splits"]["test"]
    assert figures["over_bicubic"] == pytest.approx(2.505)
    assert figures["psnr_over_baseline"] == pytest.approx(0.5)
    assert figures["psnr_over_baseline_95"] == pytest.approx([0.5, 0.5])  # the same on every face
    assert figures["psnr_right_minus_wrong"] == pytest.approx(0.105)
    assert none["splits"]["test"]["psnr_over_baseline"] is None
    assert one["paper"]["over_baseline"] == pytest.approx(0.51)
    assert (three["finished"], "splits" in three) == (False, False)
    columns, lines = text(report)
    assert {len(line) for line in lines} == {len(columns)}
    assert lines[1][:2] == ["1", "1,920"]
    assert lines[2][:2] == ["3", "not trained"]
    assert [line[-3:] for line in lines] == [
        ["23.84", "0.7088", ""],
        ["24.35", "0.7318", "+0.51"],
        ["24.54", "0.7409", "+0.70"],
    ]
    assert "+0.500 [+0.500, +0.500]" in lines[1]


def test_a_difference_whose_interval_holds_0_is_said_to_be_within_it() -> None:
    none, one, _ = rows_of("exemplars").values()
    for gain, within in ((2, True), (2.5, False)):
        made = {"no-exemplars": result(none, 2), "one-exemplar": result(one, gain)}
        scores = made["one-exemplar"].splits["test"].scores["psnr"]["n=1"]
        scores[:] = [value + (0.3 if i % 4 < 2 else -0.3) for i, value in enumerate(scores)]
        report = TableReport(load_table("exemplars"), made)
        assert report.rows()[1]["splits"]["test"]["psnr_over_baseline_within"] is within
        assert report.rows()[0]["splits"]["test"]["psnr_over_baseline_within"] is None
        assert any(cell.endswith("within its interval") for cell in text(report)[1][1]) is within
        assert any("does not tell which row is better" in remark for remark in remarks([report], 1.0))


def test_a_table_in_markdown_has_its_own_remarks_alone(capsys: pytest.CaptureFixture[str]) -> None:
    tables = [load_table(name) for name in ("chirality", "pwave-critic")]
    show([TableReport(table, {}) for table in tables], 1.0, 0, markdown=True, as_json=False)
    printed = capsys.readouterr().out
    assert [printed.count(table.note) for table in tables] == [1, 1]
    show([TableReport(tables[0], {})] * 2, 1.0, 0, markdown=False, as_json=False)
    assert capsys.readouterr().out.count("22.63 would fit") == 1  # said once below tables that have it in common


def test_a_table_without_a_papers_figures_has_no_columns_for_them() -> None:
    columns, lines = text(TableReport(load_table("detail"), {}))
    assert not any("paper" in column for column in columns)
    assert {len(line) for line in lines} == {len(columns)}


# The command


@pytest.fixture
def ablate(call: Call, people_folder: Path, tmp_path: Path) -> Callable[..., tuple[int, dict[str, Any], str]]:
    """Runs ``edgesr ablate`` with a tiny network on the sample people, for a moment a row."""
    widths = tmp_path / "tiny.json"
    widths.write_text(json.dumps(TINY.to_dict()))

    def run(*arguments: object) -> tuple[int, dict[str, Any], str]:
        common = ("--data", people_folder, "--network", widths, "-o", tmp_path / "runs")
        return call("ablate", *common, *arguments)

    return run


def interrupt() -> None:
    raise KeyboardInterrupt


def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer steps are timed, and every row gets four."""
    monkeypatch.setattr(budgets, "ROUNDS", 1)
    monkeypatch.setattr(budgets, "STEPS", 1)
    monkeypatch.setattr(budgets, "WARM_UP", 0)
    monkeypatch.setattr(budgets, "step_seconds", lambda trainers, _: [MINUTES * 60 / 4 for _ in trainers])


def test_rows_are_trained_once_and_reused(ablate: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    small(monkeypatch)
    fitted: list[str] = []
    fit = Trainer.fit
    monkeypatch.setattr(Trainer, "fit", lambda self, **options: (fitted.append(self.name), fit(self, **options)))
    # Of the sample people everyone has one exemplar, so rows with three are not to be had.
    code, answer, log = ablate("exemplars", "--minutes", MINUTES, "--rows", "0,1")
    assert (code, fitted) == (0, ["no-exemplars", "one-exemplar"]), log
    assert answer["minutes"] == MINUTES
    none, one, three = answer["tables"][0]["rows"]
    assert [r["finished"] for r in (none, one, three)] == [True, True, False]
    assert {r["steps"] for r in (none, one)} == {4}
    assert set(one["splits"]) == {"val", "test"}
    assert one["splits"]["test"]["psnr_95"][0] <= one["splits"]["test"]["psnr"] <= one["splits"]["test"]["psnr_95"][1]
    assert one["splits"]["test"]["psnr_right_minus_wrong"] is not None
    assert "psnr_right_minus_wrong" not in none["splits"]["test"]
    for again in (("--rows", "one-exemplar"), ("--report",)):
        assert ablate("exemplars", "--minutes", MINUTES, *again)[1] == answer
    assert len(fitted) == 2
    code, answer, _ = ablate("exemplars", "--minutes", 1, "--rows", "1")
    assert (code, "not 1" in answer["error"]) == (2, True)


def test_an_interrupted_row_goes_on_with_the_steps_it_was_given(
    ablate: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(monkeypatch)
    step = Trainer.train_step
    monkeypatch.setattr(Trainer, "train_step", lambda self: interrupt() if self.step == 2 else step(self))
    code, _, _ = ablate("exemplars", "--minutes", MINUTES, "--rows", "1")
    assert code == 130
    run = tmp_path / "runs" / "one-exemplar"
    assert not (run / "result.json").exists()
    monkeypatch.setattr(Trainer, "train_step", step)
    # Whatever a step would take now, it was given its steps before.
    monkeypatch.setattr(budgets, "step_seconds", lambda trainers, _: [math.nan for _ in trainers])
    code, answer, log = ablate("exemplars", "--minutes", MINUTES, "--rows", "1")
    assert (code, answer["tables"][0]["rows"][1]["steps"]) == (0, 4), log
    assert "from step 2 to step 4" in log
    assert "ms of" not in log
    small(monkeypatch)
    again = ablate("exemplars", "--minutes", MINUTES, "--rows", "1", "-o", tmp_path / "whole")[1]
    assert (tmp_path / "whole" / "one-exemplar" / "result.json").exists()
    assert again["tables"][0]["rows"][1]["splits"] == answer["tables"][0]["rows"][1]["splits"]


def test_rows_start_from_the_weights_that_are_given_and_from_no_others(
    ablate: Callable[..., Any], tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(monkeypatch)
    started: list[dict[str, Any]] = []
    fit = Trainer.fit
    monkeypatch.setattr(
        Trainer,
        "fit",
        lambda self, **options: (started.append(copy.deepcopy(self.model.state_dict())), fit(self, **options)),
    )
    call = ("exemplars", "--minutes", MINUTES, "--rows", "0,1", "--init", tiny_checkpoint)
    code, answer, log = ablate(*call)
    assert code == 0, log
    wanted = load_checkpoint(tiny_checkpoint).model.state_dict()
    assert [all(torch.equal(state[k], wanted[k]) for k in wanted) for state in started] == [True, True]
    assert ablate(*call, "--report")[1] == answer
    code, answer, _ = ablate(*call[:-2])
    assert (code, "from other weights" in answer["error"]) == (2, True)


def test_another_bound_of_the_offsets_starts_from_the_same_weights_and_another_network_does_not(
    tiny_checkpoint: Path,
) -> None:
    start = load_checkpoint(tiny_checkpoint)
    given = initial_weights(start, start.model.config.replace(offset_bound=8.0))
    wanted = start.model.state_dict()
    assert given.keys() == wanted.keys()
    assert all(torch.equal(given[k], wanted[k]) for k in wanted)
    with pytest.raises(UsageError, match="another network"):
        initial_weights(start, start.model.config.replace(alignment="convolution"))


def test_a_row_that_nobody_has_the_photos_for_is_refused_before_it_trains(
    ablate: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(monkeypatch)
    code, answer, _ = ablate("offset-bound", "--minutes", MINUTES, "--rows", "8")
    assert (code, "evaluated with 3 exemplars" in answer["error"]) == (2, True), answer
    assert not (tmp_path / "runs" / "offset-bound-8").exists()


def test_of_a_whole_table_a_row_that_nobody_has_the_photos_for_is_left_out_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pair = EvalPair("ann", tmp_path / "01.png", (tmp_path / "02.png",))
    rows = list(rows_of("pwave-exemplars").values())
    ablation = Ablation(tmp_path, rows, 1.0, {"val": [pair], "test": [pair]}, lambda *_: {}, ["psnr"])
    assert {row.exemplars for row in measurable(ablation, rows)} == {0, 1}
    said = capsys.readouterr().err
    assert said.count("nobody in val has more than 1: the row is left out") == 8
    assert measurable(ablation, rows[-2:]) == rows[-2:], "a table of nothing else is refused where it would be trained"


def test_other_photos_are_noticed(ablate: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small(monkeypatch)
    assert ablate("exemplars", "--minutes", MINUTES, "--rows", "1")[0] == 0
    run = tmp_path / "runs" / "one-exemplar"
    (run / "result.json").unlink()
    stored = json.loads((run / budgets.FILE).read_text())
    (run / budgets.FILE).write_text(json.dumps(stored | {"photos": "others"}))
    code, answer, _ = ablate("exemplars", "--minutes", MINUTES, "--rows", "1")
    assert (code, "other photos" in answer["error"]) == (2, True)


def test_the_list_and_wrong_calls(ablate: Callable[..., Any], call: Call) -> None:
    code, answer, _ = call("ablate", "list")
    assert (code, {t["name"] for t in answer["tables"]}) == (0, set(table_names()))
    for arguments, what in (
        (["nothing"], "unknown table"),
        (["alignment", "--rows", "cofa"], "no row cofa"),
        (["alignment", "--markdown"], "exclude each other"),
    ):
        code, answer, _ = ablate(*arguments)
        assert (code, what in answer["error"]) == (2, True)
    code, answer, _ = call("ablate", "alignment")
    assert (code, "--data" in answer["error"]) == (2, True)
