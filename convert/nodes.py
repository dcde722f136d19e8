"""A saved program's operators as a graph, for who draws or colours it."""

from __future__ import annotations

import dataclasses

from .int8 import Step


@dataclasses.dataclass(frozen=True)
class ArtifactNode:
    """An operator of one graph, in an order in which they can run."""

    key: str
    """How Model Explorer knows it: the name of a tensor that it makes, or the operator's own."""
    kind: str
    """``CONV_2D``."""
    reads: tuple[int, ...]
    """Places of the operators whose outputs it reads."""
    int8: bool
    """Whether it computes with int8; what only quantizes or dequantizes does not."""
    backend: str
    """What computes it: ``XNNPACK``, or the runtime's own kernels."""
    within: str
    """The graph of Model Explorer that it stands in: a signature, a method, or one of its delegates."""
    step: Step | None = None
    """Of an int8 output."""
    weights: bytes | None = None
    """Of a convolution, [C_out, C_in, kh, kw], as the file holds them in int8 or float32."""
