"""Trains and evaluates rows, each in a folder of its own; what is finished is reused, what was interrupted goes on."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from edgesr.ablations.budget import Budget, Track, check_photos, new_trainer, read_budget, set_budgets
from edgesr.ablations.definitions import Row
from edgesr.ablations.start import Start
from edgesr.data.faces import EvalPair, FaceSet
from edgesr.errors import InputOutputError, UsageError
from edgesr.evaluation.methods import Evaluation, Measure, Methods, measure_methods
from edgesr.files.atomic import file_aside
from edgesr.files.reading import read_json
from edgesr.models import load_checkpoint
from edgesr.runtime.torch import TorchRuntime
from edgesr.training.trainer import Trainer

FILE = "result.json"

Say = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class RowResult:
    """A trained row: what it got, and its figures on every split, image by image."""

    row: Row
    budget: Budget
    splits: dict[str, Evaluation]

    @property
    def method(self) -> str:
        """The row's own among the methods that were measured."""
        return f"n={self.row.exemplars}"


@dataclasses.dataclass(frozen=True)
class Ablation:
    """Rows at equal minutes in one folder, with what they are evaluated by."""

    folder: Path
    rows: Sequence[Row]
    minutes: float
    pairs: Mapping[str, Sequence[EvalPair]]
    """The pairs of each split, with the same targets and exemplars for every row."""
    measure: Measure
    metrics: Sequence[str]
    """What ``measure`` gives."""
    start: Start | None = None
    """What every row starts from, instead of at random."""

    def run(self, row: Row) -> Path:
        """The folder of a row."""
        return self.folder / row.name

    def result(self, row: Row) -> RowResult | None:
        """A finished row's figures; None where it is not finished, or where a split or metric is missing.

        Raises:
            UsageError: the folder holds a run of other minutes or settings.
            InputOutputError: a file of it is damaged.
        """
        budget = read_budget(self.run(row), row, self.minutes, self.start)
        path = self.run(row) / FILE
        if budget is None or not path.exists():
            return None
        try:
            stored = read_json(path, "remove it to evaluate anew")
            splits = {name: Evaluation(s["people"], s["scores"]) for name, s in stored["splits"].items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputOutputError(f"cannot read {path}: {error!r}", "remove it to evaluate anew") from error
        same = all(
            name in splits and splits[name].people == [pair.person for pair in pairs]
            for name, pairs in self.pairs.items()
        )
        if not same or any(not set(self.metrics) <= set(splits[name].scores) for name in self.pairs):
            return None
        return RowResult(row, budget, splits)

    def train(
        self,
        rows: Sequence[Row],
        read_faces: Callable[[], FaceSet],
        fit: Callable[[Trainer], object],
        say: Say,
        track: Track = iter,
    ) -> None:
        """Train and evaluate those of ``rows`` that are not finished; Ctrl-C at any moment loses nothing.

        ``fit`` trains to the end, or raises.

        Raises:
            UsageError: a row is evaluated with more exemplars than anybody of a split has.
        """
        left = [row for row in rows if self.result(row) is None]
        if not left:
            return
        for row in left:
            if lacking := self.lacking(row):
                raise UsageError(lacking, "give a folder of people with more photos each, or other --rows")
        faces = read_faces()
        budgets = {row.name: read_budget(self.run(row), row, self.minutes, self.start) for row in left}
        for row in left:
            budget = budgets[row.name]
            if budget is not None:
                check_photos(self.run(row), budget, faces)
        new = [(self.run(row), row) for row in left if budgets[row.name] is None]
        if new:
            for line in self.start.told() if self.start else ():
                say(line)
            say(f"timing a step of {', '.join(row.name for _, row in new)}")
            budgets |= set_budgets(new, self.minutes, faces, say, self.start, track)
        for row in left:
            budget = budgets[row.name]
            assert budget is not None
            trainer = new_trainer(self.run(row), row, faces, budget.steps, self.start)
            at = f"from step {trainer.step} " if trainer.step else ""
            say(f"{row.name} ({row.about}): {at}to step {budget.steps}")
            fit(trainer)
            say(f"{row.name}: evaluating on {' and '.join(self.pairs)}")
            self._evaluate(row, budget, trainer.checkpoint)

    def lacking(self, row: Row) -> str | None:
        """Why a row cannot be measured: nobody of a split has as many exemplars. None where somebody has."""
        for split, pairs in self.pairs.items():
            most = max(len(pair.exemplars) for pair in pairs)
            if most < row.exemplars:
                return f"{row.name} is evaluated with {row.exemplars} exemplars; nobody in {split} has more than {most}"
        return None

    def _evaluate(self, row: Row, budget: Budget, checkpoint: Path) -> None:
        runtime = TorchRuntime(load_checkpoint(checkpoint).model)
        slots = max(row.exemplars, runtime.interface.slots)  # a preset's are those of its bundles
        runtime.interface = dataclasses.replace(runtime.interface, slots=slots)
        splits = {}
        for name, pairs in self.pairs.items():
            methods = Methods(runtime, pairs, counts=(row.exemplars,))
            result = measure_methods(methods, pairs, measure=self.measure)
            measured = [method for method in result.psnr if result.images(method)]
            scores = {metric: {m: by[m] for m in measured} for metric, by in result.scores.items()}
            splits[name] = {"people": result.people, "scores": scores}
        with file_aside(self.run(row) / FILE) as aside:
            aside.write_text(json.dumps({"budget": dataclasses.asdict(budget), "splits": splits}) + "\n")
