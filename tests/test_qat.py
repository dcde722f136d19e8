"""Quantization-aware training: its network is the deployed one, a resumed run is the same run, NaN is never kept."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from conftest import TINY, MakePeople, lively
from torch import Tensor

pytest.importorskip("torchao", reason="quantization needs torchao: pip install 'edgesr[executorch]'")
pytest.importorskip("lightning_fabric", reason="training needs lightning-fabric: pip install 'edgesr[train]'")

from edgesr.data.faces import FaceSet
from edgesr.deployment.graphs import deployed_graphs
from edgesr.errors import CheckpointError, EdgesrError, UsageError
from edgesr.layers.bicubic import bicubic_upsample
from edgesr.models import Checkpoint, load_checkpoint, save_checkpoint
from edgesr.models.checkpoint import sha256_of
from edgesr.models.hime.deployed import RestoreGraph, graphs
from edgesr.models.hime.training_graphs import CONVOLUTIONS, TrainingGraphs, bring_home
from edgesr.quantize import qat
from edgesr.quantize.graphs import quantization_of, quantize_graphs
from edgesr.quantize.network import QATNetwork
from edgesr.quantize.ptq import calibrate, calibration_faces
from edgesr.quantize.qat import FROZEN_FROM, QATTrainer, qat_config
from edgesr.quantize.recipe import EVERYTHING
from edgesr.quantize.scheme import Quantization
from edgesr.training.config import TrainConfig

NETWORK = TINY.replace(lr_size=4, reconstruction_blocks=1)
CONFIG = qat_config(steps=6, batch_size=2, learning_rate=1e-3)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    folder = tmp_path_factory.mktemp("qat") / "tiny"
    scales = {"f_ref": 0.1, "g_ref": 0.1}
    save_checkpoint(folder, "tiny", lively(NETWORK), training={"photos": 7}, feature_scales=scales)
    return load_checkpoint(folder)


@pytest.fixture
def folder(make_people: MakePeople) -> Path:
    return make_people({"ann": 3, "bob": 4}, size=NETWORK.hr_size)


@pytest.fixture
def quantization(source: Checkpoint, folder: Path) -> Quantization:
    return calibrate(source, calibration_faces(folder, None, NETWORK.hr_size, NETWORK.slots, 2))


NewTrainer = Callable[..., QATTrainer]


@pytest.fixture
def new_trainer(tmp_path: Path, folder: Path, source: Checkpoint, quantization: Quantization) -> NewTrainer:
    faces = FaceSet.read(folder, None, NETWORK.hr_size)

    def new(run: str = "run", config: TrainConfig = CONFIG) -> QATTrainer:
        return QATTrainer(tmp_path / run, "tiny-int8", source, quantization, config, faces)

    return new


def state(trainer: QATTrainer) -> dict[str, Tensor]:
    return safetensors.torch.load_file(trainer.run / "state.safetensors")


@pytest.mark.parametrize("slots", [0, 1, 2])
def test_the_network_in_training_is_the_quantized_graph(
    source: Checkpoint, quantization: Quantization, slots: int
) -> None:
    """Before a step, faces in a batch come out as the deployed int8 graphs restore them one by one."""
    torch.manual_seed(0)
    lr, photos = torch.rand(2, 3, 4, 4), torch.rand(2, slots, 3, 16, 16)
    network = QATNetwork(copy.deepcopy(source.model), quantization).eval()
    with torch.no_grad():
        sr, _ = network(lr, photos, torch.ones(2, slots))
    graphs = quantize_graphs(deployed_graphs(source.model, "grid_sample"), quantization)
    for i in range(2):
        features = torch.zeros(graphs.shapes["features"])
        for k in range(slots):
            features[k] = graphs.encode(photos[i, k][None])[0]
        valid = torch.tensor([float(k < slots) for k in range(NETWORK.slots)])
        wanted, _ = graphs.restore(lr[i][None], features, valid)
        # Where a value lies between two steps, rounding in another order of sums takes the other one.
        assert float((sr[i] - wanted[0]).abs().median()) < 1e-5
        assert float((sr[i] - wanted[0]).square().mean()) < 1e-4


def test_the_restorer_of_a_batch_is_the_network(source: Checkpoint) -> None:
    torch.manual_seed(0)
    lr, photos, valid = torch.rand(3, 3, 4, 4), torch.rand(3, 2, 3, 16, 16), torch.tensor([[1.0, 1], [1, 0], [0, 0]])
    model: Any = source.model
    with torch.no_grad():
        wanted, weights = model(lr, photos, valid)
        graph = RestoreGraph(model, NETWORK, "grid_sample", "matmul", 3)
        residual, got = graph(lr, model.encode(photos.flatten(0, 1)), valid)
    torch.testing.assert_close(residual + bicubic_upsample(lr, 4), wanted, atol=1e-5, rtol=0)
    torch.testing.assert_close(got, weights, atol=1e-6, rtol=0)


@pytest.mark.parametrize("slots", [0, 1, 2])
def test_the_restorer_of_a_batch_is_the_deployed_one_of_each_face(source: Checkpoint, slots: int) -> None:
    torch.manual_seed(0)
    model: Any = source.model
    lr, features = torch.rand(3, 3, 4, 4), torch.randn(3, slots, NETWORK.feature_channels, 4, 4)
    deployed = graphs(model, NETWORK, "grid_sample", "matmul")[1]
    graph = RestoreGraph(model, NETWORK.replace(slots=max(slots, 1)), "grid_sample", "matmul", 3)
    with torch.no_grad():
        residual, weights = graph(lr, features.flatten(0, 1), torch.ones(3, slots)) if slots else graph(lr)
        for i in range(3):
            filled = torch.zeros(NETWORK.slots, *features.shape[2:])
            filled[:slots] = features[i]
            wanted, own = deployed(lr[i : i + 1], filled, (torch.arange(NETWORK.slots) < slots).float())
            sr = residual[i] + bicubic_upsample(lr[i : i + 1], 4)[0]
            torch.testing.assert_close(sr, wanted[0], atol=1e-5, rtol=0)
            torch.testing.assert_close(weights[i], own[:slots], atol=1e-6, rtol=0)


def test_convolutions_come_home_from_the_deployed_form(source: Checkpoint) -> None:
    model = copy.deepcopy(source.model)
    form = TrainingGraphs(model)  # type: ignore[arg-type]
    convolutions = {name: dict(getattr(form, name).state_dict()) for name in CONVOLUTIONS}
    blank = lively(NETWORK, seed=1)
    shared = {k: v for k, v in model.state_dict().items() if not k.startswith(("rfa.offset.", "rfa.deform."))}
    blank.load_state_dict(shared, strict=False)
    bring_home(blank, convolutions)
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(blank.state_dict()[name], tensor, atol=1e-6, rtol=1e-6, msg=name)


def test_training_changes_weights_and_steps_and_writes_an_int8_checkpoint(
    new_trainer: NewTrainer, source: Checkpoint, quantization: Quantization
) -> None:
    trainer = new_trainer()
    trainer.fit()
    loaded = load_checkpoint(trainer.checkpoint, quantized=True)
    trained = quantization_of(loaded)
    assert trained is not None
    assert trained.method == "qat"
    assert set(trained.points) == set(quantization.points)
    changed = {name for name, q in trained.points.items() if q.scale != quantization.points[name].scale}
    assert changed
    assert not any(name.startswith("features.") for name in changed)
    assert loaded.feature_space == source.feature_space
    assert loaded.feature_scales == source.feature_scales
    assert loaded.training["step"] == 6
    assert loaded.training["photos"] == 7
    for name, tensor in loaded.model.state_dict().items():
        assert not torch.equal(tensor, source.model.state_dict()[name]), f"{name} was not trained"


def test_scales_are_frozen_for_the_last_third(new_trainer: NewTrainer) -> None:
    trainer = new_trainer()
    seen = []
    for _ in range(CONFIG.steps):
        trainer.train_step()
        seen.append(trainer.model.steps.detach().clone())
    frozen = math.ceil(FROZEN_FROM * CONFIG.steps)
    assert all(torch.equal(steps, seen[frozen - 1]) for steps in seen[frozen:])
    assert not torch.equal(seen[frozen - 1], seen[frozen - 2])


@pytest.mark.parametrize("stop", [2, 5])
def test_a_resumed_run_equals_an_uninterrupted_one(new_trainer: NewTrainer, stop: int) -> None:
    whole = new_trainer("whole")
    whole.fit()
    first = new_trainer("parts")
    for _ in range(stop):
        first.train_step()
    first.save()
    second = new_trainer("parts")
    assert second.step == stop
    second.fit()
    ours, theirs = state(second), state(whole)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_nan_stops_and_keeps_the_last_good_state(new_trainer: NewTrainer, monkeypatch: pytest.MonkeyPatch) -> None:
    good = new_trainer()
    good.fit(max_minutes=0)
    assert good.step == 1
    before = state(good), sha256_of(good.checkpoint / "model.safetensors")
    monkeypatch.setattr(qat, "charbonnier", lambda sr, hr: (sr - hr).sum() * math.nan)
    with pytest.raises(EdgesrError, match=r"not finite.*holds the last good state"):
        new_trainer().fit()
    assert all(torch.equal(before[0][name], tensor) for name, tensor in state(good).items())
    assert sha256_of(good.checkpoint / "model.safetensors") == before[1]


def test_a_run_of_other_scales_is_not_resumed(
    new_trainer: NewTrainer, tmp_path: Path, folder: Path, source: Checkpoint, quantization: Quantization
) -> None:
    new_trainer().fit(max_minutes=0)
    points = {name: dataclasses.replace(q, scale=q.scale * 2) for name, q in quantization.points.items()}
    faces = FaceSet.read(folder, None, NETWORK.hr_size)
    other = dataclasses.replace(quantization, points=points)
    with pytest.raises(CheckpointError, match="holds another run"):
        QATTrainer(tmp_path / "run", "tiny-int8", source, other, CONFIG, faces)


def test_folded_maps_cannot_be_trained(source: Checkpoint, folder: Path) -> None:
    faces = calibration_faces(folder, None, NETWORK.hr_size, NETWORK.slots, 1)
    everything = calibrate(source, faces, recipe=EVERYTHING)
    with pytest.raises(UsageError, match="cannot be trained in int8"):
        QATNetwork(copy.deepcopy(source.model), everything)
