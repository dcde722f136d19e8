"""What an operator is given, and how one says that it cannot do something."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from torch import Tensor

from edgesr.errors import UnavailableError


@dataclasses.dataclass(frozen=True)
class Node:
    """A node of the graph: its operator with attributes, and the names of what goes in and out ("" for nothing)."""

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]
    opset: int

    def unsupported(self, what: str) -> UnavailableError:
        """The error for a use of the operator that is not implemented."""
        return UnavailableError(
            f"the ONNX operator {self.operator} (output {self.outputs[0]}) is used with {what}",
            "export the network anew, or take another",
        )


Operator = Callable[..., Tensor | tuple[Tensor, ...]]
"""operator(node, *inputs) -> its output or outputs; an optional input that is not there is None."""


def integers(values: Tensor) -> list[int]:
    """A tensor of shapes, axes or indices as a list."""
    return [int(v) for v in values.flatten().tolist()]
