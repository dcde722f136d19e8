"""The gate decides trust: a damaged network is caught on every target, named, and leaves nothing behind."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from damages import DAMAGES, drop_offset, scale_encoder_kernel, scale_kernel, search_around, swap_channels

from edgesr.convert import pipeline
from edgesr.convert.parity import Check, Parity, measure_golden
from edgesr.convert.pipeline import convert, make_graphs, plan
from edgesr.convert.quantized import quantization_for
from edgesr.convert.target import Target
from edgesr.convert.targets import TARGETS
from edgesr.convert.verify import verify
from edgesr.deployment.graphs import Graphs
from edgesr.errors import CheckpointError, ParityError, UnavailableError, UsageError
from edgesr.release import DEFAULT_CHECKPOINT

MARKS = {
    "tflite": pytest.mark.tflite,
    "web": pytest.mark.chromium,
    "qnn": pytest.mark.qnn,
    "coreai": pytest.mark.coreai,
}
TARGET_PARAMS = [pytest.param(name, marks=MARKS.get(name, ())) for name in TARGETS if name not in ("qnn", "coreai")]
"""A sound network on those two: test_qnn.py and test_coreai.py."""


CAUGHT = [
    # One measurement judges every target's artifact: a kernel of each graph shows that it is made of what came out, and
    # the quickest target that every kind of damage is seen. Compilers that take long have one.
    *((target, None, scale_kernel) for target in TARGETS),
    *((target, None, scale_encoder_kernel) for target in TARGETS if target not in ("qnn", "coreai")),
    *((target, None, drop_offset) for target in ("coreml", "qnn", "coreai")),  # which sample in other ways
    *((target, None, swap_channels) for target in ("qnn", "coreai")),  # which are other companies' compilers
    *(("onnx", precision, damage) for precision in ("fp32", "fp16") for damage in (swap_channels, drop_offset)),
]


def caught_params() -> list[Any]:
    return [
        pytest.param(*case, marks=MARKS.get(case[0], ()), id=f"{case[0]}-{case[1] or 'default'}-{case[2].__name__}")
        for case in CAUGHT
    ]


@pytest.mark.parametrize(("target", "precision", "damage"), caught_params())
def test_a_damaged_network_is_caught_on_every_target(
    target: str,
    precision: str | None,
    damage: Callable[[Graphs], None],
    tiny_checkpoint: Path,
    tmp_path: Path,
    monkeypatch,
) -> None:
    output = tmp_path / "bundle"
    chosen = plan(target, checkpoint=tiny_checkpoint, precision=precision, output=output)
    graphs = make_graphs(chosen)
    damage(graphs)
    # A search converts half a dozen prefixes: one damage shows that each target converts and runs those around it, and
    # test_locate that the search finds the others. The web's graphs and the NPU's are ONNX's, and a browser and an
    # emulator take long to start.
    search_around(DAMAGES[damage], monkeypatch)
    if target in ("web", "qnn", "coreai") or damage is not scale_kernel:
        monkeypatch.setattr(pipeline, "first_departing_module", lambda *args, **kwargs: DAMAGES[damage])
    with pytest.raises(ParityError) as caught:
        convert(chosen, graphs=graphs)
    assert caught.value.what.endswith(f"first module that departs: {DAMAGES[damage]}")
    assert caught.value.exit_code == 1
    assert list(tmp_path.iterdir()) == [], "nothing may be left behind"


def test_what_fp16_hides_its_fp32_twin_shows(tiny_checkpoint: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(pipeline, "first_departing_module", lambda *args, **kwargs: "somewhere")
    chosen = plan("onnx", checkpoint=tiny_checkpoint, precision="fp16", output=tmp_path / "bundle")
    graphs = make_graphs(chosen)
    graphs.restore.reconstructor.up2.weight *= 1.002
    with pytest.raises(ParityError, match="fp32 twin"):
        convert(chosen, graphs=graphs)
    assert list(tmp_path.iterdir()) == []


def test_the_verdict_stands_when_the_search_fails(tiny_checkpoint: Path, tmp_path: Path, monkeypatch) -> None:
    def search(*_: object, **__: object) -> str:
        raise RuntimeError("cannot lower this")

    monkeypatch.setattr(pipeline, "first_departing_module", search)
    chosen = plan("onnx", checkpoint=tiny_checkpoint, output=tmp_path / "bundle")
    graphs = make_graphs(chosen)
    scale_kernel(graphs)
    with pytest.raises(ParityError, match="cannot lower this"):
        convert(chosen, graphs=graphs)


@pytest.mark.parametrize("target", TARGET_PARAMS)
def test_a_sound_network_passes_and_verifies(target: str, tiny_checkpoint: Path, tmp_path: Path) -> None:
    chosen = plan(target, checkpoint=tiny_checkpoint, output=tmp_path / "bundle")
    manifest = convert(chosen)
    assert manifest["parity"]["checks"]
    assert all(check["ok"] for check in manifest["parity"]["checks"])
    result = verify(chosen.output, tiny_checkpoint)
    assert result.ok, result.failed
    kinds = {"files", "manifest:", "golden", "real", "model", "encode:", "restore:"}
    assert {check.name.split()[0] for check in result.checks} >= kinds


def test_json_holds_no_infinity_where_outputs_are_equal() -> None:
    equal = Parity(0.0, math.inf, "onnxruntime", (Check("features: PSNR dB", True, math.inf, 40.0),))
    said = json.loads(json.dumps(equal.to_dict()), parse_constant=pytest.fail)
    assert (said["psnr_db"], said["checks"][0]["value"], said["checks"][0]["threshold"]) == (None, None, 40.0)


def test_verify_refuses_another_checkpoint(tiny_checkpoint: Path, tmp_path: Path) -> None:
    chosen = plan("onnx", checkpoint=tiny_checkpoint, output=tmp_path / "bundle")
    convert(chosen)
    with pytest.raises(CheckpointError, match="was not made from"):
        verify(chosen.output, "hime-small-x4")


@pytest.mark.parametrize("value", [np.nan, 1.0])
def test_a_wrong_or_undefined_output_fails(value: float, tiny_checkpoint: Path, tmp_path: Path) -> None:
    chosen = plan("onnx", checkpoint=tiny_checkpoint, output=tmp_path / "bundle")
    convert(chosen)
    from edgesr.bundle import open_bundle

    bundle = open_bundle(chosen.output)
    golden = bundle.golden()
    golden["restore.out.sr"][0, 0, 0] += value
    failed = [check for check in measure_golden(bundle.runtime(), golden, "fp32").checks if not check.ok]
    assert [check.name for check in failed] == ["sr: max abs error"]
    assert isinstance(failed[0], Check)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"target": "windows"}, UsageError, "executorch, coreml, tflite, onnx"),
        ({"target": "coreml", "precision": "int3"}, UsageError, "fp16, fp32"),
        ({"target": "onnx", "lowering": "magic"}, UsageError, "rows, grid_sample, tent"),
        ({"target": "onnx", "checkpoint": "nobody"}, CheckpointError, "no checkpoint"),
        ({"target": "onnx", "lr_size": 2}, CheckpointError, "lr_size"),
    ],
)
def test_an_impossible_plan_is_refused_with_the_possible_ones(arguments: dict, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        plan(**arguments)


def test_a_missing_tool_is_named_with_the_command_that_installs_it(monkeypatch) -> None:
    monkeypatch.setitem(TARGETS, "onnx", dataclasses.replace(TARGETS["onnx"], requires=("not_installed",)))
    with pytest.raises(UnavailableError) as caught:
        plan("onnx")
    assert caught.value.exit_code == 3
    assert "not_installed" in caught.value.what
    assert caught.value.hint == "pip install 'edgesr[onnx]'"


@pytest.mark.parametrize("target", ["executorch", "tflite", "onnx"])
def test_the_shipped_network_is_converted_in_int8(target: str) -> None:
    chosen = plan(target)
    assert chosen.precision == "int8"
    assert chosen.quantization is not None
    assert chosen.output.name == f"{DEFAULT_CHECKPOINT}-lr32-s5-{target}-int8"
    assert chosen.notes == ()


def test_a_network_without_an_int8_one_is_converted_in_float_and_that_is_said(tiny_checkpoint: Path) -> None:
    chosen = plan("onnx", checkpoint=tiny_checkpoint)
    assert chosen.precision == "fp32"
    assert "there is no int8 network of tiny" in chosen.notes[0]
    assert "edgesr quantize" in chosen.notes[0]
    with pytest.raises(UsageError, match="there is no int8 network of tiny"):
        plan("onnx", checkpoint=tiny_checkpoint, precision="int8")


def test_without_torchao_the_default_is_float_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgesr.convert.quantized.importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(Target, "missing", lambda self: [])
    chosen = plan("onnx")
    assert chosen.precision == "fp32"
    assert "torchao" in chosen.notes[0]


def test_core_ml_stays_fp16() -> None:
    assert plan("coreml").precision == "fp16"


def test_core_ml_keeps_offsets_and_trunk_in_float_and_every_other_step() -> None:
    chosen = plan("coreml", precision="int8")
    here, elsewhere = chosen.quantization, plan("executorch", precision="int8").quantization
    assert here is not None
    assert elsewhere is not None
    offsets = {f"restore.alignment.offset_{axis}" for axis in "yx"}
    gone = {name.removesuffix(":out") for name in set(elsewhere.points) - set(here.points) if name.endswith(":out")}
    assert {layer for layer in gone if not layer.endswith(".add")} == {*offsets, "restore.fusion"}
    assert {here.recipe.precision_of(layer) for layer in gone} == {"float"}
    assert {elsewhere.recipe.precision_of(layer) for layer in gone} == {"int8"}
    # What reads the trunk in int8 rounds it by the step that it had there.
    moved = {
        "restore.reconstructor.blocks.0.conv1:in": "restore.fusion:out",
        "restore.reconstructor.blocks.1.conv1:in": "restore.reconstructor.blocks.0.add:out",
    }
    assert {name: here.points[name] for name in moved} == {name: elsewhere.points[was] for name, was in moved.items()}
    kept = set(here.points) & set(elsewhere.points)
    assert {name: here.points[name] for name in kept} == {name: elsewhere.points[name] for name in kept}
    assert quantization_for(chosen.target, chosen.checkpoint, here) == here


def test_sizes_and_slots_other_than_the_checkpoints_work(tiny_checkpoint: Path, tmp_path: Path) -> None:
    chosen = plan("onnx", checkpoint=tiny_checkpoint, lr_size=12, slots=5, output=tmp_path / "bundle")
    manifest = convert(chosen)
    shapes = {t["name"]: t["shape"] for t in manifest["tensors"]["restore"]["inputs"]}
    assert (shapes["lr"], shapes["valid"]) == ([1, 3, 12, 12], [5])


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.no_grad():
        yield
