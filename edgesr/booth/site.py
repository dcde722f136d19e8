"""The booth's built page: where it lies, and which of its files a first visit fetches."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterable
from pathlib import Path

from edgesr.errors import UnavailableError
from edgesr.files.litter import is_litter

SITE = Path(__file__).parent / "site"
"""Put there by ``web_demo/tools/build.py``; part of the wheel, not of the repository."""
DESCRIPTION = "site.json"
"""Written last by the build: what the page was built from. It stays out of bundles."""
NEEDED = ("index.html", "verify.html", DESCRIPTION)
BUILD = "python web_demo/tools/build.py"

RUNTIME_FOLDER = "ort/"
WASM = ("ort/ort-wasm-simd-threaded.mjs", "ort/ort-wasm-simd-threaded.wasm")
LATER = ("verify.html", "assets/verify-*", "licences.txt", "assets/ort.jspi*", "assets/ort.webgpu*")
"""Patterns of files that a first visit does not need: the gate's, and WebGPU's, which is tried afterwards."""


def is_built() -> bool:
    """Whether the page is there."""
    return all((SITE / name).is_file() for name in (*NEEDED, *WASM))


def site_folder() -> Path:
    """The built page.

    Raises:
        UnavailableError: it was not built.
    """
    if not is_built():
        raise UnavailableError(
            f"the booth's page is not built: {SITE} holds none",
            f"in a checkout of edgesr: {BUILD}; the wheel of a release holds it",
        )
    return SITE


def runtime_version() -> str:
    """The version of the onnxruntime-web that the page was built with."""
    version: str = json.loads((site_folder() / DESCRIPTION).read_text())["onnxruntime_web"]
    return version


def site_files(folder: Path) -> list[str]:
    """Names of the page's files, but for its description."""
    files = (path for path in folder.rglob("*") if path.is_file() and not is_litter(path))
    names = (path.relative_to(folder).as_posix() for path in files)
    return sorted(name for name in names if name != DESCRIPTION)


def first_visit(names: Iterable[str]) -> list[str]:
    """The page's files that a first visit fetches."""
    names = list(names)
    later = set(webgpu_files(names))
    return [name for name in names if name not in later and not any(fnmatch.fnmatchcase(name, p) for p in LATER)]


def webgpu_files(names: Iterable[str]) -> list[str]:
    """The page's files that are onnxruntime-web's for WebGPU: whatever of it is not for WASM alone."""
    return [name for name in names if name.startswith(RUNTIME_FOLDER) and name not in WASM]
