"""What a phone's GPU takes of a TFLite file, by the list of operators that LiteRT publishes for its GPU delegate.

LiteRT's own analyzer has an option for that, which in the wheels passes whatever it is given.
"""

from __future__ import annotations

from edgesr.residency import Node, Residency, reside

from .flatbuffer import kind, operators_of, parse

BACKEND = "LiteRT GPU"
_LISTED = """
ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D EXP FULLY_CONNECTED LOGICAL_AND LOGISTIC LSTM MAX_POOL_2D
MAXIMUM MINIMUM MUL PAD PRELU RELU RELU6 RESHAPE RESIZE_BILINEAR SOFTMAX STRIDED_SLICE SUB TRANSPOSE_CONV
"""
_FOR_QUANTIZED = "QUANTIZE DEQUANTIZE"
"""With 8-bit models, which it takes by default and computes in float."""
OPERATORS = frozenset(f"{_LISTED} {_FOR_QUANTIZED}".split())


def residency(content: bytes) -> dict[str, tuple[Residency, ...]]:
    """Per signature, where its operators run with LiteRT's GPU delegate.

    The list is the documented one: a newer delegate may take more.
    """
    model = parse(content)
    found: dict[str, tuple[Residency, ...]] = {}
    for signature in model.signatureDefs:
        graph = model.subgraphs[signature.subgraphIndex]
        named = [(kind(model, operator), reads) for operator, reads in operators_of(graph)]
        nodes = [Node(name, name in OPERATORS, reads) for name, reads in named]
        found[signature.signatureKey.decode()] = (reside(BACKEND, nodes, "rules"),)
    return found
