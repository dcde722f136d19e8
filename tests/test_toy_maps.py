"""A network may keep several maps of different sizes and codes of an exemplar: one that does, from outside the package,
is trained, quantized, converted, stored in galleries and restores with them."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import Call
from PIL import Image
from scenes import SIDE, Place, compose
from whole_photos import PLACE, composed

pytest.importorskip("lightning_fabric", reason="training needs lightning-fabric: pip install 'edgesr[train]'")
pytest.importorskip("torchao", reason="quantization needs torchao: pip install 'edgesr[executorch]'")

import toys
from toy_maps import ARCHITECTURE
from toy_maps.config import MapsConfig

import edgesr
from edgesr.bundle import open_bundle
from edgesr.cli.main import run
from edgesr.convert.pipeline import convert, plan
from edgesr.convert.targets import TARGETS
from edgesr.convert.verify import verify
from edgesr.data.samples import sample_faces
from edgesr.errors import EXIT_OK, GalleryError, UsageError
from edgesr.evaluation.methods import degrade
from edgesr.gallery.format import Gallery, read_gallery, write_gallery
from edgesr.models import load_checkpoint
from edgesr.models.interface import Code, FeatureMap
from edgesr.quantize.graphs import all_layers, quantization_of

CONFIG = MapsConfig()
PARTS = {"deep": 4, "detail": 4, "gate": 1}
NEEDS = {"web": [pytest.mark.chromium], "tflite": [pytest.mark.tflite]}
NAMES = ["features_deep", "features_fine", "features_tone"]


@pytest.fixture(scope="module", autouse=True)
def _installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with toys.installed(ARCHITECTURE, "toy_maps", tmp_path_factory.mktemp("installed")):
        yield


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toys.write_people(tmp_path_factory.mktemp("people"), CONFIG.hr_size)


@pytest.fixture(scope="module")
def trained(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "toy-maps"
    toys.trainer(folder, "toy-maps", CONFIG, people).fit()
    return folder


@pytest.fixture(scope="module")
def quantized(trained: Path, people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toys.quantize(tmp_path_factory.mktemp("quantized") / "toy-maps-int8-ptq", trained, people)


@pytest.fixture(scope="module")
def bundle(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("onnxruntime")
    folder = tmp_path_factory.mktemp("bundles") / "onnx"
    convert(plan("onnx", checkpoint=trained, precision="fp32", output=folder))
    return folder


@pytest.fixture(scope="module")
def built(trained: Path, yunet: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: ARG001
    """A gallery of two photos of one person, as the command line builds it."""
    folder = tmp_path_factory.mktemp("gallery")
    (folder / "photos").mkdir()
    person = sample_faces(SIDE)[0]
    for name, face in (("a", person.exemplar), ("b", person.target)):
        photo = compose((640, 480), [(face, Place((320, 240), 260.0, 0.05))])
        Image.fromarray(photo).save(folder / "photos" / f"{name}.png")
    words = ["gallery", "build", str(folder / "photos"), "-m", str(trained), "-o", str(folder / "me.gallery")]
    assert run([*words, "--no-embeddings"]) == EXIT_OK
    return folder / "me.gallery"


def test_every_part_of_every_map_gets_a_step_in_training(trained: Path) -> None:
    checkpoint = load_checkpoint(trained)
    assert checkpoint.training["step"] == toys.TRAINING.steps
    assert checkpoint.feature_scales.keys() == PARTS.keys()


def test_quantization_rounds_every_part_by_its_step_and_leaves_codes(quantized: Path) -> None:
    checkpoint = load_checkpoint(quantized, quantized=True)
    assert all_layers(checkpoint.model) == [
        *("encode.detail", "encode.deep", "encode.gate"),
        *("restore.tail.conv", "restore.tail.last"),
    ]
    quantization = quantization_of(checkpoint)
    assert quantization is not None
    fixed = {name: q.scale for name, q in quantization.points.items() if name.startswith("features.")}
    assert fixed == {f"features.{part}": checkpoint.feature_scales[part] for part in PARTS}


@pytest.mark.parametrize(
    ("target", "precision"),
    toys.conversions(NEEDS),
)
def test_it_is_converted_with_a_tensor_of_each_map_and_code(
    trained: Path, quantized: Path, target: str, precision: str, tmp_path: Path
) -> None:
    if missing := TARGETS[target].missing():
        pytest.skip(f"{target} needs {', '.join(missing)}")
    source = trained if precision == "fp32" else quantized
    manifest = convert(plan(target, checkpoint=source, precision=precision, output=tmp_path / "bundle"))
    assert manifest["features"]["maps"] == [["deep", 8, [["deep", 4]]], ["fine", 16, [["detail", 4], ["gate", 1]]]]
    assert manifest["features"]["codes"] == [["tone", 4]]
    assert {one["name"]: one["channels"] for one in manifest["features"]["parts"]} == PARTS
    if precision == "int8-ptq":
        assert {graph: found["int8"] for graph, found in manifest["int8_convs"].items()} == {"encode": 3, "restore": 2}
    assert verify(tmp_path / "bundle", source).failed == ()
    opened = open_bundle(tmp_path / "bundle")
    assert opened.interface == CONFIG.interface
    assert [one["name"] for one in opened.manifest["tensors"]["encode"]["outputs"]] == NAMES


@pytest.mark.faces
def test_galleries_hold_all_of_it_and_say_so(call: Call, trained: Path, built: Path) -> None:
    code, said, _ = call("gallery", "inspect", built, "--model", trained)
    assert (code, said["fits"], said["entries"]) == (EXIT_OK, True, 2)
    (section,) = said["sections"]
    assert section["maps"] == {"deep": [8, 8, 4], "fine": [16, 16, 5]}
    assert section["codes"] == {"tone": [4]}
    assert section["feature_parts"] == PARTS
    assert section["dtype"] == "int8"
    assert section["feature_scales"].keys() == PARTS.keys()


@pytest.mark.faces
@pytest.mark.usefixtures("known")
def test_a_bundle_enhances_a_photo_with_a_gallery_as_the_checkpoint_does(
    call: Call, trained: Path, bundle: Path, built: Path, tmp_path: Path
) -> None:
    face = sample_faces(SIDE)[0]
    Image.fromarray(composed((120, 100), [(face.target, PLACE)])).save(tmp_path / "photo.png")
    images = {}
    for name, words in (
        ("torch", ("-m", trained, "-g", built)),
        ("onnx", ("-m", bundle, "-g", built)),
        ("none", ("-m", bundle)),
    ):
        code, said, _ = call("enhance", tmp_path / "photo.png", *words, "-o", tmp_path / f"{name}.png")
        assert code == EXIT_OK
        assert len(said["outputs"][0]["faces"][0]["exemplars"]) == (2 if "-g" in words else 0)
        images[name] = np.asarray(Image.open(tmp_path / f"{name}.png")).astype(int)
    difference = np.abs(images["torch"] - images["onnx"])
    assert difference.max() <= 1, "a value that lies between two levels"
    assert (difference > 0).mean() < 1e-3
    assert np.abs(images["onnx"] - images["none"]).max() > 1, "the exemplars show"


@pytest.mark.faces
def test_stored_features_restore_as_direct_ones(trained: Path, bundle: Path, built: Path) -> None:
    """Of photos and of a gallery, in the checkpoint and in the bundle; what was kept without a map is refused."""
    face = sample_faces(CONFIG.hr_size)[0]
    lr = degrade(face.target, CONFIG.scale)
    gallery = read_gallery(built)
    for model in (edgesr.load(trained), edgesr.load(bundle)):
        features = model.encode([face.exemplar, face.target])
        assert [one.shape for one in features] == [(2, 8, 8, 4), (2, 16, 16, 5), (2, 4)]
        packed = gallery.sections[0].pack([one[0] for one in features])
        entry = dataclasses.replace(gallery.entries[0], features=(packed,))
        stored, _ = model.restore(lr, gallery.replace(entries=(entry,)))
        direct, weights = model.restore(lr, tuple(one[:1] for one in features))
        assert np.abs(stored.astype(int) - direct).max() <= 2
        assert weights.shape == (1, CONFIG.lr_size, CONFIG.lr_size)
        assert len(model.restore(lr, model.encode([]))[1]) == 0
        with pytest.raises(UsageError, match=r"takes \[N, 8, 8, 4\], \[N, 16, 16, 5\], \[N, 4\]"):
            model.restore(lr, features[:2])


def _swapped(one: FeatureMap, other: FeatureMap) -> tuple[FeatureMap, FeatureMap]:
    return dataclasses.replace(one, size=other.size), dataclasses.replace(other, size=one.size)


DEEP, FINE = CONFIG.interface.feature_maps
(TONE,) = CONFIG.interface.codes
OTHERS = [
    ((DEEP,), (TONE,), "has no fine of 16x16 pixels with detail 4 + gate 1 as toy-maps has"),
    (_swapped(DEEP, FINE), (TONE,), "has deep of 16x16 pixels with deep 4, not of 8x8 pixels with deep 4 as toy-maps"),
    ((DEEP, FINE), (), "has no tone of 4 numbers as toy-maps has"),
    ((DEEP, FINE), (TONE, Code("age", 1)), "has age of 1 numbers, which is none of deep, fine, tone as toy-maps has"),
    ((FINE, DEEP), (TONE,), "has fine, deep, tone in another order than deep, fine, tone as toy-maps has"),
]


@pytest.mark.parametrize(("folder", "runtime"), [("toy-maps", "onnxruntime"), ("tflite/toy-maps", "ai_edge_litert")])
def test_the_bundle_that_other_languages_read_is_of_today(folder: str, runtime: str) -> None:
    """It opens, takes its gallery, and restores with it what the file beside it says."""
    pytest.importorskip(runtime)
    data = Path(__file__).parent / "data"
    model, said = edgesr.load(data / folder), json.loads((data / "toy-maps.json").read_text())
    gallery = read_gallery(data / "galleries" / "toy-maps.gallery")
    lr = np.array(said["lr"], np.uint8).reshape(CONFIG.lr_size, CONFIG.lr_size, 3)
    sr, weights = model.restore(lr, model.features_of(gallery, said["exemplars"]))
    assert np.abs(sr.reshape(-1).astype(int) - said["sr"]).max() <= 1
    assert np.abs(weights.reshape(-1) - said["weights"]).max() <= 1e-5


def test_the_bundles_for_phones_are_of_the_same_network() -> None:
    """Engines are fed with one network's features, whichever runtime they use; files are those of the manifest."""
    data = Path(__file__).parent / "data"
    manifests = [open_bundle(data / folder).manifest for folder in ("toy-maps", "tflite/toy-maps", "coreml/toy-maps")]
    for key in ("features", "feature_space", "checkpoint_sha256"):
        assert [one[key] for one in manifests] == [manifests[0][key]] * 3


@pytest.mark.parametrize(("maps", "codes", "why"), OTHERS)
def test_a_gallery_of_other_maps_is_refused_by_name(
    trained: Path, maps: tuple[FeatureMap, ...], codes: tuple[Code, ...], why: str, tmp_path: Path
) -> None:
    model = edgesr.load(trained)
    section = dataclasses.replace(model.section("fp16"), maps=maps, codes=codes)
    write_gallery(tmp_path / "me.gallery", Gallery((section,)))
    with pytest.raises(GalleryError, match=re.escape(f"the gallery {why}")):
        model.check_gallery(read_gallery(tmp_path / "me.gallery"))


def test_a_gallery_of_another_network_is_refused_by_name(trained: Path) -> None:
    model = edgesr.load(trained)
    other = dataclasses.replace(model.section(), feature_space="somebody-elses")
    with pytest.raises(GalleryError, match="somebody-elses, x4, 8 px; toy-maps is of toy-maps-"):
        model.check_gallery(Gallery((other,)))
    steps = {part: 2 * step for part, step in (model.feature_scales or {}).items()}
    with pytest.raises(GalleryError, match=r"has the int8 step .* of deep, not .* as toy-maps has"):
        model.check_gallery(Gallery((dataclasses.replace(model.section(), steps=steps),)))
