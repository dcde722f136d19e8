"""The web booth as a bundle: its networks, its folder and what is checked of it."""

from __future__ import annotations

from edgesr.booth.site import BUILD
from edgesr.runtime.engines import ENGINES

from ..target import Target

WEB_PAGE = "the booth's built page"
"""How ``Target.missing`` names what a web bundle is made of beside its networks."""

TARGET = Target(
    name="web",
    title="Web",
    module="edgesr.convert.web.conversion",
    stages=2,
    precisions=("int8", "fp32", "int8-ptq", "mixed"),
    default_precision="int8",
    lowerings=("rows", "grid_sample", "tent"),
    skip="matmul",
    extra="web",
    requires=("onnx", "onnxscript", "onnxruntime"),
    executes_on="chromium",
    otherwise="its ONNX graphs were run by onnxruntime instead",
    roles=("encode", "restore"),
    completing_stages=1,
    float_form=True,
    evaluator=ENGINES["onnx"],
    evaluator_title="onnxruntime, for want of Chromium",
    remedies={WEB_PAGE: f"{BUILD} (in a checkout; the wheel of a release holds the page)"},
)
