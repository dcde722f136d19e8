"""A network is one folder and one record: a toy from outside the package is trained, quantized, converted to every
target, stored in galleries and reported."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("lightning_fabric", reason="training needs lightning-fabric: pip install 'edgesr[train]'")
pytest.importorskip("torchao", reason="quantization needs torchao: pip install 'edgesr[executorch]'")

import toys
from toy_architecture import ARCHITECTURE
from toy_architecture.config import ToyConfig

import edgesr
from edgesr.bundle import MANIFEST, open_bundle
from edgesr.cli.main import run
from edgesr.convert.pipeline import convert, plan
from edgesr.convert.targets import TARGETS
from edgesr.convert.verify import verify
from edgesr.data.samples import sample_faces
from edgesr.errors import EXIT_OK, BundleError
from edgesr.evaluation.methods import degrade
from edgesr.faces.descriptor import describe
from edgesr.gallery.build import empty_gallery
from edgesr.gallery.format import Entry, read_gallery, write_gallery
from edgesr.models import load_checkpoint
from edgesr.quantize.graphs import all_layers, quantization_of

CONFIG = ToyConfig()
NEEDS = {"tflite": pytest.mark.tflite, "web": pytest.mark.chromium}


@pytest.fixture(scope="module", autouse=True)
def _installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with toys.installed(ARCHITECTURE, "toy_architecture", tmp_path_factory.mktemp("installed")):
        yield


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toys.write_people(tmp_path_factory.mktemp("people"), CONFIG.hr_size)


@pytest.fixture(scope="module")
def trained(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder."""
    folder = tmp_path_factory.mktemp("runs") / "toy"
    toys.trainer(folder, "toy", CONFIG, people).fit()
    return folder


@pytest.fixture(scope="module")
def quantized(trained: Path, people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its calibrated int8 form."""
    return toys.quantize(tmp_path_factory.mktemp("quantized") / "toy-int8-ptq", trained, people)


def test_it_is_trained_and_goes_on_where_it_was_interrupted(trained: Path, people: Path) -> None:
    checkpoint = load_checkpoint(trained)
    assert checkpoint.model.config == CONFIG
    assert checkpoint.training["step"] == toys.TRAINING.steps
    assert checkpoint.feature_scales.keys() == {"detail"}
    assert json.loads((trained / "checkpoint" / "config.json").read_text())["architecture"] == "toy"
    assert toys.trainer(trained, "toy", CONFIG, people).step == toys.TRAINING.steps


def test_it_restores_a_face_from_its_name_alone(trained: Path) -> None:
    model, face = edgesr.load(trained), sample_faces(CONFIG.hr_size)[0]
    sr, weights = model.restore(degrade(face.target, CONFIG.scale), model.encode([face.exemplar]))
    assert sr.shape == (CONFIG.hr_size, CONFIG.hr_size, 3)
    assert weights.shape == (1, CONFIG.lr_size, CONFIG.lr_size)


@pytest.mark.parametrize(("target", "precision"), toys.conversions(NEEDS))
def test_it_is_converted_to_every_target_and_verified(
    trained: Path, quantized: Path, target: str, precision: str, tmp_path: Path
) -> None:
    if missing := TARGETS[target].missing():
        pytest.skip(f"{target} needs {', '.join(missing)}")
    source = trained if precision == "fp32" else quantized
    manifest = convert(plan(target, checkpoint=source, precision=precision, output=tmp_path / "bundle"))
    assert manifest["architecture"] == "toy"
    assert manifest["features"]["shape"] == [CONFIG.lr_size, CONFIG.lr_size, CONFIG.channels]
    if precision == "int8-ptq":
        assert {graph: found["int8"] for graph, found in manifest["int8_convs"].items()} == {"encode": 1, "restore": 1}
    found = verify(tmp_path / "bundle", source)
    assert found.failed == ()
    assert open_bundle(tmp_path / "bundle").interface == CONFIG.interface


def test_a_changed_manifest_is_noticed(trained: Path, tmp_path: Path) -> None:
    """Another architecture's name in it is no network's any more."""
    pytest.importorskip("onnxruntime")
    convert(plan("onnx", checkpoint=trained, precision="fp32", output=tmp_path / "bundle"))
    path = tmp_path / "bundle" / MANIFEST
    manifest = json.loads(path.read_text())
    del manifest["architecture"]
    path.write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match="describes no network"):
        open_bundle(tmp_path / "bundle")


def test_quantization_finds_its_layers_and_its_stored_features(quantized: Path) -> None:
    checkpoint = load_checkpoint(quantized, quantized=True)
    assert all_layers(checkpoint.model) == ["encode.conv", "restore.conv"]
    quantization = quantization_of(checkpoint)
    assert quantization is not None
    assert quantization.precisions == ("int8-ptq",)
    assert quantization.points["features.detail"].scale == checkpoint.feature_scales["detail"]


@pytest.mark.parametrize("dtype", ["int8", "fp16"])
def test_galleries_hold_its_features(trained: Path, dtype: str, tmp_path: Path) -> None:
    model, face = edgesr.load(trained), sample_faces(CONFIG.hr_size)[0]
    blank = empty_gallery([model], dtype)  # type: ignore[arg-type]
    features = model.encode([face.exemplar])
    entry = Entry((blank.sections[0].pack([features[0]]),), describe(face.exemplar, None), "0" * 64)
    write_gallery(tmp_path / "me.gallery", blank.replace(entries=(entry,)))
    gallery = read_gallery(tmp_path / "me.gallery")
    assert [one.name for one in gallery.sections[0].maps] == ["detail"]
    lr = degrade(face.target, CONFIG.scale)
    stored, direct = model.restore(lr, gallery)[0], model.restore(lr, features)[0]
    assert np.abs(stored.astype(int) - direct).max() <= 2


def test_it_appears_in_the_report(trained: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("matplotlib")
    out = tmp_path / "report.html"
    arguments = ["report", "--checkpoint", str(trained), "--targets", "onnx", "--precisions", "fp32,fp16"]
    assert run([*arguments, "--limit", "2", "--no-identity", "--runs", "3", "--worst", "1", "-o", str(out)]) == EXIT_OK
    report = json.loads(out.with_suffix(".json").read_text())
    assert report["name"] == "toy"
    assert [row["precision"] for row in report["rows"]] == ["fp32", "fp16"]
    assert all(row["ms_median"] > 0 for row in report["rows"]), "timed in a process of its own, which knows the toy too"
    assert report["offsets"] is None
    assert [row["layer"] for row in report["layers"]] == ["encode.conv", "restore.conv"]
