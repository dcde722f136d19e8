"""Photo files of every kind that people have, made byte by byte where no library writes them."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image

from edgesr.images.decoding import register_heif

Pixels = npt.NDArray[Any]

PNG_START = b"\x89PNG\r\n\x1a\n"


def chunk(name: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(pixels: Pixels, *extra: tuple[bytes, bytes]) -> bytes:
    """A PNG of 8 or 16 bits as the array has, with further chunks before its pixels."""
    height, width = pixels.shape[:2]
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[1 if pixels.ndim == 2 else pixels.shape[2]]
    depth = 16 if pixels.dtype == np.uint16 else 8
    rows = b"".join(b"\0" + row.astype(">u2" if depth == 16 else "u1").tobytes() for row in pixels)
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    middle = b"".join(chunk(name, data) for name, data in extra)
    return PNG_START + chunk(b"IHDR", head) + middle + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def saved(pixels: Pixels, kind: str, **options: Any) -> bytes:
    """An array in one of Pillow's formats."""
    if kind == "HEIF":
        register_heif()
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


def tiff(pixels: Pixels, **options: Any) -> bytes:
    """A TIFF as tifffile writes it; ``pixels`` [H, W] or [H, W, C], or [C, H, W] for planes."""
    stream = io.BytesIO()
    grey = pixels.ndim == 2
    tifffile.imwrite(stream, pixels, **{"photometric": "minisblack" if grey else "rgb", **options})
    return stream.getvalue()


def directory(entries: Sequence[tuple[int, int, int, int]], start: bytes = b"II*\0\x08\0\0\0") -> bytes:
    """A TIFF of one directory with whole numbers in it: tag, type, count, value."""
    rows = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    return start.ljust(8, b"\0") + struct.pack("<H", len(entries)) + rows + bytes(4)


def with_sizes(content: bytes, width: int, height: int) -> bytes:
    """A HEIC or AVIF whose header claims another size for every picture."""
    at = content.find(b"ispe")
    changed = bytearray(content)
    while at >= 0:
        changed[at + 8 : at + 16] = struct.pack(">II", width, height)
        at = content.find(b"ispe", at + 4)
    return bytes(changed)
