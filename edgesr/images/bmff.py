"""The boxes of HEIC and AVIF: how large the pictures are, how deep, what their colours mean, and their EXIF."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Iterator

MOST_BOXES, MOST_ITEMS = 4096, 4096


@dataclasses.dataclass(frozen=True)
class Still:
    """What the header of a still picture says."""

    sizes: tuple[tuple[int, int], ...]
    """Width and height of every picture in the file: tiles, thumbnails and the whole."""
    bits: int
    """Bits of a sample, the most of any picture's; 8 where it is not said."""
    nclx: tuple[int, int, int, int] | None
    """Primaries, transfer, matrix and range of the colours, by ITU-T H.273."""
    exif: bytes | None
    """The EXIF block, which starts as TIFF does."""


def read_still(content: bytes) -> Still:
    """The header of a HEIC or AVIF. Nothing is believed: what lies outside the file is not there."""
    sizes, bits, nclx, properties = [], 8, None, b""
    for name, body in _boxes(_meta(content)):
        if name == b"iprp":
            properties = next((inner for box, inner in _boxes(body) if box == b"ipco"), b"")
    for name, body in _boxes(properties):
        if name == b"ispe" and len(body) >= 12:
            sizes.append(struct.unpack_from(">II", body, 4))
        elif name == b"pixi" and len(body) > 5:
            bits = max([bits, *body[5 : 5 + body[4]]])
        elif name == b"av1C" and len(body) > 2:
            bits = max(bits, (8 if not body[2] & 0x40 else 12 if body[2] & 0x20 else 10))
        elif name == b"colr" and body[:4] == b"nclx" and len(body) >= 11 and nclx is None:
            nclx = (*struct.unpack_from(">HHH", body, 4), body[10] >> 7)
    return Still(tuple(sizes), bits, nclx, _exif(content))


def brands(content: bytes) -> list[bytes]:
    """The major brand and the compatible ones; none where the bytes start otherwise."""
    if content[4:8] != b"ftyp":
        return []
    size = min(struct.unpack_from(">I", content)[0], len(content), 1024)
    return [content[8:12], *(content[at : at + 4] for at in range(16, size - 3, 4))]


def _boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    for _ in range(MOST_BOXES):
        if at + 8 > len(content):
            return
        size, name = struct.unpack_from(">I4s", content, at)
        head = 8
        if size == 1 and at + 16 <= len(content):
            (size,) = struct.unpack_from(">Q", content, at + 8)
            head = 16
        elif size == 0:
            size = len(content) - at
        if size < head:
            return
        # The pictures themselves are not looked into, so not copied either.
        yield name, b"" if name == b"mdat" else content[at + head : at + size]
        at += size


def _meta(content: bytes) -> bytes:
    return next((body[4:] for name, body in _boxes(content) if name == b"meta"), b"")


def _exif(content: bytes) -> bytes | None:
    """The bytes of the item of type Exif, where they lie in the file or in the box of small data."""
    meta = dict(_boxes(_meta(content)))
    number = next((n for n, kind in _items(meta.get(b"iinf", b"")) if kind == b"Exif"), None)
    if number is None:
        return None
    try:
        method, parts = _places(meta.get(b"iloc", b"")).get(number, (0, []))
    except struct.error:
        return None
    source = {0: content, 1: meta.get(b"idat", b"")}.get(method, b"")
    data = b"".join(source[at : at + size] for at, size in parts if at + size <= len(source))
    if len(data) < 4:
        return None
    start = 4 + struct.unpack_from(">I", data)[0]
    return data[start:].removeprefix(b"Exif\0\0") or None


def _items(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Numbers and types of the items that ``iinf`` names."""
    wide = body[:1] != b"\0"
    for name, entry in _boxes(body[8 if wide else 6 :]):
        if name == b"infe" and len(entry) >= 12 and entry[0] in (2, 3):
            step = 2 if entry[0] == 3 else 0
            (number,) = struct.unpack_from(">I" if step else ">H", entry, 4)
            yield number, entry[8 + step : 12 + step]


def _places(body: bytes) -> dict[int, tuple[int, list[tuple[int, int]]]]:
    """How each item of ``iloc`` is found: the method, and where its parts lie. Raises struct.error where cut off."""
    version, sizes, more = body[0] if body else 0, *struct.unpack_from(">BB", body, 4)
    widths = {"offset": sizes >> 4, "length": sizes & 15, "base": more >> 4, "index": more & 15 if version else 0}
    at = 6

    def number(width: int) -> int:
        nonlocal at
        if at + width > len(body):
            raise struct.error("iloc is short")
        at += width
        return int.from_bytes(body[at - width : at], "big")

    places: dict[int, tuple[int, list[tuple[int, int]]]] = {}
    for _ in range(min(number(4 if version == 2 else 2), MOST_ITEMS)):
        item = number(4 if version == 2 else 2)
        method = number(2) & 15 if version else 0
        number(2)
        base = number(widths["base"])
        parts = []
        for _ in range(min(number(2), MOST_ITEMS)):
            number(widths["index"])
            offset = base + number(widths["offset"])
            parts.append((offset, number(widths["length"])))
        places[item] = (method, parts)
    return places
