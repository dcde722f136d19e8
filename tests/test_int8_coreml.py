"""int8 Core ML: activations and weights quantized in the saved program, evaluated from it operation by operation."""

from __future__ import annotations

from pathlib import Path

import pytest
from int8_networks import (
    assert_every_int8_convolution_keeps_its_steps,
    failures,
    found_by_prefixes,
    names,
    network,
    quantized,
    with_wrong_step,
)

pytest.importorskip("coremltools")

from edgesr.convert.coreml.conversion import convert
from edgesr.convert.coreml.mil.evaluator import MILEvaluator
from edgesr.convert.coreml.mil.program import load_program, operations
from edgesr.convert.int8 import int8_checks
from edgesr.convert.parity import expected, measure_parity, real_cases
from edgesr.convert.target import Conversion
from edgesr.deployment.graphs import deployed_graphs
from edgesr.runtime.torch import TorchRuntime

LOWERING = "grid_sample"
Converted = tuple[Conversion, Path]


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Converted:
    folder = tmp_path_factory.mktemp("int8")
    return convert(quantized(LOWERING), "int8", folder, lambda stage: None), folder


def evaluator(artifact: Converted) -> MILEvaluator:
    conversion, folder = artifact
    return MILEvaluator(folder, conversion.files, quantized(LOWERING).interface, conversion.tensors)


def test_the_saved_program_computes_what_the_quantized_graphs_do(artifact: Converted) -> None:
    assert failures(evaluator(artifact), LOWERING) == []


def test_every_int8_convolution_is_in_the_program_with_its_own_steps(artifact: Converted) -> None:
    assert_every_int8_convolution_keeps_its_steps(artifact[0], LOWERING)
    assert artifact[0].arithmetic["weights"] == "fp16 and int8"
    assert artifact[0].arithmetic["sampling coordinates"] == "fp32"


def test_additions_keep_their_own_steps(artifact: Converted) -> None:
    """In steps of a block's residual, which may be 200 times finer, float16 would overflow."""
    restore = load_program(artifact[1] / "model.mlpackage").functions["restore"]
    scales = [float(op.inputs["scale"].val) for op in operations(restore) if op.op_type in ("quantize", "dequantize")]
    assert max(scales) < 0.1


def test_a_wrong_step_is_caught_by_name(tmp_path: Path) -> None:
    conversion = convert(with_wrong_step(quantized(LOWERING)), "int8", tmp_path, lambda stage: None)
    failed = [check for check in int8_checks(conversion.convolutions, quantized(LOWERING)) if not check.ok]
    assert len(failed) == 1
    assert names(failed)[0].startswith("restore: int8 step of lr_extractor.")


def test_a_departing_layer_of_the_program_is_found() -> None:
    layer = "alignment.projection"
    found = found_by_prefixes(
        layer,
        LOWERING,
        convert=lambda prefix, folder: convert(prefix, "int8", folder, lambda stage: None),
        open_artifact=lambda folder, made: MILEvaluator(
            folder, made.files, quantized(LOWERING).interface, made.tensors
        ),
    )
    assert found == f"restore.{layer}"


def test_weights_alone_can_be_int8(tmp_path: Path) -> None:
    graphs = deployed_graphs(network()[0].model, LOWERING)
    conversion = convert(graphs, "int8-weights", tmp_path, lambda stage: None)
    assert conversion.computes_in == "fp16"
    assert conversion.arithmetic["weights"] == "fp16 and int8"
    kinds = conversion.operators
    assert "quantize" not in {**kinds["encode"], **kinds["restore"]}
    assert kinds["encode"]["constexpr_blockwise_shift_scale"] == 5
    # All but the two of offsets, whose error is a displacement, and CoFA's two of eight values, too few to store.
    assert kinds["restore"]["constexpr_blockwise_shift_scale"] == kinds["restore"]["conv"] - 4
    cases = real_cases(graphs.interface)[:3]
    runtime = MILEvaluator(tmp_path, conversion.files, graphs.interface, conversion.tensors)
    correct = expected(TorchRuntime(network()[0].model), cases)
    assert measure_parity(runtime, cases, correct, "int8-weights").ok
