"""Changing a gallery file: entries added, taken out, found by what a user calls them."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from edgesr.errors import GalleryError, UsageError
from edgesr.gallery.format import Entry, Gallery, locked, read_gallery, write_gallery
from edgesr.gallery.header import most_entries
from edgesr.images.imaging import read_bytes

LEAST_PREFIX = 6
"""Digits of a photo's SHA-256 that are taken for one; shorter numbers are indices."""


def add(path: Path, entries: Sequence[Entry]) -> tuple[Gallery, list[Entry]]:
    """Append entries to the gallery at ``path`` as it is by then; returns it, and those that were new.

    An entry whose photo is there gives the features that it lacks there, and changes nothing else. Two processes that
    add at once lose nothing: each adds to what the other has written.

    Raises:
        GalleryError: the gallery cannot be read, the entries do not fit it, or there are too many.
    """
    with locked(path):
        gallery = read_gallery(path)
        given = {entry.photo_sha256: entry for entry in entries}
        completed = tuple(_completed(entry, given.get(entry.photo_sha256)) for entry in gallery.entries)
        known = {entry.photo_sha256 for entry in gallery.entries}
        new = [entry for entry in entries if entry.photo_sha256 not in known]
        most = most_entries(gallery.sections)
        if new and len(gallery.entries) + len(new) > most:  # what only gains a section needs no new entry
            raise GalleryError(f"{path} would have more than {most} entries", "remove some first")
        if new or any(one is not old for one, old in zip(completed, gallery.entries, strict=True)):
            gallery = gallery.replace(entries=(*completed, *new))
            write_gallery(path, gallery)
    return gallery, new


def _completed(entry: Entry, given: Entry | None) -> Entry:
    """An entry with the features that it lacks and another of the same photo has; itself where there are none."""
    if given is None or len(given.features) != len(entry.features):
        return entry
    features = tuple(old or new for old, new in zip(entry.features, given.features, strict=True))
    same = all(one is old for one, old in zip(features, entry.features, strict=True))
    return entry if same else dataclasses.replace(entry, features=features)


def remove(path: Path, which: Sequence[str]) -> tuple[Gallery, list[tuple[int, Entry]]]:
    """Take entries out of the gallery at ``path``; returns what is left, and what was taken out with its old index.

    Nothing of them is left in the file, and its old bytes are overwritten.

    Raises:
        GalleryError: the gallery cannot be read.
        UsageError: something of ``which`` names no entry, or more than one.
    """
    with locked(path):
        gallery = read_gallery(path)
        gone = sorted({find(gallery, one) for one in which})
        removed = [(i, gallery.entries[i]) for i in gone]
        gallery = gallery.replace(entries=tuple(e for i, e in enumerate(gallery.entries) if i not in gone))
        write_gallery(path, gallery, erase_old=True)
    return gallery, removed


def find(gallery: Gallery, which: str) -> int:
    """The entry that a user means: its number in the list (from 1), the photo's file, its stored name, or the first
    digits of its SHA-256.

    Raises:
        UsageError: it names no entry, or more than one.
    """
    entries = gallery.entries
    if re.fullmatch(r"[0-9]{1,4}", which):
        if not 1 <= int(which) <= len(entries):
            raise UsageError(f"there is no entry {which}", f"the gallery has {len(entries)}: edgesr gallery list")
        return int(which) - 1
    if (path := Path(which)).is_file():
        sha256 = hashlib.sha256(read_bytes(path)).hexdigest()
        found = [i for i, entry in enumerate(entries) if entry.photo_sha256 == sha256]
    elif re.fullmatch(rf"[0-9a-f]{{{LEAST_PREFIX},64}}", which):
        found = [i for i, entry in enumerate(entries) if entry.photo_sha256.startswith(which)]
    else:
        found = [i for i, entry in enumerate(entries) if entry.name == which]
    if len(found) != 1:
        how = "names more than one entry" if found else "is of no entry"
        raise UsageError(f"{which!r} {how}", "give its number or SHA-256: edgesr gallery list")
    return found[0]
