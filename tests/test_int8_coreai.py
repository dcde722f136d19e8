"""int8 on Core AI, experimental: quantize and dequantize around every operation, by the network's own steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from int8_networks import (
    CAUGHT_BY_NAME,
    assert_every_int8_convolution_keeps_its_steps,
    failures,
    names,
    quantized,
)

from edgesr.convert.coreai.conversion import convert
from edgesr.convert.int8 import int8_checks
from edgesr.convert.target import Conversion
from edgesr.deployment.graphs import Graphs
from edgesr.runtime.coreai import CoreAIRuntime

pytestmark = pytest.mark.coreai

LOWERING = "rows"
Converted = tuple[Conversion, Path]


def converted(graphs: Graphs, folder: Path) -> Converted:
    return convert(graphs, "int8", folder, lambda stage: None), folder


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Converted:
    return converted(quantized(LOWERING), tmp_path_factory.mktemp("int8"))


def test_apples_runtime_computes_what_the_quantized_graphs_do(artifact: Converted) -> None:
    made, folder = artifact
    interface = quantized(LOWERING).interface
    assert failures(CoreAIRuntime(folder, made.files, interface, made.tensors, threads=1), LOWERING) == []


def test_every_int8_convolution_is_in_the_file_with_its_own_steps(artifact: Converted) -> None:
    assert_every_int8_convolution_keeps_its_steps(artifact[0], LOWERING)
    assert artifact[0].computes_in == "int8"


@pytest.mark.parametrize(("damage", "named"), CAUGHT_BY_NAME)
def test_a_damaged_conversion_is_caught_by_name(damage: Callable[[Graphs], Graphs], named: str, tmp_path: Path) -> None:
    made, _ = converted(damage(quantized(LOWERING)), tmp_path)
    failed = [check for check in int8_checks(made.convolutions, quantized(LOWERING)) if not check.ok]
    assert any(name.startswith(named) for name in names(failed))
