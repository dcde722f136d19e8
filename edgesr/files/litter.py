"""Files that operating systems leave in every folder they show: nobody put them there, and they mean nothing."""

from __future__ import annotations

from pathlib import Path, PurePath

NAMES = (".ds_store", "thumbs.db", "desktop.ini")
"""macOS's Finder, and Windows' Explorer; in small letters, since Windows writes them as it likes."""
RESOURCE_FORK = "._"
"""Begins the name of what macOS keeps beside a file on disks and in archives of other systems."""


def is_litter(path: PurePath) -> bool:
    """Whether a file's own name says that a system left it there; a folder's name excuses nothing in it."""
    return path.name.lower() in NAMES or path.name.startswith(RESOURCE_FORK)


def is_empty(folder: Path) -> bool:
    """Whether a folder holds nothing but litter."""
    return all(is_litter(path) and not path.is_dir() for path in folder.iterdir())
