"""Equal minutes for an ablation's rows: how long a step takes, and which budget a run was given."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import TINY

pytest.importorskip("lightning_fabric", reason="training needs lightning-fabric: pip install 'edgesr[train]'")

from edgesr.ablations import budget as budgets
from edgesr.ablations.budget import Budget, described, read_budget, step_seconds
from edgesr.ablations.definitions import Row
from edgesr.data.batches import Curriculum
from edgesr.errors import InputOutputError, UsageError
from edgesr.training.config import TrainConfig


class Clocked:
    """A trainer whose steps take a given time on a clock of the test's own."""

    def __init__(self, clock: list[float], seconds: Callable[[int], float], pretraining_steps: int = 0) -> None:
        self.clock, self.seconds, self.step, self.pretraining_steps = clock, seconds, 0, pretraining_steps
        self.config = TrainConfig(steps=1000)
        self.fabric = type("Fabric", (), {"device": type("Device", (), {"type": "cpu"})})

    def train_step(self) -> None:
        self.clock[0] += self.seconds(self.step)
        self.step += 1


def test_a_steps_time_forgives_a_slow_start_and_a_disturbed_round(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(budgets.time, "process_time", lambda: clock[0])
    trainers: Any = [
        Clocked(clock, lambda step: 5.0 if step < budgets.WARM_UP else 0.1),
        Clocked(clock, lambda step: 9.0 if step in range(budgets.WARM_UP, budgets.WARM_UP + budgets.STEPS) else 0.4),
    ]
    assert step_seconds(trainers) == pytest.approx([0.1, 0.4])


def test_steps_of_what_is_learned_first_count_as_many_as_a_run_has_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(budgets.time, "process_time", lambda: clock[0])
    trainers: Any = [
        Clocked(clock, lambda step: 0.1 if step < 200 else 0.5, pretraining_steps=200),
        Clocked(clock, lambda _: 0.3),
    ]
    assert step_seconds(trainers) == pytest.approx([0.2 * 0.1 + 0.8 * 0.5, 0.3])


def row(**changes: Any) -> Row:
    training = TrainConfig(curriculum=Curriculum(slot_probabilities=(0, 1)))
    return dataclasses.replace(Row("one", "", 1, TINY, training), **changes)


def write_budget(run: Path, of: Row, minutes: float = 1.0) -> None:
    run.mkdir(exist_ok=True)
    budget = Budget(described(of), minutes, 0.5, 120, "cpu", "abc")
    (run / budgets.FILE).write_text(json.dumps(dataclasses.asdict(budget)))


def test_a_run_of_other_minutes_or_settings_is_refused(tmp_path: Path) -> None:
    run = tmp_path / "one"
    assert read_budget(run, row(), 1.0) is None
    write_budget(run, row())
    found = read_budget(run, row(), 1.0)
    assert found is not None
    assert found.steps == 120
    with pytest.raises(UsageError, match="trained for 1 minutes, not 2"):
        read_budget(run, row(), 2.0)
    for other in (row(exemplars=0), row(network=TINY.replace(alignment="warp")), row(training=TrainConfig(seed=1))):
        with pytest.raises(UsageError, match="with other settings"):
            read_budget(run, other, 1.0)
    (run / budgets.FILE).write_text("{")
    with pytest.raises(InputOutputError, match="cannot read"):
        read_budget(run, row(), 1.0)


def test_a_run_from_before_a_setting_existed_counts_as_having_its_default(tmp_path: Path) -> None:
    write_budget(tmp_path, row())
    stored = json.loads((tmp_path / budgets.FILE).read_text())
    del stored["row"]["training"]["degradation"], stored["row"]["training"]["curriculum"]["detail_drop"]
    (tmp_path / budgets.FILE).write_text(json.dumps(stored))
    assert read_budget(tmp_path, row(), 1.0) is not None
    other = row(training=dataclasses.replace(row().training, degradation="phone"))
    with pytest.raises(UsageError, match="with other settings"):
        read_budget(tmp_path, other, 1.0)
