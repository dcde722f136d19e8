"""Which artifacts ran here before: one that did is opened at once, any other is tried in a child process first."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgesr.files.places import cache_folder
from edgesr.release import __version__
from edgesr.runtime.base import Runtime, fill_slots
from edgesr.runtime.isolated import IsolatedRuntime

MOST = 1000
"""Artifacts that are remembered."""

_here: set[str] = set()


def key_of(manifest: Mapping[str, Any]) -> str:
    """Of an artifact's content and of how it is fed."""
    files = {
        name: sha256
        for name, sha256 in manifest["sha256"].items()
        if any(name == file or name.startswith(f"{file}/") for file in manifest["files"].values())
    }
    said = [__version__, manifest["target"], manifest["files"], files, manifest["tensors"]]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def is_tried(manifest: Mapping[str, Any]) -> bool:
    """Whether this artifact ran here before, in this process or another of this user's."""
    key = key_of(manifest)
    if key in _here:
        return True
    with contextlib.suppress(OSError):
        return (_folder() / key).is_file()
    return False


def remember(manifest: Mapping[str, Any]) -> None:
    """Note that an artifact ran. Where nothing can be noted it will be tried again, no more."""
    key = key_of(manifest)
    _here.add(key)
    with contextlib.suppress(OSError):
        folder = _folder()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / key).touch()
        notes = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime)
        for old in notes[: max(0, len(notes) - MOST)]:
            old.unlink(missing_ok=True)


def try_first(manifest: Mapping[str, Any], isolated: Callable[[], IsolatedRuntime]) -> None:
    """Run both graphs of an artifact in a child, unless it ran here before; ``isolated`` opens it there.

    Raises:
        BundleError: its runtime does not take it, or is ended by it.
        UnavailableError: its runtime is not here.
    """
    if is_tried(manifest):
        return
    runtime = isolated()
    try:
        run_once(runtime)
    finally:
        runtime.close()
    remember(manifest)


def run_once(runtime: Runtime) -> None:
    """Run both graphs on noise, every slot filled."""
    interface, random = runtime.interface, np.random.default_rng(0)
    exemplar = random.random((interface.hr_size, interface.hr_size, 3), np.float32)
    lr = random.random((interface.lr_size, interface.lr_size, 3), np.float32)
    features = runtime.encode(exemplar)
    runtime.restore(lr, *fill_slots([features] * interface.slots, interface))


def _folder() -> Path:
    return cache_folder() / "tried"
