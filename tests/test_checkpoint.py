"""Checkpoints: what is saved comes back, anything else is refused by name, and no pickle is ever loaded."""

from __future__ import annotations

import errno
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors
import safetensors.torch
import torch
from conftest import TINY, lively

import edgesr
from edgesr.errors import CheckpointError, InputOutputError, UsageError
from edgesr.models import load_checkpoint, save_checkpoint
from edgesr.models.checkpoint import CARD, CONFIG, WEIGHTS, mint_feature_space, sha256_of, shipped_names


@pytest.fixture
def folder(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    """A checkpoint of our own to damage."""
    return Path(shutil.copytree(tiny_checkpoint, tmp_path / "checkpoint"))


def edit(folder: Path, **changes: Any) -> None:
    path = folder / CONFIG
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def edit_model(folder: Path, **changes: Any) -> None:
    edit(folder, model=TINY.to_dict() | changes)


def edit_tensors(folder: Path, change: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    tensors = safetensors.torch.load_file(folder / WEIGHTS)
    change(tensors)
    safetensors.torch.save_file(tensors, folder / WEIGHTS)


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    model = lively(TINY.replace(lr_size=12, slots=5))
    scales = {"f_ref": 0.25, "g_ref": 0.5}
    save_checkpoint(tmp_path / "a", "tiny", model, training={"step": 7}, feature_scales=scales, card="# Tiny\n")
    loaded = load_checkpoint(tmp_path / "a")
    assert loaded.model.config == model.config
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, loaded.model.state_dict()[name])
    assert (loaded.name, loaded.training, loaded.feature_scales) == ("tiny", {"step": 7}, scales)
    assert loaded.sha256 == sha256_of(tmp_path / "a" / WEIGHTS)
    assert not loaded.model.training
    assert not any(p.requires_grad for p in loaded.model.parameters())
    assert (tmp_path / "a" / CARD).read_text() == "# Tiny\n"


def test_everybody_may_read_a_checkpoint(tiny_checkpoint: Path) -> None:
    """It is installed once and used by all."""
    assert all(path.stat().st_mode & 0o444 == 0o444 for path in (tiny_checkpoint, *tiny_checkpoint.iterdir()))


def test_weights_of_any_float_type_load_as_float32(folder: Path) -> None:
    edit_tensors(folder, lambda t: t.update({k: v.half() for k, v in t.items()}))
    assert {p.dtype for p in load_checkpoint(folder).model.parameters()} == {torch.float32}


def test_a_checkpoint_is_found_by_its_folder_its_weights_file_or_the_run_that_holds_it(
    folder: Path, tmp_path: Path
) -> None:
    expected = load_checkpoint(str(folder)).sha256
    shutil.copytree(folder, tmp_path / "runs" / "mine" / "checkpoint")
    for path in (folder / WEIGHTS, tmp_path / "runs" / "mine"):
        assert load_checkpoint(path).sha256 == expected
        assert edgesr.load(path).name == edgesr.load(folder).name


def test_loading_leaves_the_random_state_alone(folder: Path) -> None:
    before = torch.get_rng_state()
    load_checkpoint(folder)
    assert torch.equal(before, torch.get_rng_state())


def test_shipped_checkpoints_load_by_name() -> None:
    if not shipped_names():
        pytest.skip("no checkpoint ships with this tree")
    for name in shipped_names():
        assert load_checkpoint(name, quantized=True).name == name
        assert edgesr.load(name).config == load_checkpoint(name, quantized=True).model.config


def weights_become_a_folder(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    (folder / WEIGHTS).mkdir()


DAMAGES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "gone": (shutil.rmtree, "no checkpoint"),
    "no config": (lambda f: (f / CONFIG).unlink(), "it has no config.json"),
    "no weights": (lambda f: (f / WEIGHTS).unlink(), "no file .*model.safetensors"),
    "weights are a folder": (weights_become_a_folder, "no file"),
    "empty weights": (lambda f: (f / WEIGHTS).write_bytes(b""), "cannot read .*model.safetensors"),
    "truncated weights": (lambda f: (f / WEIGHTS).write_bytes((f / WEIGHTS).read_bytes()[:-1000]), "cannot read"),
    "truncated header": (lambda f: (f / WEIGHTS).write_bytes((f / WEIGHTS).read_bytes()[:50]), "cannot read"),
    "foreign weights": (lambda f: (f / WEIGHTS).write_bytes(b"\x89PNG" * 1000), "cannot read"),
    "empty config": (lambda f: (f / CONFIG).write_text(""), "cannot read .*config.json"),
    "binary config": (lambda f: (f / CONFIG).write_bytes(b"\xff\xfe\x00"), "cannot read .*config.json"),
    "foreign config": (lambda f: (f / CONFIG).write_text('{"model_type": "bert"}'), "does not describe"),
    "config is a list": (lambda f: (f / CONFIG).write_text("[]"), "does not describe"),
    "newer version": (lambda f: edit(f, format_version=2), "format version 2"),
    "no version": (lambda f: edit(f, format_version=None), "format version None"),
    "other architecture": (lambda f: edit(f, architecture="perceptron"), "unknown architecture 'perceptron'"),
    "no model": (lambda f: edit(f, model=None), "incomplete"),
    "model is a list": (lambda f: edit(f, model=[1]), "config"),
    "a name that leads away": (lambda f: edit(f, name="../../away"), "calls its network '../../away'"),
    "a hidden name": (lambda f: edit(f, name=".hidden"), "calls its network"),
    "a name of two lines": (lambda f: edit(f, name="a\nb"), "calls its network"),
    "a name too long": (lambda f: edit(f, name="n" * 101), "calls its network"),
    "a number for a name": (lambda f: edit(f, name=7), "calls its network 7"),
    "unknown field": (lambda f: edit_model(f, attention=True), "unknown field attention"),
    "impossible field": (lambda f: edit_model(f, scale=3), "scale is 3"),
    "exhausting field": (lambda f: edit_model(f, lr_channels=10**12), "lr_channels is 1000000000000"),
    "half the scales": (lambda f: edit(f, feature_scales={"f_ref": 0.1}), "incomplete"),
    "scales are a number": (lambda f: edit(f, feature_scales=3), "incomplete"),
    "training is a list": (lambda f: edit(f, training=[]), "its training is no object"),
    "other widths": (lambda f: edit_model(f, tail_channels=5), "does not hold the network .*reconstructor"),
    "missing tensor": (lambda f: edit_tensors(f, lambda t: t.pop("cofa.g1.bias")), "cofa.g1.bias"),
    "one tensor too many": (lambda f: edit_tensors(f, lambda t: t.update(extra=torch.ones(1))), "extra"),
    "transposed tensor": (
        lambda f: edit_tensors(f, lambda t: t.update({"lr_extractor.conv.weight": torch.zeros(3, 8, 3, 3)})),
        "lr_extractor.conv.weight",
    ),
    "NaN": (lambda f: edit_tensors(f, lambda t: t["cofa.g2.weight"].fill_(math.nan)), "not finite in cofa.g2.weight"),
    "infinity": (lambda f: edit_tensors(f, lambda t: t["rfa.deform.bias"][0].fill_(math.inf)), "not finite"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_or_foreign_checkpoint_is_refused_by_name(folder: Path, damage: str) -> None:
    do, message = DAMAGES[damage]
    do(folder)
    with pytest.raises(CheckpointError, match=message) as refused:
        load_checkpoint(folder)
    assert refused.value.exit_code == 5
    assert "\n" not in refused.value.what


def test_an_unknown_name_lists_what_ships() -> None:
    with pytest.raises(CheckpointError, match=r"no checkpoint 'hime-tiny' \(shipped: "):
        load_checkpoint("hime-tiny")


def test_a_preset_without_weights_is_told_how_to_get_some() -> None:
    hint = r"\(train some: edgesr train FOLDER --network hime-large-x4; shipped: "
    with pytest.raises(CheckpointError, match=f"no weights of hime-large-x4 come with edgesr {hint}"):
        load_checkpoint("hime-large-x4")


class Bomb:
    """Runs code when it is unpickled."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.witness,)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_pickled_weights_are_refused_and_never_unpickled(folder: Path, tmp_path: Path, zipped: bool) -> None:
    witness = tmp_path / "unpickled"
    torch.save({"bomb": Bomb(witness)}, folder / WEIGHTS, _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match="pickled weights are never loaded"):
        load_checkpoint(folder)
    assert not witness.exists()
    torch.load((folder / WEIGHTS).rename(tmp_path / "weights.pt"), weights_only=False)
    assert witness.exists()  # the bomb was live


def test_equal_encoders_share_a_feature_space_and_others_do_not() -> None:
    model = lively(TINY)
    space = mint_feature_space("tiny", model)
    assert space.startswith("tiny-")
    assert mint_feature_space("tiny", lively(TINY)) == space

    restorer = lively(TINY)
    restorer.reconstructor.up2.weight.mul_(2)
    restorer.rfa.g_lr.weight.mul_(2)
    assert mint_feature_space("tiny", restorer) == space

    for part in ("exemplar_extractor.blocks.0.conv1.weight", "rfa.g_ref.weight"):
        encoder = lively(TINY)
        encoder.get_parameter(part).flatten()[0].add_(1e-3)
        assert mint_feature_space("tiny", encoder) != space


def test_a_feature_space_is_minted_unless_it_is_inherited(tmp_path: Path) -> None:
    model = lively(TINY)
    save_checkpoint(tmp_path / "float", "tiny", model, training={})
    assert load_checkpoint(tmp_path / "float").feature_space == mint_feature_space("tiny", model)
    save_checkpoint(tmp_path / "qat", "tiny-qat", lively(TINY, seed=1), training={}, feature_space="tiny-0123")
    assert load_checkpoint(tmp_path / "qat").feature_space == "tiny-0123"


def test_saving_again_replaces_the_checkpoint_and_keeps_its_card(tmp_path: Path) -> None:
    target = tmp_path / "tiny"
    save_checkpoint(target, "tiny", lively(TINY), training={}, card="# Tiny\n")
    before = sha256_of(target / WEIGHTS)
    save_checkpoint(target, "tiny", lively(TINY, seed=1), training={})
    assert load_checkpoint(target).sha256 != before
    assert (target / CARD).read_text() == "# Tiny\n"
    assert [p.name for p in tmp_path.iterdir()] == ["tiny"]


def no_space(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def no_space_in_rust(*_: Any, **__: Any) -> None:
    raise safetensors.SafetensorError("Error while serializing: I/O error: No space left on device")


@pytest.mark.parametrize(
    ("what", "failure"),
    [
        ("pathlib.Path.write_bytes", no_space),
        ("safetensors.torch.save", no_space_in_rust),
        ("pathlib.Path.write_text", no_space),
        ("edgesr.files.exchange.exchange", no_space),
        ("pathlib.Path.mkdir", no_space),
    ],
)
def test_a_failing_write_leaves_the_old_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, failure: Callable[..., None]
) -> None:
    target = tmp_path / "tiny"
    save_checkpoint(target, "tiny", lively(TINY), training={})
    before = sha256_of(target / WEIGHTS)
    with monkeypatch.context() as broken:
        broken.setattr(what, failure)
        with pytest.raises(InputOutputError, match=r"cannot write .*tiny.*No space left"):
            save_checkpoint(target, "tiny", lively(TINY, seed=1), training={})
    assert load_checkpoint(target).sha256 == before
    assert [p.name for p in tmp_path.iterdir()] == ["tiny"]


def test_a_folder_with_a_card_alone_awaits_its_weights(tmp_path: Path) -> None:
    target = tmp_path / "tiny"
    target.mkdir()
    (target / "README.md").write_text("# Tiny\n")
    save_checkpoint(target, "tiny", lively(TINY), training={})
    assert (target / "README.md").read_text() == "# Tiny\n"
    load_checkpoint(target)
    mine = tmp_path / "mine"
    mine.mkdir()
    for name in ("README.md", "photo.jpg"):
        (mine / name).write_text("mine")
    with pytest.raises(UsageError, match="is no checkpoint"):
        save_checkpoint(mine, "tiny", lively(TINY), training={})
    assert sorted(p.name for p in mine.iterdir()) == ["README.md", "photo.jpg"]


def test_ctrl_c_while_saving_leaves_the_old_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "tiny"
    save_checkpoint(target, "tiny", lively(TINY), training={})
    before = sha256_of(target / WEIGHTS)

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(Path, "write_bytes", interrupted)
        with pytest.raises(KeyboardInterrupt):
            save_checkpoint(target, "tiny", lively(TINY, seed=1), training={})
    assert load_checkpoint(target).sha256 == before
    assert [p.name for p in tmp_path.iterdir()] == ["tiny"]


def test_a_folder_that_cannot_be_made_is_an_error_with_a_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputOutputError, match="cannot write"):
        save_checkpoint(tmp_path / "file" / "tiny", "tiny", lively(TINY), training={})
