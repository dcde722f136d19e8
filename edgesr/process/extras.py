"""What of edgesr's optional packages is here. The base runs networks on ONNX Runtime; PyTorch comes with extras."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

TITLES = {"torch": "PyTorch"}
"""Packages by another name than that of their module."""
BY_COMMAND = {
    **dict.fromkeys(("train", "ablate", "eval", "data"), "train"),
    **dict.fromkeys(("convert", "quantize", "bench", "verify", "info"), "convert"),
    "report": "report",
}
"""Which extra brings what a command needs beyond the base; ``all`` for the others."""


def has_torch() -> bool:
    """Whether PyTorch is installed; it is not loaded."""
    return importlib.util.find_spec("torch") is not None


def install_hint(extra: str) -> str:
    """What to do where something of an extra is missing."""
    return f"pip install 'edgesr[{extra}]'"


def title(error: ImportError) -> str:
    """The package that an import did not find, as people know it."""
    module = (error.name or "a package").split(".")[0]
    return TITLES.get(module, module)


def missing_package(error: ModuleNotFoundError, arguments: Sequence[str]) -> tuple[str, str] | None:
    """What a command line needs and how to install it; None where a module of edgesr's own is missing."""
    if (error.name or "edgesr").split(".")[0] == "edgesr":
        return None
    command = next((word for word in arguments if not word.startswith("-")), "")
    what = f"edgesr {command} needs {title(error)}, which is not installed"
    return what, install_hint(BY_COMMAND.get(command, "all"))
