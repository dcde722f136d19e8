"""``edgesr.train_network``: from a folder of people to a checkpoint."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from edgesr.data.faces import EvalPair
from edgesr.errors import InputOutputError, UsageError
from edgesr.files.claims import claimed
from edgesr.models import load_checkpoint
from edgesr.models.description import NAMES, is_name
from edgesr.training.config import Progress, TrainConfig
from edgesr.training.losses import LossFiles
from edgesr.training.processes import is_lead
from edgesr.training.setup import initial_weights, network_config, pretraining_steps, read_training_data, settings_for
from edgesr.training.state import recorded_precision
from edgesr.training.trainer import NO_FILES, Trainer

Report = Callable[[str], None]
Track = Callable[[Sequence[Any], str], Iterator[Any]]


@dataclasses.dataclass(frozen=True)
class TrainedNetwork:
    """What a run has come to when it stops."""

    checkpoint: Path
    """Folder of the averaged weights so far, which ``edgesr.load`` takes."""
    step: int
    steps: int
    validation: dict[str, float]
    """The last validation's PSNR in dB by method; empty where nothing was validated."""

    @property
    def done(self) -> bool:
        """Whether the run came to its last step; otherwise the same call goes on from here."""
        return self.step >= self.steps


@dataclasses.dataclass(frozen=True)
class Run:
    """A run that is ready to go on, from its first step or from where it stopped."""

    trainer: Trainer
    validation: list[EvalPair] | None
    """What is validated on; None: nothing."""


def train_network(
    data: str | Path,
    run: str | Path | None = None,
    config: TrainConfig | None = None,
    *,
    network: str | Path = "hime-small-x4",
    name: str | None = None,
    init: str | Path | None = None,
    split: str = "train",
    validation_split: str | None = None,
    validation_people: int = 0,
    loss_files: LossFiles = NO_FILES,
    max_minutes: float | None = None,
    validate_every: int = 1000,
    report: Report = lambda _: None,
    track: Track = lambda items, _: iter(items),
    on_step: Callable[[Progress], None] = lambda _: None,
) -> TrainedNetwork:
    """Train a network on a folder of people, or go on with a run that was stopped.

    The run's folder holds ``checkpoint/`` with the averaged weights so far, the state to go on from, logs and samples.
    The same call again goes on where the run stopped (Ctrl-C, ``max_minutes``, a power cut), exactly.

    Args:
        data: a folder with one sub-folder of aligned photos a person, or what ``edgesr data prepare`` made.
        run: the run's folder; by default ``runs/<network>``.
        config: steps, batch size, learning rate, curriculum, losses; by default the network's own.
        network: a preset's name, or a JSON file with the widths.
        name: of the checkpoint; by default the network's.
        init: a checkpoint to start from: of the same widths, with the same scale or twice that, or of a narrower or
            shallower network; by default at random.
        split: to train on, where ``data`` has splits.
        validation_split: of ``eval_list.csv``; by default ``val`` where there is one.
        validation_people: hold so many people out instead, always the same ones.
        loss_files: weights that losses of ``config`` need.
        max_minutes: stop and save after so long.
        validate_every: in steps; each validation writes a checkpoint and a sheet of samples.
        report: is told of whatever the caller should know, a sentence at a time.
        track: wraps the photos as they are read, ``(items, what)``, to show how far it is.
        on_step: is told the loss and the rate every 20 steps, and what a validation measured.

    Thread safety: one training at a time in a process: it seeds PyTorch's generator, which is the process's, and on a
    CPU has glibc keep the memory that the process frees. A second run in the same folder is refused.

    Raises:
        UsageError: an unknown network or split, too few people, another network in ``init``, or settings that differ
            from those the run was begun with.
        InputOutputError: photos are missing, unreadable or of another size, or the run's folder cannot be written.
        EdgesrError: the loss is no longer finite; the state saved last is from before that.
    """
    folder = run_folder(run, network)
    with claimed(folder):
        prepared = prepare_run(
            data,
            folder,
            config,
            network=network,
            name=name,
            init=init,
            split=split,
            validation_split=validation_split,
            validation_people=validation_people,
            loss_files=loss_files,
            report=report,
            track=track,
        )
        trainer, last = prepared.trainer, dict[str, float]()

        def stepped(at: Progress) -> None:
            last.update(at.validation or {})
            on_step(at)

        trainer.fit(
            validation=prepared.validation,
            validate_every=validate_every,
            max_minutes=max_minutes,
            on_step=stepped,
        )
    return TrainedNetwork(trainer.checkpoint, trainer.step, trainer.config.steps, last)


def prepare_run(
    data: str | Path,
    run: Path,
    config: TrainConfig | None = None,
    *,
    network: str | Path = "hime-small-x4",
    name: str | None = None,
    init: str | Path | None = None,
    split: str = "train",
    validation_split: str | None = None,
    validation_people: int = 0,
    loss_files: LossFiles = NO_FILES,
    report: Report = lambda _: None,
    track: Track = lambda items, _: iter(items),
) -> Run:
    """Read the photos and build the trainer. Arguments and errors are those of ``train_network``.

    The caller has claimed ``run``. Under ``torchrun`` every process calls this, and the first one alone reports.
    """
    lead, folder = is_lead(), Path(data)
    say: Report = report if lead else lambda _: None
    widths, label = network_config(str(network))
    if not is_name(name or label):
        raise UsageError(f"a network cannot be called {name or label!r:.60}", f"a name is {NAMES}")
    if run.exists() and not run.is_dir():
        raise InputOutputError(f"{run} is no folder", "a run is a folder: choose another --output")
    start = load_checkpoint(init) if init is not None else None
    initial = initial_weights(start, widths) if start else None
    if start and start.model.config.scale != widths.scale:
        say(f"{start.name} has twice the scale: starting from its halved form")
    if start and start.model.config.slots > widths.slots:
        more = start.model.config.slots
        say(f"note: {start.name} has {more} slots, this one {widths.slots}; convert --slots {more} gives as many")
    if start and name is None and start.name != label:
        say(f"note: the checkpoint is called {label}; --name {start.name} keeps the name of what it starts from")
    began = start.model.config if start else None
    settings = config or settings_for(widths, {"precision": recorded_precision(run)}, began)
    pretraining_steps(name or label, widths, settings)  # a mistake is not found after minutes of reading
    say(f"reading photos from {folder}")
    photos = read_training_data(
        folder,
        widths.hr_size,
        split,
        validation_split,
        validation_people,
        (lambda paths: track(paths, "reading photos")) if lead else iter,
        settings.least_photos,
    )
    if photos.note:
        say(f"note: {photos.note}")
    faces = photos.faces
    came_of = {
        "photos": len(faces),
        "people": len(faces.names),
        "initialised_from": start.name if start else None,
    }
    trainer = Trainer(
        run,
        name or label,
        widths,
        settings,
        faces,
        init=initial,
        teacher=start.model if start else None,
        loss_files=loss_files,
        provenance=came_of,
    )
    at = f"resuming at step {trainer.step}" if trainer.step else "starting"
    if trainer.step >= settings.steps:
        at = f"finished already, at step {trainer.step} (to train on: --init {trainer.checkpoint} and another --output)"
    # A network that starts from another is trained for what that one was, which nobody may have asked for.
    say(f"{len(faces)} photos of {len(faces.names)} people, LR faces by {settings.degradation}; {at}")
    return Run(trainer, photos.validation)


def run_folder(run: str | Path | None, network: str | Path) -> Path:
    """The folder of a run: ``run``, or the one of its network's name.

    Raises:
        UsageError: an unknown network.
    """
    return Path(run) if run is not None else Path("runs") / network_config(str(network))[1]
