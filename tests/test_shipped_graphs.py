"""The ONNX graphs beside the shipped weights are of these weights, and compute what PyTorch computes of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import Call

import edgesr
from edgesr.convert.parity import FP32_MAX_ABS_ERROR, expected, measure_parity, real_cases
from edgesr.convert.verify import NOT_READ_BACK, SAME_FILES
from edgesr.convert.web.shipped import write_booth
from edgesr.data.samples import sample_faces
from edgesr.errors import BundleError, UnavailableError, UsageError
from edgesr.evaluation.methods import degrade
from edgesr.images.imaging import downsample_bicubic
from edgesr.models.description import SHIPPED, WEIGHTS, sha256_of
from edgesr.models.shipped import PHOTO_NETWORKS
from edgesr.process import extras
from edgesr.release import DEFAULT_CHECKPOINT
from edgesr.runtime import shipped

INT8 = f"{DEFAULT_CHECKPOINT}-int8"
GRAPH_FILES = ("encode.onnx", "restore.onnx")


@pytest.fixture
def no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where it is not installed; that nothing imports it there is what test_wheel.py tests."""
    monkeypatch.setattr(extras, "has_torch", lambda: False)


def test_every_photo_network_and_its_int8_form_has_graphs() -> None:
    assert {*PHOTO_NETWORKS, *(f"{name}-int8" for name in PHOTO_NETWORKS)} == set(shipped.names_with_graphs())


@pytest.mark.parametrize("name", shipped.names_with_graphs())
def test_they_are_of_the_present_weights(name: str) -> None:
    """After a retraining: python tools/shipped_graphs.py (a step of tools/release.py)."""
    graphs = shipped.shipped_graphs(name)
    assert graphs.manifest["checkpoint_sha256"] == sha256_of(SHIPPED / name / WEIGHTS)
    assert graphs.manifest["model"] == graphs.described.config.to_dict()
    assert graphs.manifest["parity"]["checks"]
    assert all(check["ok"] for check in graphs.manifest["parity"]["checks"])


def test_the_float_graphs_compute_what_pytorch_computes() -> None:
    ours, theirs = shipped.shipped_graphs(DEFAULT_CHECKPOINT).runtime(1), edgesr.load(DEFAULT_CHECKPOINT).runtime
    cases = real_cases(ours.interface)[:3]
    parity = measure_parity(ours, cases, expected(theirs, cases), "fp32")
    assert parity.ok
    assert 0 < parity.max_abs_error < FP32_MAX_ABS_ERROR


@pytest.mark.slow
def test_the_int8_graphs_compute_what_pytorch_computes() -> None:
    ours, theirs = shipped.shipped_graphs(INT8).runtime(1), edgesr.load(INT8).runtime
    cases = real_cases(ours.interface)[:3]
    assert measure_parity(ours, cases, expected(theirs, cases), "int8").ok


@pytest.mark.usefixtures("no_torch")
def test_without_pytorch_a_shipped_network_is_computed_by_them() -> None:
    model = edgesr.load(DEFAULT_CHECKPOINT)
    assert model.runtime.name == "onnxruntime"
    with pytest.raises(UsageError, match="6 exemplars for the 5 slots that hime-small-x4-photo has without PyTorch"):
        edgesr.load(DEFAULT_CHECKPOINT, least_slots=6)
    with pytest.raises(UnavailableError, match="hime-small-x8 needs PyTorch, which is not installed"):
        edgesr.load("hime-small-x8")


def test_both_say_the_same_of_themselves_and_of_a_gallerys_features(monkeypatch: pytest.MonkeyPatch) -> None:
    with_torch = edgesr.load(DEFAULT_CHECKPOINT)
    monkeypatch.setattr(extras, "has_torch", lambda: False)
    without = edgesr.load(DEFAULT_CHECKPOINT)
    assert without.section().key == with_torch.section().key
    assert without.section().differs(with_torch.section()) is None
    assert (without.name, without.degradation, without.interface) == (
        with_torch.name,
        with_torch.degradation,
        with_torch.interface,
    )
    face = sample_faces(128)[0]
    lr = degrade(face.target, 4)
    pictures = [model.restore(lr, model.encode([face.exemplar]))[0] for model in (with_torch, without)]
    assert np.abs(pictures[0].astype(int) - pictures[1]).max() <= 1


@pytest.mark.usefixtures("no_torch")
def test_a_changed_graph_is_refused(tmp_path: Path) -> None:
    shutil.copytree(SHIPPED / DEFAULT_CHECKPOINT, tmp_path / DEFAULT_CHECKPOINT)
    file = tmp_path / DEFAULT_CHECKPOINT / "onnx" / "restore.onnx"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(BundleError, match=r"restore\.onnx is not the file that was shipped"):
        edgesr.load(tmp_path / DEFAULT_CHECKPOINT)


def rehash(bundle: Path) -> None:
    """Give a bundle's manifest the hashes and the size of its graphs as they are."""
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["sha256"] |= {file: sha256_of(bundle / file) for file in GRAPH_FILES}
    manifest["size_bytes"] = sum((bundle / file).stat().st_size for file in GRAPH_FILES)
    (bundle / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.usefixtures("no_torch")
def test_without_pytorch_bundles_are_verified_by_them(call: Call, tmp_path: Path) -> None:
    booth = tmp_path / "booth"
    write_booth(booth, DEFAULT_CHECKPOINT, lambda _: None)
    for form in ("int8", "fp32"):
        code, said, _ = call("verify", booth / "models" / form)
        assert (code, said["ok"], said["notes"]) == (0, True, [SAME_FILES])
        assert {check["name"] for check in said["checks"]} >= {"manifest: model", "manifest: quantization"}
    # Other bytes that compute the same: a description is appended, as another exporter would write another.
    forged = booth / "models" / "fp32"
    with (forged / "restore.onnx").open("ab") as stream:
        stream.write(b"\x32\x01x")  # ModelProto.doc_string
    rehash(forged)
    code, said, _ = call("verify", forged)
    assert (code, said["ok"], said["notes"]) == (0, True, [NOT_READ_BACK])
    # One network in the other's place, with a manifest that has its files' hashes, computes another face.
    for file in GRAPH_FILES:
        shutil.copyfile(booth / "models" / "int8" / file, forged / file)
    rehash(forged)
    code, said, _ = call("verify", forged)
    assert (code, said["ok"]) == (1, False)
    assert not next(check for check in said["checks"] if check["name"] == "real faces sr: max abs error")["ok"]


@pytest.mark.usefixtures("no_torch")
def test_without_pytorch_other_bundles_wait_for_it(call: Call, tiny_bundle: Path) -> None:
    code, said, _ = call("verify", tiny_bundle)
    assert (code, said["ok"]) == (4, False)
    code, said, _ = call("verify", tiny_bundle, "--checkpoint", DEFAULT_CHECKPOINT)
    assert (code, said["hint"]) == (3, "pip install 'edgesr[convert]'")


@pytest.mark.parametrize("name", [DEFAULT_CHECKPOINT, INT8])
def test_info_says_the_same_without_pytorch(name: str, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    with_torch = call("info", name)[1]
    monkeypatch.setattr(extras, "has_torch", lambda: False)
    without = call("info", name)[1]
    assert without.keys() == with_torch.keys()
    offsets = [facts.pop("offsets") for facts in (with_torch, without)]
    assert without == with_torch
    assert offsets[1]["quantiles"] == pytest.approx(offsets[0]["quantiles"], abs=0.01)
    code, said, _ = call("info", name, "--slots", 5)
    assert (code, said["hint"]) == (3, "pip install 'edgesr[convert]'")


@pytest.mark.usefixtures("no_torch")
@pytest.mark.parametrize("name", ["hime-large-x4", "pwave-x8", "hime-small-x4-64"])
def test_what_a_preset_costs_takes_pytorch_to_count_which_is_said(name: str, call: Call) -> None:
    code, said, _ = call("info", name)
    assert (code, said["hint"]) == (3, "pip install 'edgesr[convert]'")
    assert said["error"] == f"to count what {name} costs needs PyTorch, which is not installed"


def test_lr_faces_are_made_alike_without_pytorch() -> None:
    """To a level of 255, on three values of 200,000."""
    apart = [degrade(face.target, 4).astype(int) - downsample_bicubic(face.target, 4) for face in sample_faces(128)]
    assert np.abs(apart).max() <= 1
    assert np.mean(np.asarray(apart) != 0) < 1e-3
