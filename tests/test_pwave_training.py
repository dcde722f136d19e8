"""PWAve is trained by its own settings, with and without its critic, and edits faces."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Call
from PIL import Image
from pwave_networks import TINY_PWAVE, lively_pwave, pwave_inputs

pytest.importorskip("lightning_fabric", reason="training needs lightning-fabric: pip install 'edgesr[train]'")

from edgesr.data.batches import Curriculum
from edgesr.data.faces import FaceSet
from edgesr.enhance import exif
from edgesr.enhance.editing import edit_face
from edgesr.errors import EXIT_IO, EXIT_OK, EXIT_USAGE, UsageError
from edgesr.models import PRESETS, load_checkpoint
from edgesr.models.pwave.editing import edit
from edgesr.training.config import TrainConfig
from edgesr.training.losses import DiscriminatorConfig, LossConfig, LossWeights
from edgesr.training.setup import settings_for
from edgesr.training.trainer import Trainer

SHORT = {"steps": 4, "batch_size": 2, "warmup_steps": 2, "precision": "32-true", "curriculum": Curriculum(0.2)}


def trainer(run: Path, people: Path, **changes: object) -> Trainer:
    faces = FaceSet.read(people, "train", TINY_PWAVE.hr_size)
    return Trainer(run, "tiny-pwave", TINY_PWAVE, settings_for(TINY_PWAVE, SHORT | changes), faces)


def with_critic() -> LossConfig:
    critic = DiscriminatorConfig(TINY_PWAVE.hr_size, 4, 6, batch_norm=False)
    return LossConfig(
        LossWeights(adv=0.01, per=0, cor=0), discriminator=critic, gan="wgan-gp", charbonnier_epsilon=1e-6
    )


def test_the_papers_settings_are_the_architectures() -> None:
    config = settings_for(PRESETS["pwave-x8"], {})
    assert (config.learning_rate, config.batch_size, config.betas) == (3e-3, 8, (0.0, 0.99))
    assert config.loss.gan == "wgan-gp"
    assert settings_for(PRESETS["hime-small-x4"], {}) == TrainConfig(), "other networks keep theirs"
    assert settings_for(PRESETS["pwave-x8"], {"learning_rate": 1e-3, "steps": None}).learning_rate == 1e-3


def test_wnns_learn_at_1e_4_where_the_rest_learns_at_3e_3(tmp_path: Path, people_folder: Path) -> None:
    """Times He's factor, which both have: a WNN's convolution of the same fan-in moves a thirtieth as fast."""
    one = trainer(tmp_path / "run", people_folder)
    factor = {id(p): group["factor"] for group in one.optimizer.param_groups for p in group["params"]}
    named = dict(one.model.named_parameters())
    assert one.config.learning_rate * factor[id(named["guide.conv.bias"])] == pytest.approx(3e-3)
    assert one.config.learning_rate * factor[id(named["wnn1.hidden.bias"])] == pytest.approx(1e-4)
    alike = named["guide.blocks.0.conv1.weight"], named["wnn2.hidden.weight"]
    assert factor[id(alike[0])] == pytest.approx((2 / (9 * 4)) ** 0.5)
    assert factor[id(alike[0])] == pytest.approx(30 * factor[id(alike[1])])


@pytest.mark.parametrize("critic", [False, True])
def test_it_is_trained_and_goes_on_bit_for_bit(critic: bool, tmp_path: Path, people_folder: Path) -> None:
    changes = {"loss": with_critic()} if critic else {}
    whole = trainer(tmp_path / "whole", people_folder, **changes)
    before = {name: tensor.clone() for name, tensor in whole.model.state_dict().items()}
    for _ in range(4):
        whole.train_step()
    assert set(whole.terms) == {"rec", "smaller_rec"} | ({"adv", "discriminator"} if critic else set())
    moved = {name for name, tensor in whole.model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert moved == set(before), "every part learns"
    part = trainer(tmp_path / "part", people_folder, **changes)
    for _ in range(2):
        part.train_step()
    part.save()
    rest = trainer(tmp_path / "part", people_folder, **changes)
    assert rest.step == 2
    for _ in range(2):
        rest.train_step()
    assert all(torch.equal(tensor, whole.model.state_dict()[name]) for name, tensor in rest.model.state_dict().items())
    rest.save()
    loaded = load_checkpoint(tmp_path / "part")
    assert loaded.feature_scales.keys() == {"f1", "wnn1", "f2", "wnn2"}


def test_train_takes_the_preset_by_its_name(call: Call, tmp_path: Path, people_folder: Path) -> None:
    import json

    widths = tmp_path / "widths.json"
    widths.write_text(json.dumps({"architecture": "pwave", "model": TINY_PWAVE.to_dict()}))
    options = ["--steps", "2", "--precision", "32-true", "--discriminator-channels", "4", "--adversarial", "0.01"]
    code, said, _ = call("train", people_folder, "--network", widths, "-o", tmp_path / "run", *options)
    assert code == EXIT_OK, said
    settings = load_checkpoint(tmp_path / "run").training["train_config"]
    assert (settings["batch_size"], settings["betas"], settings["loss"]["gan"]) == (8, [0.0, 0.99], "wgan-gp")
    with (tmp_path / "run" / "validation.csv").open() as stream:
        assert {"n=0", "n=1"} <= set(next(csv.DictReader(stream)))
    code, facts, _ = call("info", "pwave-x8")
    assert code == EXIT_OK
    assert f"{facts['gmacs_restore']:.2f}" == "1.12"


def test_eval_draws_weights_over_exemplars(
    call: Call, pwave_checkpoint: Path, people_folder: Path, tmp_path: Path
) -> None:
    """PWAve paper, Fig. 6."""
    options = ["-c", pwave_checkpoint, "--data", people_folder, "--no-identity", "--limit", "3"]
    drawn = {f"--{name}": tmp_path / f"{name}.png" for name in ("weights", "correlation")}
    code, said, _ = call("eval", *options, *(each for pair in drawn.items() for each in pair))
    assert code == EXIT_OK, said
    # HIME paper, Fig. 6: grey is no jet colour, and what is even in one window is so in another.
    maps = np.asarray(Image.open(drawn["--correlation"]).convert("RGB")).astype(int)[52:212, 168:]
    k3, k5, k7 = (maps[:, i * 168 + 8 : i * 168 + 168] for i in range(3))
    assert np.ptp(k3, axis=2).mean() > 60
    assert 0 < np.abs(k3 - k5).mean() < np.abs(k3 - k7).mean()
    sheet = np.asarray(Image.open(tmp_path / "weights.png").convert("RGB")).astype(int)
    assert sheet.shape[0] > 3 * 160
    last = sheet[26 + 26 + 20 : 26 + 26 + 140, 3 * 168 + 20 : 3 * 168 + 140]
    assert np.ptp(last, axis=2).mean() > 20, "coloured, where the exemplar itself is drawn in grey"


def test_strength_goes_from_the_own_features_to_the_others() -> None:
    model = lively_pwave()
    lr, own = pwave_inputs()
    _, others = pwave_inputs(slots=3, seed=1)
    ones = torch.ones(1, 2)
    kept = [tuple(one[None] for one in model.encode(photos[0])) for photos in (own, others)]
    faces = [edit(model, lr, *kept, strength) for strength in (0.0, 0.5, 1.0)]  # type: ignore[arg-type]
    torch.testing.assert_close(faces[0], model(lr, own, ones)[0])
    torch.testing.assert_close(faces[2], model(lr, others, torch.ones(1, 3))[0])
    to_own, to_others = ((faces[1] - end).abs().max() for end in (faces[0], faces[2]))
    whole = (faces[2] - faces[0]).abs().max()
    assert 0 < to_own < whole
    assert 0 < to_others < whole


def test_edit_writes_a_face_that_says_so(call: Call, pwave_checkpoint: Path, photos: Path, tmp_path: Path) -> None:
    face, exemplar, out = photos / "lr.png", photos / "exemplar.png", tmp_path / "new.png"
    options = ["--aligned", "-m", pwave_checkpoint]
    arguments = ["edit", face, "--exemplars", exemplar, "--own", photos / "truth.png"]
    for strength, name in ((1.0, out), (0.0, tmp_path / "own.jpg")):
        code, said, _ = call(*arguments, "--strength", strength, *options, "-o", name)
        assert code == EXIT_OK, said
        assert said["edited"]
        image = Image.open(name)
        software = exif.value_of(image.info["exif"], exif.SOFTWARE)
        assert b"(edited)" in (software or b"")
        assert image.size == (32, 32)
    assert np.abs(np.asarray(Image.open(out)).astype(int) - np.asarray(Image.open(tmp_path / "own.jpg"))).max() > 0


@pytest.mark.parametrize(
    ("changes", "what", "wanted"),
    [
        ({"-m": "hime-small-x4"}, "does not edit faces", EXIT_USAGE),
        ({"-m": "tiny_bundle"}, "give the checkpoint that it was converted from", EXIT_USAGE),
        ({"-o": "new.bmp"}, "could not say that its face is edited", EXIT_USAGE),
        ({"face": "truth.png"}, "takes aligned LR faces of 8x8", EXIT_IO),
        ({"--exemplars": "lr.png"}, "at least 32x32", EXIT_IO),
    ],
)
def test_what_cannot_be_edited_is_refused(
    changes: dict[str, str],
    what: str,
    wanted: int,
    call: Call,
    pwave_checkpoint: Path,
    photos: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    if changes.get("-m") == "tiny_bundle":
        changes = {"-m": request.getfixturevalue("tiny_bundle")}
    face = photos / changes.get("face", "lr.png")
    exemplar = photos / changes.get("--exemplars", "exemplar.png")
    out = tmp_path / changes.get("-o", "new.png")
    arguments = ["edit", face, "--exemplars", exemplar, "-m", changes.get("-m", pwave_checkpoint), "-o", out]
    code, said, _ = call(*arguments, "--aligned")
    assert code == wanted
    assert what in said["error"] + (said["hint"] or "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_a_strength_is_from_0_to_1(strength: float, pwave_checkpoint: Path) -> None:
    with pytest.raises(UsageError, match="from 0 to 1"):
        edit_face(str(pwave_checkpoint), np.zeros((8, 8, 3), np.uint8), [], [], strength)
