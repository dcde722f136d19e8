"""Equal forms of a quantized ONNX model that onnx2tf and TensorFlow's converter take with every step as it is.

The converter lets an operator that only moves values have one step for all that it reads and writes, and so gave
g_ref that of F_ref, with which it is concatenated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .onnx.int8 import drop_unused

if TYPE_CHECKING:
    import onnx


def prepare_for_tensorflow(model: onnx.ModelProto) -> None:
    """All of this module's rewrites, in place; none changes a value."""
    fold_weights(model)
    join_by_adding(model)


def fold_weights(model: onnx.ModelProto) -> None:
    """Every dequantized constant as the floats it stands for: onnx2tf takes dequantized weights badly.

    TensorFlow's converter finds the same steps again, max|w| / 127 an output channel; the gate checks that.
    """
    from onnx import numpy_helper

    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for node in list(model.graph.node):
        if node.op_type != "DequantizeLinear" or node.input[0] not in constants:
            continue
        levels, scale = constants[node.input[0]].astype(np.float32), constants[node.input[1]]
        axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 1)
        if scale.size > 1:
            scale = scale.reshape([-1 if i == axis else 1 for i in range(levels.ndim)])
        # Zero points are 0: weights are symmetric.
        model.graph.initializer.append(numpy_helper.from_array((levels * scale).astype(np.float32), node.output[0]))
        model.graph.node.remove(node)
    drop_unused(model)


def join_by_adding(model: onnx.ModelProto) -> None:
    """A concatenation of stored channels as a sum of both within zeros: x + 0.0 is x, and a sum has no common step."""
    import onnx
    from onnx import numpy_helper

    makers = {output: node for node in model.graph.node for output in node.output}
    shapes = {info.name: [d.dim_value for d in info.type.tensor_type.shape.dim] for info in model.graph.value_info}
    for join in [node for node in model.graph.node if node.op_type == "Concat"]:
        parts = list(join.input)
        stored = all(part in makers and makers[part].op_type == "DequantizeLinear" for part in parts)
        if len(parts) != 2 or not stored or any(len(shapes.get(part, ())) != 4 for part in parts):
            continue
        first, second = (shapes[part][1] for part in parts)
        padded = []
        for part, before, after in ((parts[0], 0, second), (parts[1], first, 0)):
            pads = numpy_helper.from_array(np.array([0, before, 0, 0, 0, after, 0, 0], np.int64), f"{part}.pads")
            model.graph.initializer.append(pads)
            padded.append(onnx.helper.make_node("Pad", [part, pads.name], [f"{part}.padded"], f"{part}.pad"))
        total = onnx.helper.make_node("Add", [node.output[0] for node in padded], list(join.output), f"{join.name}.add")
        at = list(model.graph.node).index(join)
        model.graph.node.remove(join)
        for node in reversed([*padded, total]):
            model.graph.node.insert(at, node)
