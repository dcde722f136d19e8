"""Training: an interrupted run goes on as if nothing had happened, and nothing bad is ever saved."""

from __future__ import annotations

import csv
import errno
import math
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from conftest import TINY, MakePeople
from PIL import Image
from torch import Tensor

from edgesr.data.batches import Curriculum
from edgesr.data.faces import EvalPair, FaceSet
from edgesr.errors import CheckpointError, EdgesrError, InputOutputError
from edgesr.models import load_checkpoint
from edgesr.models.checkpoint import sha256_of

pytest.importorskip("lightning_fabric", reason="training needs lightning-fabric: pip install 'edgesr[train]'")

from edgesr.process import termination
from edgesr.process.termination import uninterrupted
from edgesr.training import sample_sheet
from edgesr.training.config import Progress, TrainConfig
from edgesr.training.losses import charbonnier, objective
from edgesr.training.state import recorded_precision
from edgesr.training.trainer import Trainer

NETWORK = TINY.replace(lr_size=4)
CONFIG = TrainConfig(
    steps=12, batch_size=2, learning_rate=1e-3, warmup_steps=3, precision="32-true", curriculum=Curriculum(0.2)
)

NewTrainer = Callable[..., Trainer]


@pytest.fixture
def faces(make_people: MakePeople) -> FaceSet:
    return FaceSet.read(make_people({"ann": 3, "bob": 4}, size=NETWORK.hr_size), None, NETWORK.hr_size)


@pytest.fixture
def new_trainer(tmp_path: Path, faces: FaceSet) -> NewTrainer:
    """Constructs a trainer on a run folder of this test; on the same folder again it resumes."""

    def new(run: str = "run", config: TrainConfig = CONFIG, network: Any = NETWORK, **options: Any) -> Trainer:
        return Trainer(tmp_path / run, "tiny", network, config, faces, **options)

    return new


def state(trainer: Trainer) -> dict[str, Tensor]:
    return safetensors.torch.load_file(trainer.run / "state.safetensors")


@pytest.mark.parametrize(
    ("can", "wanted"),
    [
        ({"avx2": True, "avx512_f": True}, "32-true"),
        ({"avx2": True, "avx512_bf16": True}, "bf16-mixed"),
        ({"amx_bf16": True}, "bf16-mixed"),
        ({"neon": True, "bf16": False}, "32-true"),
        ({"neon": True, "bf16": True}, "bf16-mixed"),
    ],
)
def test_bfloat16_is_the_default_where_the_cpu_has_it(
    can: dict[str, bool], wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: can)
    assert TrainConfig().precision == wanted
    assert TrainConfig(precision="bf16-mixed").precision == "bf16-mixed"


def test_a_run_goes_on_in_the_precision_that_it_began_with(new_trainer: NewTrainer, tmp_path: Path) -> None:
    trainer = new_trainer("run", TrainConfig(**{**vars(CONFIG), "precision": "bf16-mixed", "steps": 1}))
    trainer.fit()
    assert recorded_precision(trainer.run) == "bf16-mixed"
    assert recorded_precision(tmp_path / "nowhere") is None
    (tmp_path / "state.safetensors").write_bytes(b"damaged")
    assert recorded_precision(tmp_path) is None


def interrupt_after(trainer: Trainer, steps: int) -> None:
    """Ctrl-C right after the step."""
    train_step = trainer.train_step

    def step() -> Tensor:
        if trainer.step == steps:
            raise KeyboardInterrupt
        return train_step()

    trainer.train_step = step  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("precision", "interruptions"), [("32-true", [1]), ("32-true", [2, 3, 11]), ("bf16-mixed", [5])]
)
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(
    new_trainer: NewTrainer, precision: str, interruptions: list[int]
) -> None:
    config = TrainConfig(**{**vars(CONFIG), "precision": precision})
    through = new_trainer("through", config)
    through.fit()
    for steps in interruptions:
        part = new_trainer("parts", config)
        interrupt_after(part, steps)
        torch.manual_seed(steps)  # whatever else happens to the global random state
        with pytest.raises(KeyboardInterrupt):
            part.fit()
    last = new_trainer("parts", config)
    assert last.step == interruptions[-1]
    last.fit()
    assert last.step == config.steps
    assert state(through).keys() == state(last).keys()
    for name, tensor in state(through).items():
        assert torch.equal(tensor, state(last)[name]), name
    assert sha256_of(through.checkpoint / "model.safetensors") == sha256_of(last.checkpoint / "model.safetensors")


def test_training_changes_every_part_of_the_network(new_trainer: NewTrainer) -> None:
    trainer = new_trainer()
    before = {k: v.clone() for k, v in trainer.model.state_dict().items()}
    trainer.fit()
    assert [k for k, v in trainer.model.state_dict().items() if torch.equal(before[k], v)] == []


def test_the_checkpoint_holds_the_averaged_weights_and_what_made_them(new_trainer: NewTrainer) -> None:
    trainer = new_trainer(provenance={"data": "made up"})
    trainer.fit()
    loaded = load_checkpoint(trainer.checkpoint)
    assert loaded.model.config == NETWORK
    for name, tensor in loaded.model.state_dict().items():
        assert torch.equal(tensor, trainer.average[name].contiguous())
    assert loaded.training["step"] == 12
    assert loaded.training["data"] == "made up"
    assert loaded.training["train_config"]["batch_size"] == 2
    assert set(loaded.feature_scales) == {"f_ref", "g_ref"}
    assert all(scale > 0 for scale in loaded.feature_scales.values())
    assert sorted(path.name for path in trainer.run.iterdir()) == ["checkpoint", "state.safetensors"]


def test_a_run_starts_from_the_weights_it_is_given(new_trainer: NewTrainer) -> None:
    first = new_trainer("first")
    first.fit()
    init = load_checkpoint(first.checkpoint).model.state_dict()
    second = new_trainer("second", init=init)
    assert second.step == 0
    for name, tensor in second.model.state_dict().items():
        assert torch.equal(tensor, init[name])


def test_max_minutes_stops_and_saves(new_trainer: NewTrainer) -> None:
    trainer = new_trainer()
    trainer.fit(max_minutes=0)
    assert trainer.step == 1
    assert load_checkpoint(trainer.checkpoint).training["step"] == 1
    resumed = new_trainer()
    assert resumed.step == 1


def test_a_finished_run_does_nothing_more(new_trainer: NewTrainer) -> None:
    new_trainer().fit()
    again = new_trainer()
    before = state(again)
    again.fit()
    assert all(torch.equal(before[name], tensor) for name, tensor in state(again).items())


def test_progress_is_reported_logged_and_validated(new_trainer: NewTrainer, make_people: MakePeople) -> None:
    folder = make_people({"cat": 3, "dan": 3}, size=NETWORK.hr_size, name="val")
    pairs = [
        EvalPair(person.name, photos[0], tuple(photos[1:]))
        for person in sorted(folder.iterdir())
        for photos in [sorted(person.iterdir())]
    ]
    seen: list[Progress] = []
    trainer = new_trainer(config=TrainConfig(**{**vars(CONFIG), "steps": 40}))
    trainer.fit(validation=pairs, validate_every=20, on_step=seen.append)
    assert [progress.step for progress in seen] == [20, 40]
    assert all(math.isfinite(progress.loss) and progress.samples_per_second > 0 for progress in seen)
    for progress in seen:
        assert progress.validation is not None
        assert {"bicubic", "n=0", "n=1", "wrong-person", "target-as-exemplar"} <= set(progress.validation)
        assert progress.validation["right-minus-wrong-low"] <= progress.validation["right-minus-wrong"]
    with (trainer.run / "log.csv").open() as stream:
        assert [row["step"] for row in csv.DictReader(stream)] == ["20", "40"]
    with (trainer.run / "validation.csv").open() as stream:
        assert len(list(csv.DictReader(stream))) == 2
    assert sorted(path.name for path in (trainer.run / "samples").iterdir()) == ["step-000020.png", "step-000040.png"]
    columns, rows = 5, 2  # exemplar, LR, bicubic, SR, original; a person a row
    width, height = Image.open(trainer.run / "samples" / "step-000040.png").size
    assert width > columns * sample_sheet.SIDE
    assert height > rows * sample_sheet.SIDE


def test_the_same_figures_are_there_for_tensorboard(new_trainer: NewTrainer) -> None:
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator", reason="no tensorboard")
    trainer = new_trainer(config=TrainConfig(**{**vars(CONFIG), "steps": 40}))
    trainer.fit()
    read = events.EventAccumulator(str(trainer.run / "tensorboard"))
    read.Reload()
    with (trainer.run / "log.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    scalars = read.Scalars("log/loss")
    assert [event.step for event in scalars] == [20, 40]
    assert [event.value for event in scalars] == pytest.approx([float(row["loss"]) for row in rows], abs=1e-5)


def test_without_tensorboard_there_is_the_csv(new_trainer: NewTrainer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    trainer = new_trainer(config=TrainConfig(**{**vars(CONFIG), "steps": 20}))
    trainer.fit()
    assert (trainer.run / "log.csv").is_file()
    assert not (trainer.run / "tensorboard").exists()


def test_the_learning_rate_warms_up_and_falls_to_zero(new_trainer: NewTrainer) -> None:
    trainer = new_trainer(config=TrainConfig(**{**vars(CONFIG), "steps": 100, "warmup_steps": 10}))
    rates = [trainer.learning_rate(step) for step in range(101)]
    assert rates[0] == pytest.approx(1e-4)
    assert rates.index(max(rates)) == 9
    assert max(rates) <= 1e-3
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[100] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize(("steps", "when"), [(40, 19), (12, 11), (12, 6)], ids=["logged", "last step", "between logs"])
def test_a_loss_that_is_not_finite_is_an_error_and_is_never_saved(
    new_trainer: NewTrainer, monkeypatch: pytest.MonkeyPatch, bad: float, steps: int, when: int
) -> None:
    config = TrainConfig(**{**vars(CONFIG), "steps": steps})
    good = new_trainer(config=config)
    good.fit(max_minutes=0)
    before = state(good), sha256_of(good.checkpoint / "model.safetensors")
    diverging = new_trainer(config=config)

    def loss(sr: Tensor, hr: Tensor, epsilon: float) -> Tensor:
        return charbonnier(sr, hr, epsilon) * (bad if diverging.step >= when else 1)

    monkeypatch.setattr(objective, "charbonnier", loss)
    with pytest.raises(EdgesrError, match=r"(loss is|not finite).*lower --learning-rate.*holds the last good state"):
        diverging.fit()
    assert all(torch.equal(before[0][name], tensor) for name, tensor in state(good).items())
    assert sha256_of(good.checkpoint / "model.safetensors") == before[1]
    assert new_trainer(config=config).step == 1


def test_diverging_before_the_first_save_leaves_no_state(
    new_trainer: NewTrainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objective, "charbonnier", lambda sr, hr, epsilon: (sr - hr).sum() * math.nan)
    trainer = new_trainer()
    with pytest.raises(EdgesrError) as failure:
        trainer.fit()
    assert "last good state" not in str(failure.value)
    assert not (trainer.run / "state.safetensors").exists()


def fails_to_write(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_keeps_the_state_before(new_trainer: NewTrainer, monkeypatch: pytest.MonkeyPatch) -> None:
    first = new_trainer()
    first.fit(max_minutes=0)
    with monkeypatch.context() as full:
        full.setattr(Path, "write_bytes", fails_to_write)
        with pytest.raises(InputOutputError, match=r"cannot write .*No space left.*free some space"):
            new_trainer().fit()
    resumed = new_trainer()
    assert resumed.step == 1
    assert load_checkpoint(resumed.checkpoint).training["step"] == 1
    assert not list(resumed.run.glob(".edgesr-*"))


def test_a_folder_that_cannot_be_written_is_an_error_with_a_name(new_trainer: NewTrainer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputOutputError, match=r"cannot write .*file/run"):
        new_trainer("file/run").fit()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("learning_rate", r"learning_rate \(there 0\.001, here 0\.002\)"),
        ("steps", r"steps \(there 12, here 13\)"),
        ("seed", r"seed \(there 0, here 1\)"),
        ("curriculum", r"curriculum\.copy_share \(there 0\.2, here 0\.3\)"),
        ("degradation", r"degradation \(there the default, here phone-1\)"),
        ("network", r"network\.tail_channels \(there 4, here 5\)"),
    ],
)
def test_a_run_with_other_settings_is_not_resumed_and_they_are_named(
    new_trainer: NewTrainer, change: str, named: str
) -> None:
    new_trainer().fit(max_minutes=0)
    other: dict[str, Any] = {
        "learning_rate": 2e-3,
        "steps": 13,
        "seed": 1,
        "curriculum": Curriculum(0.3),
        "degradation": "phone-1",
    }
    config = TrainConfig(**{**vars(CONFIG), **{k: v for k, v in other.items() if k == change}})
    network = NETWORK.replace(tail_channels=5) if change == "network" else NETWORK
    with pytest.raises(CheckpointError, match=f"holds another run: {named} \\("):
        new_trainer(config=config, network=network)


def test_a_damaged_state_is_refused_by_name(new_trainer: NewTrainer) -> None:
    trainer = new_trainer()
    trainer.fit(max_minutes=0)
    path = trainer.run / "state.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match=r"cannot read .*state\.safetensors"):
        new_trainer()


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_waits_for_the_end_of_a_step(sent: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    done = []
    monkeypatch.setattr(termination, "_last", 0.0)
    before = signal.signal(signal.SIGTERM, termination._raise)

    def step() -> None:
        with uninterrupted():
            signal.raise_signal(sent)
            done.append(True)

    with pytest.raises(KeyboardInterrupt):
        step()
    assert done
    termination._last = 0.0
    with pytest.raises(KeyboardInterrupt):  # as before, outside
        signal.raise_signal(sent)
    signal.signal(signal.SIGTERM, before)


def test_an_error_within_an_uninterrupted_block_is_not_lost() -> None:
    with pytest.raises(ValueError, match="mine"), uninterrupted():
        raise ValueError("mine")
