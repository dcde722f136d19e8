"""ONNX: conversion, and the forms of int8 that its runtimes take."""

from __future__ import annotations

from ..target import Target

TARGET = Target(
    name="onnx",
    title="ONNX",
    module="edgesr.convert.onnx.conversion",
    stages=2,
    precisions=("fp32", "fp16", "int8", "int8-ptq", "mixed"),
    default_precision="int8",
    lowerings=("rows", "grid_sample", "tent"),
    skip="matmul",
    extra="onnx",
    requires=("onnx", "onnxscript", "onnxruntime"),
    executes_on="any",
    roles=("encode", "restore"),
)
