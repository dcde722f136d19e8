"""A photo as it came: its pixels, 8 or 16 bits, grey or colour, with alpha, EXIF and colour profile beside them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, JpegImagePlugin

from edgesr.enhance.colour import Code, read_colours, to_srgb
from edgesr.enhance.exif import ORIENTATION, SHORT, bare, changed, damaged, from_tiff, numbers, order_of, value_of
from edgesr.enhance.extras import Extras, density_of, read_extras
from edgesr.errors import UsageError
from edgesr.images.arrays import as_samples
from edgesr.images.bmff import read_still
from edgesr.images.decoding import opened, orientation_of
from edgesr.images.imaging import Pixels, read_bytes
from edgesr.images.samples16 import deep_bits, read_deep, upright

Samples = npt.NDArray[Any]
"""uint8 or uint16."""

STRIP = 1 << 22
"""Pixels copied at a time from Pillow's buffer, which takes four bytes for each of three."""


@dataclasses.dataclass(frozen=True, eq=False)
class Photo:
    """A decoded photo, upright."""

    pixels: Samples
    """uint8 or uint16 [H, W, C], C = 3 (RGB) or 1 (grey); may be written to."""
    alpha: Samples | None = None
    """[H, W], as ``pixels``."""
    exif: bytes | None = None
    """Orientation 1, without thumbnail."""
    icc: bytes | None = None
    kind: str | None = None
    """Pillow's name of the format it came in: JPEG, PNG, WEBP, HEIF or another."""
    jpeg: dict[str, Any] | None = None
    """Quantization tables and chroma subsampling of a JPEG: written with them again it changes least."""
    notes: tuple[str, ...] = ()
    """What could not be kept, in sentences."""
    code: Code | None = None
    """What its colours mean, by H.273, where its file said so that way."""
    extras: Extras = Extras()
    """XMP, IPTC, texts and resolution."""

    def __post_init__(self) -> None:
        pixels, alpha = as_samples(self.pixels), self.alpha
        if pixels.dtype != self.pixels.dtype or self.pixels.ndim != 3 or pixels.shape[2] not in (1, 3):
            raise UsageError(
                f"pixels of dtype {self.pixels.dtype} and shape {list(self.pixels.shape)}",
                "a Photo has uint8 or uint16 [H, W, 1 or 3]; photo_of makes one of other arrays",
            )
        if alpha is not None and (alpha.dtype != pixels.dtype or alpha.shape != pixels.shape[:2]):
            raise UsageError(
                f"alpha of dtype {alpha.dtype} and shape {list(alpha.shape)}", "it is as the pixels, [H, W]"
            )

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.pixels.shape[1], self.pixels.shape[0]

    def rgb(self) -> Pixels:
        """uint8 [H, W, 3]: what detectors and networks see. The pixels themselves where they are that already."""
        return to_rgb(self.pixels)

    def replace(self, **changes: Any) -> Photo:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)


def to_rgb(pixels: Samples) -> Pixels:
    """Samples [H, W, 1 | 3] of 8 or 16 bits as uint8 [H, W, 3]; 16 bits are rounded to the nearest level."""
    if pixels.dtype == np.uint16:
        # 65535 / 255 = 257: exact at both ends, and a strip at a time costs no second photo in float.
        small = np.empty(pixels.shape, np.uint8)
        for rows in _strips(pixels.shape[0], pixels.shape[1]):
            small[rows] = (pixels[rows].astype(np.uint32) + 128) // 257
        pixels = small
    return pixels if pixels.shape[2] == 3 else np.repeat(pixels, 3, axis=2)


def photo_of(array: Any) -> Photo:
    """A photo from an array's pixels, copied: uint8, uint16 or floats from 0 to 1; grey or RGB, with alpha or without.

    Raises:
        UsageError: any other array.
    """
    samples = as_samples(array)
    colours = 1 if samples.shape[2] < 3 else 3
    alpha = samples[..., colours].copy() if samples.shape[2] > colours else None
    return Photo(np.array(samples[..., :colours], order="C"), alpha)


def read_photo(path: Path) -> Photo:
    """A photo with everything that goes back into its file. Bounded in bytes and pixels before it is decoded.

    Raises:
        InputOutputError: missing, damaged, truncated, animated, no image, or too large.
    """
    return decode_photo(path, read_bytes(path))


def decode_photo(path: Path, content: bytes) -> Photo:
    """A photo from its file's bytes; ``path`` only names them. Raises as ``read_photo``."""
    with opened(path, content) as image:
        return _decode(image, content)


def _decode(image: Image.Image, content: bytes) -> Photo:
    notes: list[str] = []
    others = [len(found) for found in image.info.get("aux", {}).values()]  # gain maps and mattes of a HEIC
    further = getattr(image, "n_frames", 1) - 1 + len(image.info.get("depth_images", [])) + sum(others)
    if further > 0 and image.format in ("MPO", "HEIF"):
        notes.append(f"{further} further pictures of its file (previews, a depth or gain map) were left out")
    kind = "JPEG" if image.format == "MPO" else image.format
    jpeg = None
    if kind == "JPEG" and image.mode in ("L", "RGB") and isinstance(image, JpegImagePlugin.JpegImageFile):
        sampling = JpegImagePlugin.get_sampling(image)
        if sampling >= 0 or image.mode == "L":
            jpeg = {"qtables": dict(image.quantization), "subsampling": max(sampling, 0)}
    if image.format in ("HEIF", "AVIF"):
        bits = max(read_still(content).bits, image.info.get("bit_depth", 8))
        if bits > 8:
            notes.append(f"its {bits} bits a sample became 8")
    bits = deep_bits(image, content)
    samples: Samples | None = read_deep(image, content) if bits > 8 else None
    if samples is None:
        if bits > 8:
            notes.append(f"its {bits} bits a sample became 8")
            image.info.pop("transparency", None)  # a colour of 16 bits, which no pixel has any more
        image.load()  # some formats are turned by their decoder, which then takes the tag away
        orientation = orientation_of(image)
        pixels = to_srgb(image, notes) if image.mode in ("CMYK", "LAB") else image
        samples = upright(_samples(pixels), orientation)
    exif = _exif(image, content, notes)
    colours = 1 if samples.shape[2] < 3 else 3
    alpha = samples[..., colours] if samples.shape[2] > colours else None
    if alpha is not None:
        samples, alpha = np.ascontiguousarray(samples[..., :colours]), np.ascontiguousarray(alpha)
    extras = read_extras(image, content, notes)
    if extras.density is None:
        extras = extras.replace(density=density_of(bare(exif)))
    icc, code = read_colours(image, content, extras, colours == 1, notes)
    return Photo(samples, alpha, exif, icc, kind, jpeg, tuple(notes), code, extras)


def _samples(image: Image.Image) -> Samples:
    """[H, W, 1..4] of a decoded image, copied strip by strip: Pillow's own way holds the photo three times."""
    deep = image.mode.startswith("I")
    mode = {"1": "L", "LA": "LA", "La": "LA", "PA": "RGBA", "RGBa": "RGBA"}.get(image.mode, image.mode)
    if "transparency" in image.info and not deep:
        mode = "LA" if image.mode == "L" else "RGBA"
    if mode not in ("L", "LA", "RGB", "RGBA") and not deep:
        mode = "RGB"
    width, height = image.size
    result: Samples | None = None
    for rows in _strips(height, width):
        strip = image.crop((0, rows.start, width, rows.stop))
        strip.info.update({key: image.info[key] for key in ("transparency",) if key in image.info})
        part = np.asarray(strip if deep else strip.convert(mode))
        part = part[..., None] if part.ndim == 2 else part
        if result is None:
            result = np.empty((height, width, part.shape[2]), np.uint16 if deep else np.uint8)
        result[rows] = part.clip(0, 65535) if deep else part
    assert result is not None
    return result


def _exif(image: Image.Image, content: bytes, notes: list[str]) -> bytes | None:
    """The EXIF for a photo that is upright, its bytes as they came."""
    lost = 0
    block: bytes | None
    if image.format == "TIFF":
        block, lost = from_tiff(content)
    elif image.format == "AVIF":
        block = read_still(content).exif
    else:
        block = image.info.get("exif") or _raw_profile(image.info.get("Raw profile type exif"))
    if not bare(block):
        return None
    lost += damaged(block)
    if lost < 0:
        # Phones and editors leave broken EXIF behind, and the photo itself is fine.
        notes.append("its EXIF is damaged and was left out")
        return None
    if lost:
        notes.append(f"{lost} damaged entries of its EXIF were left out")
    turned = value_of(block, ORIENTATION) is not None
    return changed(block, {ORIENTATION: numbers(order_of(block), SHORT, 1)} if turned else {})


def _raw_profile(text: Any) -> bytes | None:
    """EXIF as ImageMagick writes it into a PNG's text: a name, a length, hexadecimal digits."""
    try:
        return bytes.fromhex("".join(str(text).split("\n")[3:])) if text else None
    except ValueError:
        return None


def _strips(height: int, width: int) -> list[slice]:
    step = max(1, STRIP // max(width, 1))
    return [slice(top, min(top + step, height)) for top in range(0, height, step)]
