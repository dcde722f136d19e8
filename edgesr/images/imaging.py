"""Reading and writing photos: RGB uint8 arrays, EXIF orientation honoured."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, JpegImagePlugin

from edgesr.errors import InputOutputError, UsageError
from edgesr.files.atomic import file_aside
from edgesr.files.reading import no_file, open_plain
from edgesr.images.decoding import MAX_PIXELS, opened, orientation_of
from edgesr.images.photo_formats import IMAGE_SUFFIXES
from edgesr.images.samples16 import deep_bits, read_deep

__all__ = ["IMAGE_SUFFIXES", "MAX_PIXELS"]

MAX_BYTES = 1 << 30
"""The most bytes of a photo's file; 120 megapixels of 16-bit colour without compression take 720 MB."""

Pixels = npt.NDArray[np.uint8]

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a photo of each EXIF orientation upright."""


def read_image(path: Path) -> Pixels:
    """A photo as RGB uint8 [H, W, 3], upright.

    Raises:
        InputOutputError: missing, damaged, no image, or larger than ``MAX_PIXELS`` or ``MAX_BYTES``.
    """
    return read_reduced(path, read_bytes(path))[0]


def read_bytes(path: Path) -> bytes:
    """A photo's file.

    Raises:
        InputOutputError: missing, no file, or larger than ``MAX_BYTES``.
    """
    try:
        with open_plain(path) as stream:
            size = os.fstat(stream.fileno()).st_size
            if size > MAX_BYTES:
                raise InputOutputError(f"{path} is larger than {MAX_BYTES >> 20} MiB", "save it smaller first")
            return stream.read(size)
    except FileNotFoundError as error:
        raise no_file(path) from error
    except IsADirectoryError as error:
        raise InputOutputError(f"{path} is a folder, not a photo") from error
    except OSError as error:
        raise InputOutputError(f"cannot read {path}: {error.strerror or error}") from error


def read_reduced(path: Path, content: bytes, long_side: int | None = None) -> tuple[Pixels, int]:
    """A photo as RGB uint8 [H, W, 3], upright, and by how much it was reduced: 1, 2, 4 or 8.

    A JPEG whose longer side stays at least ``long_side`` is decoded at a half, a quarter or an eighth of its size,
    which takes a fraction of the time and of the memory. Other formats, and None, come whole. ``path`` only names
    ``content``, the file's bytes.

    Raises:
        InputOutputError: damaged, no image, or larger than ``MAX_PIXELS``.
    """
    with opened(path, content, MAX_PIXELS) as image:
        width, height = image.size
        factor = 1
        if isinstance(image, JpegImagePlugin.JpegImageFile) and long_side:
            factor = max((n for n in (1, 2, 4, 8) if max(width, height) // n >= long_side), default=1)
        if factor > 1:
            image.draft(None, (width // factor or 1, height // factor or 1))
            factor = round(width / image.width)
        deep = read_deep(image, content) if deep_bits(image, content) > 8 else None
        if deep is not None:
            return _deep_to_rgb(deep), factor
        image.load()  # some formats are turned by their decoder, which then takes the tag away
        turn = _TURNS.get(orientation_of(image))
        return np.asarray(_to_rgb(image if turn is None else image.transpose(turn))), factor


def _deep_to_rgb(samples: npt.NDArray[np.uint16]) -> Pixels:
    """The high byte of each sample, on white where it is clear."""
    eight = (samples >> 8).astype(np.uint8)
    mode = ("L", "LA", "RGB", "RGBA")[eight.shape[2] - 1]
    return np.asarray(_to_rgb(Image.frombuffer(mode, eight.shape[1::-1], eight.tobytes(), "raw", mode, 0, 1)))


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # 16-bit grey without OpenCV: keep the high byte, where Pillow's own conversion would clip at 255.
        levels = np.asarray(image).astype(np.int64)
        return Image.fromarray((levels >> 8).clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        background = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(background, rgba).convert("RGB")
    return image.convert("RGB")


def to_unit(image: Pixels) -> npt.NDArray[np.float32]:
    """uint8 [..., H, W, 3] -> float32 in [0, 1]."""
    return image.astype(np.float32) / 255.0


def to_pixels(image: npt.NDArray[np.float32]) -> Pixels:
    """float in [0, 1] -> uint8, clamped and rounded."""
    return np.rint(np.clip(image, 0.0, 1.0) * 255.0).astype(np.uint8)


def resize_bicubic(image: Pixels, height: int, width: int) -> Pixels:
    """The bicubic baseline on a stored photo (Pillow's kernel, which is also the network's skip)."""
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))


def downsample_bicubic(image: Pixels, scale: int) -> Pixels:
    """Antialiased bicubic 1/scale of uint8 [H, W, C], computed in float32 and rounded once, as PyTorch's is."""
    size = image.shape[1] // scale, image.shape[0] // scale
    planes = (Image.fromarray(np.float32(image[..., i])) for i in range(image.shape[2]))
    small = np.stack([np.asarray(plane.resize(size, Image.Resampling.BICUBIC)) for plane in planes], axis=-1)
    return np.rint(small.clip(0, 255)).astype(np.uint8)


def write_image(image: Pixels, path: Path, exif: bytes | None = None) -> None:
    """Write uint8 RGB as PNG, JPEG, WebP or what else the suffix says; complete or not at all.

    ``exif`` is written where the format has a place for it, as those three do.

    Raises:
        UsageError: a suffix that no format has.
        InputOutputError: it cannot be written.
    """
    Image.init()
    kind = Image.registered_extensions().get(path.suffix.lower())
    if kind is None:
        raise UsageError(f"cannot write {path.name!r} as a picture", "use .png, .jpg or .webp")
    with file_aside(path) as aside:
        described = {} if exif is None else {"exif": exif}
        Image.fromarray(image).save(aside, format=kind, quality=95, **described)
