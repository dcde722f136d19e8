"""ExecuTorch in int8: the program computes the quantized graphs' integers, and says so itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TINY, lively

pytest.importorskip("executorch")

from edgesr.convert.executorch import rewrites as xnnpack_rewrites
from edgesr.convert.executorch.conversion import convert
from edgesr.convert.int8 import count, int8_checks
from edgesr.convert.target import Conversion
from edgesr.deployment.graphs import Graphs, deployed_graphs
from edgesr.evaluation.metrics import psnr_unit
from edgesr.models import Checkpoint
from edgesr.quantize.graphs import GraphsRuntime, quantize_graphs
from edgesr.quantize.ptq import CalibrationFace, calibrate
from edgesr.runtime.executorch import ExecuTorchRuntime

Converted = tuple[Graphs, Conversion, Path]


@pytest.fixture(scope="module")
def int8(tmp_path_factory: pytest.TempPathFactory) -> Converted:
    model = lively(TINY)
    source = Checkpoint("tiny", model, "tiny-0", {"f_ref": 0.05, "g_ref": 0.05}, "0" * 64, {})
    torch.manual_seed(0)
    photos = torch.randint(0, 256, (3, 3, TINY.hr_size, TINY.hr_size), dtype=torch.uint8)
    quantization = calibrate(source, [CalibrationFace(photos[0], photos[1:]), CalibrationFace(photos[1], photos[:1])])
    graphs = quantize_graphs(deployed_graphs(model, "rows"), quantization)
    folder = tmp_path_factory.mktemp("int8")
    return graphs, convert(graphs, "int8", folder, lambda stage: None), folder


def test_it_computes_what_the_quantized_graphs_compute(int8: Converted) -> None:
    """Integer for integer, but where a float value lies between two steps."""
    graphs, conversion, folder = int8
    runtime = ExecuTorchRuntime(folder, conversion.files, graphs.interface, conversion.tensors, 1)
    reference = GraphsRuntime(graphs)
    random = np.random.default_rng(0)
    photos = random.random((TINY.slots, TINY.hr_size, TINY.hr_size, 3), np.float32)
    lr = random.random((TINY.lr_size, TINY.lr_size, 3), np.float32)
    features = np.stack([reference.encode(photo) for photo in photos])
    ours = np.stack([runtime.encode(photo) for photo in photos])
    assert float((np.abs(ours - features) > 1e-4).mean()) < 0.01
    valid = np.ones(TINY.slots, np.float32)
    got, wanted = runtime.restore(lr, features, valid)[0], reference.restore(lr, features, valid)[0]
    assert psnr_unit(got, wanted) > 50


def test_the_saved_program_says_what_is_int8(int8: Converted) -> None:
    graphs, conversion, _ = int8
    assert conversion.computes_in == "int8"
    assert all(check.ok for check in int8_checks(conversion.convolutions, graphs))
    numbers = count(conversion.convolutions, graphs)
    assert numbers["encode"]["float"] == 0
    assert numbers["restore"]["float"] == 3  # CoFA's u, v and sum
    assert all(number["int8"] == number["expected"] > 0 for number in numbers.values())


def test_a_float_conversion_is_caught(int8: Converted, tmp_path: Path) -> None:
    """Negative control: float graphs in the quantized ones' place."""
    conversion = convert(deployed_graphs(lively(TINY), "rows"), "int8", tmp_path, lambda stage: None)
    assert conversion.computes_in == "fp32"
    failed = [check for check in int8_checks(conversion.convolutions, int8[0]) if not check.ok]
    assert any("convolutions in int8" in check.name for check in failed)


def test_nothing_but_the_look_ups_is_left_to_the_host(int8: Converted) -> None:
    delegation = int8[1].delegation
    assert delegation is not None
    assert delegation["encode"]["fraction"] == 1.0
    # The views stand for what was reshaped: nothing is computed.
    assert set(delegation["restore"]["remaining"]) <= {
        "embedding",
        "add",
        "to_dim_order_copy",
        "slice_copy",
        "view_copy",
    }


def test_in_parts_it_computes_the_same(int8: Converted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a network of real size is sampled: equal to the bit, and the parts' product counts as one convolution."""
    graphs, whole, folder = int8
    monkeypatch.setattr(xnnpack_rewrites, "PART_BYTES", 8192)
    conversion = convert(graphs, "int8", tmp_path, lambda stage: None)
    assert all(check.ok for check in int8_checks(conversion.convolutions, graphs))
    assert count(conversion.convolutions, graphs) == count(whole.convolutions, graphs)
    assert conversion.delegation is not None
    assert conversion.delegation["restore"]["remaining"]["embedding"] > 4
    random = np.random.default_rng(0)
    features = random.standard_normal((TINY.slots, TINY.lr_size, TINY.lr_size, TINY.feature_channels), np.float32)
    arguments = random.random((TINY.lr_size, TINY.lr_size, 3), np.float32), features, np.ones(TINY.slots, np.float32)
    results = [
        ExecuTorchRuntime(place, made.files, graphs.interface, made.tensors, 1).restore(*arguments)
        for place, made in ((folder, whole), (tmp_path, conversion))
    ]
    assert all(np.array_equal(a, b) for a, b in zip(*results, strict=True))
