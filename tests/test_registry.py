"""Architectures are found by the name in ``config.json``."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from edgesr.errors import CheckpointError
from edgesr.models.description import CONFIG, SHIPPED, read_description
from edgesr.models.hime.config import HIMEConfig
from edgesr.models.registry import ARCHITECTURES, architecture_of, in_training, preset, register
from edgesr.models.shipped import trained_weights

NAME = "hime-small-x4"
ROOT = Path(__file__).parent.parent


def described(folder: Path, **changes: object) -> Path:
    """A shipped network's ``config.json`` with changes; a field that becomes None is left out."""
    fields = json.loads((SHIPPED / NAME / CONFIG).read_text()) | changes
    (folder / CONFIG).write_text(json.dumps({name: value for name, value in fields.items() if value is not None}))
    return folder


def test_a_checkpoint_that_names_no_architecture_is_of_the_first(tmp_path: Path) -> None:
    assert read_description(described(tmp_path, architecture=None)).config == ARCHITECTURES["hime"].presets[NAME]


@pytest.mark.parametrize("name", ["esrgan", "", 7, ["hime"]])
def test_an_unknown_architecture_is_refused_with_those_that_are_known(tmp_path: Path, name: object) -> None:
    with pytest.raises(CheckpointError, match="unknown architecture") as refused:
        read_description(described(tmp_path, architecture=name))
    assert str(tmp_path) in refused.value.what
    assert all(known in (refused.value.hint or "") for known in ARCHITECTURES)


def test_a_configuration_knows_its_architecture() -> None:
    for name, architecture in ARCHITECTURES.items():
        assert {architecture_of(config).name for config in architecture.presets.values()} == {name}


def test_weights_in_training_are_where_they_are_said_to_be() -> None:
    told = {name: folder for one in ARCHITECTURES.values() for name, folder in one.in_training.items()}
    assert {"hime-edge-x4", "hime-large-x8", "pwave-x8"} <= told.keys()
    for name, folder in told.items():
        config, trained = preset(name), read_description(ROOT / "docs" / "training" / folder).config
        assert config is not None
        free = {field: getattr(config, field) for field in architecture_of(config).free}
        assert trained.replace(**free) == config
        assert f"docs/training/{folder} of edgesr's source repository" in in_training(name)
    assert in_training("hime-large-x8-paper") == in_training("nowhere") == ""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("hime-small-x4-64", "trained ones of this form: hime-small-lr64-x4-photo"),
        ("hime-large-x4", "trained ones of this form: hime-large-x4-photo"),
        ("pwave-x8", in_training("pwave-x8")),
        ("pwave-x16", ""),
        ("nowhere", ""),
    ],
)
def test_a_preset_without_weights_leads_to_those_of_its_form(name: str, said: str) -> None:
    assert trained_weights(name) == said


def test_an_architecture_is_registered_once() -> None:
    register(ARCHITECTURES["hime"])
    other = dataclasses.replace(ARCHITECTURES["hime"])
    with pytest.raises(ValueError, match="another architecture 'hime'"):
        register(other)
    with pytest.raises(ValueError, match="another preset"):
        register(dataclasses.replace(other, name="other", presets={NAME: HIMEConfig(lr_size=8)}))
    assert "other" not in ARCHITECTURES
