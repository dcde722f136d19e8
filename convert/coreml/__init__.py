"""Core ML: conversion to ``.mlpackage``, and the evaluation of its saved program where it cannot run."""

from __future__ import annotations

from edgesr.runtime.engines import Engine

from ..float16 import IN_FLOAT
from ..target import Target

TARGET = Target(
    name="coreml",
    title="Core ML",
    module="edgesr.convert.coreml.conversion",
    stages=3,
    precisions=("fp16", "fp32", "int8", "int8-ptq", "mixed", "int8-weights"),
    default_precision="fp16",
    in_float=IN_FLOAT,
    lowerings=("grid_sample", "rows", "tent"),
    skip="matmul",
    extra="coreml",
    requires=("coremltools",),
    executes_on="darwin",
    evaluator=Engine("edgesr.convert.coreml.mil.evaluator", "MILEvaluator", "coreml"),
)
