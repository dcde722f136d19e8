"""Core ML: conversion to ``.mlpackage``, and the evaluation of its saved program where it cannot run."""

from __future__ import annotations

from edgesr.quantize.recipe import Rule
from edgesr.runtime.engines import Engine

from ..target import Target

TARGET = Target(
    name="coreml",
    title="Core ML",
    module="edgesr.convert.coreml.conversion",
    stages=3,
    precisions=("fp16", "fp32", "int8", "int8-ptq", "mixed", "int8-weights"),
    default_precision="fp16",
    in_float=(
        # A value that float16 rounds to the next int8 step moves a sample by 0.04 pixels: 49.9 dB of parity.
        Rule("restore.alignment.offset_*", "float", "float16 resolves offsets finer than int8 steps do"),
        # A trunk rounded to int8 after every block makes of a last bit that float16 rounds otherwise all the
        # noise that quantization has: 48.1 dB of parity where 50 is asked, 52.2 with a float16 trunk.
        Rule("restore.*.add", "float", "a float16 trunk is rounded where convolutions read it alone"),
        Rule("restore.fusion", "float", "where the trunk starts"),
    ),
    lowerings=("grid_sample", "rows", "tent"),
    skip="matmul",
    extra="coreml",
    requires=("coremltools",),
    executes_on="darwin",
    evaluator=Engine("edgesr.convert.coreml.mil.evaluator", "MILEvaluator", "coreml"),
)
