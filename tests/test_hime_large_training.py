"""HIME-large learns known flows first, then to restore."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch
from conftest import TINY
from large import LARGE, large

pytest.importorskip("lightning_fabric", reason="training needs lightning-fabric: pip install 'edgesr[train]'")

from edgesr.data.batches import Curriculum
from edgesr.data.faces import FaceSet
from edgesr.data.samples import sample_faces
from edgesr.errors import CheckpointError, UsageError
from edgesr.models import load_checkpoint, save_checkpoint
from edgesr.models.hime.network import HIME
from edgesr.models.hime_large.pretraining import flow_loss, visible, way_loss
from edgesr.training.config import TrainConfig
from edgesr.training.run import prepare_run
from edgesr.training.setup import initial_weights, settings_for
from edgesr.training.trainer import Trainer

NETWORK = LARGE.replace(lr_size=16, flow_levels=3, flow_channels=8, flow_bound=3.0)
STEPS, FIRST = 200, 0.9
TRAINING = TrainConfig(
    steps=STEPS,
    batch_size=8,
    learning_rate=2e-3,
    warmup_steps=20,
    precision="32-true",
    curriculum=Curriculum(0.0, slot_probabilities=(0.0, 1.0)),
    ema=0.95,
    pretraining_share=FIRST,
)


@pytest.fixture(scope="module")
def faces() -> FaceSet:
    """The sample people at 64 px, two photos each."""
    photos = [photo for face in sample_faces(NETWORK.hr_size) for photo in (face.target, face.exemplar)]
    images = torch.stack([torch.from_numpy(photo.copy()).permute(2, 0, 1) for photo in photos])
    return FaceSet(images, torch.arange(6).repeat_interleave(2), list("abcdef"))


@pytest.fixture(scope="module")
def trained(faces: FaceSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder."""
    folder = tmp_path_factory.mktemp("runs") / "large"
    Trainer(folder, "large", NETWORK, TRAINING, faces).fit()
    return folder


def test_pretraining_is_logged_apart_and_ends_where_restoring_begins(
    trained: Path, faces: FaceSet, tmp_path: Path
) -> None:
    first, then = ((trained / f"{name}.csv").read_text().splitlines()[1:] for name in ("pretraining", "log"))
    ends = round(STEPS * FIRST)
    assert [int(first[-1].split(",")[0]), int(then[0].split(",")[0])] == [ends, ends + 20]
    fresh = Trainer(tmp_path, "large", NETWORK, TRAINING, faces)
    learned = load_checkpoint(trained / "checkpoint").model
    warps = [fresh.sampler.known_warps(STEPS + k) for k in range(4)]
    missed = [sum(float(flow_loss(model, one)) for one in warps) for model in (learned, fresh.model)]
    assert missed[0] < 0.97 * missed[1], "it learns"


@pytest.mark.parametrize(("precision", "degradation"), [("32-true", "bicubic"), ("bf16-mixed", "phone-2")])
def test_the_flow_alone_is_pretrained_and_the_rest_with_it_afterwards(
    faces: FaceSet, tmp_path: Path, precision: str, degradation: str
) -> None:
    config = dataclasses.replace(TRAINING, steps=4, warmup_steps=1, batch_size=2, pretraining_share=0.5)
    config = dataclasses.replace(config, precision=precision, degradation=degradation)
    trainer = Trainer(tmp_path, "large", NETWORK, config, faces)

    def moved_by_a_step() -> set[str]:
        before = {name: p.detach().clone() for name, p in trainer.model.named_parameters()}
        trainer.train_step()
        return {name for name, p in trainer.model.named_parameters() if not torch.equal(before[name], p)}

    for _ in range(2):
        moved = moved_by_a_step()
        assert moved
        assert all(name.startswith("rfa.flow.") for name in moved)
    assert any(name.startswith("reconstructor.") for name in moved_by_a_step())


@pytest.mark.parametrize("stop", [2, 5])
def test_a_run_resumed_within_pretraining_or_behind_it_is_the_same_run(
    faces: FaceSet, tmp_path: Path, stop: int
) -> None:
    config = dataclasses.replace(
        TRAINING, steps=6, warmup_steps=2, batch_size=2, pretraining_share=0.67, pretraining_warp=1.5
    )

    def new(name: str) -> Trainer:
        return Trainer(tmp_path / name, "large", NETWORK, config, faces)

    def state(name: str) -> dict[str, torch.Tensor]:
        return safetensors.torch.load_file(tmp_path / name / "state.safetensors")

    new("whole").fit()
    first = new("parts")
    for _ in range(stop):
        first.train_step()
    first.save()
    second = new("parts")
    assert (second.step, second.pretraining_steps) == (stop, 4)
    second.fit()
    ours, theirs = state("parts"), state("whole")
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    with pytest.raises(CheckpointError, match="pretraining_warp"):
        Trainer(tmp_path / "whole", "large", NETWORK, dataclasses.replace(config, pretraining_warp=1.0), faces)


@pytest.fixture
def start(tmp_path: Path, people_folder: Path) -> Callable[[Path], Trainer]:
    """Prepares a run of the tiny network from a checkpoint."""
    described = tmp_path / "widths.json"
    described.write_text(json.dumps({"architecture": "hime-large", "model": LARGE.to_dict()}))

    def prepared(init: Path) -> Trainer:
        config = dataclasses.replace(TRAINING, batch_size=2)
        return prepare_run(people_folder, tmp_path / init.name, config, network=described, init=init).trainer

    return prepared


def test_a_run_from_trained_weights_has_learned_flows_already_unless_told_otherwise() -> None:
    assert settings_for(LARGE, {}, LARGE).pretraining_share == 0.0
    assert settings_for(LARGE, {}, TINY).pretraining_share == 0.1
    assert settings_for(LARGE, {"pretraining_share": 0.5}, LARGE).pretraining_share == 0.5


def test_flows_that_are_learned_again_go_on_leading_where_the_start_looked(
    start: Callable[[Path], Trainer], tmp_path: Path
) -> None:
    save_checkpoint(tmp_path / "own", "own", large(), training={})
    trainer = start(tmp_path / "own")
    assert trainer.pretraining_steps == round(FIRST * STEPS)
    trainer.train_step()
    assert trainer.terms["taught"] == pytest.approx(0, abs=1e-6), "before the first step it is the start itself"
    assert trainer.terms["own"] > 0


def test_a_run_may_start_from_the_small_network_and_learns_flows_first(
    start: Callable[[Path], Trainer], tiny_checkpoint: Path
) -> None:
    trainer, small = start(tiny_checkpoint), load_checkpoint(tiny_checkpoint).model.state_dict()
    assert trainer.pretraining_steps == round(FIRST * STEPS)
    state = trainer.model.state_dict()
    for name in ("lr_extractor.conv.weight", "rfa.deform.weight", "cofa.g1.bias", "reconstructor.up2.weight"):
        assert torch.equal(state[name], small[name]), name
    assert torch.equal(state["rfa.g_ref.weight"], small["rfa.g_ref.weight"][:, :, 1:2, 1:2])
    assert not state["rfa.offset.weight"].any(), "the flow is to lead, where the offsets did"


def test_a_start_of_other_widths_is_refused(tmp_path: Path) -> None:
    for other in ({"lr_channels": 12}, {"offset_groups": 4}, {"alignment": "warp"}):
        save_checkpoint(tmp_path / "other", "other", HIME(TINY.replace(**other)), training={})
        with pytest.raises(UsageError, match="another network"):
            initial_weights(load_checkpoint(tmp_path / "other"), LARGE)


def test_a_network_without_anything_to_learn_first_says_so(faces: FaceSet, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing to learn first"):
        Trainer(tmp_path, "tiny", TINY.replace(lr_size=16), TRAINING, faces)


def test_a_pretraining_that_leaves_no_step_to_restore_is_refused(faces: FaceSet, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"is all {STEPS} steps"):
        Trainer(tmp_path, "large", NETWORK, dataclasses.replace(TRAINING, pretraining_share=0.999), faces)


def test_what_is_beyond_the_reference_or_the_bound_is_not_asked_for() -> None:
    flow = torch.zeros(1, 2, 4, 4)
    assert visible(flow, 2.0).all()
    flow[0, 0] = 1.0  # right: the last column leads beyond
    assert visible(flow, 2.0)[0, 0].tolist() == [[True, True, True, False]] * 4
    assert not visible(torch.full((1, 2, 8, 8), 3.0), 2.0).any()


def test_the_flow_is_learned_first_and_then_at_a_quarter_of_the_rate_unless_told_otherwise(
    faces: FaceSet, tmp_path: Path
) -> None:
    own = settings_for(LARGE, {})
    assert own.pretraining_share == 0.1
    assert settings_for(LARGE, {"pretraining_share": 0.0}).pretraining_share == 0.0
    few = {"steps": 2, "warmup_steps": 1, "batch_size": 2, "precision": "32-true", "pretraining_share": 0.5}
    trainer = Trainer(tmp_path, "large", NETWORK, settings_for(NETWORK, few), faces)
    rest, flow = trainer.optimizer.param_groups
    assert {id(p) for p in flow["params"]} == {id(p) for p in trainer.model.rfa.flow.parameters()}
    trainer.train_step()
    assert flow["lr"] == rest["lr"]
    trainer.train_step()
    assert flow["lr"] == pytest.approx(0.25 * rest["lr"])


def test_residual_offsets_learn_where_the_start_looked(start: Callable[[Path], Trainer], tiny_checkpoint: Path) -> None:
    trainer, small = start(tiny_checkpoint), load_checkpoint(tiny_checkpoint).model
    lr, exemplars = trainer.sampler.pairs(0)

    def missed() -> float:
        with torch.no_grad():
            return float(way_loss(trainer.model, small, lr, exemplars))

    before = missed()
    for _ in range(40):
        trainer.train_step()
    assert trainer.pretraining_steps > trainer.step
    assert missed() < 0.7 * before
    state, given = trainer.model.state_dict(), small.state_dict()
    for name in ("lr_extractor.conv.weight", "exemplar_extractor.mono.weight", "rfa.deform.weight", "cofa.g1.bias"):
        assert torch.equal(state[name], given[name]), f"{name} is still the start's"
