"""Training with more than reconstruction: every term counts, is logged, and resumes exactly."""

from __future__ import annotations

import csv
import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from conftest import TINY, MakePeople
from torch import Tensor

from edgesr.data.batches import Curriculum
from edgesr.data.faces import FaceSet
from edgesr.errors import CheckpointError, UsageError
from edgesr.models import load_checkpoint
from edgesr.models.checkpoint import sha256_of

pytest.importorskip("lightning_fabric", reason="training needs lightning-fabric: pip install 'edgesr[train]'")

from edgesr.training.config import TrainConfig
from edgesr.training.losses import DiscriminatorConfig, LossConfig, LossFiles, LossWeights
from edgesr.training.trainer import Trainer

NETWORK = TINY.replace(lr_size=4)
LOSS = LossConfig(LossWeights(adv=0.1, per=0, cor=0.5), 3, discriminator=DiscriminatorConfig(16, 4, 6))
CONFIG = TrainConfig(
    steps=8,
    batch_size=2,
    learning_rate=1e-3,
    warmup_steps=3,
    precision="32-true",
    curriculum=Curriculum(0.2),
    loss=LOSS,
)
NewTrainer = Callable[..., Trainer]


@pytest.fixture
def new_trainer(tmp_path: Path, make_people: MakePeople) -> NewTrainer:
    faces = FaceSet.read(make_people({"ann": 3, "bob": 4}, size=16), None, 16)

    def new(run: str = "run", config: TrainConfig = CONFIG, **options: Any) -> Trainer:
        return Trainer(tmp_path / run, "tiny", NETWORK, config, faces, **options)

    return new


def state(trainer: Trainer) -> dict[str, Tensor]:
    return safetensors.torch.load_file(trainer.run / "state.safetensors")


@pytest.fixture
def embedder(tmp_path: Path) -> Path:
    """An ONNX face embedder with random weights: [1, 3, 8, 8] -> [1, 5]."""
    onnx = pytest.importorskip("onnx", reason="the identity loss needs onnx: pip install 'edgesr[onnx]'")
    weights = torch.randn(192, 5, generator=torch.Generator().manual_seed(0)).numpy()
    make = onnx.helper
    graph = make.make_graph(
        [make.make_node("Flatten", ["image"], ["flat"]), make.make_node("MatMul", ["flat", "w"], ["embedding"])],
        "embedder",
        [make.make_tensor_value_info("image", onnx.TensorProto.FLOAT, [1, 3, 8, 8])],
        [make.make_tensor_value_info("embedding", onnx.TensorProto.FLOAT, [1, 5])],
        [onnx.numpy_helper.from_array(weights, "w")],
    )
    path = tmp_path / "embedder.onnx"
    onnx.save(make.make_model(graph, opset_imports=[make.make_opsetid("", 17)]), path)
    return path


def test_a_resumed_gan_equals_an_uninterrupted_one_bit_for_bit(new_trainer: NewTrainer) -> None:
    through = new_trainer("through")
    through.fit()
    for steps in (1, 2, 5):
        part = new_trainer("parts")
        while part.step < steps:
            part.train_step()
        part.save()
        torch.manual_seed(steps)  # whatever else happens to the global random state
    last = new_trainer("parts")
    assert last.step == 5
    last.fit()
    assert {name.split(".")[0] for name in state(last)} == {
        *("model", "average", "adam", "discriminator", "discriminator_adam")
    }
    assert state(through).keys() == state(last).keys()
    for name, tensor in state(through).items():
        assert torch.equal(tensor, state(last)[name]), name


def test_the_discriminator_learns_and_the_terms_are_logged(new_trainer: NewTrainer) -> None:
    trainer = new_trainer(config=dataclasses.replace(CONFIG, steps=20))
    assert trainer.discriminator is not None
    before = {name: weight.clone() for name, weight in trainer.discriminator.state_dict().items()}
    trainer.fit()
    after = trainer.discriminator.state_dict()
    assert [name for name in before if torch.equal(before[name], after[name])] == []
    with (trainer.run / "log.csv").open() as stream:
        (row,) = csv.DictReader(stream)
    figures = {name: float(value) for name, value in row.items()}
    assert list(figures)[:6] == ["step", "loss", "rec", "adv", "cor", "discriminator"]
    expected = figures["rec"] + 0.1 * figures["adv"] + 0.5 * figures["cor"]
    assert math.isclose(figures["loss"], expected, abs_tol=1e-5)


def test_each_term_changes_what_is_learnt(new_trainer: NewTrainer) -> None:
    learnt = []
    for i, weights in enumerate((LossWeights(adv=0, per=0, cor=0), LossWeights(adv=0, per=0), LossWeights(per=0))):
        trainer = new_trainer(f"run{i}", dataclasses.replace(CONFIG, loss=dataclasses.replace(LOSS, weights=weights)))
        trainer.fit()
        learnt.append(trainer.averaged_model().state_dict()["reconstructor.up2.weight"])
    assert not torch.equal(learnt[0], learnt[1])
    assert not torch.equal(learnt[1], learnt[2])


def test_the_checkpoint_says_which_embedder_it_was_trained_with(new_trainer: NewTrainer, embedder: Path) -> None:
    loss = LossConfig(LossWeights(adv=0, per=0, cor=0, identity=0.2))
    trainer = new_trainer(config=dataclasses.replace(CONFIG, loss=loss), loss_files=LossFiles(embedder=embedder))
    trainer.fit(max_minutes=0)
    training = load_checkpoint(trainer.checkpoint).training
    assert training["loss_files"] == {"embedder": sha256_of(embedder)}
    assert training["train_config"]["loss"]["weights"]["identity"] == 0.2
    with pytest.raises(CheckpointError, match="holds another run"):
        new_trainer(config=CONFIG)


def test_a_loss_without_its_network_is_refused(new_trainer: NewTrainer) -> None:
    loss = LossConfig(LossWeights(adv=0, cor=0, per=0.1))
    with pytest.raises(UsageError, match="VGG-19"):
        new_trainer(config=dataclasses.replace(CONFIG, loss=loss))
