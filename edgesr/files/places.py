"""Where files of ours lie that nobody named (the user's cache, also without home or name), and where none may."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import platformdirs

from edgesr.errors import UsageError


def cache_folder() -> Path:
    """The folder for what can be made again, where the system has such, or XDG_CACHE_HOME says; it need not exist.

    Without a home it is a folder of this user alone in the system's temporary one. Where somebody else made that
    folder first, one inside it that nobody can use: files in it count as missing, and writing there fails.
    """
    if given := os.environ.get("XDG_CACHE_HOME"):
        return Path(given) / "edgesr"
    try:
        Path.home()
    except RuntimeError:  # no HOME, and a user without an entry
        if hasattr(os, "getuid"):
            return _homeless()
    return Path(platformdirs.user_cache_dir("edgesr", appauthor=False, opinion=False))


def expanded(path: str | Path) -> Path:
    """``~`` as the home it stands for, or as it is where there is none."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 (pathlib's raises without a home)


def refuse_nested(out: Path, source: Path) -> None:
    """Raises UsageError: an output folder and the folder it is made from are one, or one lies in the other."""
    inside, outside = source.resolve(), out.resolve()
    if inside == outside or inside in outside.parents or outside in inside.parents:
        raise UsageError(f"{out} and {source} lie in each other", "give an output folder of its own")


def refuse_own_output(target: Path, *sources: Path, hint: str = "give another file") -> None:
    """Raises UsageError: an output would take the place of what it is made of; nothing is worth a user's own photo."""
    for source in sources:
        if target.exists() and source.exists() and target.samefile(source):
            raise UsageError(f"{source} would be replaced by its own output", hint)


def _homeless() -> Path:
    folder = Path(tempfile.gettempdir()) / f"edgesr-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError:
        return folder
    ours = status.st_uid == os.getuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return folder if ours and stat.S_ISDIR(status.st_mode) else Path(os.devnull) / "edgesr"
