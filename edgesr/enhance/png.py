"""PNG: chunks put into what Pillow writes, and 16 bits a sample, which Pillow does not write in colour."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEAD = 33
"""Bytes of the signature and the first chunk, behind which others may follow."""

STRIP = 1 << 21

Chunks = Iterable[tuple[bytes, bytes]]


class WithChunks:
    """A stream for Pillow to write a PNG to, that puts chunks behind the header."""

    def __init__(self, stream: BinaryIO, chunks: Chunks) -> None:
        self._stream, self._chunks, self._written = stream, chunks, 0

    def write(self, data: bytes) -> int:
        """Do as a file does."""
        before = max(0, min(HEAD - self._written, len(data)))
        self._stream.write(data[:before])
        if self._written < HEAD <= self._written + len(data):
            for name, content in self._chunks:
                write_chunk(self._stream, name, content)
        self._stream.write(data[before:])
        self._written += len(data)
        return len(data)

    def flush(self) -> None:
        """Do as a file does."""
        self._stream.flush()


def write_png16(
    pixels: npt.NDArray[np.uint16], alpha: npt.NDArray[np.uint16] | None, chunks: Chunks, stream: BinaryIO
) -> None:
    """[H, W, 1 | 3] and alpha [H, W]. Every row with filter Up, in strips."""
    height, width, colours = pixels.shape
    kind = (2 if colours == 3 else 0) + (4 if alpha is not None else 0)
    stream.write(SIGNATURE)
    write_chunk(stream, b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0))
    for name, data in chunks:
        write_chunk(stream, name, data)
    packer = zlib.compressobj(4)
    for rows in _rows(pixels, alpha):
        data = packer.compress(rows)
        if data:
            write_chunk(stream, b"IDAT", data)
    write_chunk(stream, b"IDAT", packer.flush())
    write_chunk(stream, b"IEND", b"")


def write_chunk(stream: BinaryIO, name: bytes, data: bytes) -> None:
    """A chunk with its length and checksum."""
    stream.write(struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)))


def _rows(pixels: npt.NDArray[Any], alpha: npt.NDArray[Any] | None) -> Iterator[bytes]:
    """Filtered rows, each after its filter's number."""
    height, width = pixels.shape[:2]
    above = None
    step = max(1, STRIP // width)
    for top in range(0, height, step):
        part = pixels[top : top + step]
        if alpha is not None:
            part = np.concatenate([part, alpha[top : top + step, :, None]], axis=2)
        raw = np.ascontiguousarray(part.astype(">u2")).view(np.uint8).reshape(len(part), -1)
        before = np.concatenate([np.zeros_like(raw[:1]) if above is None else above, raw[:-1]])
        above = raw[-1:].copy()
        yield np.concatenate([np.full((len(raw), 1), 2, np.uint8), raw - before], axis=1).tobytes()
