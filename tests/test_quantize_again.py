"""An int8 network under another recipe: what it had it keeps, and what is new in int8 is calibrated."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from conftest import lively

pytest.importorskip("torchao", reason="quantization needs torchao: pip install 'edgesr[executorch]'")

from int8_networks import faces, network

from edgesr.cli.main import run
from edgesr.cli.quantize import float_network
from edgesr.data.samples import sample_faces
from edgesr.errors import EXIT_IO, EXIT_OK, CheckpointError, UsageError
from edgesr.models import load_checkpoint, save_checkpoint
from edgesr.models.hime.config import HIMEConfig
from edgesr.quantize.checkpoint import save_quantized
from edgesr.quantize.graphs import quantization_of
from edgesr.quantize.ptq import calibrate, extended
from edgesr.quantize.recipe import Recipe, Rule, policy_of
from edgesr.quantize.scheme import QParams

OFFSETS = {"restore.alignment.offset_y:out", "restore.alignment.offset_x:out"}
POLICY = policy_of(HIMEConfig())
BEFORE = Recipe("before", (*POLICY.rules, Rule("restore.alignment.offset_*", "float")))


def test_known_scales_stay_and_new_ones_are_calibrated() -> None:
    checkpoint, policy = network()
    before = calibrate(checkpoint, faces(), recipe=BEFORE)
    assert set(policy.points) - set(before.points) == OFFSETS
    trained = dataclasses.replace(
        before, method="qat", points={name: QParams(q.scale * 1.5, q.zero_point) for name, q in before.points.items()}
    )
    after = extended(checkpoint, trained, faces())
    assert after.recipe == POLICY
    assert after.precisions == ("int8",)
    assert {name: after.points[name] for name in trained.points} == trained.points
    # What they see is what the float network gives, so they are the scales that calibration finds (of other samples).
    for name in OFFSETS:
        assert after.points[name].scale == pytest.approx(policy.points[name].scale, rel=1e-3)
        assert after.points[name].zero_point == policy.points[name].zero_point
    assert after.calibration["added"] == sorted(OFFSETS)


def test_scales_that_a_recipe_does_without_are_dropped() -> None:
    checkpoint, policy = network()
    after = extended(checkpoint, policy, faces()[:1], recipe=BEFORE)
    assert set(policy.points) - set(after.points) == OFFSETS
    assert "added" not in after.calibration


def test_a_recipe_of_another_network_is_refused() -> None:
    checkpoint, policy = network()
    with pytest.raises(UsageError, match="no such layer"):
        extended(checkpoint, policy, faces()[:1], recipe=Recipe("mine", (Rule("restore.nothing", "float"),)))


def test_the_command_takes_an_int8_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    monkeypatch.chdir(tmp_path)  # an int8 network names its float network, and a name is looked for here
    source, _ = network()
    before = dataclasses.replace(calibrate(source, faces(), recipe=BEFORE), float_name="tiny", method="qat")
    save_checkpoint(
        tmp_path / "tiny", "tiny", source.model, training={}, feature_scales=source.feature_scales,
        feature_space=source.feature_space,
    )  # fmt: skip
    save_quantized(tmp_path / "tiny-int8", "tiny-int8", source.model, before, source)
    for face in sample_faces(source.model.config.hr_size):
        (tmp_path / "people" / face.person).mkdir(parents=True)
        for i, image in enumerate((face.target, face.exemplar)):
            Image.fromarray(image).save(tmp_path / "people" / face.person / f"{i}.png")
    arguments = [
        "quantize", str(tmp_path / "tiny-int8"), "--data", str(tmp_path / "people"), "--method", "ptq",
        "--faces", "4", "-o", str(tmp_path / "new"), "--json",
    ]  # fmt: skip
    assert run(arguments) == EXIT_OK
    assert json.loads(capsys.readouterr().out)["name"] == "tiny-int8"
    made = quantization_of(load_checkpoint(tmp_path / "new", quantized=True))
    assert made is not None
    assert set(made.points) - set(before.points) == OFFSETS
    assert {name: made.points[name] for name in before.points} == before.points
    assert "offset_y:out" in (tmp_path / "new" / "README.md").read_text()
    trained = [
        {"ptq": "qat", str(tmp_path / "new"): str(tmp_path / "trained")}.get(given, given) for given in arguments
    ]
    assert run(trained) == EXIT_IO
    assert "is an int8 network" in json.loads(capsys.readouterr().out)["error"]


def test_a_float_network_that_changed_since_is_refused(tmp_path: Path) -> None:
    source, policy = network()
    torch.manual_seed(1)
    save_checkpoint(tmp_path / "tiny", "tiny", lively(source.model.config), training={}, feature_scales={})
    changed = load_checkpoint(tmp_path / "tiny")
    with pytest.raises(CheckpointError, match="made of other weights"):
        float_network(dataclasses.replace(policy, float_name=str(tmp_path / "tiny"), float_sha256="0" * 64))
    assert (
        float_network(
            dataclasses.replace(policy, float_name=str(tmp_path / "tiny"), float_sha256=changed.sha256)
        ).sha256
        == changed.sha256
    )
