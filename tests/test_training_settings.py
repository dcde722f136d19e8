"""Settings of training besides the losses: degradation, dropped detail, the offset head's rate, what validates."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from conftest import TINY, MakePeople
from torch import Tensor

pytest.importorskip("lightning_fabric", reason="training needs lightning-fabric: pip install 'edgesr[train]'")

from edgesr.data.batches import BatchSampler, Curriculum, halve_detail
from edgesr.data.degradation import PhoneDegradation
from edgesr.data.faces import FaceSet
from edgesr.data.holdout import hold_out
from edgesr.data.samples import sample_faces
from edgesr.errors import CheckpointError, UsageError
from edgesr.evaluation.methods import degrade
from edgesr.layers.bicubic import bicubic_downsample, bicubic_upsample
from edgesr.training.config import TrainConfig
from edgesr.training.losses import LossConfig, LossWeights
from edgesr.training.parameters import equalising_groups, parameter_groups
from edgesr.training.state import differences
from edgesr.training.trainer import Trainer

NETWORK = TINY.replace(lr_size=4)
CONFIG = TrainConfig(
    steps=8, batch_size=2, learning_rate=1e-3, warmup_steps=3, precision="32-true", curriculum=Curriculum(0.2)
)
USUAL, DROPPING = Curriculum(), Curriculum(detail_drop=0.5)


@pytest.fixture(scope="module")
def sharp() -> FaceSet:
    """The sample people at 64 px, two photos each."""
    photos = [photo for face in sample_faces(64) for photo in (face.target, face.exemplar)]
    images = torch.stack([torch.from_numpy(photo.copy()).permute(2, 0, 1) for photo in photos])
    return FaceSet(images, torch.arange(6).repeat_interleave(2), list("abcdef"))


def sampler(faces: FaceSet, degradation: str = "bicubic", curriculum: Curriculum = USUAL) -> BatchSampler:
    return BatchSampler(faces, 4, 12, curriculum, 0, torch.device("cpu"), degradation)


# Degradation


def test_the_lr_face_alone_differs_by_degradation(sharp: FaceSet) -> None:
    papers, phone = sampler(sharp).batch(3, 0.3), sampler(sharp, "phone").batch(3, 0.3)
    for name in ("hr", "exemplars", "valid"):
        assert torch.equal(getattr(papers, name), getattr(phone, name))
    assert ((papers.lr - phone.lr).abs().mean((1, 2, 3)) * 255 > 1).all()
    torch.testing.assert_close(phone.lr * 255, (phone.lr * 255).round(), rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("degradation", "curriculum"),
    [
        ("phone", Curriculum()),
        ("bicubic", DROPPING),
        ("phone", DROPPING),
        ("phone", Curriculum(clean=0.5)),
    ],
)
def test_processes_together_degrade_as_one_alone_would(
    sharp: FaceSet, degradation: str, curriculum: Curriculum
) -> None:
    one = sampler(sharp, degradation, curriculum)
    for step in range(3):
        whole = one.batch(step, 0.3)
        parts = [one.batch(step, 0.3, rank, 3) for rank in range(3)]
        assert torch.equal(whole.lr, torch.cat([part.lr for part in parts])), step
        assert not torch.equal(whole.lr, one.batch(step + 10, 0.3).lr)


def test_a_part_of_a_batch_is_degraded_as_within_the_whole(sharp: FaceSet) -> None:
    hr = sharp.images[:6].float() / 255
    whole = PhoneDegradation()(hr, 4, torch.Generator().manual_seed(0))
    part = PhoneDegradation()(hr[2:4], 4, torch.Generator().manual_seed(0), drawn=6, part=slice(2, 4))
    assert torch.equal(part, whole[2:4])


@pytest.mark.parametrize(("drop", "least", "most"), [(0.0, 0, 0), (0.5, 0.3, 0.7), (1.0, 1, 1)])
def test_detail_is_dropped_of_so_many_lr_faces(sharp: FaceSet, drop: float, least: float, most: float) -> None:
    shares = []
    for step in range(8):
        batch = sampler(sharp, curriculum=Curriculum(detail_drop=drop)).batch(step, 0.3)
        lr = bicubic_downsample(batch.hr, 4)
        dropped = (batch.lr != lr).flatten(1).any(1)
        torch.testing.assert_close(batch.lr[dropped], halve_detail(lr)[dropped])
        shares.append(dropped.float().mean())
    assert least <= torch.stack(shares).mean() <= most


def test_so_many_more_lr_faces_are_clean_and_the_rest_as_before(sharp: FaceSet) -> None:
    least, most = 0, 0
    for step in range(4):
        usual, batch = (sampler(sharp, "phone", Curriculum(clean=clean)).batch(step, 0.3) for clean in (0.0, 0.5))
        clean, before = (
            (lr == bicubic_downsample(batch.hr, 4).mul(255).round().div(255)).flatten(1).all(1)
            for lr in (batch.lr, usual.lr)
        )
        assert torch.equal(batch.hr, usual.hr)
        assert torch.equal(batch.lr[~clean], usual.lr[~clean])
        least, most = least + int(before.sum()), most + int(clean.sum())
    assert least < 0.3 * 4 * len(batch.lr) < most < 0.8 * 4 * len(batch.lr)


def test_an_augmented_target_is_warped_and_relit_before_it_is_degraded_and_its_exemplars_are_not(
    sharp: FaceSet,
) -> None:
    usual = Curriculum(self_probability=0, copy_share=0, slot_probabilities=(0, 1))
    plain = sampler(sharp, curriculum=usual).batch(3, 0.3)
    moved = sampler(sharp, curriculum=dataclasses.replace(usual, augment=0.5)).batch(3, 0.3)
    far = sampler(sharp, curriculum=dataclasses.replace(usual, augment=1.0)).batch(3, 0.3)
    assert torch.equal(moved.exemplars, plain.exemplars)
    assert torch.equal(moved.lr, bicubic_downsample(moved.hr, 4))
    step, further = ((batch.hr - plain.hr).abs().flatten(1).mean(1) for batch in (moved, far))
    assert (step > 0.001).all()
    assert further.mean() > step.mean()


def test_a_face_without_detail_is_one_of_half_the_size(sharp: FaceSet) -> None:
    lr = bicubic_downsample(sharp.images.float() / 255, 4)
    halved = halve_detail(lr)
    assert halved.shape == lr.shape
    half = bicubic_downsample(lr, 2)
    torch.testing.assert_close(halved, bicubic_upsample(half, 2).clamp(0, 1), rtol=0, atol=0.5 / 255 + 1e-6)
    board = (torch.arange(16)[:, None] + torch.arange(16)).remainder(2).float().expand(1, 3, 16, 16)
    assert (halve_detail(board) - 0.5)[..., 2:-2, 2:-2].abs().max() < 0.01


def test_an_evaluations_lr_photo_hangs_on_its_name_alone() -> None:
    face = sample_faces(64)[0].target
    first = degrade(face, 4, "phone", "ann/01.png")
    assert (degrade(face, 4, "phone", "ann/01.png") == first).all()
    assert (degrade(face, 4, "phone", "ann/02.png") != first).any()
    assert (degrade(face, 4) != first).any()
    assert first.shape == (16, 16, 3)


# Runs


NewTrainer = Callable[..., Trainer]


@pytest.fixture
def faces(make_people: MakePeople) -> FaceSet:
    return FaceSet.read(make_people({"ann": 3, "bob": 4}, size=NETWORK.hr_size), None, NETWORK.hr_size)


@pytest.fixture
def new_trainer(tmp_path: Path, faces: FaceSet) -> NewTrainer:
    def new(run: str, **changes: Any) -> Trainer:
        return Trainer(tmp_path / run, "tiny", NETWORK, dataclasses.replace(CONFIG, **changes), faces)

    return new


def state(trainer: Trainer) -> dict[str, Tensor]:
    return safetensors.torch.load_file(trainer.run / "state.safetensors")


SETTINGS: list[dict[str, Any]] = [
    {"degradation": "phone"},
    {"curriculum": Curriculum(0.2, detail_drop=0.5)},
    {"curriculum": Curriculum(0.2, augment=0.5)},
    {"degradation": "phone", "curriculum": Curriculum(0.2, clean=0.5)},
    {"offset_learning_rate": 3.0},
    {"betas": (0.0, 0.99)},
    {"rates": (("cofa.", 0.1),)},
    {"equalised": True},
]


@pytest.mark.parametrize("changes", SETTINGS, ids=lambda changes: next(iter(changes)))
def test_a_resumed_run_equals_an_uninterrupted_one(new_trainer: NewTrainer, changes: dict[str, Any]) -> None:
    whole = new_trainer("whole", **changes)
    whole.fit()
    for stop in (3, 6):
        trainer = new_trainer("parts", **changes)
        while trainer.step < stop:
            trainer.train_step()
        trainer.save()
    last = new_trainer("parts", **changes)
    assert last.step == 6
    last.fit()
    expected = state(whole)
    assert all(torch.equal(tensor, expected[name]) for name, tensor in state(last).items())
    plain = new_trainer("plain")
    plain.fit()
    assert any(not torch.equal(tensor, state(plain)[name]) for name, tensor in expected.items() if "model." in name)
    with pytest.raises(CheckpointError, match="holds another run"):
        new_trainer("whole")


def test_settings_at_their_defaults_leave_older_runs_resumable() -> None:
    identity = CONFIG.identity()
    assert not {"degradation", "offset_learning_rate", "betas", "rates", "equalised"} & set(identity)
    assert not {"detail_drop", "augment", "clean"} & set(identity["curriculum"])
    for changes in SETTINGS:
        assert dataclasses.replace(CONFIG, **changes).identity() != identity
    through = LossConfig(LossWeights(adv=0, per=0.1, cor=0))
    vgg = dataclasses.replace(CONFIG, loss=through).identity()
    assert not {"charbonnier_epsilon", "gan", "backbone"} & set(vgg["loss"])
    lite = dataclasses.replace(CONFIG, loss=dataclasses.replace(through, backbone="efficientnet-lite0")).identity()
    assert lite["loss"].pop("backbone") == "efficientnet-lite0"
    assert lite == vgg


def test_another_loss_than_a_run_has_is_told_by_what_differs_alone() -> None:
    loss = LossConfig(LossWeights(adv=0, per=0.1, cor=0), backbone="efficientnet-lite0")
    runs = [json.dumps({"train": one.identity()}) for one in (CONFIG, dataclasses.replace(CONFIG, loss=loss))]
    assert differences(*runs) == (
        "loss.backbone (there the default, here efficientnet-lite0), loss.weights.per (there the default, here 0.1)"
    )


def test_the_offset_head_alone_learns_at_its_own_rate(new_trainer: NewTrainer) -> None:
    trainer = new_trainer("run", offset_learning_rate=3.0)
    trainer.train_step()
    rest, head = trainer.optimizer.param_groups
    assert head["lr"] == pytest.approx(3 * rest["lr"]) == pytest.approx(3 * trainer.learning_rate(0))
    rfa = trainer.model.rfa
    expected = {id(p) for part in (rfa.g_ref, rfa.g_lr, rfa.hidden, rfa.offset) for p in part.parameters()}
    assert {id(p) for p in head["params"]} == expected
    assert len(rest["params"]) + len(head["params"]) == len(list(trainer.model.parameters()))
    with pytest.raises(UsageError, match="has no offsets"):
        parameter_groups(type(trainer.model)(NETWORK.replace(alignment="convolution")), 3.0)


def test_named_parameters_learn_at_rates_of_their_own(new_trainer: NewTrainer) -> None:
    trainer = new_trainer("run", rates=(("cofa.", 0.25), ("rfa.offset", 4.0)))
    trainer.train_step()
    rates = {
        id(p): group["lr"] / trainer.learning_rate(0)
        for group in trainer.optimizer.param_groups
        for p in group["params"]
    }
    for name, parameter in trainer.model.named_parameters():
        wanted = 0.25 if name.startswith("cofa.") else 4.0 if name.startswith("rfa.offset") else 1.0
        assert rates[id(parameter)] == pytest.approx(wanted), name
    with pytest.raises(UsageError, match="no parameters flow"):
        parameter_groups(trainer.model, rates=[("flow.", 0.1)])


def test_an_equalised_rate_is_that_of_a_weight_of_variance_one_which_is_scaled_where_it_is_used() -> None:
    """Adam's steps have the size of the rate, so w = c v may as well be moved by c times as much itself."""
    torch.manual_seed(0)
    layer = torch.nn.Linear(8, 3)
    scale = (2 / 8) ** 0.5
    scaled = (layer.weight.detach() / scale).requires_grad_(True)
    bias = layer.bias.detach().clone().requires_grad_(True)
    ours = torch.optim.Adam(
        [{**group, "lr": 3e-3 * group["factor"]} for group in equalising_groups(layer, True)], betas=(0.0, 0.99), eps=0
    )
    theirs = torch.optim.Adam([scaled, bias], 3e-3, betas=(0.0, 0.99), eps=0)
    for step in range(20):
        x = torch.randn(5, 8, generator=torch.Generator().manual_seed(step))
        for optimizer, y in ((ours, layer(x)), (theirs, x @ (scale * scaled).T + bias)):
            optimizer.zero_grad()
            (y - x[:, :3]).square().sum().backward()
            optimizer.step()
    torch.testing.assert_close(layer.weight, scale * scaled)
    torch.testing.assert_close(layer.bias, bias)


@pytest.mark.parametrize(
    "wrong",
    [
        {"degradation": "fog"},
        {"offset_learning_rate": 0.0},
        {"offset_learning_rate": 1000.0},
        {"betas": (0.0, 1.0)},
        {"rates": (("cofa.", 0.0),)},
        {"least_photos": 1},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        dataclasses.replace(CONFIG, **wrong)
    with pytest.raises(UsageError, match="detail_drop"):
        Curriculum(detail_drop=1.5)
    with pytest.raises(UsageError, match="clean"):
        Curriculum(clean=-0.1)
    with pytest.raises(UsageError, match="augment"):
        Curriculum(augment=-1)


# Validation


def test_held_out_people_are_the_same_ones_and_out_of_training(make_people: MakePeople) -> None:
    folder = make_people({"ann": 3, "bob": 2, "dan": 6, "eve": 4, "sue": 1}, size=16)
    faces, pairs = hold_out(folder, None, 16, 2)
    held = {pair.person for pair in pairs}
    assert len(held) == 2
    assert set(faces.names) == {"ann", "bob", "dan", "eve"} - held
    for pair in pairs:
        assert pair.target.parent.name == pair.person
        assert {photo.parent for photo in pair.exemplars} == {pair.target.parent}
        assert pair.target not in pair.exemplars
        assert 1 <= len(pair.exemplars) <= 4
    assert hold_out(folder, None, 16, 2)[1] == pairs
    make_people({"zoe": 2}, size=16)  # a newcomer may join those held out; the others stay as they were
    assert len({p.person for p in hold_out(folder, None, 16, 2)[1]} & held) >= 1
    with pytest.raises(UsageError, match=r"5 people .*so 5 cannot be held out"):
        hold_out(folder, None, 16, 5)
