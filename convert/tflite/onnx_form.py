"""Equal forms of an exported ONNX model that onnx2tf turns into few and quick TFLite operators.

None changes a value. What takes images and features is NCHW in ONNX and NHWC in TFLite: a transposition that stands
beside an operator on images vanishes, one in the middle of a chain stays and costs time. The order of inputs' axes is
said in the graph and not left to onnx2tf, which would turn them itself and tells the orders apart by their shapes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edgesr.errors import EdgesrError

from ..onnx.int8 import drop_unused

if TYPE_CHECKING:
    import onnx

TO_NHWC, TO_NCHW = (0, 2, 3, 1), (0, 3, 1, 2)
ELEMENTWISE = ("Tanh", "Mul")
"""What a transposition may be moved over: with at most one input that is no single number."""


def prepare(model: onnx.ModelProto) -> None:
    """All of this module's rewrites, in place."""
    shuffle_channels_last(model)
    transpose_early(model)
    give_channels_last(model)
    take_channels_last(model)


def fold_weights(model: onnx.ModelProto) -> dict[str, npt.NDArray[np.float32]]:
    """Replace every dequantized constant by the floats that it stands for; the steps of each, one or one a channel."""
    from onnx import numpy_helper

    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    steps = {}
    for node in list(model.graph.node):
        if node.op_type != "DequantizeLinear" or node.input[0] not in constants:
            continue
        levels, scale = constants[node.input[0]].astype(np.float32), constants[node.input[1]].astype(np.float32)
        axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 1)
        along = scale.reshape([-1 if i == axis else 1 for i in range(levels.ndim)]) if scale.size > 1 else scale
        # Zero points are 0: weights are symmetric.
        folded = numpy_helper.from_array((levels * along).astype(np.float32), node.output[0])
        model.graph.initializer.append(folded)
        model.graph.node.remove(node)
        steps[node.output[0]] = scale.reshape(-1)
    drop_unused(model)
    return steps


def shuffle_channels_last(model: onnx.ModelProto) -> None:
    """PixelShuffle of one image as a transposition within NHWC.

    onnx2tf makes of a DepthToSpace in PyTorch's order of channels a GATHER, which copies byte by byte.
    """
    sizes = _sizes(model)
    for node in [node for node in model.graph.node if node.op_type == "DepthToSpace"]:
        attributes = {attribute.name: attribute for attribute in node.attribute}
        shape = sizes.get(node.input[0])
        if attributes["mode"].s != b"CRD" or shape is None or shape[0] != 1:
            continue
        block, (_, c, h, w) = attributes["blocksize"].i, shape
        kept = c // block**2
        chain = _Chain(model, node)
        chain.transpose(TO_NHWC)
        chain.reshape([h, w, kept, block, block])
        chain.transpose((0, 3, 1, 4, 2))
        chain.reshape([1, h * block, w * block, kept])
        chain.transpose(TO_NCHW)
        chain.replace()


def transpose_early(model: onnx.ModelProto) -> None:
    """Move transpositions over the elementwise operators before them, to the convolution that they cancel at."""
    single = {tensor.name for tensor in model.graph.initializer if int(np.prod(tensor.dims)) == 1}
    moved = True
    while moved:
        moved = False
        readers: dict[str, int] = {}
        for node in model.graph.node:
            for name in node.input:
                readers[name] = readers.get(name, 0) + 1
        makers = {output: node for node in model.graph.node for output in node.output}
        outputs = {output.name for output in model.graph.output}
        for late in model.graph.node:
            before = makers.get(late.input[0]) if late.op_type == "Transpose" else None
            if before is None or before.op_type not in ELEMENTWISE or readers[late.input[0]] != 1:
                continue
            varied = [i for i, name in enumerate(before.input) if name not in single]
            if len(varied) != 1 or late.input[0] in outputs:
                continue
            # before(x) -> y, late(y) -> z becomes late(x) -> y, before(y) -> z.
            x, y, z = before.input[varied[0]], before.output[0], late.output[0]
            late.input[0], late.output[0] = x, y
            before.input[varied[0]], before.output[0] = y, z
            nodes = list(model.graph.node)
            at, then = nodes.index(before), nodes.index(late)
            nodes[at], nodes[then] = nodes[then], nodes[at]
            _set_nodes(model, nodes)
            _forget_shapes(model, {y})
            moved = True
            break


def give_channels_last(model: onnx.ModelProto) -> None:
    """An output of four axes that is a sum as a sum of NHWC terms, which are so already or become so once.

    onnx2tf drops a transposition that stands last.
    """
    import onnx

    makers = {output: node for node in model.graph.node for output in node.output}
    shapes = _sizes(model)
    for output in model.graph.output:
        shape = [axis.dim_value for axis in output.type.tensor_type.shape.dim]
        node = makers.get(output.name)
        if node is None:
            raise EdgesrError(f"nothing gives {output.name} in the form for TFLite", "another --precision may work")
        if len(shape) != 4 or node.op_type != "Add" or any(shapes.get(name) != shape for name in node.input):
            continue
        for i, name in enumerate(list(node.input)):
            node.input[i] = f"{name}.nhwc"
            turned = onnx.helper.make_node("Transpose", [name], [node.input[i]], node.input[i], perm=list(TO_NHWC))
            nodes = list(model.graph.node)
            at = next(at for at, other in enumerate(nodes) if other.output[0] == output.name)
            _set_nodes(model, [*nodes[:at], turned, *nodes[at:]])
            node = next(other for other in model.graph.node if other.output[0] == output.name)
        for axis, length in zip(output.type.tensor_type.shape.dim, [shape[i] for i in TO_NHWC], strict=True):
            axis.dim_value = length


def take_channels_last(model: onnx.ModelProto) -> None:
    """Inputs of four axes as NHWC, each with a transposition to what reads it.

    onnx2tf puts one before every such input by itself, and drops it where NCHW and NHWC have the same shape: features
    of eight channels on 8 x 8 pixels would be read in the wrong order. An explicit one it takes for what it is.
    """
    import onnx

    turned = []
    for graph_input in model.graph.input:
        axes = graph_input.type.tensor_type.shape.dim
        if len(axes) != 4:
            continue
        name = f"{graph_input.name}.nchw"
        for node in model.graph.node:
            node.input[:] = [name if read == graph_input.name else read for read in node.input]
        turned.append(onnx.helper.make_node("Transpose", [graph_input.name], [name], name, perm=list(TO_NCHW)))
        for axis, length in zip(axes, [axes[i].dim_value for i in TO_NHWC], strict=True):
            axis.dim_value = length
    _set_nodes(model, [*turned, *model.graph.node])


class _Chain:
    """Operators that take a node's place."""

    def __init__(self, model: onnx.ModelProto, node: onnx.NodeProto) -> None:
        self.model, self.node = model, node
        self.nodes: list[Any] = []
        self.last = node.input[0]

    def transpose(self, axes: tuple[int, ...]) -> None:
        self._add("Transpose", [self.last], perm=list(axes))

    def reshape(self, shape: list[int]) -> None:
        from onnx import numpy_helper

        name = f"{self.node.name}.shape{len(self.nodes)}"
        self.model.graph.initializer.append(numpy_helper.from_array(np.array(shape, np.int64), name))
        self._add("Reshape", [self.last, name])

    def replace(self) -> None:
        self.nodes[-1].output[0] = self.node.output[0]
        nodes = list(self.model.graph.node)
        at = nodes.index(self.node)
        _set_nodes(self.model, [*nodes[:at], *self.nodes, *nodes[at + 1 :]])

    def _add(self, kind: str, inputs: list[str], **attributes: Any) -> None:
        import onnx

        name = f"{self.node.name}.{len(self.nodes)}"
        self.nodes.append(onnx.helper.make_node(kind, inputs, [name], name, **attributes))
        self.last = name


def _set_nodes(model: onnx.ModelProto, nodes: list[Any]) -> None:
    # Copies, since emptying the list ends the lives of those in it.
    copies = [type(node).FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)


def _sizes(model: onnx.ModelProto) -> dict[str, list[int]]:
    import onnx

    inferred = onnx.shape_inference.infer_shapes(model)
    infos = (*inferred.graph.value_info, *inferred.graph.input, *inferred.graph.output)
    return {info.name: [axis.dim_value for axis in info.type.tensor_type.shape.dim] for info in infos}


def _forget_shapes(model: onnx.ModelProto, names: set[str]) -> None:
    kept = [info for info in model.graph.value_info if info.name not in names]
    del model.graph.value_info[:]
    model.graph.value_info.extend(kept)
