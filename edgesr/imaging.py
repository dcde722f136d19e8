"""Reading and writing photos: RGB uint8 arrays, EXIF orientation honoured."""

from __future__ import annotations

import io
import os
import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, UnidentifiedImageError

from edgesr.atomic import file_aside
from edgesr.errors import EdgesrError, InputOutputError, UsageError

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif", ".bmp", ".tif", ".tiff"}

MAX_PIXELS = 120_000_000
"""A panorama of 100 megapixels passes; a decompression bomb does not."""

MAX_BYTES = 1 << 30
"""Of a photo's file; 120 megapixels of 16-bit colour without compression take 720 MB."""

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
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            if size > MAX_BYTES:
                raise InputOutputError(f"{path} is larger than {MAX_BYTES >> 20} MiB", "no photo is so large")
            return stream.read(size)
    except FileNotFoundError as error:
        raise InputOutputError(f"no file {path}") from error
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
    if path.suffix.lower() in {".heic", ".heif"}:
        _register_heif()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # MAX_PIXELS decides
            image = Image.open(io.BytesIO(content))
        with image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise InputOutputError(
                    f"{path} has {width}x{height} pixels", f"at most {MAX_PIXELS // 10**6} megapixels are read"
                )
            factor = max((n for n in (1, 2, 4, 8) if long_side and max(width, height) // n >= long_side), default=1)
            if factor > 1:
                image.draft(None, (width // factor or 1, height // factor or 1))
                factor = round(width / image.width)  # 1 where the format knows no reduced decoding
            return np.asarray(_to_rgb(_upright(image))), factor
    except EdgesrError:
        raise
    except UnidentifiedImageError as error:
        raise InputOutputError(f"{path} is no image that can be read", "JPEG, PNG, WebP and HEIC work") from error
    except Exception as error:
        # Decoders raise anything on damaged files, from OSError to RuntimeError and struct.error.
        raise InputOutputError(f"cannot read {path}: {error}", "the file looks damaged or truncated") from error


def _upright(image: Image.Image) -> Image.Image:
    image.load()  # some formats are turned by their decoder, which then takes the tag away
    try:
        turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:
        # Phones and editors leave broken EXIF behind; Pillow raises anything on it, and the photo itself is fine.
        turn = None
    return image if turn is None else image.transpose(turn)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode == "I":
        # 16-bit grey: keep the high byte, where Pillow's own conversion would clip at 255.
        levels = np.asarray(image).astype(np.int64)
        return Image.fromarray((levels >> 8).clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        background = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(background, rgba).convert("RGB")
    return image.convert("RGB")


def _register_heif() -> None:
    try:
        import pillow_heif
    except ImportError as error:
        raise InputOutputError("HEIC photos need pillow-heif", "pip install 'edgesr[heic]'") from error
    pillow_heif.register_heif_opener()


def to_unit(image: Pixels) -> npt.NDArray[np.float32]:
    """uint8 [..., H, W, 3] -> float32 in [0, 1]."""
    return image.astype(np.float32) / 255.0


def to_pixels(image: npt.NDArray[np.float32]) -> Pixels:
    """float in [0, 1] -> uint8, clamped and rounded."""
    return np.rint(np.clip(image, 0.0, 1.0) * 255.0).astype(np.uint8)


def resize_bicubic(image: Pixels, height: int, width: int) -> Pixels:
    """The bicubic baseline on a stored photo (Pillow's kernel, which is also the network's skip)."""
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))


def write_image(image: Pixels, path: Path) -> None:
    """Write uint8 RGB as PNG, JPEG, WebP or what else the suffix says; complete or not at all.

    Raises:
        UsageError: a suffix that no format has.
        InputOutputError: it cannot be written.
    """
    Image.init()
    kind = Image.registered_extensions().get(path.suffix.lower())
    if kind is None:
        raise UsageError(f"cannot write {path.name!r} as a picture", "use .png, .jpg or .webp")
    with file_aside(path) as aside:
        Image.fromarray(image).save(aside, format=kind, quality=95)
