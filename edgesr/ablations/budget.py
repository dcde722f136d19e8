"""Equal minutes on a machine that others use too: each row's step is timed, and its steps are counted from that.

A row that is given minutes of the clock gets fewer steps while others compute. So every row takes some steps before
it starts, in turns with the other rows, so that all meet the same neighbours; they are timed in CPU seconds of this
process (of the clock where a GPU does the work); and minutes / seconds a step is the number of steps of its run. That
number is kept in the run's folder: the learning rate and the curriculum fit it, and a resumed run is exact.
"""

from __future__ import annotations

import dataclasses
import json
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch

from edgesr.ablations.definitions import Row
from edgesr.ablations.start import Start
from edgesr.data.faces import FaceSet
from edgesr.errors import InputOutputError, UsageError
from edgesr.files.atomic import file_aside
from edgesr.files.leftovers import work_folder
from edgesr.files.reading import read_json
from edgesr.training.config import TrainConfig
from edgesr.training.state import digest
from edgesr.training.trainer import Trainer

Track = Callable[[Sequence[Trainer]], Iterable[Trainer]]
"""Iterates, and may show how far it is."""
FILE = "budget.json"
WARM_UP, ROUNDS, STEPS = 3, 5, 8
"""Steps that are not timed; then rounds of timed steps, of whose means the median counts."""


@dataclasses.dataclass(frozen=True)
class Budget:
    """What one run gets, and what it must agree on to be compared or resumed."""

    row: dict[str, Any]
    """The row's configuration, without the steps."""
    minutes: float
    step_seconds: float
    steps: int
    clock: str
    """``cpu``: seconds of the process, over all threads; ``wall``: where a GPU does the work."""
    photos: str
    """Digest of the training photos."""
    start: str = ""
    """SHA-256 of the weights that the rows start from, and which tensors of them, where not all; empty where they start
    at random."""
    shared_tensors: int = 0
    """Of a start that rows of different networks share: how many tensors each took over."""
    shared_parameters: int = 0
    """How many numbers those hold."""


def described(row: Row) -> dict[str, Any]:
    """A row as JSON holds it, without what the budget sets."""
    training = dataclasses.asdict(row.training)
    del training["steps"]
    fields = {"exemplars": row.exemplars, "network": row.network.to_dict(), "training": training}
    return json.loads(json.dumps(fields))  # tuples become lists, as they will be read


def read_budget(run: Path, row: Row, minutes: float, start: Start | None = None) -> Budget | None:
    """What the run got when it was begun; None where it was not.

    Raises:
        UsageError: the folder holds a run of other minutes, settings or initial weights.
        InputOutputError: its file is damaged.
    """
    path = run / FILE
    if not path.exists():
        return None
    hint = f"remove {run} to train this row anew"
    try:
        budget = Budget(**read_json(path, hint))
    except TypeError as error:
        raise InputOutputError(f"cannot read {path}: {error}", hint) from error
    what = ""
    if budget.minutes != minutes:
        what = f"for {budget.minutes:g} minutes, not {minutes:g}"
    elif budget.start != (start.identity if start else ""):
        what = "from other weights, or beside other rows, which share other tensors"
    elif not _agree(budget.row, described(row), _defaults(row)):
        what = "with other settings"
    if what:
        raise UsageError(f"{run} was trained {what}", "rows are comparable at equal ones: choose another --output")
    return budget


def _defaults(row: Row) -> dict[str, Any]:
    training = json.loads(json.dumps(dataclasses.asdict(TrainConfig())))
    return {"network": type(row.network)().to_dict(), "training": training}


def _agree(theirs: Any, ours: Any, default: Any) -> bool:
    """Whether two descriptions are the same; a setting that one of them is too old to have is at its default."""
    if not isinstance(ours, dict) or not isinstance(theirs, dict):
        return bool(theirs == ours)
    return set(theirs) <= set(ours) and all(
        _agree(theirs[key], value, default.get(key, {}) if isinstance(default, dict) else None)
        if key in theirs
        else isinstance(default, dict) and key in default and value == default[key]
        for key, value in ours.items()
    )


def check_photos(run: Path, budget: Budget, faces: FaceSet) -> None:
    """Raises UsageError where a run was made with other photos."""
    if budget.photos != photos_digest(faces):
        raise UsageError(f"{run} was trained with other photos", "choose another --output")


def photos_digest(faces: FaceSet) -> str:
    """What distinguishes training sets."""
    return digest({"photos": faces.images}, faces.names)


def set_budgets(
    runs: Sequence[tuple[Path, Row]],
    minutes: float,
    faces: FaceSet,
    say: Callable[[str], None],
    start: Start | None = None,
    track: Track = iter,
) -> dict[str, Budget]:
    """Time every row, and keep in its run's folder what it gets."""
    photos = photos_digest(faces)
    with work_folder("ablate") as scratch:
        trainers = [new_trainer(scratch / row.name, row, faces, 100_000, start) for _, row in runs]
        seconds = step_seconds(trainers, track)
        clock = "cpu" if on_cpu(trainers[0]) else "wall"
    budgets = {}
    for (run, row), each in zip(runs, seconds, strict=True):
        steps = max(1, round(minutes * 60 / each))
        shared = (start.identity, start.tensors, start.parameters) if start else ()
        budget = Budget(described(row), minutes, each, steps, clock, photos, *shared)
        with file_aside(run / FILE) as aside:
            aside.write_text(json.dumps(dataclasses.asdict(budget), indent=2) + "\n")
        say(f"{row.name}: {each * 1000:.0f} ms of {clock} time a step, so {minutes:g} minutes are {steps} steps")
        budgets[row.name] = budget
    return budgets


def step_seconds(trainers: Sequence[Trainer], track: Track = iter) -> list[float]:
    """Seconds that a step of each takes, on average over its run, timed in turns.

    A network that learns something else first takes other steps there (a HIME-large that learns its flow, a sixth of
    the others' time): both are timed, and count as many as its run has of each.
    """
    for trainer in trainers:
        trainer.step = trainer.pretraining_steps
    seconds = _in_turns(trainers, track)
    pretrained = [i for i, trainer in enumerate(trainers) if trainer.pretraining_steps]
    for i in pretrained:
        trainers[i].step = 0
    for i, first in zip(pretrained, _in_turns([trainers[i] for i in pretrained], track), strict=True):
        share = trainers[i].pretraining_steps / trainers[i].config.steps
        seconds[i] = share * first + (1 - share) * seconds[i]
    return seconds


def _in_turns(trainers: Sequence[Trainer], track: Track) -> list[float]:
    times = []
    for i, trainer in enumerate(track([*trainers] * (1 + ROUNDS))):
        warm = i < len(trainers)
        times.append(_time_steps(trainer, WARM_UP if warm else STEPS))
    return [statistics.median(times[len(trainers) + i :: len(trainers)]) for i in range(len(trainers))]


def new_trainer(run: Path, row: Row, faces: FaceSet, steps: int, start: Start | None = None) -> Trainer:
    """The run of a row, from the weights of ``start``; on the folder of an interrupted one it goes on.

    Raises:
        UsageError: ``start`` is another network than the row's.
    """
    init = start.weights(row) if start else None
    return Trainer(run, row.name, row.network, dataclasses.replace(row.training, steps=steps), faces, init=init)


def on_cpu(trainer: Trainer) -> bool:
    """Whether this process itself does the work."""
    return trainer.fabric.device.type == "cpu"


def _time_steps(trainer: Trainer, steps: int) -> float:
    """Mean seconds of some steps."""
    cpu = on_cpu(trainer)
    clock = time.process_time if cpu else time.perf_counter
    if not cpu:
        torch.accelerator.synchronize()
    start = clock()
    for _ in range(steps):
        trainer.train_step()
    if not cpu:
        torch.accelerator.synchronize()
    return (clock() - start) / steps
