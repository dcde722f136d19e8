"""ExecuTorch: conversion to ``.pte``, and what is in such a file."""

from __future__ import annotations

from ..target import Target

TARGET = Target(
    name="executorch",
    title="ExecuTorch",
    module="edgesr.convert.executorch.conversion",
    stages=5,
    precisions=("fp32", "int8", "int8-ptq", "mixed"),
    default_precision="int8",
    lowerings=("rows", "tent", "grid_sample"),
    skip="matmul",
    extra="executorch",
    requires=("executorch",),
    executes_on="any",
)
