"""A target is one record and one file: one from outside the package converts, is gated, verified and run."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from toy_target import TARGET

import edgesr
from edgesr.bundle import open_bundle
from edgesr.convert.pipeline import convert, make_graphs, plan
from edgesr.convert.target import Target
from edgesr.convert.targets import TARGETS, register, title
from edgesr.convert.verify import verify
from edgesr.data.samples import sample_faces
from edgesr.errors import ParityError
from edgesr.evaluation.methods import degrade
from edgesr.runtime.engines import ENGINES


@pytest.fixture(scope="module", autouse=True)
def _registered() -> Iterator[None]:
    """The toy in this process; those that run its artifacts import its engine alone."""
    register(TARGET)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTHONPATH", str(Path(__file__).parent))
        yield
    del TARGETS[TARGET.name], ENGINES[TARGET.name]


@pytest.fixture(scope="module")
def bundle(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "exported"
    manifest = convert(plan(TARGET.name, checkpoint=tiny_checkpoint, output=folder))
    assert manifest["parity"]["evaluated_with"] == "torch.export"
    return folder


@pytest.mark.parametrize("lowering", TARGET.lowerings)
def test_it_converts_in_every_lowering_that_it_has(tiny_checkpoint: Path, lowering: str, tmp_path: Path) -> None:
    convert(plan(TARGET.name, checkpoint=tiny_checkpoint, lowering=lowering, output=tmp_path / "bundle"))
    assert open_bundle(tmp_path / "bundle").manifest["lowering"] == lowering


def test_a_damaged_network_fails_its_gate_and_leaves_nothing(tiny_checkpoint: Path, tmp_path: Path) -> None:
    chosen = plan(TARGET.name, checkpoint=tiny_checkpoint, output=tmp_path / "bundle")
    graphs = make_graphs(chosen)
    with torch.no_grad():
        graphs.restore.lr_extractor.conv.weight.mul_(1.5)  # type: ignore[union-attr, operator]
    with pytest.raises(ParityError, match=r"first module that departs: restore\.lr_extractor\.conv"):
        convert(chosen, graphs=graphs)
    assert list(tmp_path.iterdir()) == []


def test_it_is_verified_by_what_its_file_holds(bundle: Path, tiny_checkpoint: Path) -> None:
    found = verify(bundle, tiny_checkpoint)
    assert found.failed == ()
    assert found.ok
    names = {check.name for check in found.checks}
    assert {"model file: metadata", "encode: no convolution in int8", "real faces sr: max abs error"} <= names


def test_a_bundle_of_it_restores_faces(bundle: Path) -> None:
    model = edgesr.load(bundle)
    face = sample_faces(model.config.hr_size)[0]
    sr, weights = model.restore(degrade(face.target, model.config.scale), model.encode([face.exemplar]))
    assert model.runtime.name == "torch.export"
    assert sr.shape == face.target.shape
    assert len(weights) == 1
    assert title(TARGET.name) == TARGET.title


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"name": "onnx"}, "another target 'onnx'"),
        ({"title": "another"}, "another target 'exported'"),
        ({"name": "nothing", "executor": None}, "nothing executes"),
    ],
)
def test_a_name_is_given_once_and_something_executes_it(changes: dict[str, str | None], why: str) -> None:
    other: Target = dataclasses.replace(TARGET, **changes)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=why):
        register(other)
