"""ONNX: both files compute what the graphs compute, in fp32 and with weights stored as fp16."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY, lively

from edgesr.convert.onnx.conversion import OPSET, convert
from edgesr.convert.precision import Precision
from edgesr.convert.target import Conversion
from edgesr.deployment.graphs import GRAPHS, Graphs, deployed_graphs
from edgesr.errors import BundleError
from edgesr.layers.lowerings import LOWERINGS
from edgesr.layers.skip import SKIPS
from edgesr.runtime.engines import open_engine
from edgesr.runtime.onnxruntime import OnnxRuntime
from edgesr.runtime.torch import TorchRuntime

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

METADATA: dict[str, str | int] = {"edgesr_scale": 4, "edgesr_feature_space": "tiny-0123"}
TOLERANCE: dict[Precision, float] = {"fp32": 1e-4, "fp16": 5e-3}
Converted = tuple[Graphs, Conversion, Path]


def converted(folder: Path, precision: Precision = "fp32", lowering: str = "rows", skip: str = "matmul") -> Converted:
    graphs = dataclasses.replace(deployed_graphs(lively(TINY), lowering, skip=skip), metadata=METADATA)
    return graphs, convert(graphs, precision, folder, lambda stage: None), folder


@pytest.fixture(scope="module", params=["fp32", "fp16"])
def artifact(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Converted, Precision]:
    return converted(tmp_path_factory.mktemp("onnx"), request.param), request.param


def opened(artifact: Converted) -> OnnxRuntime:
    graphs, conversion, folder = artifact
    return OnnxRuntime(folder, conversion.files, graphs.interface, conversion.tensors, threads=1)


def assert_equal_to_graphs(artifact: Converted, tolerance: float) -> None:
    graphs, runtime = artifact[0], opened(artifact)
    for name in GRAPHS:
        arrays = graphs.inputs(name)
        wanted = getattr(graphs, name)(*arrays)
        wanted = wanted if isinstance(wanted, tuple) else (wanted,)
        got = runtime.run(name, [array.numpy() for array in arrays])
        for mine, correct in zip(got, wanted, strict=True):
            np.testing.assert_allclose(mine, correct.numpy(), atol=tolerance)


@pytest.mark.parametrize("skip", SKIPS)
@pytest.mark.parametrize("lowering", LOWERINGS)
def test_every_form_equals_the_graphs(lowering: str, skip: str, tmp_path: Path) -> None:
    assert_equal_to_graphs(converted(tmp_path, lowering=lowering, skip=skip), TOLERANCE["fp32"])


def test_precision_equals_the_graphs(artifact: tuple[Converted, Precision]) -> None:
    assert_equal_to_graphs(artifact[0], TOLERANCE[artifact[1]])


@pytest.mark.parametrize("valid", [(1, 1), (0, 1), (0, 0)])
def test_runtime_is_the_network(artifact: tuple[Converted, Precision], valid: tuple[int, ...]) -> None:
    """Through the one interface of all runtimes, in canonical layout."""
    runtime, reference = opened(artifact[0]), TorchRuntime(lively(TINY))
    generator = np.random.default_rng(0)
    photos = generator.random((2, TINY.hr_size, TINY.hr_size, 3), np.float32)
    lr = generator.random((TINY.lr_size, TINY.lr_size, 3), np.float32)
    features = np.stack([runtime.encode(photo) for photo in photos])
    mask = np.array(valid, np.float32)
    for got, wanted in zip(runtime.restore(lr, features, mask), reference.restore(lr, features, mask), strict=True):
        assert got.shape == wanted.shape
        np.testing.assert_allclose(got, wanted, atol=TOLERANCE[artifact[1]])


def test_files_carry_our_names_and_metadata_and_nothing_of_this_machine(
    artifact: tuple[Converted, Precision],
) -> None:
    (graphs, conversion, folder), _ = artifact
    for name in GRAPHS:
        model = onnx.load(folder / conversion.files[name])
        assert tuple(tensor.name for tensor in model.graph.input) == graphs.input_names(name)
        assert tuple(tensor.name for tensor in model.graph.output) == graphs.output_names(name)
        assert {p.key: p.value for p in model.metadata_props} == {key: str(value) for key, value in METADATA.items()}
        assert [(o.domain, o.version) for o in model.opset_import] == [("", OPSET)]
        assert b".py" not in model.SerializeToString()


def test_fp16_stores_only_learned_weights_so(tmp_path: Path) -> None:
    (_, conversion, folder) = converted(tmp_path, "fp16", skip="conv", lowering="grid_sample")
    assert conversion.arithmetic["everything"] == "fp32"
    model = onnx.load(folder / "restore.onnx")
    short = {tensor.name for tensor in model.graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT16}
    learned = [name for name in short if "weight" in name]
    assert "reconstructor.up1.weight.fp16" in learned
    assert not any("skip" in name or "base" in name or "bias" in name for name in short)


def test_fp16_halves_the_files(tmp_path: Path) -> None:
    config = TINY.replace(lr_channels=32, offset_channels=32, reconstruction_blocks=8)
    graphs = deployed_graphs(lively(config), "grid_sample")
    sizes = []
    precisions: tuple[Precision, ...] = ("fp32", "fp16")
    for precision in precisions:
        convert(graphs, precision, tmp_path, lambda stage: None)
        sizes.append((tmp_path / "restore.onnx").stat().st_size)
    assert sizes[1] < 0.6 * sizes[0]


def test_conversion_is_silent(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    assert_equal_to_graphs(converted(tmp_path), TOLERANCE["fp32"])
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list


@pytest.mark.parametrize("content", [b"", b"not a model", None], ids=["empty", "foreign", "truncated"])
def test_damaged_file_is_refused(artifact: tuple[Converted, Precision], tmp_path: Path, content: bytes | None) -> None:
    (graphs, conversion, folder), _ = artifact
    for file in conversion.files.values():
        whole = (folder / file).read_bytes()
        (tmp_path / file).write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(BundleError, match="onnx cannot load"):
        open_engine("onnx", tmp_path, conversion.files, graphs.interface, conversion.tensors)
