"""What the shipped network promises: its form, its rewrites on trained weights, and that exemplars count."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import edgesr
from edgesr.bundle import Bundle
from edgesr.convert.parity import expected, real_cases
from edgesr.convert.reference import find_reference
from edgesr.data.faces import read_eval_list
from edgesr.data.samples import SampleFace, sample_faces
from edgesr.deployment.graphs import deployed_graphs
from edgesr.errors import CheckpointError
from edgesr.evaluation.methods import degrade, evaluate
from edgesr.evaluation.metrics import psnr
from edgesr.images.imaging import Pixels, resize_bicubic
from edgesr.layers.lowerings import LOWERINGS
from edgesr.models import load_checkpoint
from edgesr.models.checkpoint import CARD, shipped_names
from edgesr.models.checkpoint import find_checkpoint as find
from edgesr.models.registry import architecture_of
from edgesr.runtime.base import fill_slots
from edgesr.runtime.torch import TorchRuntime

INT8_NAMES = [name for name in shipped_names() if name.endswith("-int8")]
NAMES = [name for name in shipped_names() if name not in INT8_NAMES]


@pytest.mark.parametrize("name", shipped_names())
def test_a_shipped_checkpoint_is_small(name: str) -> None:
    assert sum(file.stat().st_size for file in find(name).iterdir()) < 5e6


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_checkpoint_has_a_card(name: str) -> None:
    folder = find(name)
    card = (folder / CARD).read_text()
    for promised in ("research use", "Data", "Command", "bicubic", "wrong person"):
        assert promised in card, f"the card of {name} says nothing of {promised!r}"


@pytest.mark.parametrize("skip", ["matmul", "conv"])
@pytest.mark.parametrize("lowering", LOWERINGS)
@pytest.mark.parametrize("name", NAMES)
def test_every_rewrite_and_lowering_equals_the_trained_network(name: str, lowering: str, skip: str) -> None:
    model = load_checkpoint(name).model
    cases = real_cases(model.interface)[:3]  # no exemplar, every slot filled, one exemplar
    graphs = deployed_graphs(model, lowering, skip=skip)
    for case, wanted in zip(cases, expected(TorchRuntime(model), cases), strict=True):
        features, valid = fill_slots(wanted.features, model.interface)
        with torch.inference_mode():
            sr, weights = graphs.restore(
                torch.from_numpy(case.lr).permute(2, 0, 1)[None],
                torch.from_numpy(features).permute(0, 3, 1, 2),
                torch.from_numpy(valid),
            )
        np.testing.assert_allclose(sr[0].permute(1, 2, 0), wanted.sr, atol=1e-5, rtol=0)
        np.testing.assert_allclose(weights, wanted.weights, atol=5e-5, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_trained_offsets_stay_clear_of_their_bound(name: str) -> None:
    model = load_checkpoint(name).model
    faces = sample_faces(model.config.hr_size)

    def batch(images: list[np.ndarray]) -> torch.Tensor:
        return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255

    features = model.encode(batch([face.exemplar for face in faces]))
    lr = batch([lr_face(name, face) for face in faces])
    report = architecture_of(model.config).report_offsets(model, lr, features)
    assert report["quantiles"]["p50"] > 0.05, "offsets that are all zero would mean that nothing is aligned"
    assert report["near_bound"] < 1e-3


def lr_face(name: str, face: SampleFace) -> Pixels:
    """A sample face as what the network was trained for makes it."""
    checkpoint = load_checkpoint(name)
    return degrade(face.target, checkpoint.model.config.scale, checkpoint.degradation, face.person)


@pytest.mark.parametrize("name", NAMES)
def test_each_sample_face_gains_over_bicubic(name: str) -> None:
    model = edgesr.load(name)
    gains = []
    for face in sample_faces(model.config.hr_size):
        lr = lr_face(name, face)
        sr, weights = model.restore(lr, model.encode([face.exemplar]))
        assert weights.shape == (1, *lr.shape[:2])
        gains.append(psnr(sr, face.target) - psnr(resize_bicubic(lr, *face.target.shape[:2]), face.target))
    assert min(gains) > least_gain(model.degradation)


def least_gain(degradation: str) -> float:
    """Decibels over bicubic. Of a phone's face much is lost for good, and what is noise is no person's."""
    return 2.0 if degradation == "bicubic" else 0.5


def test_the_networks_that_are_promised_are_shipped() -> None:
    photo = {"hime-small-x4-photo", "hime-small-x8-photo", "hime-small-lr64-x4-photo", "hime-large-x4-photo"}
    assert set(NAMES) == {"hime-small-x4", "hime-small-x4-p", "hime-small-x8"} | photo
    assert set(INT8_NAMES) == {f"{name}-int8" for name in ("hime-small-x4", *photo)}


def test_the_default_network_is_for_phone_photos_and_has_an_int8_form() -> None:
    assert edgesr.DEFAULT_CHECKPOINT in NAMES
    assert f"{edgesr.DEFAULT_CHECKPOINT}-int8" in INT8_NAMES
    for name in (edgesr.DEFAULT_CHECKPOINT, f"{edgesr.DEFAULT_CHECKPOINT}-int8"):
        assert load_checkpoint(name, quantized=True).degradation.startswith("phone-")


@pytest.mark.parametrize("name", INT8_NAMES)
def test_a_shipped_int8_network_is_of_the_float_one_that_is_shipped(name: str) -> None:
    """After a retraining it has to be made anew (make release)."""
    int8 = load_checkpoint(name, quantized=True)
    source = load_checkpoint(name.removesuffix("-int8"))
    assert int8.quantization is not None
    assert int8.quantization["method"] == "qat"
    assert int8.quantization["float_sha256"] == source.sha256
    assert (int8.feature_space, int8.feature_scales) == (source.feature_space, source.feature_scales)
    card = (find(name) / CARD).read_text()
    assert "research use" in card
    assert source.sha256[:16] in card


@pytest.mark.parametrize("name", INT8_NAMES)
def test_an_int8_bundle_is_verified_against_its_network_by_either_name(name: str, tmp_path: Path) -> None:
    """int8 is the default, so who converts the float network by name gets a bundle of its int8 form."""
    pytest.importorskip("torchao", reason="int8 in PyTorch needs torchao")
    int8 = load_checkpoint(name, quantized=True)
    described = {
        "target": "onnx",
        "checkpoint_sha256": int8.sha256,
        "quantization": int8.quantization,
        "lowering": "rows",
    }
    bundle = Bundle(tmp_path, {**described, "model": int8.model.config.to_dict()})
    for given in (name, name.removesuffix("-int8"), None):
        assert find_reference(bundle, given) is not None, given
    with pytest.raises(CheckpointError, match="was not made from hime-small-x8"):
        find_reference(bundle, "hime-small-x8")


@pytest.mark.parametrize("name", INT8_NAMES)
def test_a_gallery_of_either_restores_through_either(name: str) -> None:
    """Features of the float network and of the int8 one, each restored by each, within 0.1 dB."""
    pytest.importorskip("torchao", reason="int8 in PyTorch needs torchao")
    int8, source = edgesr.load(name), edgesr.load(name.removesuffix("-int8"))
    lost: dict[str, list[float]] = {}
    for face in sample_faces(source.config.hr_size):
        lr = lr_face(source.name, face)
        galleries = {"float": source.encode([face.exemplar]), "int8": int8.encode([face.exemplar])}
        for through, model in (("float", source), ("int8", int8)):
            scores = {of: psnr(model.restore(lr, features)[0], face.target) for of, features in galleries.items()}
            lost.setdefault(through, []).append(abs(scores["float"] - scores["int8"]))
            bicubic = psnr(resize_bicubic(lr, *face.target.shape[:2]), face.target)
            assert min(scores.values()) - bicubic > least_gain(source.degradation)
    assert all(np.mean(values) <= 0.1 for values in lost.values()), lost


@pytest.mark.faces
@pytest.mark.parametrize("name", NAMES)
def test_on_val_the_right_persons_exemplars_count(name: str, faces_folder: Path) -> None:
    checkpoint = load_checkpoint(name)
    hr_size = checkpoint.model.config.hr_size
    pairs = read_eval_list(faces_folder, "val", hr_size)[: 24 if hr_size > 128 else 60]
    result = evaluate(TorchRuntime(checkpoint.model), pairs, counts=(0, 3), degradation=checkpoint.degradation)
    assert result.interval("n=3", minus="bicubic").low > (1.5 if checkpoint.degradation == "bicubic" else 1.0)
    assert result.interval("n=3", minus="wrong-person").low > 0
    if not name.endswith("-p"):  # perception-oriented: what its exemplars add is sharp, and PSNR punishes that
        assert result.interval("n=3", minus="n=0").low > 0
