"""Snapdragon NPU: ONNX graphs compiled for chosen chips by Qualcomm's compiler, and run on its emulator."""

from __future__ import annotations

from edgesr.runtime.engines import ENGINES
from edgesr.runtime.snapdragon import CHIPS

from ..float16 import IN_FLOAT
from ..precision import NPU_DB
from ..target import Target

TARGET = Target(
    name="qnn",
    title="Snapdragon NPU",
    module="edgesr.convert.qnn.conversion",
    stages=4,
    chip_stages=3,
    precisions=("int8", "fp16", "int8-ptq", "mixed"),
    default_precision="int8",
    in_float=IN_FLOAT,
    lowerings=("grid_sample", "rows", "tent"),
    skip="matmul",
    extra="qnn",
    requires=("onnx", "onnxscript", "onnxruntime", "onnxruntime_qnn"),
    executes_on="snapdragon",
    otherwise="Qualcomm's emulator of its NPU ran it instead",
    roles=("encode", "restore", "contexts"),
    evaluator=ENGINES["qnn"],
    chips=("sm8650", "sm8750"),
    known_chips=tuple(CHIPS),
    psnr_db=NPU_DB,
    fp32_form="onnx",
)
