"""Snapdragon NPU: ONNX graphs compiled for chosen chips by Qualcomm's compiler, and run on its emulator."""

from __future__ import annotations

from edgesr.runtime.engines import ENGINES
from edgesr.runtime.snapdragon import CHIPS

from ..target import Target

TARGET = Target(
    name="qnn",
    title="Snapdragon NPU",
    module="edgesr.convert.qnn.conversion",
    stages=2,
    chip_stages=2,
    completing_stages=1,
    precisions=("int8", "fp16", "int8-ptq", "mixed"),
    default_precision="int8",
    lowerings=("rows", "grid_sample", "tent"),
    skip="matmul",
    extra="qnn",
    requires=("onnx", "onnxscript", "onnxruntime", "onnxruntime_qnn"),
    executes_on="snapdragon",
    otherwise="Qualcomm's emulator of its NPU ran it instead",
    roles=("encode", "restore", "contexts"),
    evaluator=ENGINES["qnn"],
    chips=("sm8650", "sm8750"),
    known_chips=tuple(CHIPS),
    fp32_form="onnx",
)
