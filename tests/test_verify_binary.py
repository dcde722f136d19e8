"""Changes in binary models of phones, found by what is read back, and files that would end their runtime."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from conftest import Call
from tampering import Made, edit, refused

import edgesr
from edgesr.bundle import MANIFEST
from edgesr.convert.artifact import engine_or_evaluator
from edgesr.convert.int8 import Convolutions
from edgesr.convert.precision import Precision
from edgesr.convert.targets import TARGETS
from edgesr.errors import BundleError


def the_file(folder: Path, target: str) -> Path:
    """The one file that holds a target's weights."""
    return folder / {"tflite": "model.tflite", "executorch": "model.pte"}[target]


def in_bytes(folder: Path, target: str, old: npt.NDArray[Any], new: npt.NDArray[Any]) -> None:
    """Replace an array wherever the model's files hold it; Core ML has short ones beside its weights' file."""
    package = [path for path in folder.glob("model.mlpackage/**/*") if path.is_file()]
    given, changed = old.tobytes(), new.astype(old.dtype).tobytes()
    assert given != changed
    holding = [path for path in package or [the_file(folder, target)] if given in path.read_bytes()]
    assert holding
    for path in holding:
        path.write_bytes(path.read_bytes().replace(given, changed))


def as_held(target: str, kernel: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return kernel if target == "coreml" else np.ascontiguousarray(kernel.transpose(0, 2, 3, 1))


def change_int8_weight(folder: Path, target: str, restore: Convolutions) -> str:
    held = as_held(target, restore.int8[3].weight)
    new = held.copy()
    new.flat[1] ^= 1
    in_bytes(folder, target, held, new)
    return "restore: int8 step of"


def zero_a_kernel(folder: Path, target: str, restore: Convolutions) -> str:
    held = as_held(target, restore.int8[3].weight)
    new = held.copy()
    new[0] = 0
    in_bytes(folder, target, held, new)
    return "restore: int8 step of"


def stretch_a_step(folder: Path, target: str, restore: Convolutions) -> str:
    step = np.float32(sorted(restore.steps, key=lambda step: step.scale)[5].scale)
    in_bytes(folder, target, step, step * np.float32(1.03))
    return "restore: int8 step"


def move_a_bias(folder: Path, target: str, restore: Convolutions) -> str:
    """One channel's, so little that 50 dB hide it: by 3 steps of the accumulator; of float16 by 8 of its own."""
    conv = restore.int8[3]
    most = int(np.abs(conv.bias).argmax())
    if target == "coreml":
        held = conv.bias.astype(np.float16)
        moved = held * np.where(np.arange(len(held)) == most, np.float16(1 + 2**-7), np.float16(1))
    else:
        held = np.rint(conv.bias / (conv.input.scale * conv.weight_scales.astype(np.float64))).astype(np.int32)
        moved = held + 3 * (np.arange(len(held)) == most)
    in_bytes(folder, target, held, moved)
    return "restore: int8 step of"


def double_a_kernel(folder: Path, target: str, restore: Convolutions) -> str:
    kernel = restore.kernels[0]
    held = as_held(target, kernel.weight.astype(kernel.stored))
    new = held.copy()
    new[0] *= 2
    in_bytes(folder, target, held, new)
    return "restore: weights of"


def double_a_kernel_and_call_it_int8_weights(folder: Path, target: str, restore: Convolutions) -> str:
    double_a_kernel(folder, target, restore)
    edit(folder, lambda manifest: manifest.update(precision="int8-weights"))
    return "encode: convolutions stored as int8"


def zero_byte_20(folder: Path, target: str, restore: Convolutions) -> str:  # noqa: ARG001 (as the others)
    path = the_file(folder, target)
    content = bytearray(path.read_bytes())
    content[20] = 0
    path.write_bytes(content)
    return "model file: its runtime takes it"


def lead_root_astray(folder: Path, target: str, restore: Convolutions) -> str:  # noqa: ARG001 (as the others)
    path = the_file(folder, target)
    path.write_bytes(b"\xf0\xff\x0f\x00" + path.read_bytes()[4:])
    return "model file: its runtime takes it"


def claim_more_for_the_backend(folder: Path, target: str, restore: Convolutions) -> str:  # noqa: ARG001 (as the others)
    def claim(manifest: dict[str, Any]) -> None:
        said = manifest["residency"]["restore"][0]
        said |= {"nodes": said["nodes"] + 1, "of": said["of"] + 1}

    edit(folder, claim)
    return "manifest: residency"


NUMBERS = (change_int8_weight, zero_a_kernel, stretch_a_step, move_a_bias, double_a_kernel)
BINARY = [
    *(pytest.param("tflite", "int8-ptq", each, marks=pytest.mark.tflite) for each in (*NUMBERS, zero_byte_20)),
    *(
        pytest.param("executorch", "int8-ptq", each)
        for each in (*NUMBERS, claim_more_for_the_backend, lead_root_astray)
    ),
    *(pytest.param("coreml", "int8-ptq", each) for each in (change_int8_weight, move_a_bias, double_a_kernel)),
    *(pytest.param("coreml", "fp16", each) for each in (double_a_kernel, double_a_kernel_and_call_it_int8_weights)),
]


@pytest.mark.parametrize(("target", "precision", "change"), BINARY)
def test_every_change_of_a_binary_model_is_named(
    target: str,
    precision: Precision,
    change: Callable[..., str],
    made: Made,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if change in NUMBERS:  # weights and steps alone end no process, and one takes seconds to begin
        monkeypatch.setattr("edgesr.convert.verify.isolated", engine_or_evaluator)
    folder = made.copy(target, precision, tmp_path)
    files = json.loads((folder / MANIFEST).read_text())["files"]
    read = TARGETS[target].read_back(folder, files, precision)
    refused(folder, made.checkpoint(precision), change(folder, target, read.convolutions["restore"]))


@pytest.mark.parametrize(
    ("target", "change"),
    [
        pytest.param("tflite", zero_byte_20, marks=pytest.mark.tflite),
        pytest.param("executorch", lead_root_astray),
    ],
)
def test_a_model_that_would_end_its_runtime_is_an_error_of_every_command(
    target: str, change: Callable[..., str], made: Made, tmp_path: Path, call: Call, photos: Path
) -> None:
    folder = made.copy(target, "int8-ptq", tmp_path)
    change(folder, target, None)
    edit(folder, lambda manifest: None)
    with pytest.raises(BundleError):
        edgesr.load(folder)
    restore = ("restore", photos / "lr.png", "--exemplars", photos / "exemplar.png", "--aligned", "-m", folder)
    for command in ((*restore, "-o", tmp_path / "out.png"), ("bench", folder, "--runs", "3")):
        code, said, _ = call(*command)
        assert (code, said["ok"]) == (5, False), said
        assert "model" in said["error"]
