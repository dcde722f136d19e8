"""The face detector YuNet as one ``detector.tflite``, so that a phone finds the faces that the desktop finds.

Two signatures with fixed pictures, NHWC, blue-green-red from 0 to 255: ``detect`` takes a photo at its upper left,
zeros beside it, with a ``mask`` that is 1 where OpenCV's picture would be, and ``look`` one upright face. Outputs are
YuNet's own (``cls_8``, ``obj_8``, ``bbox_8``, ``kps_8``, and of strides 16 and 32): whoever runs it decodes them as
OpenCV does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesr.data.samples import sample_faces
from edgesr.errors import EdgesrError, InputOutputError, UnavailableError
from edgesr.faces.detection import VIEW_PIXELS
from edgesr.faces.face import LONG_SIDE
from edgesr.files.atomic import file_aside
from edgesr.files.leftovers import work_folder

from ..target import Report
from .environment import tflite_environment
from .example import Array, Example, canonical
from .programs import SETUP
from .translation import translate

SIGNATURES = {"detect": LONG_SIDE, "look": VIEW_PIXELS}
"""Side of each signature's square picture in pixels."""

TOLERANCE = 2e-3
"""Largest difference from ONNX Runtime: of landmarks in cells of the grid, so 0.06 pixels at the coarsest stride."""

MASK = "mask"
SAMPLE = 128
"""Side of the sample face's picture; a multiple of 32, to which OpenCV extends pictures."""


def convert_detector(onnx_file: Path, output: Path, report: Report = lambda _: None) -> float:
    """Write ``detector.tflite`` to ``output`` and return its largest difference from ONNX Runtime on a real face.

    Raises:
        UnavailableError: the TFLite environment is not there.
        InputOutputError: ``onnx_file`` is no YuNet.
        EdgesrError: the converter refused it, or the result computes something else; nothing is written then.
    """
    import onnx
    import onnxruntime

    environment = tflite_environment()
    if problem := environment.problem():
        raise UnavailableError(f"no TFLite environment: {problem}", SETUP)
    with work_folder("detector") as work:
        examples = {}
        for signature, side in SIGNATURES.items():
            path = work / f"{signature}.onnx"
            inputs: dict[str, Array] = {}
            try:
                fixed = with_fixed_side(onnx.load(str(onnx_file)), side)
                picture = fixed.graph.input[0].name
                inputs[picture] = sample_picture(side)
                outputs = [tensor.name for tensor in fixed.graph.output]
                if signature == "detect":
                    fixed = masked(fixed, side)
                    inputs[MASK] = np.zeros((1, 1, side, side), np.float32)
                    inputs[MASK][..., :SAMPLE, :SAMPLE] = 1
                onnx.save(fixed, path)
                session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
                results = dict(zip(outputs, session.run(None, inputs), strict=True))
                whole = onnxruntime.InferenceSession(onnx_file, providers=["CPUExecutionProvider"])
                small = whole.run(
                    None,
                    {picture: inputs[picture][..., :SAMPLE, :SAMPLE] if signature == "detect" else inputs[picture]},
                )
            except Exception as error:  # whatever a damaged file leads to
                raise InputOutputError(f"{onnx_file} is no YuNet: {error}", "get it again") from error
            used = SAMPLE if signature == "detect" else side
            for key, array in zip(outputs, small, strict=True):
                if not np.abs(cells(results[key], side, used) - array).max() <= TOLERANCE:
                    raise EdgesrError(
                        f"the detector's {key} depends on what lies beside the picture", "please report it"
                    )
            examples[signature] = Example(inputs, results)
        metadata = {"network": "YuNet", "licence": "MIT", "signatures": SIGNATURES}
        content = translate(environment, work, examples, report, metadata=metadata)
        report("comparing it with ONNX Runtime")
        difference = _difference(content, examples)
        if not difference <= TOLERANCE:
            raise EdgesrError(f"the converted detector is off by {difference:.2g}", f"at most {TOLERANCE} is allowed")
        with file_aside(output) as aside:
            aside.write_bytes(content)
    return difference


def with_fixed_side(model: Any, side: int) -> Any:
    """YuNet for pictures [1, 3, side, side] only, with all shapes known."""
    import onnx

    shape = model.graph.input[0].type.tensor_type.shape
    for axis, length in enumerate((1, 3, side, side)):
        shape.dim[axis].dim_value = length
    for tensor in model.graph.output:
        tensor.type.tensor_type.ClearField("shape")  # it speaks of any size
    return onnx.shape_inference.infer_shapes(model)


def masked(model: Any, side: int) -> Any:
    """The same with a second input, ``mask`` [1, 1, side, side]: beside it every convolution finds the zeros that it
    would find beyond a smaller picture's border, so the result is that of the smaller picture to the last bit."""
    from onnx import TensorProto, helper

    graph = model.graph
    heights = {v.name: v.type.tensor_type.shape.dim[2].dim_value for v in (*graph.input, *graph.value_info)
               if len(v.type.tensor_type.shape.dim) == 4}  # fmt: skip
    masks: dict[int, str] = {1: MASK}
    kept: dict[str, str] = {}
    nodes = []
    for node in graph.node:
        pads = next((list(a.ints) for a in node.attribute if a.name == "pads"), [])
        if node.op_type == "Conv" and any(pads):
            name = node.input[0]
            factor = side // heights[name]
            if factor not in masks:
                masks[factor] = f"{MASK}_{factor}"
                size = [factor, factor]
                nodes.append(helper.make_node("MaxPool", [MASK], [masks[factor]], kernel_shape=size, strides=size))
            if name not in kept:
                kept[name] = f"{name}_{MASK}"
                nodes.append(helper.make_node("Mul", [name, masks[factor]], [kept[name]]))
            node.input[0] = kept[name]
        nodes.append(node)
    graph.input.append(helper.make_tensor_value_info(MASK, TensorProto.FLOAT, [1, 1, side, side]))
    del graph.node[:]
    graph.node.extend(nodes)
    return model


def cells(output: npt.NDArray[np.float32], side: int, used: int) -> npt.NDArray[np.float32]:
    """Of an output [1, n * n, k] for a picture of ``side``, the cells of its upper left ``used`` pixels."""
    n = round(output.shape[1] ** 0.5)
    m = n * used // side
    grid = output.reshape(1, n, n, -1)[:, :m, :m]
    return np.ascontiguousarray(grid).reshape(1, m * m, -1)


def sample_picture(side: int) -> npt.NDArray[np.float32]:
    """A sample face at the upper left of a black picture, as the detector takes it: float32 [1, 3, side, side], BGR."""
    face = sample_faces(SAMPLE)[0].exemplar
    picture = np.zeros((1, 3, side, side), np.float32)
    picture[0, :, :SAMPLE, :SAMPLE] = face[..., ::-1].transpose(2, 0, 1)
    return picture


def _difference(content: bytes, examples: dict[str, Example]) -> float:
    from ai_edge_litert.interpreter import Interpreter

    from edgesr.process.quiet import quiet

    with quiet():
        interpreter = Interpreter(model_content=content, num_threads=1)
        worst = 0.0
        for signature, example in examples.items():
            given = {key: canonical(array) for key, array in example.inputs.items()}
            results = interpreter.get_signature_runner(signature)(**given)
            found = [float(np.abs(results[key] - array).max()) for key, array in example.outputs.items()]
            worst = float(np.max([worst, *found]))  # NaN stays
    return worst
