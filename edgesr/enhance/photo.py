"""A photo as it came: its pixels, 8 or 16 bits, grey or colour, with alpha, EXIF and colour profile beside them."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageCms, JpegImagePlugin, UnidentifiedImageError

from edgesr.errors import EdgesrError, InputOutputError, UnavailableError
from edgesr.imaging import MAX_PIXELS, Pixels, read_bytes

Samples = npt.NDArray[Any]
"""uint8 or uint16."""

MOVING = {"GIF": "an animation", "WEBP": "an animation", "PNG": "an animation", "AVIF": "an animation"}
"""What several frames mean in each format. A JPEG's are previews and depth maps, a HEIC's are its alternatives."""

STRIP = 1 << 22
"""Pixels copied at a time from Pillow's buffer, which takes four bytes for each of three."""

GREY_WITH_ALPHA = 4
"""A PNG's colour type, in the 26th byte of the file; the 25th holds the bits."""

THUMBNAIL = 1
"""Pillow's key of EXIF's second directory, which holds a thumbnail of the photo as it was."""


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


def read_photo(path: Path) -> Photo:
    """A photo with everything that goes back into its file. Bounded in bytes and pixels before it is decoded.

    Raises:
        InputOutputError: missing, damaged, truncated, animated, no image, or too large.
    """
    return decode_photo(path, read_bytes(path))


def decode_photo(path: Path, content: bytes) -> Photo:
    """A photo from its file's bytes; ``path`` only names them. Raises as ``read_photo``."""
    _register_heif()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large and of slightly broken photos: the limits below decide
            with Image.open(io.BytesIO(content)) as image:
                _check(path, image)
                return _decode(image, content)
    except EdgesrError:
        raise
    except Image.DecompressionBombError as error:  # Pillow's own limit, which is checked first
        limit = MAX_PIXELS // 10**6
        raise InputOutputError(f"{path} has more than {limit} megapixels", "no photo is so large") from error
    except UnidentifiedImageError as error:
        hint = "JPEG, PNG, WebP and HEIC work"
        if path.suffix.lower() in {".heic", ".heif"}:
            hint = "HEIC photos need pillow-heif: pip install 'edgesr[heic]'; else the file is damaged"
        raise InputOutputError(f"{path} is no image that can be read", hint) from error
    except Exception as error:
        # Decoders raise anything on damaged files, from OSError to RuntimeError and struct.error.
        raise InputOutputError(f"cannot read {path}: {error}", "the file looks damaged or truncated") from error


def _check(path: Path, image: Image.Image) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise InputOutputError(
            f"{path} has {width}x{height} pixels", f"at most {MAX_PIXELS // 10**6} megapixels are read"
        )
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format in MOVING:
        raise InputOutputError(
            f"{path} is {MOVING[image.format]} of {frames} frames",
            "only still photos and video clips are enhanced: save one frame of it as a photo",
        )
    if frames > 1 and image.format == "TIFF":
        raise InputOutputError(f"{path} has {frames} pages", "save the page that you mean as a photo of its own")


def _decode(image: Image.Image, content: bytes) -> Photo:
    notes: list[str] = []
    kind = "JPEG" if image.format == "MPO" else image.format
    jpeg = None
    if kind == "JPEG" and image.mode in ("L", "RGB") and isinstance(image, JpegImagePlugin.JpegImageFile):
        sampling = JpegImagePlugin.get_sampling(image)
        if sampling >= 0 or image.mode == "L":
            jpeg = {"qtables": dict(image.quantization), "subsampling": max(sampling, 0)}
    if image.format == "HEIF" and image.info.get("bit_depth", 8) > 8:
        notes.append(f"its {image.info['bit_depth']} bits a sample became 8")
    icc = image.info.get("icc_profile")
    if image.format == "PNG" and content[24] == 16:
        samples = _decode_png16(content)
    else:
        image.load()  # HEIC is turned by its decoder, which then takes the tag away
        if image.mode == "CMYK":
            image, icc = _cmyk_to_rgb(image, icc, notes), None
        samples = _samples(image)
    orientation, exif = _metadata(image, notes)
    samples = _upright(samples, orientation)
    colours = 1 if samples.shape[2] < 3 else 3
    alpha = samples[..., colours] if samples.shape[2] > colours else None
    if alpha is not None:
        samples, alpha = np.ascontiguousarray(samples[..., :colours]), np.ascontiguousarray(alpha)
    return Photo(samples, alpha, exif, icc, kind, jpeg, tuple(notes))


def _samples(image: Image.Image) -> Samples:
    """[H, W, 1..4] of a decoded image, copied strip by strip: Pillow's own way holds the photo three times."""
    if image.mode in ("F", "I") and image.format != "PNG":
        raise InputOutputError("it has 32 bits a sample", "save it with 8 or 16 bits")
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


def _decode_png16(content: bytes) -> Samples:
    """A PNG of 16 bits a sample, which Pillow would cut to 8 in colour."""
    try:
        import cv2
    except ImportError as error:
        raise UnavailableError("16-bit PNG needs OpenCV", "pip install 'edgesr[faces]'") from error
    flags = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION
    decoded = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    if decoded is None:
        raise InputOutputError("it cannot be decoded")
    samples: Samples = decoded[..., None] if decoded.ndim == 2 else decoded
    if content[25] == GREY_WITH_ALPHA:
        return np.ascontiguousarray(samples[..., (0, 3)])
    if samples.shape[2] >= 3:
        for rows in _strips(samples.shape[0], samples.shape[1]):
            samples[rows, :, :3] = samples[rows, :, 2::-1].copy()
    return samples


def _cmyk_to_rgb(image: Image.Image, icc: bytes | None, notes: list[str]) -> Image.Image:
    """Through its own profile to sRGB where it has one, else by Pillow's formula."""
    if icc:
        with contextlib.suppress(ImageCms.PyCMSError, OSError):
            profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
            converted = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
            if converted is not None:
                notes.append("CMYK became sRGB through its profile")
                return converted
    notes.append("CMYK without a usable profile became RGB by a formula")
    return image.convert("RGB")


def _metadata(image: Image.Image, notes: list[str]) -> tuple[int, bytes | None]:
    """The orientation, and the EXIF for a photo that is upright."""
    try:
        exif = image.getexif()
        if not exif:
            return 1, None
        orientation = exif.get(ExifTags.Base.Orientation, 1)
        if ExifTags.Base.Orientation in exif:
            exif[ExifTags.Base.Orientation] = 1
        kept = strip_thumbnail(exif).tobytes()
        return (orientation if orientation in range(1, 9) else 1), kept
    except Exception:
        # Phones and editors leave broken EXIF behind; Pillow raises anything on it, and the photo itself is fine.
        notes.append("its EXIF is damaged and was left out")
        return 1, None


def strip_thumbnail(exif: Image.Exif) -> Image.Exif:
    """EXIF without the thumbnail: it would show the face as it was, and viewers show it."""
    exif._ifds.pop(THUMBNAIL, None)
    return exif


def _upright(samples: Samples, orientation: int) -> Samples:
    """The samples turned as their EXIF orientation says."""
    turned = samples
    if orientation in (5, 6, 7, 8):  # then rows are columns
        turned = turned.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        turned = turned[::-1]
    if orientation in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    return np.ascontiguousarray(turned)


def _strips(height: int, width: int) -> list[slice]:
    step = max(1, STRIP // max(width, 1))
    return [slice(top, min(top + step, height)) for top in range(0, height, step)]


def _register_heif() -> None:
    try:
        import pillow_heif
    except ImportError:
        return  # then a HEIC file is no image that can be read, which is said
    pillow_heif.register_heif_opener()
