"""EXIF changed where it must be, and nowhere else: every other byte stays as it came, at its own place.

Texts are bytes here, of whatever encoding; a camera's private notes (MakerNote) may point to places in the whole block,
so what stays is never moved. New directories are put behind the old block.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Iterable, Mapping

from edgesr.images.tiff import SIZES, Directory, Entry, Tiff, parse_tiff

PREFIX = b"Exif\0\0"
ORIENTATION, SOFTWARE, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 274, 305, 282, 283, 296
WIDTH, HEIGHT = 256, 257
EXIF_IFD, GPS_IFD, INTEROP_IFD, MAKER_NOTE = 0x8769, 0x8825, 0xA005, 0x927C
USER_COMMENT, IMAGE_HISTORY, PIXEL_WIDTH, PIXEL_HEIGHT = 0x9286, 0x9213, 0xA002, 0xA003
SUBJECT_AREA, SUBJECT_LOCATION = 0x9214, 0xA214
"""Places in the photo as it was."""

THUMBNAIL_AT, THUMBNAIL_SIZE, STRIPS_AT, STRIPS_SIZE = 513, 514, 273, 279

STRUCTURE = frozenset((254, 255, *range(258, 267), 273, *range(277, 282), 284, *range(288, 294), 317)) | frozenset(
    (*range(320, 326), 330, 332, *range(338, 342), 347, *range(529, 533), 34675, 34377, 37724)
)
"""How a TIFF stores its pixels, and what else of it is of the file as it was: no part of EXIF."""

XMP, IPTC = 700, 33723
PRIVATE = STRUCTURE | frozenset((XMP, IPTC)) | frozenset(range(512, 522))

ASCII, SHORT, LONG, RATIONAL, UNDEFINED = 2, 3, 4, 5, 7
BIG_TYPES = (13, 16, 17, 18)
"""Types of BigTIFF that EXIF does not have."""

LARGEST_VALUE, MOST_STRIPS = 1 << 24, 256


@dataclasses.dataclass(frozen=True)
class Value:
    """A tag's value: its type, how many, and its bytes in the block's byte order."""

    type: int
    count: int
    raw: bytes


def text(raw: bytes) -> Value:
    """A text, whatever its encoding."""
    return Value(ASCII, len(raw) + 1, raw + b"\0")


def numbers(order: str, kind: int, *values: int) -> Value:
    """Whole numbers; of RATIONAL the counters and denominators in turn."""
    raw = struct.pack(f"{order}{len(values)}{'H' if kind == SHORT else 'I'}", *values)
    return Value(kind, len(raw) // SIZES[kind], raw)


def order_of(block: bytes | None) -> str:
    """A block's byte order, ``<`` or ``>``."""
    tiff = parse_tiff(bare(block))
    return tiff.order if tiff is not None else "<"


def bare(block: bytes | None) -> bytes:
    """A block without the prefix that JPEG has before it."""
    return (block or b"").removeprefix(PREFIX)


def value_of(block: bytes | None, tag: int, details: bool = False) -> bytes | None:
    """A tag's bytes, from the first directory or from that of the details; None where it is missing."""
    tiff = parse_tiff(bare(block))
    first = tiff.directory(tiff.first) if tiff is not None else None
    if tiff is None or first is None:
        return None
    where = tiff.directory(tiff.number(first, EXIF_IFD)) if details else first
    entry = where.entries.get(tag) if where is not None else None
    return tiff.raw(entry) if entry is not None else None


def changed(
    block: bytes | None,
    first: Mapping[int, Value | None],
    details: Mapping[int, Value | None] | None = None,
) -> bytes:
    """A block, with its prefix, in which some tags of its two directories have other values; None takes one away.

    The thumbnail goes, and what is taken away or replaced is overwritten with zeros. Entries that point outside the
    block are left out. Without a block one is made.
    """
    tiff = parse_tiff(bare(block))
    if tiff is None or tiff.big or tiff.directory(tiff.first) is None:
        tiff = Tiff(b"II*\0" + bytes(4), "<", False, 0)
    main = tiff.directory(tiff.first) or Directory(0, {}, 0, 0)
    inner = tiff.directory(tiff.number(main, EXIF_IFD)) or Directory(0, {}, 0, 0)
    details = details or {}
    gone = {tag for tag in main.entries if tag in PRIVATE or tag in (WIDTH, HEIGHT)} | set(first)
    if GPS_IFD in main.entries and _broken(tiff.directory(tiff.number(main, GPS_IFD))):
        gone.add(GPS_IFD)
    first = dict.fromkeys(gone) | dict(first)
    rewritten = bool(details) or inner.damaged > 0
    kept = _kept(main, first) + _kept(inner, details)
    places = [tiff.directory(tiff.number(main, tag)) for tag in (GPS_IFD,) if first.get(tag, main) is not None]
    places += [tiff.directory(tiff.number(inner, INTEROP_IFD))]
    for below in places:
        if below is not None and below.entries:
            kept += [(below.at, below.end), *_kept(below, {})]
    if not rewritten and inner.entries:
        kept.append((inner.at, inner.end))
    content = bytearray(tiff.content)
    for start, end in _left_out(tiff, main, inner, rewritten, first, details):
        for low, high in _apart(start, min(end, len(content)), [(0, 8), *kept]):
            content[low:high] = bytes(high - low)
    used = max([8, *(end for _, end in kept)])
    if not any(content[used:]):
        del content[used:]
    if rewritten or not inner.entries:
        at = _append(content, tiff, inner, details) if inner.entries or details else 0
        first = {**first, EXIF_IFD: numbers(tiff.order, LONG, at) if at else None}
    at = _append(content, tiff, main, first)
    struct.pack_into(tiff.order + "I", content, 4, at)
    return PREFIX + bytes(content)


def from_tiff(content: bytes) -> tuple[bytes | None, int]:
    """The EXIF that a TIFF or BigTIFF holds among what it needs for its pixels, and how many entries are lost."""
    tiff = parse_tiff(content)
    main = tiff.directory(tiff.first) if tiff is not None else None
    if tiff is None or main is None:
        return None, 0
    lost = main.damaged
    values: dict[int, dict[int, Value]] = {}
    inner = tiff.directory(tiff.number(main, EXIF_IFD))
    for name, place in ((0, main), (EXIF_IFD, inner), (GPS_IFD, tiff.directory(tiff.number(main, GPS_IFD)))):
        values[name] = {}
        for tag, entry in place.entries.items() if place is not None else ():
            if tag in (EXIF_IFD, GPS_IFD, INTEROP_IFD, WIDTH, HEIGHT) or (name == 0 and tag in PRIVATE):
                continue
            value = Value(entry.type, entry.count, tiff.raw(entry)) if entry.size <= LARGEST_VALUE else None
            if value is None or entry.type in BIG_TYPES:
                lost += 1
            else:
                values[name][tag] = value
    if not any(values.values()):
        return None, lost
    head = (b"II*\0" if tiff.order == "<" else b"MM\0*") + bytes(4)
    made = Tiff(head, tiff.order, False, 0)
    block, none = bytearray(head), Directory(0, {}, 0, 0)
    for name in (EXIF_IFD, GPS_IFD):
        if values[name]:
            at = _append(block, made, none, values[name])
            values[0][name] = numbers(tiff.order, LONG, at)
    struct.pack_into(tiff.order + "I", block, 4, _append(block, made, none, values[0]))
    return PREFIX + bytes(block), lost


def damaged(block: bytes | None) -> int:
    """How many entries point nowhere; -1 where there is no directory at all."""
    tiff = parse_tiff(bare(block))
    main = tiff.directory(tiff.first) if tiff is not None and not tiff.big else None
    if tiff is None or main is None:
        return -1
    lost = main.damaged
    for tag in (EXIF_IFD, GPS_IFD):
        if tag in main.entries:
            below = tiff.directory(tiff.number(main, tag))
            lost += 1 if below is None else below.damaged
    return lost


def _broken(directory: Directory | None) -> bool:
    return directory is None or directory.damaged > 0


def _kept(directory: Directory, changes: Mapping[int, Value | None]) -> list[tuple[int, int]]:
    """The places of the values that stay."""
    return [
        (entry.at, entry.at + entry.size)
        for tag, entry in directory.entries.items()
        if entry.outside and tag not in changes
    ]


def _left_out(
    tiff: Tiff,
    main: Directory,
    inner: Directory,
    rewritten: bool,
    first: Mapping[int, Value | None],
    details: Mapping[int, Value | None],
) -> Iterable[tuple[int, int]]:
    """The places of the old directories, of the values that go, and of the thumbnail."""
    yield main.at, main.end
    if rewritten:
        yield inner.at, inner.end
    for directory, changes in ((main, first), (inner, details)):
        for tag in changes:
            entry = directory.entries.get(tag)
            if entry is not None and entry.outside:
                yield entry.at, entry.at + entry.size
    if GPS_IFD in first:
        gps = tiff.directory(tiff.number(main, GPS_IFD))
        if gps is not None:
            yield gps.at, gps.end
            yield from (_span(entry) for entry in gps.entries.values() if entry.outside)
    for thumbnail in tiff.chain(main.following) if main.following else ():
        yield thumbnail.at, thumbnail.end
        yield from (_span(entry) for entry in thumbnail.entries.values() if entry.outside)
        for at, size in ((THUMBNAIL_AT, THUMBNAIL_SIZE), (STRIPS_AT, STRIPS_SIZE)):
            places = zip(tiff.numbers(thumbnail, at)[:MOST_STRIPS], tiff.numbers(thumbnail, size), strict=False)
            yield from ((start, start + length) for start, length in places)


def _span(entry: Entry) -> tuple[int, int]:
    return entry.at, entry.at + entry.size


def _apart(start: int, end: int, kept: Iterable[tuple[int, int]]) -> Iterable[tuple[int, int]]:
    """The parts of a stretch that none of ``kept`` needs."""
    at = start
    for low, high in sorted(kept):
        if high <= at or low >= end:
            continue
        if low > at:
            yield at, low
        at = max(at, high)
    if at < end:
        yield at, end


def _append(content: bytearray, tiff: Tiff, directory: Directory, changes: Mapping[int, Value | None]) -> int:
    """Put a directory with its changes behind the block; returns where it lies."""
    rows: dict[int, bytes] = {}
    for tag, entry in directory.entries.items():
        if tag not in changes:
            field = struct.pack(tiff.order + "I", entry.at) if entry.outside else tiff.raw(entry).ljust(4, b"\0")
            rows[tag] = struct.pack(tiff.order + "HHI", tag, entry.type, entry.count) + field
    for tag, value in changes.items():
        if value is None:
            continue
        field = value.raw.ljust(4, b"\0")
        if len(field) > 4:
            content += bytes(len(content) % 2)
            field = struct.pack(tiff.order + "I", len(content))
            content += value.raw
        rows[tag] = struct.pack(tiff.order + "HHI", tag, value.type, value.count) + field
    content += bytes(len(content) % 2)
    at = len(content)
    content += struct.pack(tiff.order + "H", len(rows)) + b"".join(rows[tag] for tag in sorted(rows)) + bytes(4)
    return at
