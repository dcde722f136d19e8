"""Reading and writing photos: RGB uint8 arrays, EXIF orientation honoured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from edgesr.errors import InputOutputError

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif", ".bmp", ".tif", ".tiff"}

MAX_PIXELS = 120_000_000
"""A panorama of 100 megapixels passes; a decompression bomb does not."""

Pixels = npt.NDArray[np.uint8]


def read_image(path: Path) -> Pixels:
    """A photo as RGB uint8 [H, W, 3], upright.

    Raises:
        InputOutputError: missing, damaged, no image, or larger than ``MAX_PIXELS``.
    """
    if path.suffix.lower() in {".heic", ".heif"}:
        _register_heif()
    try:
        with Image.open(path) as image:
            if image.width * image.height > MAX_PIXELS:
                raise InputOutputError(
                    f"{path} has {image.width}x{image.height} pixels",
                    f"at most {MAX_PIXELS // 10**6} megapixels are read",
                )
            upright = ImageOps.exif_transpose(image)
            return np.asarray(_to_rgb(upright))
    except FileNotFoundError as error:
        raise InputOutputError(f"no file {path}") from error
    except IsADirectoryError as error:
        raise InputOutputError(f"{path} is a folder, not a photo") from error
    except UnidentifiedImageError as error:
        raise InputOutputError(f"{path} is no image that can be read", "JPEG, PNG, WebP and HEIC work") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputOutputError(f"cannot read {path}: {error}", "the file looks damaged or truncated") from error


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
