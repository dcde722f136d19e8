"""Types of MIL values as PyTorch has them."""

from __future__ import annotations

import torch
from torch import Tensor

DTYPES = {
    "fp32": torch.float32,
    "fp16": torch.float16,
    "int32": torch.int32,
    "int16": torch.int16,
    "uint16": torch.uint16,
    "int8": torch.int8,
    "uint8": torch.uint8,
    "bool": torch.bool,
}
"""MIL's names of types."""


def ints(x: Tensor) -> list[int]:
    """A constant vector (a shape, axes, strides) as Python integers."""
    return [int(value) for value in x.tolist()]
