"""The structure of TIFF, which is also that of EXIF: directories of entries, read without believing any of them."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Iterator

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8, 129: 1}
"""Bytes of a value of each type; 129 is EXIF 3's UTF-8."""

NUMBERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
"""Types that are whole numbers, as ``struct`` names them."""

MOST_ENTRIES, MOST_DIRECTORIES = 4096, 64
MOST_NUMBERS = 1 << 16
"""No list that is looked into here is longer; a strip table may be, and is not looked into."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """A tag and its value."""

    tag: int
    type: int
    count: int
    at: int
    """The place of the value in the file."""
    size: int
    """The value's bytes."""
    outside: bool
    """Whether it lies outside the directory, which holds where."""


@dataclasses.dataclass(frozen=True)
class Directory:
    """Entries by tag, in their order; those whose value lies outside the file are left out and counted."""

    at: int
    entries: dict[int, Entry]
    following: int
    """The place of the next directory, 0 where there is none."""
    end: int
    """The place at which the directory itself ends."""
    damaged: int = 0


@dataclasses.dataclass(frozen=True)
class Tiff:
    """A file or block of the TIFF structure."""

    content: bytes
    order: str
    """``<`` or ``>``, as ``struct`` has it."""
    big: bool
    first: int
    """The place of the first directory."""

    def directory(self, at: int) -> Directory | None:
        """The directory at a place, or None where none can be."""
        head, size, link = ("Q", 20, "Q") if self.big else ("H", 12, "I")
        start = at + struct.calcsize(head)
        if at < 8 or start > len(self.content):
            return None
        (count,) = struct.unpack_from(self.order + head, self.content, at)
        fitting = (len(self.content) - start) // size
        damaged = max(0, count - fitting) if count <= MOST_ENTRIES else count
        entries: dict[int, Entry] = {}
        for place in range(start, start + size * min(count, fitting, MOST_ENTRIES), size):
            entry = self._entry(place)
            if entry is None:
                damaged += 1
            else:
                entries.setdefault(entry.tag, entry)
        end = start + size * count
        following = 0
        if end + struct.calcsize(link) <= len(self.content):
            (following,) = struct.unpack_from(self.order + link, self.content, end)
        return Directory(at, entries, following, end + struct.calcsize(link), damaged)

    def _entry(self, place: int) -> Entry | None:
        room = 8 if self.big else 4
        tag, kind, count = struct.unpack_from(self.order + ("HHQ" if self.big else "HHI"), self.content, place)
        size = SIZES.get(kind, 0) * count
        at = place + (12 if self.big else 8)
        outside = size > room
        if outside:
            (at,) = struct.unpack_from(self.order + ("Q" if self.big else "I"), self.content, at)
        if kind not in SIZES or at + size > len(self.content):
            return None
        return Entry(tag, kind, count, at, size, outside)

    def raw(self, entry: Entry) -> bytes:
        """An entry's value as it is stored, in the file's byte order."""
        return self.content[entry.at : entry.at + entry.size]

    def numbers(self, directory: Directory, tag: int) -> list[int]:
        """Whole numbers of an entry; none where it is missing or something else."""
        entry = directory.entries.get(tag)
        if entry is None or entry.type not in NUMBERS or entry.count > MOST_NUMBERS:
            return []
        return list(struct.unpack(f"{self.order}{entry.count}{NUMBERS[entry.type]}", self.raw(entry)))

    def number(self, directory: Directory, tag: int, missing: int = 0) -> int:
        """The first whole number of an entry."""
        return next(iter(self.numbers(directory, tag)), missing)

    def text(self, directory: Directory, tag: int) -> str:
        """An entry's text; empty where it is missing."""
        entry = directory.entries.get(tag)
        if entry is None or entry.size > MOST_NUMBERS:
            return ""
        return self.raw(entry).split(b"\0")[0].decode("utf-8", "replace").strip()

    def chain(self, at: int | None = None) -> Iterator[Directory]:
        """A directory, by default the first, and those that follow it; loops are left."""
        place = self.first if at is None else at
        seen: set[int] = set()
        while place and place not in seen and len(seen) < MOST_DIRECTORIES:
            seen.add(place)
            directory = self.directory(place)
            if directory is None:
                return
            yield directory
            place = directory.following


def parse_tiff(content: bytes) -> Tiff | None:
    """The structure that starts the bytes, classic or BigTIFF; None where they are something else."""
    order = {b"II": "<", b"MM": ">"}.get(content[:2], "")
    if not order or len(content) < 8:
        return None
    (version,) = struct.unpack_from(order + "H", content, 2)
    if version == 42:
        return Tiff(content, order, False, struct.unpack_from(order + "I", content, 4)[0])
    if version == 43 and len(content) >= 16 and struct.unpack_from(order + "HH", content, 4) == (8, 0):
        return Tiff(content, order, True, struct.unpack_from(order + "Q", content, 8)[0])
    return None
