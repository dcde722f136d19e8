"""Core AI, experimental: both graphs as functions of one ``.aimodel``, run by Apple's own runtime for Linux."""

from __future__ import annotations

from edgesr.runtime.engines import ENGINES

from ..target import Target

TARGET = Target(
    name="coreai",
    title="Core AI (experimental)",
    module="edgesr.convert.coreai.conversion",
    stages=3,
    precisions=("fp16", "fp32", "int8", "int8-ptq", "mixed"),
    default_precision="fp16",
    lowerings=("rows", "tent"),
    skip="matmul",
    extra="coreai",
    requires=("coreai", "coreai_torch"),
    executes_on="any",
    evaluator=ENGINES["coreai"],
)
