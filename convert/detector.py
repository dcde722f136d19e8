"""What a phone's face detector is converted from: YuNet's graph for pictures of a fixed size.

Two graphs: ``detect`` takes a photo at its upper left, zeros beside it, with a ``mask`` that is 1 where OpenCV's
picture would be, and ``look`` one upright face. Pictures are blue-green-red from 0 to 255. Outputs are YuNet's own
(``cls_8``, ``obj_8``, ``bbox_8``, ``kps_8``, and of strides 16 and 32): whoever runs it decodes them as OpenCV does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from edgesr.data.samples import sample_faces
from edgesr.errors import EdgesrError, InputOutputError
from edgesr.faces.detection import VIEW_PIXELS
from edgesr.faces.face import LONG_SIDE

Array = npt.NDArray[np.float32]

SIGNATURES = {"detect": LONG_SIDE, "look": VIEW_PIXELS}
"""Side of each graph's square picture in pixels."""

TOLERANCE = 2e-3
"""Largest difference from ONNX Runtime: of landmarks in cells of the grid, so 0.06 pixels at the coarsest stride."""

MASK = "mask"
SAMPLE = 128
"""Side of the sample face's picture; a multiple of 32, to which OpenCV extends pictures."""


class FixedGraph(NamedTuple):
    """YuNet at one size, as an ONNX model, with what ONNX Runtime makes of a real face."""

    model: Any
    inputs: dict[str, Array]
    outputs: dict[str, Array]


def fixed_graphs(onnx_file: Path) -> dict[str, FixedGraph]:
    """Both graphs by name.

    Raises:
        InputOutputError: ``onnx_file`` is no YuNet.
        EdgesrError: what lies beside a picture changes what a graph finds in it.
    """
    import onnx
    import onnxruntime

    graphs = {}
    for name, side in SIGNATURES.items():
        try:
            model = with_fixed_side(onnx.load(str(onnx_file)), side)
            picture = model.graph.input[0].name
            inputs = {picture: sample_picture(side)}
            outputs = [tensor.name for tensor in model.graph.output]
            if name == "detect":
                model = masked(model, side)
                inputs[MASK] = np.zeros((1, 1, side, side), np.float32)
                inputs[MASK][..., :SAMPLE, :SAMPLE] = 1
            session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
            results = dict(zip(outputs, session.run(None, inputs), strict=True))
            whole = onnxruntime.InferenceSession(onnx_file, providers=["CPUExecutionProvider"])
            used = SAMPLE if name == "detect" else side
            small = whole.run(None, {picture: inputs[picture][..., :used, :used]})
        except Exception as error:  # whatever a damaged file leads to
            raise InputOutputError(f"{onnx_file} is no YuNet: {error}", "get it again") from error
        for key, array in zip(outputs, small, strict=True):
            if not np.abs(cells(results[key], side, used) - array).max() <= TOLERANCE:
                raise EdgesrError(f"the detector's {key} depends on what lies beside the picture", "please report it")
        graphs[name] = FixedGraph(model, inputs, results)
    return graphs


def require_equal(graphs: dict[str, FixedGraph], converted: dict[str, dict[str, Array]]) -> float:
    """The gate: the largest difference of what was converted, by graph and output, from ONNX Runtime.

    Raises:
        EdgesrError: it computes something else, or no number.
    """
    found = [
        float(np.abs(converted[name][key] - array).max())
        for name, graph in graphs.items()
        for key, array in graph.outputs.items()
    ]
    difference = float(np.max(found))  # NaN stays
    if not difference <= TOLERANCE:
        raise EdgesrError(f"the converted detector is off by {difference:.2g}", f"at most {TOLERANCE} is allowed")
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


def cells(output: Array, side: int, used: int) -> Array:
    """The cells of the upper left ``used`` pixels, of an output [1, n * n, k] for a picture of ``side``."""
    n = round(output.shape[1] ** 0.5)
    m = n * used // side
    grid = output.reshape(1, n, n, -1)[:, :m, :m]
    return np.ascontiguousarray(grid).reshape(1, m * m, -1)


def sample_picture(side: int) -> Array:
    """A sample face at the upper left of a black picture, as the detector takes it: float32 [1, 3, side, side], BGR."""
    face = sample_faces(SAMPLE)[0].exemplar
    picture = np.zeros((1, 3, side, side), np.float32)
    picture[0, :, :SAMPLE, :SAMPLE] = face[..., ::-1].transpose(2, 0, 1)
    return picture
