"""Folders of programs that a command needs beside edgesr's own packages: complete, or as good as absent.

A folder without ``COMPLETE``, which is written last, counts as absent, whatever it holds.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgesr.errors import InputOutputError, UsageError

from .atomic import file_aside
from .reading import read_json

BEGUN, COMPLETE = ".edgesr-begun", "edgesr-environment.json"


def read_stamp(folder: Path) -> dict[str, Any]:
    """What a complete environment says of itself; nothing of any other folder."""
    try:
        stamp = read_json(folder / COMPLETE)
    except InputOutputError:
        return {}
    return stamp if isinstance(stamp, dict) else {}


@contextmanager
def fresh_environment(folder: Path, stamp: Mapping[str, Any], variable: str) -> Iterator[None]:
    """An empty folder that is stamped as complete if the block succeeds, and vanishes if it does not.

    ``variable`` names another place. Whoever calls has claimed the folder.

    Raises:
        UsageError: the folder holds something else.
        InputOutputError: it cannot be written.
    """
    if folder.exists() and not (_is_ours(folder) or (folder.is_dir() and not any(folder.iterdir()))):
        raise UsageError(f"{folder} exists and is no environment of edgesr", "choose another folder")
    try:
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        (folder / BEGUN).touch()
    except OSError as error:
        raise InputOutputError(
            f"cannot write {folder}: {error.strerror}", f"choose another place with {variable}"
        ) from error
    try:
        yield
        with file_aside(folder / COMPLETE) as aside:
            aside.write_text(json.dumps(stamp) + "\n")
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise InputOutputError(f"cannot write {folder}: {error.strerror}", "is the disk full?") from error
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _is_ours(folder: Path) -> bool:
    return (folder / BEGUN).is_file() or (folder / COMPLETE).is_file()
