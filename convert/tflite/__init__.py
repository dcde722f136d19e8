"""TFLite: conversion from ONNX without TensorFlow, in one file with both graphs, and what such a file holds."""

from __future__ import annotations

from ..target import Target

ENVIRONMENT = "tflite environment"
"""How ``Target.missing`` names the folder of ``edgesr setup tflite``."""

TARGET = Target(
    name="tflite",
    title="TFLite",
    module="edgesr.convert.tflite.conversion",
    stages=7,
    precisions=("fp32", "fp16", "int8", "int8-ptq", "mixed"),
    default_precision="int8",
    lowerings=("rows", "tent", "grid_sample"),
    skip="matmul",
    extra="tflite",
    requires=("onnx", "onnxscript", "onnxruntime", "ai_edge_litert", "ai_edge_quantizer"),
    executes_on="any",
    remedies={ENVIRONMENT: "edgesr setup tflite"},
)
