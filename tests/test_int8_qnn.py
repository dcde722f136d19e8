"""int8 on the Snapdragon NPU, as its emulator computes it: by the network's own steps, whole on the NPU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from int8_networks import (
    CAUGHT_BY_NAME,
    assert_every_int8_convolution_keeps_its_steps,
    names,
    quantized,
    truth,
    with_other_weights,
)

from edgesr.convert.int8 import int8_checks
from edgesr.convert.parity import Check, measure_parity
from edgesr.convert.precision import NPU_DB
from edgesr.convert.target import Conversion
from edgesr.deployment.graphs import Graphs

pytest.importorskip("onnxruntime_qnn", reason="the NPU's compiler needs onnxruntime-qnn: pip install 'edgesr[qnn]'")

from edgesr.convert.qnn.conversion import convert, emulated

pytestmark = pytest.mark.qnn

CHIP = "sm8650"
LOWERING = "grid_sample"
Converted = tuple[Conversion, Path]


def converted(graphs: Graphs, folder: Path) -> Converted:
    return convert(graphs, "int8", folder, lambda stage: None, (CHIP,)), folder


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Converted:
    return converted(quantized(LOWERING), tmp_path_factory.mktemp("int8"))


def checks(artifact: Converted) -> list[Check]:
    made, folder = artifact
    runtime = emulated(folder, made.files, CHIP, quantized(LOWERING).interface, made.tensors)
    return list(measure_parity(runtime, *truth(LOWERING), "int8", NPU_DB["int8"]).checks)


def test_the_emulator_computes_what_the_quantized_graphs_do(artifact: Converted) -> None:
    found = checks(artifact)
    assert [check for check in found if not check.ok] == []
    assert {"sr: PSNR dB", "weights: PSNR dB", "features: PSNR dB"} <= {check.name for check in found}


def test_it_is_whole_on_the_npu_and_computes_in_int8_by_the_networks_own_steps(artifact: Converted) -> None:
    made, _ = artifact
    assert_every_int8_convolution_keeps_its_steps(made, LOWERING)
    assert made.computes_in == "int8"
    said = made.further["npu"][CHIP]
    assert said["nodes_on_npu"] == said["nodes"]


@pytest.mark.parametrize(("damage", "named"), CAUGHT_BY_NAME)
def test_a_damaged_conversion_is_caught_by_name(damage: Callable[[Graphs], Graphs], named: str, tmp_path: Path) -> None:
    made, _ = converted(damage(quantized(LOWERING)), tmp_path)
    failed = [check for check in int8_checks(made.convolutions, quantized(LOWERING)) if not check.ok]
    assert any(name.startswith(named) for name in names(failed))


def test_swapped_channels_are_caught_by_what_the_emulator_computes_and_in_the_file(tmp_path: Path) -> None:
    made = converted(with_other_weights(quantized(LOWERING), "alignment.hidden"), tmp_path)
    assert [check.name for check in checks(made) if not check.ok] == ["sr: PSNR dB"]
    failed = [check.name for check in int8_checks(made[0].convolutions, quantized(LOWERING)) if not check.ok]
    assert failed == ["restore: int8 step of alignment.hidden"]
