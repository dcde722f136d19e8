"""Writing an enhanced photo: JPEG, PNG (also of 16 bits), WebP or HEIC, with EXIF, colour profile and our mark."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from edgesr.enhance.colour import heic_code, profile_for
from edgesr.enhance.exif import MAKER_NOTE, bare, changed, from_tiff
from edgesr.enhance.extras import PHOTOSHOP_START, XMP_START, Density
from edgesr.enhance.icc import space_of
from edgesr.enhance.mark import mark, with_resolution
from edgesr.enhance.photo import Photo, Samples, to_rgb
from edgesr.enhance.png import WithChunks, write_png16
from edgesr.errors import InputOutputError, UnavailableError, UsageError
from edgesr.files.atomic import file_aside
from edgesr.images.photo_formats import LONGEST_SIDE

KINDS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP", ".heic": "HEIF", ".heif": "HEIF"}
SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "HEIF": ".heic"}
NAMES = {"jpeg": "JPEG", "png": "PNG", "webp": "WEBP", "heic": "HEIF"}
"""The formats as ``--format`` calls them."""

__all__ = ["KINDS", "NAMES", "QUALITY", "SUFFIXES", "check_size", "mark", "write_photo"]

QUALITY = 95
HEIC_CODE = ("color_primaries", "transfer_characteristics", "matrix_coefficients", "full_range_flag")
LARGEST_SEGMENT = 65533
"""Bytes of EXIF, XMP or a comment in a JPEG."""


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
    notes: list[str] = []
    with file_aside(path) as aside:
        deep = photo.pixels.dtype == np.uint16
        if deep and kind != "PNG":
            notes.append(f"its 16 bits a sample became 8, since {kind} has no more")
        if photo.alpha is not None and kind == "JPEG":
            notes.append("JPEG has no transparency: it lies on white now")
        if kind == "PNG":
            if quality is not None:
                notes.append("PNG is without loss: --quality is for JPEG, WebP and HEIC")
            chunks = _png_chunks(photo, notes)
            with aside.open("wb") as stream:
                if deep:
                    write_png16(photo.pixels, photo.alpha, chunks, stream)
                else:
                    _image(photo, kind).save(WithChunks(stream, chunks), format="PNG", compress_level=4)  # type: ignore[arg-type]
        else:
            try:
                _save(photo, kind, aside, quality, notes)
            except (ValueError, RuntimeError) as error:
                raise InputOutputError(f"cannot write {path.name}: {error}", "choose another --format") from error
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


def _save(photo: Photo, kind: str, path: Path, quality: int | None, notes: list[str]) -> None:
    grey = photo.pixels.shape[2] == 1 and kind == "JPEG"
    found = {
        "icc_profile": profile_for(kind, photo.icc, photo.code, photo.extras, grey, notes),
        "exif": photo.exif if kind == "JPEG" else with_resolution(photo.exif, photo.extras.density),
        "xmp": photo.extras.xmp,
    }
    if kind == "JPEG":
        found |= _jpeg_parts(photo, notes)
    options: dict[str, Any] = {name: value for name, value in found.items() if value}
    if kind == "JPEG" and quality is None and photo.jpeg is not None:
        options |= photo.jpeg
    else:
        options["quality"] = quality or QUALITY
        if kind == "JPEG" and options["quality"] >= 90:
            options["subsampling"] = 0  # a face is small: its colours must not be halved again
    if kind == "HEIF":
        try:
            import pillow_heif
        except ImportError as error:
            raise UnavailableError("writing HEIC needs pillow-heif", "pip install 'edgesr[heic]'") from error
        pillow_heif.register_heif_opener()
        options |= dict(zip(HEIC_CODE, heic_code(photo.code), strict=True))
    _note_lost(photo, kind, notes)
    _image(photo, kind).save(path, format=kind, **options)
    if kind == "JPEG":
        _set_density(path, photo.extras.density)


def _jpeg_parts(photo: Photo, notes: list[str]) -> dict[str, bytes | None]:
    """What goes into segments of its own, each of which holds 64 KiB at most."""
    parts = {"exif": photo.exif, "xmp": photo.extras.xmp, "comment": photo.extras.comment}
    if photo.exif and len(photo.exif) > LARGEST_SEGMENT:
        notes.append("its EXIF is larger than a JPEG takes: the camera's private notes were left out")
        parts["exif"] = from_tiff(bare(changed(photo.exif, {}, {MAKER_NOTE: None})))[0]
    for name, room in (("exif", 0), ("xmp", len(XMP_START)), ("comment", 0)):
        part = parts[name]
        if part and len(part) + room > LARGEST_SEGMENT:
            notes.append(f"its {name.upper() if name != 'comment' else name} is larger than a JPEG takes: left out")
            parts[name] = None
    extra = b"".join(
        b"\xff\xfe" + struct.pack(">H", 2 + len(comment)) + comment for comment in photo.extras.further_comments
    )
    iptc = photo.extras.iptc
    if iptc:
        body = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(iptc)) + iptc + bytes(len(iptc) % 2)
        if len(PHOTOSHOP_START) + len(body) <= LARGEST_SEGMENT:
            size = struct.pack(">H", 2 + len(PHOTOSHOP_START) + len(body))
            extra += b"\xff\xed" + size + PHOTOSHOP_START + body
        else:
            notes.append("its IPTC is larger than a JPEG takes: left out")
    parts["extra"] = extra or None
    return parts


def _set_density(path: Path, density: Density | None) -> None:
    """Put the resolution into the header that libjpeg wrote."""
    if density is None:
        return
    unit = {"": 0, "cm": 2}.get(density.unit, 1)
    x, y = (density.x, density.y) if unit != 1 else density.per_inch()
    if unit == 0 and max(x, y) > 65535:
        x, y = x / max(x, y) * 1000, y / max(x, y) * 1000
    with path.open("r+b") as stream:
        head = stream.read(18)
        if head[6:11] == b"JFIF\0" and 0 < round(x) < 65536 and 0 < round(y) < 65536:
            stream.seek(13)
            stream.write(struct.pack(">BHH", unit, round(x), round(y)))


def _png_chunks(photo: Photo, notes: list[str]) -> list[tuple[bytes, bytes]]:
    """What stands before a PNG's pixels."""
    extras = photo.extras
    grey = photo.pixels.shape[2] == 1 and not _needs_rgb(photo, "PNG")
    icc = profile_for("PNG", photo.icc, photo.code, extras, grey, notes)
    chunks = list(extras.colours)
    if photo.code is not None and not chunks and not grey:
        chunks.append((b"cICP", bytes((*(min(value, 255) for value in photo.code[:2]), 0, 1))))
    if icc:
        chunks = [chunk for chunk in chunks if chunk[0] != b"sRGB"]  # only one of the two may stand there
        chunks.append((b"iCCP", b"ICC profile\0\0" + zlib.compress(icc)))
    if extras.density:
        x, y = extras.density.per_metre()
        chunks.append((b"pHYs", struct.pack(">IIB", min(x, 1 << 30), min(y, 1 << 30), bool(extras.density.unit))))
    if photo.exif:
        chunks.append((b"eXIf", bare(photo.exif)))
    if extras.xmp:
        chunks.append((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + extras.xmp))
    _note_lost(photo, "PNG", notes)
    return [*chunks, *extras.texts]


def _note_lost(photo: Photo, kind: str, notes: list[str]) -> None:
    """Say what the format has no place for."""
    extras = photo.extras
    lost = []
    if extras.iptc and kind != "JPEG":
        lost.append("IPTC")
    if extras.comment and kind != "JPEG":
        lost.append("comment")
    words = [data.split(b"\0")[0].decode("latin-1") for name, data in extras.texts if name != b"tIME"]
    if words and kind != "PNG":
        lost.append(f"text ({', '.join(words)[:60]})")
    if lost:
        notes.append(f"{kind} has no place for its {' and '.join(lost)}: left out")
    if extras.density is not None and not extras.density.unit and kind not in ("JPEG", "PNG"):
        notes.append(f"{kind} cannot say that its pixels are not square")


def _needs_rgb(photo: Photo, kind: str) -> bool:
    """Whether a grey photo must be written as RGB: the format has no grey, or its profile is for RGB."""
    profile_of_rgb = photo.icc is not None and space_of(photo.icc) == "RGB"
    return kind in ("HEIF", "WEBP") or (profile_of_rgb and kind == "PNG")


def _image(photo: Photo, kind: str) -> Image.Image:
    grey = photo.pixels.shape[2] == 1 and not _needs_rgb(photo, kind)
    eight = _eight(photo.pixels)
    image = Image.fromarray(eight[..., 0]) if grey else Image.fromarray(to_rgb(eight))
    if photo.alpha is None:
        return image
    alpha = Image.fromarray(_eight(photo.alpha[..., None])[..., 0])
    if kind == "JPEG":
        white = Image.new(image.mode, image.size, "white")
        white.paste(image, mask=alpha)
        return white
    image.putalpha(alpha)
    return image


def _eight(samples: Samples) -> Samples:
    if samples.dtype == np.uint8:
        return samples
    return ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)
