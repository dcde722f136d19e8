"""Core ML packages hold what was converted: evaluated from the saved file, both functions, every lowering."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import TINY, lively

from edgesr.convert.target import Conversion
from edgesr.deployment.graphs import Graphs, deployed_graphs
from edgesr.errors import BundleError, UnavailableError, UsageError
from edgesr.evaluation.metrics import psnr_unit
from edgesr.layers.lowerings import LOWERINGS
from edgesr.runtime.coreml import CoreMLRuntime

pytest.importorskip("coremltools")

from edgesr.convert.coreml import conversion as coreml
from edgesr.convert.coreml.mil import ops as mil_ops
from edgesr.convert.coreml.mil.evaluator import MILEvaluator
from edgesr.convert.coreml.mil.program import coordinate_operations, dtype_name, load_program, operations

FORMS = list(itertools.product(LOWERINGS, ("fp32", "fp16")))


@dataclasses.dataclass(frozen=True)
class Converted:
    graphs: Graphs
    folder: Path
    conversion: Conversion

    @functools.cached_property
    def program(self) -> Any:
        return load_program(self.folder / "model.mlpackage")

    def evaluator(self, folder: Path | None = None) -> MILEvaluator:
        return MILEvaluator(
            folder or self.folder, self.conversion.files, self.graphs.interface, self.conversion.tensors, threads=1
        )


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Converts a form once: (lowering, precision) -> what came of it."""

    @functools.cache
    def make(lowering: str, precision: str) -> Converted:
        folder = tmp_path_factory.mktemp(f"{lowering}-{precision}")
        graphs = deployed_graphs(lively(TINY), lowering)
        graphs = dataclasses.replace(graphs, metadata={"edgesr_feature_space": "tiny", "edgesr_slots": TINY.slots})
        return Converted(graphs, folder, coreml.convert(graphs, precision, folder, lambda stage: None))  # type: ignore[arg-type]

    return make


@pytest.mark.parametrize(("lowering", "precision"), FORMS)
@pytest.mark.parametrize("valid", [(1, 1), (0, 1), (0, 0)], ids=["all slots", "second slot", "no slot"])
def test_the_saved_package_computes_what_pytorch_computes(
    converted: Any, lowering: str, precision: str, valid: tuple[int, int]
) -> None:
    form: Converted = converted(lowering, precision)
    evaluator = form.evaluator()
    lr, features, _ = form.graphs.inputs("restore")
    mask = torch.tensor(valid, dtype=torch.float32)
    for graph, inputs in (("encode", form.graphs.inputs("encode")), ("restore", (lr, features, mask))):
        module: torch.nn.Module = getattr(form.graphs, graph)
        wanted = module(*inputs)
        outputs = evaluator.run(graph, [tensor.numpy() for tensor in inputs])
        for got, tensor in zip(outputs, wanted if isinstance(wanted, tuple) else (wanted,), strict=True):
            assert got.dtype == np.float32
            assert got.shape == tuple(tensor.shape)
            if precision == "fp32":
                assert np.abs(got - tensor.numpy()).max() <= 1e-4
            else:
                assert psnr_unit(got, tensor.numpy()) >= 55
    empty = [i for i, v in enumerate(valid) if not v]
    assert not outputs[1][empty].any()  # weights of empty slots


def test_the_bicubic_skip_as_a_convolution_converts_too(tmp_path: Path) -> None:
    graphs = deployed_graphs(lively(TINY), "grid_sample", skip="conv")
    form = Converted(graphs, tmp_path, coreml.convert(graphs, "fp16", tmp_path, lambda stage: None))
    assert "linear" not in form.conversion.operators["restore"]
    inputs = graphs.inputs("restore")
    sr, _ = form.evaluator().run("restore", [tensor.numpy() for tensor in inputs])
    assert psnr_unit(sr, graphs.restore(*inputs)[0].numpy()) >= 55


@pytest.mark.parametrize(("lowering", "precision"), FORMS)
def test_coordinates_are_float32_in_the_saved_program(converted: Any, lowering: str, precision: str) -> None:
    form: Converted = converted(lowering, precision)
    restore = form.program.functions["restore"]
    coordinates = [op for op in coordinate_operations(restore) if op.op_type != "cast"]
    assert {"tanh", "mul"} <= {op.op_type for op in coordinates}
    assert {dtype_name(op.outputs[0]) for op in coordinates} <= {"fp32", "int32", "bool"}
    if lowering == "grid_sample":
        (resample,) = [op for op in operations(restore) if op.op_type == "resample"]
        assert dtype_name(resample.inputs["coordinates"]) == "fp32"
        assert dtype_name(resample.inputs["x"]) == precision
    assert form.conversion.arithmetic == {
        "inputs and outputs": "fp32",
        "sampling coordinates": "fp32",
        "encode": precision,
        "restore": precision,
        "weights": precision,
    }


def test_both_functions_and_metadata_are_in_one_package(converted: Any) -> None:
    import coremltools as ct

    form: Converted = converted("grid_sample", "fp16")
    assert form.conversion.files == {"model": "model.mlpackage"}
    spec = ct.utils.load_spec(str(form.folder / "model.mlpackage"))
    assert spec.specificationVersion == 9
    assert spec.description.defaultFunctionName == "restore"
    signatures = {f.name: ([i.name for i in f.input], [o.name for o in f.output]) for f in spec.description.functions}
    assert signatures == {
        "encode": (["exemplar"], ["features"]),
        "restore": (["lr", "features", "valid"], ["sr", "weights"]),
    }
    float32 = ct.proto.FeatureTypes_pb2.ArrayFeatureType.FLOAT32
    for function in spec.description.functions:
        for feature in (*function.input, *function.output):
            assert feature.type.multiArrayType.dataType == float32
            assert feature.shortDescription
    stored = spec.description.metadata.userDefined
    assert (stored["edgesr_feature_space"], stored["edgesr_slots"]) == ("tiny", "2")
    assert form.conversion.operators["restore"]["resample"] == 1
    assert "resample" not in form.conversion.operators["encode"]


def test_float16_weights_take_half_the_space(converted: Any) -> None:
    weights = Path("model.mlpackage/Data/com.apple.CoreML/weights/weight.bin")
    sizes = {p: (converted("rows", p).folder / weights).stat().st_size for p in ("fp32", "fp16")}
    assert sizes["fp16"] < 0.75 * sizes["fp32"]  # the rest are int32 indices


def test_the_evaluator_reads_the_packages_own_weights(converted: Any, tmp_path: Path) -> None:
    form: Converted = converted("grid_sample", "fp32")
    shutil.copytree(form.folder, tmp_path, dirs_exist_ok=True)
    weights = tmp_path / "model.mlpackage/Data/com.apple.CoreML/weights/weight.bin"
    data = bytearray(weights.read_bytes())
    kernel = form.program.functions["restore"].find_ops(op_type="conv")[2].inputs["weight"].val.tobytes()
    at = data.find(kernel)
    assert at >= 0
    data[at : at + len(kernel)] = bytes(len(kernel))
    weights.write_bytes(data)
    inputs = [tensor.numpy() for tensor in form.graphs.inputs("restore")]
    sound, damaged = (form.evaluator(folder).run("restore", inputs)[0] for folder in (form.folder, tmp_path))
    assert np.abs(sound - damaged).max() > 1e-3


@pytest.mark.parametrize("file", ["model.mlmodel", "weights/weight.bin"])
def test_a_truncated_package_is_refused(converted: Any, tmp_path: Path, file: str) -> None:
    form: Converted = converted("grid_sample", "fp32")
    shutil.copytree(form.folder, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "model.mlpackage/Data/com.apple.CoreML" / file
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(BundleError, match="cannot read the Core ML program"):
        form.evaluator(tmp_path)


def test_an_unknown_operation_is_named(converted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(mil_ops.OPERATIONS, "resample")
    with pytest.raises(UnavailableError, match="does not know the Core ML operation 'resample'"):
        converted("grid_sample", "fp32").evaluator()


def test_conversion_is_quiet_and_leaves_no_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    scratch, folder = tmp_path / "scratch", tmp_path / "bundle"
    scratch.mkdir()
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    stages: list[str] = []
    coreml.convert(deployed_graphs(lively(TINY), "grid_sample"), "fp16", folder, stages.append)
    assert len(stages) == 3
    assert capfd.readouterr() == ("", "")
    assert list(scratch.iterdir()) == []
    assert [path.name for path in folder.iterdir()] == ["model.mlpackage"]


def test_another_precision_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="int4"):
        coreml.convert(deployed_graphs(lively(TINY), "grid_sample"), "int4", tmp_path, lambda stage: None)  # type: ignore[arg-type]


@pytest.mark.skipif(sys.platform == "darwin", reason="Core ML executes here")
def test_core_ml_itself_says_that_it_needs_a_mac(converted: Any) -> None:
    form: Converted = converted("grid_sample", "fp16")
    with pytest.raises(UnavailableError, match="only on a Mac"):
        CoreMLRuntime(form.folder, form.conversion.files, form.graphs.interface, form.conversion.tensors)


@pytest.mark.skipif(sys.platform != "darwin", reason="Core ML executes only on a Mac")
def test_core_ml_itself_agrees_with_pytorch(converted: Any) -> None:
    form: Converted = converted("grid_sample", "fp16")
    runtime = CoreMLRuntime(form.folder, form.conversion.files, form.graphs.interface, form.conversion.tensors)
    inputs = form.graphs.inputs("restore")
    sr, _ = runtime.run("restore", [tensor.numpy() for tensor in inputs])
    assert psnr_unit(sr, form.graphs.restore(*inputs)[0].numpy()) >= 55
