"""Quantization: one set of scales in every graph, calibrated on faces, kept in a checkpoint, refused where wrong."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TINY, MakePeople, lively

pytest.importorskip("torchao", reason="quantization needs torchao: pip install 'edgesr[executorch]'")

import edgesr
from edgesr.cli.main import run
from edgesr.convert.int8 import wanted
from edgesr.convert.pipeline import plan
from edgesr.convert.quantized import Calibration, choose_checkpoint
from edgesr.deployment.graphs import GRAPHS, Graphs, deployed_graphs
from edgesr.errors import CheckpointError, InputOutputError, UsageError
from edgesr.evaluation.metrics import psnr_unit
from edgesr.models import Checkpoint, load_checkpoint
from edgesr.quantize.checkpoint import save_quantized
from edgesr.quantize.graphs import GraphsRuntime, all_layers, quantize_graphs, quantized_runtime
from edgesr.quantize.observers import RANGES, Sampler
from edgesr.quantize.points import Point
from edgesr.quantize.ptq import calibrate, calibration_faces
from edgesr.quantize.recipe import EVERYTHING, Recipe, Rule, policy_of
from edgesr.quantize.scheme import QParams, Quantization
from edgesr.runtime.torch import TorchRuntime


@pytest.fixture(scope="module")
def source(tiny_checkpoint: Path) -> Checkpoint:
    return load_checkpoint(tiny_checkpoint)


@pytest.fixture(scope="module")
def quantization(source: Checkpoint, made_up: Path) -> Quantization:
    return calibrate(source, calibration_faces(made_up, None, TINY.hr_size, TINY.slots, 4))


@pytest.fixture(scope="module")
def int8_checkpoint(source: Checkpoint, quantization: Quantization, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("int8") / "tiny-int8"
    trained = dataclasses.replace(quantization, method="qat")
    save_quantized(folder, "tiny-int8", source.model, trained, source)
    return folder


def steps(graphs: Graphs) -> dict[str, dict[str, tuple[object, object, bytes]]]:
    """Input and output step and weights of each int8 convolution, by graph and layer."""
    found = {name: wanted(getattr(graphs, name)).int8 for name in GRAPHS}
    return {
        name: {conv.name: (conv.input, conv.output, np.sort(conv.weight, None).tobytes()) for conv in convolutions}
        for name, convolutions in found.items()
    }


def test_every_lowering_has_the_same_scales(source: Checkpoint, quantization: Quantization) -> None:
    """One quantized model for all targets: the same steps and integers in the graphs of two lowerings."""
    rows, grid = (
        steps(quantize_graphs(deployed_graphs(source.model, lowering), quantization))
        for lowering in ("rows", "grid_sample")
    )
    assert rows == grid
    convolutions = [layer for layer in all_layers(source.model) if policy_of(TINY).precision_of(layer) == "int8"]
    expected = [layer for layer in convolutions if not layer.endswith((".add", ".sum", ".fusion"))]
    assert [f"{graph}.{layer}" for graph in rows for layer in rows[graph]] == expected


def test_lowerings_restore_alike(source: Checkpoint, quantization: Quantization) -> None:
    random = np.random.default_rng(0)
    lr = random.random((TINY.lr_size, TINY.lr_size, 3), np.float32)
    photos = random.random((TINY.slots, TINY.hr_size, TINY.hr_size, 3), np.float32)
    outputs = []
    for lowering in ("rows", "grid_sample"):
        runtime = quantized_runtime(source, quantization=quantization, lowering=lowering)
        features = np.stack([runtime.encode(photo) for photo in photos])
        outputs.append(runtime.restore(lr, features, np.ones(TINY.slots, np.float32))[0])
    assert psnr_unit(outputs[0], outputs[1]) > 45


def test_features_leave_and_enter_by_the_feature_spaces_steps(source: Checkpoint, quantization: Quantization) -> None:
    runtime = quantized_runtime(source, quantization=quantization)
    photo = np.random.default_rng(1).random((TINY.hr_size, TINY.hr_size, 3), np.float32)
    features = runtime.encode(photo)
    for part, channels in (("f_ref", slice(0, TINY.exemplar_channels)), ("g_ref", slice(TINY.exemplar_channels, None))):
        levels = features[..., channels] / source.feature_scales[part]
        np.testing.assert_allclose(levels, np.round(levels), atol=1e-3)
        assert quantization.points[f"features.{part}"] == QParams(source.feature_scales[part], 0)
    # What the restorer is given is rounded by the same steps: rounding it before changes nothing.
    lr = np.random.default_rng(2).random((TINY.lr_size, TINY.lr_size, 3), np.float32)
    given = np.random.default_rng(3).normal(0, 1, (TINY.slots, *features.shape)).astype(np.float32)
    steps_of = np.concatenate([np.full(n, source.feature_scales[p], np.float32) for p, n in TINY.feature_parts.items()])
    stored = np.clip(np.round(given / steps_of), -128, 127) * steps_of
    valid = np.ones(TINY.slots, np.float32)
    for ours, theirs in zip(runtime.restore(lr, given, valid), runtime.restore(lr, stored, valid), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_an_empty_slot_contributes_nothing(source: Checkpoint, quantization: Quantization) -> None:
    runtime = quantized_runtime(source, quantization=quantization)
    random = np.random.default_rng(0)
    lr = random.random((TINY.lr_size, TINY.lr_size, 3), np.float32)
    shape = (TINY.slots, TINY.lr_size, TINY.lr_size, TINY.feature_channels)
    nobody = np.zeros(TINY.slots, np.float32)
    one, other = (runtime.restore(lr, random.random(shape, np.float32), nobody)[0] for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_int8_is_near_to_float_and_not_it(source: Checkpoint, quantization: Quantization) -> None:
    random = np.random.default_rng(0)
    lr = random.random((TINY.lr_size, TINY.lr_size, 3), np.float32)
    photo = random.random((TINY.hr_size, TINY.hr_size, 3), np.float32)
    features = np.stack([TorchRuntime(source.model).encode(photo)] * TINY.slots)
    valid = np.ones(TINY.slots, np.float32)
    runtimes = (TorchRuntime(source.model), quantized_runtime(source, quantization=quantization))
    wanted_sr, got = (runtime.restore(lr, features, valid)[0] for runtime in runtimes)
    assert 25 < psnr_unit(got, wanted_sr) < 70


def test_the_network_given_is_left_as_it_is(source: Checkpoint, quantization: Quantization) -> None:
    before = {name: tensor.clone() for name, tensor in source.model.state_dict().items()}
    quantize_graphs(deployed_graphs(source.model, "rows"), quantization)
    assert all(torch.equal(tensor, before[name]) for name, tensor in source.model.state_dict().items())


def test_a_layer_in_float_has_no_integers(source: Checkpoint, made_up: Path) -> None:
    kept = "restore.reconstructor.up2"
    recipe = Recipe("mine", (*policy_of(TINY).rules, Rule(kept, "float")))
    quantization = calibrate(source, calibration_faces(made_up, None, TINY.hr_size, TINY.slots, 2), recipe=recipe)
    found = steps(quantize_graphs(deployed_graphs(source.model, "rows"), quantization))["restore"]
    assert "reconstructor.up2" not in found
    assert "reconstructor.up1" in found
    assert f"{kept}:out" not in quantization.points


def test_everything_can_be_int8(source: Checkpoint, made_up: Path) -> None:
    faces = calibration_faces(made_up, None, TINY.hr_size, TINY.slots, 2)
    quantization = calibrate(source, faces, recipe=EVERYTHING)
    found = steps(quantize_graphs(deployed_graphs(source.model, "rows"), quantization))["restore"]
    assert {"alignment.offset_y", "alignment.offset_x", "aggregation.u", "aggregation.v"} <= set(found)


def test_calibration_is_the_same_each_time(source: Checkpoint, made_up: Path, quantization: Quantization) -> None:
    again = calibrate(source, calibration_faces(made_up, None, TINY.hr_size, TINY.slots, 4))
    assert again.points == quantization.points


def test_calibration_faces_have_exemplars_of_the_same_person_or_none(made_up: Path) -> None:
    counts = [len(face.exemplars) for face in calibration_faces(made_up, None, TINY.hr_size, 2, 6)]
    assert set(counts) == {0, 1, 2}


@pytest.mark.parametrize("photos", ["none", "empty person"])
def test_a_folder_without_faces_is_an_error(tmp_path: Path, photos: str) -> None:
    folder = tmp_path / "nobody"
    (folder / "ann").mkdir(parents=True) if photos == "empty person" else folder.mkdir()
    with pytest.raises(InputOutputError, match="no photos under"):
        calibration_faces(folder, None, 32, 2)


def test_a_network_without_feature_scales_is_refused(source: Checkpoint, made_up: Path) -> None:
    bare = dataclasses.replace(source, feature_scales={})
    with pytest.raises(CheckpointError, match="no feature_scales"):
        calibrate(bare, calibration_faces(made_up, None, TINY.hr_size, TINY.slots, 1))


def test_a_recipe_of_another_network_is_refused(source: Checkpoint, made_up: Path) -> None:
    recipe = Recipe("mine", (Rule("restore.reconstructor.blocks.7.conv1", "float"),))
    with pytest.raises(UsageError, match="no such layer"):
        calibrate(source, calibration_faces(made_up, None, TINY.hr_size, TINY.slots, 1), recipe=recipe)


def test_a_quantization_of_another_network_is_refused(quantization: Quantization) -> None:
    other = deployed_graphs(lively(TINY.replace(reconstruction_blocks=1)), "rows")
    with pytest.raises(CheckpointError, match="does not fit"):
        quantize_graphs(other, quantization)


# Observers.


def observed(values: torch.Tensor) -> Sampler:
    sampler = Sampler()
    sampler.observe(values, Point("x"))
    return sampler


@pytest.mark.parametrize("name", ["mse", "cubic"])
def test_an_outlier_is_clipped_where_that_costs_less(name: str) -> None:
    torch.manual_seed(0)
    values = torch.cat((torch.randn(4000), torch.tensor([12.0])))
    low, high = RANGES[name](observed(values)).range  # type: ignore[index]
    assert low < -2
    assert 2 < high < 12


def test_cubic_covers_more_than_mse() -> None:
    torch.manual_seed(0)
    seen = observed(torch.randn(1_000_000) ** 3)
    assert RANGES["cubic"](seen).scale > RANGES["mse"](seen).scale


def test_percentile_drops_the_tails_and_keeps_zero() -> None:
    values = torch.cat((torch.full((50,), 100.0), torch.rand(2_000_000)))
    assert 0.99 < RANGES["percentile"](observed(values)).range[1] < 101
    assert RANGES["percentile"](observed(torch.rand(1000) + 5)).range[0] == 0.0


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-1.0, 3.0), (-2.0, 0.0), (0.0, 0.0), (0.5, 1.0)])
def test_a_range_is_covered_and_zero_is_exact(low: float, high: float) -> None:
    q = QParams.covering(low, high)
    assert q.range[0] <= min(low, 0) + q.scale / 2
    assert q.range[1] >= max(high, 0) - q.scale / 2
    assert -128 <= q.zero_point <= 127


# Checkpoints.


def test_a_checkpoint_keeps_quantization_and_feature_space(
    int8_checkpoint: Path, source: Checkpoint, quantization: Quantization
) -> None:
    loaded = load_checkpoint(int8_checkpoint, quantized=True)
    assert loaded.feature_space == source.feature_space
    assert loaded.feature_scales == source.feature_scales
    assert loaded.quantization is not None
    assert Quantization.from_dict(loaded.quantization) == dataclasses.replace(quantization, method="qat")
    assert loaded.quantization["float_sha256"] == source.sha256


def test_a_float_loader_does_not_take_it(int8_checkpoint: Path) -> None:
    with pytest.raises(CheckpointError, match="is an int8 network"):
        load_checkpoint(int8_checkpoint)


def test_loading_it_runs_it_in_int8(int8_checkpoint: Path, source: Checkpoint) -> None:
    model = edgesr.load(int8_checkpoint)
    assert isinstance(model.runtime, GraphsRuntime)
    lr = np.random.default_rng(0).integers(0, 256, (TINY.lr_size, TINY.lr_size, 3), np.uint8)
    photo = np.random.default_rng(1).integers(0, 256, (TINY.hr_size, TINY.hr_size, 3), np.uint8)
    sr, _ = model.restore(lr, model.encode([photo]))
    float_sr, _ = edgesr.Model(TorchRuntime(source.model), "tiny").restore(lr, model.encode([photo]))
    assert not np.array_equal(sr, float_sr)
    assert edgesr.load(int8_checkpoint, least_slots=4).config.slots == 4


@pytest.mark.parametrize("damage", ["weights", "points", "scale", "recipe", "float_name"])
def test_a_damaged_quantization_is_refused(int8_checkpoint: Path, tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(int8_checkpoint, folder)
    described = json.loads((folder / "config.json").read_text())
    stored = described["quantization"]
    if damage == "scale":
        stored["points"][next(iter(stored["points"]))] = [-1.0, 0]
    elif damage == "weights":
        stored["weights"] = "int4"
    elif damage == "float_name":
        stored[damage] = "../../away"
    else:
        del stored[damage]
    (folder / "config.json").write_text(json.dumps(described))
    with pytest.raises(CheckpointError):
        edgesr.load(folder)


# Which network a conversion takes.


def test_conversion_takes_an_int8_checkpoint(int8_checkpoint: Path) -> None:
    checkpoint, quantization = choose_checkpoint(int8_checkpoint, "int8", None)
    assert checkpoint.name == "tiny-int8"
    assert quantization is not None
    assert quantization.method == "qat"


def test_an_int8_checkpoint_is_converted_in_its_own_precision(int8_checkpoint: Path, tiny_checkpoint: Path) -> None:
    for target in ("onnx", "coreml"):  # Core ML's default is fp16
        assert plan(target, checkpoint=int8_checkpoint).precision == "int8"
    assert plan("coreml", checkpoint=tiny_checkpoint).precision == "fp16"


@pytest.mark.parametrize(
    ("which", "precision", "calibrate_too", "said"),
    [
        ("tiny", "int8", False, "no int8 network of tiny"),
        ("tiny", "int8-ptq", False, "--calibrate FOLDER"),
        ("tiny", "int8", True, "--precision int8-ptq"),
        ("tiny", "mixed", True, "--recipe FILE"),
        ("tiny", "fp32", True, "needs no calibration"),
        ("tiny-int8", "int8-ptq", False, "is no int8-ptq network"),
        ("tiny-int8", "int8-ptq", True, "has its scales already"),
        ("tiny-int8", "fp32", False, "a float one is needed"),
    ],
)
def test_conversion_says_what_is_missing(
    tiny_checkpoint: Path,
    int8_checkpoint: Path,
    tmp_path: Path,
    which: str,
    precision: str,
    calibrate_too: bool,
    said: str,
) -> None:
    folder = {"tiny": tiny_checkpoint, "tiny-int8": int8_checkpoint}[which]
    with pytest.raises((UsageError, CheckpointError)) as failure:
        choose_checkpoint(folder, precision, Calibration(tmp_path) if calibrate_too else None)  # type: ignore[arg-type]
    assert said in str(failure.value)


# Command line.


def test_the_command_makes_a_checkpoint(
    tiny_checkpoint: Path, made_up: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "made"
    arguments = ["quantize", str(tiny_checkpoint), "--data", str(made_up), "--method", "ptq", "--faces", "2"]
    assert run([*arguments, "-o", str(out), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["ok"]
    assert answer["checkpoint"] == str(out)
    assert answer["rows"] == []  # no evaluation list there
    loaded = load_checkpoint(out, quantized=True)
    assert loaded.name == "tiny-int8-ptq"
    assert "research use" in (out / "README.md").read_text()
    for target in ("onnx", "executorch", "coreml"):
        assert plan(target, checkpoint=out).precision == "int8-ptq", "the one that the checkpoint has"
    assert run([*arguments, "-o", str(out), "--json"]) == 2
    assert "exists" in json.loads(capsys.readouterr().out)["error"]
    assert run([*arguments, "-o", str(out), "--force"]) == 0
    assert capsys.readouterr().out == f"{out}\n", "no table of nothing"


def test_the_command_writes_the_default_recipe(
    tiny_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.toml"
    assert run(["quantize", str(tiny_checkpoint), "--write-recipe", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["recipe"] == str(path)
    assert "restore.alignment.hidden" in path.read_text()


def test_the_command_without_faces(
    tiny_checkpoint: Path, tmp_path: Path, make_people: MakePeople, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "nobody").mkdir()
    arguments = ["quantize", str(tiny_checkpoint), "--method", "ptq", "-o", str(tmp_path / "o"), "--json"]
    assert run([*arguments, "--data", str(tmp_path / "nobody")]) == 5
    assert "no photos" in json.loads(capsys.readouterr().out)["error"]
    assert run(arguments) == 2
    assert "--data" in json.loads(capsys.readouterr().out)["error"]
    wrong = make_people({"ann": 2}, size=16)
    assert run([*arguments, "--data", str(wrong)]) == 5
    assert not (tmp_path / "o").exists()
