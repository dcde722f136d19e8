"""TFLite: one file with both signatures computes what the graphs compute, on LiteRT and on tflite-runtime."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TINY, lively

from edgesr.convert.precision import Precision
from edgesr.convert.target import Conversion
from edgesr.convert.tflite import conversion, programs
from edgesr.convert.tflite.environment import tflite_environment
from edgesr.deployment.graphs import Graphs, deployed_graphs
from edgesr.errors import BundleError, EdgesrError
from edgesr.evaluation.metrics import psnr_unit
from edgesr.models.hime.config import HIMEConfig
from edgesr.runtime.base import fill_slots
from edgesr.runtime.engines import open_engine
from edgesr.runtime.litert import LiteRTRuntime
from edgesr.runtime.torch import TorchRuntime

METADATA: dict[str, str | int] = {"edgesr_scale": 4, "edgesr_feature_space": "tiny-0123"}
NO_NETWORK = ["unshare", "--user", "--map-root-user", "--net"]
Converted = tuple[Conversion, Path]


def graphs_of(config: HIMEConfig, lowering: str = "rows") -> Graphs:
    return dataclasses.replace(deployed_graphs(lively(config), lowering), metadata=METADATA)


def convert(
    folder: Path, config: HIMEConfig = TINY, lowering: str = "rows", precision: Precision = "fp32"
) -> Converted:
    if problem := tflite_environment().problem():
        pytest.skip(f"no TFLite environment: {problem} (edgesr setup tflite)")
    return conversion.convert(graphs_of(config, lowering), precision, folder, lambda stage: None), folder


@pytest.fixture(scope="module")
def fp32(tmp_path_factory: pytest.TempPathFactory) -> Converted:
    return convert(tmp_path_factory.mktemp("fp32"))


@pytest.fixture(scope="module")
def fp16(tmp_path_factory: pytest.TempPathFactory) -> Converted:
    return convert(tmp_path_factory.mktemp("fp16"), precision="fp16")


def opened(artifact: Converted, config: HIMEConfig = TINY) -> LiteRTRuntime:
    conversion, folder = artifact
    return LiteRTRuntime(folder, conversion.files, config.interface, conversion.tensors, threads=1)


def outputs(runtime: LiteRTRuntime | TorchRuntime, config: HIMEConfig, exemplars: int) -> list[np.ndarray]:
    """Features, SR image and weights for made-up photos, with some slots empty."""
    random = np.random.default_rng(1)
    photos = random.random((exemplars, config.hr_size, config.hr_size, 3), np.float32)
    lr = random.random((config.lr_size, config.lr_size, 3), np.float32)
    features = [runtime.encode(photo) for photo in photos]
    return [*features, *runtime.restore(lr, *fill_slots(features, config.interface))]


@pytest.mark.tflite
@pytest.mark.parametrize("exemplars", [0, 1, 2])
def test_fp32_equals_pytorch_on_litert(fp32: Converted, exemplars: int) -> None:
    wanted = outputs(TorchRuntime(lively(TINY)), TINY, exemplars)
    for got, correct in zip(outputs(opened(fp32), TINY, exemplars), wanted, strict=True):
        np.testing.assert_allclose(got, correct, atol=1e-4)


@pytest.mark.tflite
def test_fp16_weights_halve_the_file_and_stay_close(fp32: Converted, fp16: Converted) -> None:
    wanted = outputs(TorchRuntime(lively(TINY)), TINY, 2)
    for got, correct in zip(outputs(opened(fp16), TINY, 2), wanted, strict=True):
        assert psnr_unit(got, correct) >= 55
    size = {name: (made[1] / conversion.FILE).stat().st_size for name, made in (("fp32", fp32), ("fp16", fp16))}
    weights = sum(p.numel() for p in lively(TINY).parameters() if p.ndim == 4)
    assert size["fp32"] - size["fp16"] > weights  # two bytes each, less what 16 bits cost in tensors of their own
    assert fp16[0].arithmetic == {"everything": "fp32", "stored convolution weights": "fp16"}


@pytest.mark.parametrize(
    ("precision", "measured"),
    [
        ("fp32", {"max_abs_error": 0.01, "psnr_db": 50.0}),
        ("fp32", {"max_abs_error": float("nan"), "psnr_db": float("nan")}),
        ("fp16", {"max_abs_error": 0.01, "psnr_db": 50.0}),
        ("fp16", {"max_abs_error": float("nan"), "psnr_db": float("nan")}),
    ],
)
def test_a_wrong_answer_of_tflite_runtime_fails_the_gate(precision: Precision, measured: dict[str, float]) -> None:
    checks = conversion.judge_second_runtime({"runtime": "r", "outputs": {"restore sr": measured}}, precision)
    assert [check.ok for check in checks] == [False]


@pytest.mark.tflite
@pytest.mark.skipif(sys.platform != "linux", reason="tflite-runtime exists for Linux only")
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_it_runs_under_tflite_runtime(precision: str, request: pytest.FixtureRequest) -> None:
    conversion = request.getfixturevalue(precision)[0]
    assert len(conversion.checks) == 3, "features, sr and weights"
    assert all(check.ok and check.name.startswith("tflite-runtime 2.14.0") for check in conversion.checks)
    operators = conversion.operators
    assert operators["restore"]["GATHER"] == {"count": 4, "version": 1}
    assert operators["encode"]["CONV_2D"]["version"] >= 1


@pytest.mark.tflite
@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "lowering"),
    [
        (TINY, "tent"),
        # As many channels of features as pixels on a side: the order of axes shows in no shape.
        (TINY.replace(lr_size=16), "grid_sample"),
        (TINY.replace(slots=1, lr_size=12), "rows"),
        # From 64 pixels on torch leaves the skip's transposed matrix to be computed, which onnx2tf takes badly.
        (TINY.replace(lr_size=64, offset_channels=64, lr_channels=64, scale=2), "rows"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"lr{value.lr_size}-s{value.slots}",
)
def test_other_sizes_and_lowerings_equal_pytorch(tmp_path: Path, config: HIMEConfig, lowering: str) -> None:
    artifact = convert(tmp_path, config, lowering)
    wanted = outputs(TorchRuntime(lively(config)), config, 1)
    for got, correct in zip(outputs(opened(artifact, config), config, 1), wanted, strict=True):
        np.testing.assert_allclose(got, correct, atol=1e-4)


@pytest.mark.tflite
def test_images_and_features_are_channels_last_under_our_names(fp32: Converted) -> None:
    described = {
        f"{graph}.{side}.{tensor['name']}": (tensor["file_name"], tensor["shape"], tensor["layout"])
        for graph, sides in fp32[0].tensors.items()
        for side, tensors in sides.items()
        for tensor in tensors
    }
    assert described == {
        "encode.inputs.exemplar": ("exemplar", [1, 32, 32, 3], "NHWC"),
        "encode.outputs.features": ("features", [1, 8, 8, 16], "NHWC"),
        "restore.inputs.lr": ("lr", [1, 8, 8, 3], "NHWC"),
        "restore.inputs.features": ("features", [2, 8, 8, 16], "NHWC"),
        "restore.inputs.valid": ("valid", [2], "N"),
        "restore.outputs.sr": ("sr", [1, 32, 32, 3], "NHWC"),
        "restore.outputs.weights": ("weights", [2, 8, 8], "NHW"),
    }


@pytest.mark.tflite
def test_the_metadata_lies_in_the_file(fp16: Converted) -> None:
    content = (fp16[1] / conversion.FILE).read_bytes()
    assert json.dumps(METADATA).encode() in content
    assert str(Path.home()).encode() not in content, "the file names a folder of this machine"


@pytest.mark.tflite
@pytest.mark.slow
def test_conversion_works_without_a_network(tmp_path: Path, monkeypatch) -> None:
    if shutil.which("unshare") is None or subprocess.run([*NO_NETWORK, "true"], check=False).returncode:
        pytest.skip("this system does not let a program be cut off from the network")
    run_child = programs.run_child
    monkeypatch.setattr(
        programs, "run_child", lambda command, *args, **kw: run_child([*NO_NETWORK, *command], *args, **kw)
    )
    convert(tmp_path)
    assert (tmp_path / conversion.FILE).is_file()


@pytest.mark.parametrize(
    "attempt",
    ["socket.create_connection(('192.0.2.1', 80), 1)", "socket.socket().connect(('192.0.2.1', 80))", "urlopen(URL)"],
)
def test_the_worker_refuses_to_reach_another_machine(attempt: str) -> None:
    worker = Path(programs.__file__).with_name("worker.py")
    program = f"""
import runpy, socket
from urllib.request import urlopen
URL = "http://example.org/calibration.npy"
worker = runpy.run_path({str(worker)!r})
worker["forbid_network"]()
try:
    {attempt}
except worker["WorkerError"] as error:
    print(error)
"""
    said = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    assert "a conversion fetches nothing" in said.stdout


@pytest.mark.parametrize(
    ("line", "errors", "reason"),
    [
        ('{"error": "ValueError: no\\n\\nsuch axis"}', "Traceback\n", "ValueError: no such axis"),
        ('{"stage": "translating"}', "Killed\n", "Killed"),
    ],
)
def test_a_refusal_is_one_line_with_the_reason(
    tmp_path: Path, monkeypatch, line: str, errors: str, reason: str
) -> None:
    def run_child(_command, on_line, **_options):
        on_line(line)
        return 1, errors

    monkeypatch.setattr(programs, "run_child", run_child)
    monkeypatch.setattr(conversion.TFLiteEnvironment, "problem", lambda self: None)
    with pytest.raises(EdgesrError) as caught:
        conversion.convert(graphs_of(TINY), "fp32", tmp_path, lambda stage: None)
    assert caught.value.what == f"cannot convert to TFLite: {reason}"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.tflite
def test_litert_says_nothing_of_its_own(fp32: Converted, capfd: pytest.CaptureFixture[str]) -> None:
    outputs(opened(fp32), TINY, 1)
    assert capfd.readouterr() == ("", "")


def test_a_damaged_file_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / conversion.FILE).write_bytes(b"\0" * 64)
    tensors = graphs_of(TINY).tensors()
    with pytest.raises(BundleError, match="tflite cannot load the model"):
        open_engine("tflite", tmp_path, {"model": conversion.FILE}, TINY.interface, tensors)


@pytest.mark.tflite
def test_threads_are_settable(fp32: Converted) -> None:
    conversion, folder = fp32
    wanted = outputs(opened(fp32), TINY, 1)
    both = LiteRTRuntime(folder, conversion.files, TINY.interface, conversion.tensors, threads=2)
    for got, correct in zip(outputs(both, TINY, 1), wanted, strict=True):
        np.testing.assert_allclose(got, correct, atol=1e-5)


def test_example_outputs_are_the_graphs_own() -> None:
    graphs = graphs_of(TINY)
    made = conversion.examples(graphs)["restore"]
    sr, weights = graphs.restore(*(torch.from_numpy(made.inputs[name]) for name in ("lr", "features", "valid")))
    np.testing.assert_array_equal(made.outputs["sr"], sr.numpy())
    np.testing.assert_array_equal(made.outputs["weights"], weights.numpy())
