"""The networks. Nothing here imports a converter, a quantizer or a runtime."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from edgesr.models.registry import PRESETS

__all__ = ["PRESETS", "Checkpoint", "Network", "load_checkpoint", "save_checkpoint"]

if TYPE_CHECKING:
    from edgesr.models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
    from edgesr.models.network import Network

_MODULES = {"Network": "network"} | dict.fromkeys(("Checkpoint", "load_checkpoint", "save_checkpoint"), "checkpoint")


def __getattr__(name: str) -> Any:
    # Lazy, so that what only reads a configuration does not wait for PyTorch.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
