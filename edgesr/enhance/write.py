"""Writing an enhanced photo: JPEG, PNG (also of 16 bits), WebP or HEIC, with EXIF, colour profile and our mark."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import ExifTags, Image

from edgesr import __version__
from edgesr.atomic import file_aside
from edgesr.enhance.photo import Photo, Samples, strip_thumbnail, to_rgb
from edgesr.errors import InputOutputError, UnavailableError, UsageError
from edgesr.photo_formats import LONGEST_SIDE

KINDS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP", ".heic": "HEIF", ".heif": "HEIF"}
SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "HEIF": ".heic"}
NAMES = {"jpeg": "JPEG", "png": "PNG", "webp": "WEBP", "heic": "HEIF"}
"""As ``--format`` calls them."""

QUALITY = 95
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
STRIP = 1 << 21

ASCII = b"ASCII\0\0\0"
"""How EXIF's UserComment starts where its text is ASCII."""


def mark(exif: bytes | None, size: tuple[int, int], edited: bool = False) -> bytes:
    """EXIF of an enhanced photo of ``size`` (width, height): that of the input, and who changed it.

    Software becomes ours; UserComment starts with what was done, and keeps what it said before.
    """
    found = Image.Exif()
    if exif:
        found.load(exif)
    done = "faces edited with another person's photos" if edited else "faces enhanced"
    software = found.get(ExifTags.Base.Software)
    note = f"{done} by edgesr {__version__}" + (f"; made by {_text(software)}" if software else "")
    details = found.get_ifd(ExifTags.IFD.Exif)
    before = _text(details.get(ExifTags.Base.UserComment, b""))
    found[ExifTags.Base.Software] = f"edgesr {__version__}" + (" (edited)" if edited else "")
    details[ExifTags.Base.UserComment] = ASCII + (note + (f"; {before}" if before else "")).encode("ascii", "replace")
    details[ExifTags.Base.ExifImageWidth], details[ExifTags.Base.ExifImageHeight] = size
    return strip_thumbnail(found).tobytes()


def write_photo(photo: Photo, path: Path, quality: int | None = None) -> tuple[str, ...]:
    """Write a photo in the format of the suffix, complete or not at all; returns what could not be kept.

    ``quality`` 1 to 100 for JPEG, WebP and HEIC. None: 95, or a JPEG's own tables for what came as a JPEG.

    Raises:
        UsageError: a suffix that is not written.
        UnavailableError: HEIC without pillow-heif.
        InputOutputError: it cannot be written, or is too large for the format.
    """
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise UsageError(f"cannot write {path.name!r} as a photo", f"use {', '.join(KINDS)}")
    check_size(photo, path)
    notes = []
    with file_aside(path) as aside:
        if kind == "PNG" and photo.pixels.dtype == np.uint16:
            with aside.open("wb") as stream:
                _write_png16(photo, stream)
            return ()
        if photo.pixels.dtype == np.uint16:
            notes.append(f"its 16 bits a sample became 8, since {kind} has no more")
        if photo.alpha is not None and kind == "JPEG":
            notes.append("JPEG has no transparency: it lies on white now")
        _save(photo, kind, aside, quality)
    return tuple(notes)


def check_size(photo: Photo, path: Path) -> None:
    """Whether the format of ``path`` takes so large a photo.

    Raises:
        InputOutputError: it does not.
    """
    kind = KINDS.get(path.suffix.lower(), "")
    longest = LONGEST_SIDE.get(kind)
    if longest and max(photo.size) > longest:
        raise InputOutputError(
            f"{path.name} would have {photo.size[0]}x{photo.size[1]} pixels",
            f"{kind} takes at most {longest} a side: --format png takes more",
        )


def _save(photo: Photo, kind: str, path: Path, quality: int | None) -> None:
    options: dict[str, Any] = {}
    if photo.icc:
        options["icc_profile"] = photo.icc
    if photo.exif:
        options["exif"] = photo.exif
    if kind == "JPEG" and quality is None and photo.jpeg is not None:
        options |= photo.jpeg
    elif kind != "PNG":
        options["quality"] = quality or QUALITY
        if kind == "JPEG" and options["quality"] >= 90:
            options["subsampling"] = 0  # a face is small: its colours must not be halved again
    if kind == "PNG":
        options["compress_level"] = 4
    if kind == "HEIF":
        try:
            import pillow_heif
        except ImportError as error:
            raise UnavailableError("writing HEIC needs pillow-heif", "pip install 'edgesr[heic]'") from error
        pillow_heif.register_heif_opener()
    image = _image(photo, kind)
    try:
        image.save(path, format=kind, **options)
    except (ValueError, RuntimeError) as error:
        raise InputOutputError(f"cannot write {path.name}: {error}", "choose another --format") from error


def _image(photo: Photo, kind: str) -> Image.Image:
    grey = photo.pixels.shape[2] == 1 and kind != "HEIF"
    eight = _eight(photo.pixels)
    image = Image.fromarray(eight[..., 0]) if grey else Image.fromarray(to_rgb(eight))
    if photo.alpha is None:
        return image
    alpha = Image.fromarray(_eight(photo.alpha[..., None])[..., 0])
    if kind == "JPEG":
        white = Image.new(image.mode, image.size, "white")
        white.paste(image, mask=alpha)
        return white
    if grey and kind != "PNG":
        image = image.convert("RGB")
    image.putalpha(alpha)
    return image


def _eight(samples: Samples) -> Samples:
    if samples.dtype == np.uint8:
        return samples
    return ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _write_png16(photo: Photo, stream: BinaryIO) -> None:
    """PNG of 16 bits a sample, which Pillow does not write in colour. Every row with filter Up, in strips."""
    width, height = photo.size
    colour = photo.pixels.shape[2] == 3
    kind = (2 if colour else 0) + (4 if photo.alpha is not None else 0)
    stream.write(PNG_SIGNATURE)
    _chunk(stream, b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0))
    if photo.icc:
        _chunk(stream, b"iCCP", b"ICC profile\0\0" + zlib.compress(photo.icc))
    if photo.exif:
        _chunk(stream, b"eXIf", photo.exif.removeprefix(b"Exif\0\0"))
    packer = zlib.compressobj(4)
    for rows in _rows(photo):
        data = packer.compress(rows)
        if data:
            _chunk(stream, b"IDAT", data)
    _chunk(stream, b"IDAT", packer.flush())
    _chunk(stream, b"IEND", b"")


def _rows(photo: Photo) -> Iterator[bytes]:
    """Filtered rows of a 16-bit PNG, each after its filter's number."""
    width, height = photo.size
    above = None
    step = max(1, STRIP // width)
    for top in range(0, height, step):
        part = photo.pixels[top : top + step]
        if photo.alpha is not None:
            part = np.concatenate([part, photo.alpha[top : top + step, :, None]], axis=2)
        raw = np.ascontiguousarray(part.astype(">u2")).view(np.uint8).reshape(len(part), -1)
        before = np.concatenate([np.zeros_like(raw[:1]) if above is None else above, raw[:-1]])
        above = raw[-1:].copy()
        yield np.concatenate([np.full((len(raw), 1), 2, np.uint8), raw - before], axis=1).tobytes()


def _chunk(stream: BinaryIO, name: bytes, data: bytes) -> None:
    stream.write(struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)))


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.removeprefix(ASCII).decode("ascii", "ignore")
    return "".join(c for c in str(value) if c.isprintable()).strip()
