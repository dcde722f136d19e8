"""What a browser's GPU takes of a graph, by the list of operators that onnxruntime-web publishes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgesr.residency import Node, Residency, reside

if TYPE_CHECKING:
    import onnx

BACKEND = "WebGPU"
LISTED_BY = "1.30.0"
"""The onnxruntime-web whose ``docs/webgpu-operators.md`` was taken; the booth's."""
_LISTED = """
Abs Acos Acosh Add ArgMax ArgMin Asin Asinh Atan Atanh AveragePool BatchNormalization Cast Ceil Clip Concat Conv
ConvTranspose Cos Cosh CumSum DFT DepthToSpace DequantizeLinear Div Einsum Elu Equal Erf Exp Expand Flatten Floor
Gather GatherElements GatherND Gemm GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual GridSample HardSigmoid
HardSwish If InstanceNormalization LayerNormalization LeakyRelu Less LessOrEqual Log MatMul MaxPool Mul Neg Not Pad
Pow Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd
ReduceSum ReduceSumSquare Relu Reshape Resize ScatterND Shape Sigmoid SimplifiedLayerNormalization Sin Sinh Slice
Softmax Split Sqrt Squeeze Sub Tan Tanh ThresholdedRelu Tile Transpose Unsqueeze Where
"""
OPERATORS = frozenset(_LISTED.split())
"""Those of our operator set."""


def residency(model: onnx.ModelProto) -> Residency:
    """Where the graph's operators run with WebGPU: the others, with all that goes in and out of them, on the CPU.

    The list names operators and not the types that they take, so it is an upper bound.
    """
    nodes: list[Node] = []
    makers: dict[str, int] = {}
    for place, node in enumerate(model.graph.node):
        reads = {makers[name] for name in node.input if name in makers}
        listed = node.domain in ("", "ai.onnx") and node.op_type in OPERATORS
        nodes.append(Node(node.op_type, listed, reads))
        makers |= dict.fromkeys(node.output, place)
    return reside(BACKEND, nodes, "rules")
