"""Opening a photo's bytes: one decoder, chosen by the content, and bounded before it takes memory."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator
from pathlib import Path

from PIL import ExifTags, Image, UnidentifiedImageError

from edgesr.errors import EdgesrError, InputOutputError
from edgesr.images.bmff import read_still
from edgesr.images.photo_formats import PHOTOMETRIC, RAW, READABLE, REDUCED, SUBFILE, kind_of, pages
from edgesr.images.tiff import parse_tiff

MAX_PIXELS = 120_000_000
"""A panorama of 100 megapixels passes; a decompression bomb does not."""

CLAIMED_PIXELS, CLAIMED_SHARE = 16_000_000, 2000
"""More pixels than the first need a byte of file for each so many: an empty page has them, a claim has not."""

MOVING = ("GIF", "WEBP", "PNG", "AVIF")
"""Where several frames are an animation. A JPEG's are previews and depth maps, a HEIC's are its alternatives."""

WIDTH, HEIGHT, BITS, SAMPLES, PLANES, SAMPLE_FORMAT = 256, 257, 258, 277, 284, 339
TILE_WIDTH, TILE_HEIGHT = 322, 323
UNSIGNED = {1, 4}
LAB = {8, 9, 10}
MOST_SAMPLES = 6


@contextlib.contextmanager
def opened(path: Path, content: bytes, most: int = MAX_PIXELS) -> Iterator[Image.Image]:
    """A still photo with its header read and nothing decoded; ``path`` only names the file's bytes ``content``.

    What goes wrong inside the block, where it is decoded, is told as a damaged file.

    Raises:
        InputOutputError: none of the formats that are read, damaged, an animation, several pages, samples of more
            than 16 bits, or more than ``most`` pixels.
    """
    try:
        kind, what = kind_of(content)
        if kind is None:
            raise _refused(path, what)
        _check_header(path, content, kind, most)
        if kind == "HEIF":
            register_heif()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large and of slightly broken photos: the limits here decide
            with Image.open(io.BytesIO(content), formats=(kind,)) as image:
                _check_size(path, *image.size, len(content), most)
                _check_still(path, image)
                yield image
    except EdgesrError:
        raise
    except Image.DecompressionBombError as error:  # Pillow's own limit, which is checked first
        raise InputOutputError(f"{path} has more than {most // 10**6} megapixels", "save it smaller first") from error
    except UnidentifiedImageError as error:
        raise InputOutputError(f"{path} is no image that can be read", "the file looks damaged") from error
    except MemoryError:
        raise
    except Exception as error:
        # Decoders raise anything on damaged files, from OSError to RuntimeError and struct.error.
        raise InputOutputError(f"cannot read {path}: {error}", "the file looks damaged or truncated") from error


def orientation_of(image: Image.Image) -> int:
    """EXIF's orientation, 1 to 8; 1 where there is none, or a broken one. Of a TIFF that is loaded it is 1."""
    try:
        found = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:
        # Phones and editors leave broken EXIF behind; Pillow raises anything on it, and the photo itself is fine.
        return 1
    return found if found in range(1, 9) else 1


def register_heif() -> None:
    """Make Pillow read and write HEIC.

    Raises:
        InputOutputError: without pillow-heif.
    """
    try:
        import pillow_heif
    except ImportError as error:
        raise InputOutputError("HEIC photos need pillow-heif", "pip install 'edgesr[heic]'") from error
    pillow_heif.register_heif_opener()


def _refused(path: Path, what: str) -> InputOutputError:
    if what.startswith(RAW):
        hint = "develop it and save it as JPEG, PNG or 16-bit TIFF: what edgesr could read of it is a small preview"
        return InputOutputError(f"{path} is {what}, which is not read", hint)
    if what:
        return InputOutputError(f"{path} is {what}, no photo that can be read", READABLE)
    return InputOutputError(f"{path} is no image that can be read", READABLE)


def _check_header(path: Path, content: bytes, kind: str, most: int) -> None:
    """What some decoders would take memory for, or get wrong, before anybody could ask them."""
    if kind == "WEBP":
        size, frames = webp_size(content)
        _check_size(path, *size, len(content), most)
        if frames > 1:
            raise _moving(path, frames)
    elif kind in ("HEIF", "AVIF"):
        for width, height in read_still(content).sizes:
            _check_size(path, width, height, len(content), most)
    elif kind == "TIFF":
        _check_tiff(path, content, most)


def _check_size(path: Path, width: int, height: int, length: int, most: int) -> None:
    pixels = width * height
    if pixels > most:
        raise InputOutputError(
            f"{path} has {width}x{height} pixels, more than {most // 10**6} megapixels", "save it smaller first"
        )
    if pixels > CLAIMED_PIXELS and pixels > length * CLAIMED_SHARE:
        raise InputOutputError(
            f"{path} claims {width}x{height} pixels and has {length} bytes", "the file is damaged, or made to harm"
        )


def _check_still(path: Path, image: Image.Image) -> None:
    if image.format in MOVING and getattr(image, "is_animated", False):
        # Counting a GIF's frames means reading all of it.
        raise _moving(path, None if image.format == "GIF" else getattr(image, "n_frames", None))


def _moving(path: Path, frames: int | None) -> InputOutputError:
    return InputOutputError(
        f"{path} is an animation" + (f" of {frames} frames" if frames else ""),
        "only still photos and video clips are read: save one frame of it as a photo",
    )


def _check_tiff(path: Path, content: bytes, most: int) -> None:
    tiff = parse_tiff(content)
    first = tiff.directory(tiff.first) if tiff is not None else None
    if tiff is None or first is None:
        raise InputOutputError(f"cannot read {path}: its directory lies outside the file", "the file looks damaged")
    _check_size(path, tiff.number(first, WIDTH), tiff.number(first, HEIGHT), len(content), most)
    _check_size(path, tiff.number(first, TILE_WIDTH), tiff.number(first, TILE_HEIGHT), len(content), most)
    bits = max(tiff.numbers(first, BITS), default=1)
    if bits > 16 or not set(tiff.numbers(first, SAMPLE_FORMAT)) <= UNSIGNED:
        kind = {2: "signed ", 3: "floating-point "}.get(tiff.number(first, SAMPLE_FORMAT), "")
        raise InputOutputError(f"{path} has {kind}samples of {bits} bits", "save it with 8 or 16 bits, unsigned")
    if bits > 8 and (tiff.number(first, PLANES, 1) == 2 or tiff.number(first, PHOTOMETRIC) in LAB):
        kind = "Lab" if tiff.number(first, PHOTOMETRIC) in LAB else "planes"
        raise InputOutputError(f"{path} has {kind} of {bits} bits", "save it as interleaved RGB, or with 8 bits")
    if tiff.number(first, SAMPLES, 1) > MOST_SAMPLES:
        raise InputOutputError(f"{path} has {tiff.number(first, SAMPLES)} samples a pixel", "save it as grey or RGB")
    if tiff.number(first, SUBFILE) & REDUCED:
        raise InputOutputError(f"{path} starts with a preview", "save the photo itself as a file of its own")
    count = pages(tiff)
    if count > 1:
        raise InputOutputError(f"{path} has {count} pages", "save the page that you mean as a photo of its own")


def webp_size(content: bytes) -> tuple[tuple[int, int], int]:
    """Width and height that a WebP's header names, and how many frames it has. Zeros where it is cut off."""
    first, body = content[12:16], content[20:30].ljust(10, b"\0")
    if first == b"VP8X":
        size = (1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little"))
        return size, _webp_frames(content) if body[0] & 2 else 1
    if first == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return (1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)), 1
    return (int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF), 1


def _webp_frames(content: bytes) -> int:
    at, frames = 12, 0
    while at + 8 <= len(content):
        frames += content[at : at + 4] == b"ANMF"
        size = int.from_bytes(content[at + 4 : at + 8], "little")
        at += 8 + size + size % 2
    return frames
