"""Galleries travel: written by one runtime and restored by another, a face stays within 0.1 dB."""

from __future__ import annotations

import dataclasses
import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import TINY, lively
from PIL import Image

import edgesr
from edgesr.api import Model
from edgesr.convert.targets import target_named
from edgesr.convert.tflite.environment import tflite_environment
from edgesr.data.samples import sample_faces
from edgesr.deployment.graphs import deployed_graphs
from edgesr.errors import GalleryError
from edgesr.evaluation.metrics import psnr
from edgesr.faces.descriptor import describe
from edgesr.gallery.build import empty_gallery, encode_entries
from edgesr.gallery.format import DType, Entry, Gallery, read_gallery, write_gallery
from edgesr.gallery.photos import Candidate
from edgesr.gallery.quality import Quality
from edgesr.images.imaging import Pixels, resize_bicubic
from edgesr.models import load_checkpoint
from edgesr.models.hime.network import HIME
from edgesr.models.interface import Code, FeatureMap
from edgesr.quantize.graphs import quantization_of, quantize_graphs
from edgesr.quantize.scheme import Quantization
from edgesr.release import DEFAULT_CHECKPOINT
from edgesr.runtime.engines import open_engine
from edgesr.runtime.shipped import shipped_graphs
from edgesr.runtime.torch import TorchRuntime

TARGETS = {"executorch": "executorch", "onnx": "onnxruntime", "tflite": "ai_edge_litert"}
SPREAD = 0.1
"""dB, of all writers and readers."""


def artifact(
    target: str,
    model: HIME,
    folder: Path,
    space: str,
    scales: dict[str, float],
    quantization: Quantization | None = None,
) -> Model:
    """The network converted for a target, in int8 where it is quantized, with the runtime that executes it."""
    pytest.importorskip(TARGETS[target])
    if target == "tflite" and (problem := tflite_environment().problem()):
        pytest.skip(f"no TFLite environment: {problem} (edgesr setup tflite)")
    metadata: dict[str, str | int] = {"edgesr_scale": model.config.scale, "edgesr_feature_space": space}
    graphs = dataclasses.replace(deployed_graphs(model, "rows"), metadata=metadata)
    if quantization is not None:
        graphs = quantize_graphs(graphs, quantization)
    convert = importlib.import_module(target_named(target).module).convert
    folder.mkdir()
    made = convert(graphs, "fp32" if quantization is None else "int8", folder, lambda stage: None)
    return Model(open_engine(target, folder, made.files, graphs.interface, made.tensors, 1), target, space, scales)


def faces(model: Model) -> list[tuple[Pixels, Pixels, Pixels]]:
    """Exemplar, LR face and original of each sample person."""
    size = model.config.hr_size
    return [
        (face.exemplar, resize_bicubic(face.target, model.config.lr_size, model.config.lr_size), face.target)
        for face in sample_faces(size)
    ]


def written_by(model: Model, dtype: DType, path: Path) -> Gallery:
    """A gallery of all sample people, through its file."""
    blank = empty_gallery([model], dtype)
    entries = tuple(
        Entry(
            (blank.sections[0].pack([model.encode([exemplar])[0]]),),
            describe(exemplar, None),
            f"{i:064x}",
        )
        for i, (exemplar, _, _) in enumerate(faces(model))
    )
    write_gallery(path, blank.replace(entries=entries))
    return read_gallery(path)


def check_round_trips(models: list[Model], folder: Path) -> float:
    """Every gallery restored by every model; returns the largest spread of PSNR in dB."""
    worst = 0.0
    galleries = [
        written_by(model, dtype, folder / f"{i}-{dtype}.gallery")
        for i, model in enumerate(models)
        for dtype in ("int8", "fp16")
    ]
    for _, lr, original in faces(models[0]):
        values = [psnr(model.restore(lr, stored)[0], original) for stored in galleries for model in models]
        worst = max(worst, max(values) - min(values))
        direct = models[0].encode([faces(models[0])[i][0] for i in models[0].choose(lr, galleries[0])])
        values.append(psnr(models[0].restore(lr, direct)[0], original))  # features that were never stored
        assert max(values) - min(values) <= SPREAD
    return worst


@pytest.mark.parametrize("target", ["executorch", "onnx", pytest.param("tflite", marks=pytest.mark.tflite)])
def test_a_gallery_travels_between_torch_and(target: str, tmp_path: Path) -> None:
    model = lively(TINY)
    with torch.inference_mode():
        images = torch.stack(
            [torch.from_numpy(np.array(f.exemplar)).permute(2, 0, 1) for f in sample_faces(TINY.hr_size)]
        )
        peak = model.encode(images.float() / 255).abs().amax((0, 2, 3))
    scales = {"f_ref": float(peak[:8].max()) / 127, "g_ref": float(peak[8:].max()) / 127}
    models = [
        Model(TorchRuntime(model), "torch", "tiny", scales),
        artifact(target, model, tmp_path / "a", "tiny", scales),
    ]
    check_round_trips(models, tmp_path)


INT8 = f"{DEFAULT_CHECKPOINT}-int8"


@pytest.mark.slow
@pytest.mark.tflite
def test_galleries_of_the_shipped_network_travel_between_runtimes_float_and_int8(tmp_path: Path) -> None:
    """Whoever wrote the gallery, a reader restores each face alike; and all writers with all readers are alike on
    average over the faces. A single face may lose more to int8, whichever gallery it has: that is the network's loss.

    ONNX's graphs are the shipped ones. (One test, since conversions are dear and tests of one file may run in several
    processes.)
    """
    int8 = load_checkpoint(INT8, quantized=True)
    space, scales = int8.feature_space, int8.feature_scales
    in_float, in_int8 = (
        [edgesr.load(name), Model(shipped_graphs(name).runtime(1), f"{name} by onnxruntime", space, scales)]
        for name in (DEFAULT_CHECKPOINT, INT8)
    )
    for target in ("executorch", "tflite"):
        in_int8.append(artifact(target, int8.model, tmp_path / target, space, scales, quantization_of(int8)))
    assert check_round_trips(in_float, tmp_path) <= SPREAD
    models = [*in_float, *in_int8]
    assert {model.feature_space for model in models} == {space}
    galleries = [written_by(model, "int8", tmp_path / f"{i}.gallery") for i, model in enumerate(models)]
    found = np.array(
        [
            [[psnr(model.restore(lr, stored)[0], original) for model in models] for stored in galleries]
            for _, lr, original in faces(models[0])
        ]
    )  # face, writer, reader
    assert np.ptp(found, axis=1).max() <= SPREAD
    assert np.ptp(found[..., : len(in_float)], axis=(1, 2)).max() <= SPREAD
    assert np.ptp(found.mean(0)) <= SPREAD


# What a model does with a gallery


@pytest.fixture(scope="module")
def tiny() -> Model:
    return Model(TorchRuntime(lively(TINY)), "tiny", "tiny", {"f_ref": 0.1, "g_ref": 0.1})


def test_restore_takes_the_exemplars_that_choose_names(tiny: Model, tmp_path: Path) -> None:
    gallery = written_by(tiny, "fp16", tmp_path / "a.gallery")
    _, lr, _ = faces(tiny)[3]
    chosen = tiny.choose(lr, gallery)
    assert len(chosen) == TINY.slots
    assert chosen[0] == 3  # the same person, light and framing
    sr, weights = tiny.restore(lr, gallery)
    expected, _ = tiny.restore(lr, gallery.floats(chosen))
    assert np.array_equal(sr, expected)
    assert weights.shape == (2, 8, 8)
    other, _ = tiny.restore(lr, gallery.floats(chosen[::-1][:1]))
    assert not np.array_equal(sr, other)


def test_an_empty_gallery_is_plain_super_resolution(tiny: Model) -> None:
    _, lr, _ = faces(tiny)[0]
    sr, weights = tiny.restore(lr, empty_gallery([tiny], "int8"))
    expected, _ = tiny.restore(lr, tiny.encode([]))
    assert np.array_equal(sr, expected)
    assert len(weights) == 0


def test_a_gallery_with_other_descriptors_is_refused(tiny: Model, tmp_path: Path) -> None:
    """As of edgesr before its grid had 8 x 8 cells: nothing could be chosen by them."""
    gallery = written_by(tiny, "int8", tmp_path / "a.gallery")
    older = [dataclasses.replace(entry, descriptor=np.zeros(301, np.float32)) for entry in gallery.entries]
    with pytest.raises(GalleryError, match=r"301 numbers, and this edgesr's have 109"):
        tiny.restore(faces(tiny)[0][1], gallery.replace(entries=tuple(older)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"feature_space": "other"}, "feature space other, x4, 8 px; tiny is of tiny, x4, 8 px"),
        ({"scale": 8}, "x8"),
        ({"lr_size": 16}, "16 px"),
        ({"maps": (FeatureMap("features", 16, 8, (("f_ref", 4), ("g_ref", 12))),)}, "f_ref 4"),
        ({"codes": (Code("style", 8),)}, "style of 8 numbers"),
        ({"steps": {"f_ref": 10.0, "g_ref": 0.1}}, "step .* f_ref"),
        ({"steps": {"f_ref": 0.1, "g_ref": 0.10001}}, "g_ref"),
    ],
)
def test_a_gallery_of_another_network_is_refused(tiny: Model, change: dict[str, Any], message: str) -> None:
    gallery = empty_gallery([tiny], "int8")
    other = gallery.replace(sections=(dataclasses.replace(gallery.sections[0], **change),))
    with pytest.raises(GalleryError, match=message):
        tiny.restore(np.zeros((8, 8, 3), np.uint8), other)


def test_of_a_gallery_for_several_networks_each_takes_its_own(tiny: Model, tmp_path: Path) -> None:
    """Also where a photo was added while the other network was not at hand."""
    config = TINY.replace(lr_size=16)
    other = Model(TorchRuntime(lively(config)), "other", "tiny", {"f_ref": 0.1, "g_ref": 0.1})
    models = [tiny, other]
    blank = empty_gallery(models)
    random = np.random.default_rng(3)
    candidates = [
        Candidate(Path(), f"{i:064x}", one, np.zeros((5, 2)), Quality(0, 0, 0, 0, 0, 0, ()), describe(one, None))
        for i, one in enumerate(random.integers(0, 256, (3, 64, 64, 3), np.uint8))
    ]
    entries = (*encode_entries(candidates[:2], models, blank), *encode_entries(candidates[2:], [other], blank))
    write_gallery(tmp_path / "a.gallery", blank.replace(entries=entries))
    gallery = read_gallery(tmp_path / "a.gallery")
    assert [gallery.held(i) for i in (0, 1)] == [[0, 1], [0, 1, 2]]
    for model, held in ((tiny, {0, 1}), (other, {0, 1, 2})):
        lr = random.integers(0, 256, (model.config.lr_size,) * 2 + (3,), np.uint8)
        chosen = model.choose(lr, gallery)
        assert len(chosen) == TINY.slots
        assert set(chosen) <= held
        alone = empty_gallery([model])
        alone = alone.replace(entries=encode_entries([candidates[i] for i in sorted(held)], [model], alone))
        assert np.array_equal(model.restore(lr, gallery)[0], model.restore(lr, alone)[0])


def test_a_larger_photo_is_scaled_down_as_before(tiny: Model) -> None:
    exemplar, _, _ = faces(tiny)[0]
    large = np.asarray(Image.fromarray(exemplar).resize((64, 64), Image.Resampling.BICUBIC))
    assert tiny.encode([large]).shape == (1, 8, 8, 16)
