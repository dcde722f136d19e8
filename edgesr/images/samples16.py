"""Samples of 16 bits, which Pillow would cut to 8 in colour: PNG and TIFF, decoded by OpenCV."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from edgesr.images.decoding import BITS, SAMPLES, orientation_of
from edgesr.images.photo_formats import PHOTOMETRIC
from edgesr.images.tiff import parse_tiff

Deep = npt.NDArray[np.uint16]

GREY_WITH_ALPHA = 4
"""A PNG's colour type, in the 26th byte of the file; the 25th holds the bits."""

CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}
PIECE = 1 << 20
PIXEL_CHUNKS = (b"IHDR", b"tRNS", b"IDAT", b"IEND")
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB = 0, 1, 2
EXTRA_SAMPLES, PREMULTIPLIED = 338, 1


def deep_bits(image: Image.Image, content: bytes) -> int:
    """Bits of a sample of a PNG or TIFF that is opened, of which more than 8 can be had; else 8."""
    if image.format == "PNG":
        return 16 if content[24:25] == b"\x10" else 8
    if image.format == "TIFF":
        return _tiff_depth(content)[0]
    return 8


def read_deep(image: Image.Image, content: bytes) -> Deep | None:
    """uint16 [H, W, 1..4] of a photo of which ``deep_bits`` are more than 8, upright.

    None where only 8 bits can be had: OpenCV is not here, or the samples are of another kind than grey and RGB.

    Raises:
        ValueError: it cannot be decoded; ``opened`` names the file.
    """
    if image.format == "TIFF":
        return _tiff(image, content)
    samples = _png(image, content)
    return None if samples is None else upright(samples, orientation_of(image))


def upright(samples: npt.NDArray[Any], orientation: int) -> npt.NDArray[Any]:
    """Samples [H, W, C] turned as their EXIF orientation says."""
    turned = samples
    if orientation in (5, 6, 7, 8):  # then rows are columns
        turned = turned.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        turned = turned[::-1]
    if orientation in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    return np.ascontiguousarray(turned)


def _png(image: Image.Image, content: bytes) -> Deep | None:
    bare = _pixels_alone(content, image.height * image.width * CHANNELS.get(content[25], 1) * 2)
    samples = _decoded(bare)
    if samples is None:
        return None
    if content[25] == GREY_WITH_ALPHA:
        return np.ascontiguousarray(samples[..., (0, 3)])
    key = image.info.get("transparency")
    if samples.shape[2] == 1 and isinstance(key, int):
        alpha = np.where(samples == key, 0, 65535).astype(np.uint16)
        return np.concatenate([samples, alpha], axis=2)
    return samples


def _pixels_alone(content: bytes, least: int) -> bytes:
    """A PNG without anything but its pixels, checked: of the rest, and of what is wrong, libpng talks on the terminal.

    Raises:
        ValueError: a checksum is wrong, or fewer than ``least`` bytes of pixels are there.
    """
    at, inflated, packed, parts = 8, 0, zlib.decompressobj(), [content[:8]]
    while at + 12 <= len(content):
        (size,) = struct.unpack_from(">I", content, at)
        data = content[at + 4 : at + 8 + size]
        if len(data) < size + 4 or zlib.crc32(data) != int.from_bytes(content[at + 8 + size : at + 12 + size], "big"):
            raise ValueError("a checksum is wrong")
        rest = data[4:] if data[:4] == b"IDAT" else b""
        while rest and not packed.eof:
            inflated += len(packed.decompress(rest, PIECE))
            rest = packed.unconsumed_tail
        if data[:4] in PIXEL_CHUNKS:
            parts.append(content[at : at + 12 + size])
        at += 12 + size
    if not packed.eof or inflated < least:
        raise ValueError("pixels are missing")
    return b"".join(parts)


def _tiff_depth(content: bytes) -> tuple[int, int, int, bool]:
    """Bits, photometric kind, samples a pixel, and whether alpha was multiplied in."""
    tiff = parse_tiff(content)
    first = tiff.directory(tiff.first) if tiff is not None else None
    if tiff is None or first is None:
        return 8, RGB, 3, False
    bits = max(tiff.numbers(first, BITS), default=1)
    premultiplied = PREMULTIPLIED in tiff.numbers(first, EXTRA_SAMPLES)
    return bits, tiff.number(first, PHOTOMETRIC), tiff.number(first, SAMPLES, 1), premultiplied


def _tiff(image: Image.Image, content: bytes) -> Deep | None:
    """Pillow and OpenCV both turn a TIFF upright, whatever they are told."""
    bits, photometric, count, premultiplied = _tiff_depth(content)
    if photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO) and count == 1:
        image.load()
        levels = np.asarray(image).astype(np.uint32)[..., None]
        levels = levels * 65535 // ((1 << bits) - 1)  # of 12 bits, say; 16 stay as they are
        levels = 65535 - levels if photometric == WHITE_IS_ZERO else levels
        return levels.astype(np.uint16)
    if bits != 16 or photometric != RGB or count not in (3, 4) or premultiplied:
        return None
    samples = _decoded(content)
    if samples is not None and samples.shape != (image.height, image.width, count):
        raise ValueError("it is decoded to another size than its header says")
    return samples


def _decoded(content: bytes) -> Deep | None:
    """[H, W, 1..4], RGB first, or None without OpenCV."""
    try:
        import cv2
    except ImportError:
        return None
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        flags = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION
        decoded: Any = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    finally:
        cv2.utils.logging.setLogLevel(level)
    if decoded is None or decoded.dtype != np.uint16:
        raise ValueError("its samples of 16 bits cannot be decoded")
    samples: Deep = decoded[..., None] if decoded.ndim == 2 else decoded
    if samples.shape[2] >= 3:
        for top in range(0, len(samples), 64):  # in place: a photo of 16 bits is large
            samples[top : top + 64, :, :3] = samples[top : top + 64, :, 2::-1].copy()
    return samples
