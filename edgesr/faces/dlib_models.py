"""dlib and its models from PyPI, found by path: importing their package would need a setuptools from before 2025."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from edgesr.errors import UnavailableError

HINT = "pip install 'edgesr[identity]'"


def open_dlib(purpose: str) -> tuple[Any, Path]:
    """The module ``dlib`` and the folder of its models; ``purpose`` begins the sentence of the error.

    Raises:
        UnavailableError: dlib or its models are not installed.
    """
    spec = importlib.util.find_spec("face_recognition_models")
    try:
        import dlib
    except ImportError as error:
        raise UnavailableError(f"{purpose} needs dlib", HINT) from error
    if spec is None or not spec.submodule_search_locations:
        raise UnavailableError(f"{purpose} needs face_recognition_models", HINT)
    return dlib, Path(spec.submodule_search_locations[0]) / "models"
