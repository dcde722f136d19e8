"""Photos in: whatever a phone stores comes in as upright RGB, and anything else is refused by name."""

from __future__ import annotations

import struct
import sys
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgesr.errors import InputOutputError
from edgesr.images import imaging
from edgesr.images.imaging import Pixels, read_image, resize_bicubic, to_pixels, to_unit

ORIENTATION = 0x0112


def scene() -> Pixels:
    """Four smooth, different quarters on a rectangle: no two orientations of it look alike."""
    image = np.zeros((24, 40, 3), np.uint8)
    image[:12, :20], image[:12, 20:] = (200, 40, 40), (40, 200, 40)
    image[12:, :20], image[12:, 20:] = (40, 40, 200), (220, 220, 220)
    return image


def save(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, **options)
    return path


# What a camera held in each orientation stores of an upright scene (EXIF 2.32, tag 0x0112).
STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: a.transpose(1, 0, 2)[::-1],
    7: lambda a: a.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda a: a.transpose(1, 0, 2)[:, ::-1],
}


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tiff"])
def test_every_exif_orientation_comes_in_upright(tmp_path: Path, orientation: int, suffix: str) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](scene())))
    options: dict[str, dict[str, Any]] = {".jpg": {"quality": 95, "subsampling": 0}, ".webp": {"lossless": True}}
    image = read_image(save(tmp_path / f"photo{suffix}", stored, exif=exif, **options.get(suffix, {})))
    assert image.shape == scene().shape
    assert np.abs(image.astype(int) - scene()).mean() < 3


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_ignored(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    image = read_image(save(tmp_path / "photo.png", Image.fromarray(scene()), exif=exif))
    assert np.array_equal(image, scene())


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_broken_exif_does_not_lose_the_photo(tmp_path: Path, suffix: str) -> None:
    # A big-endian header and one entry: a rational with a pointer far outside.
    broken = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x1a\0\x05\0\0\0\x01\xff\xff\xff\xff"
    image = read_image(save(tmp_path / f"photo{suffix}", Image.fromarray(scene()), exif=broken))
    assert image.shape == scene().shape


def test_turning_survives_exif_that_could_not_be_written_again(tmp_path: Path) -> None:
    """Some software stores the resolution as text; only the orientation is ours to read."""
    entries = struct.pack(">HHIHxx", ORIENTATION, 3, 1, 6) + struct.pack(">HHI4s", 0x011A, 2, 3, b"72")
    exif = b"Exif\0\0" + struct.pack(">2sHIH", b"MM", 42, 8, 2) + entries + bytes(4)
    stored = Image.fromarray(np.ascontiguousarray(STORED[6](scene())))
    assert np.array_equal(read_image(save(tmp_path / "photo.png", stored, exif=exif)), scene())


MODES = ["L", "LA", "P", "RGBA", "CMYK", "1", "I;16", "YCbCr"]


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    grey = np.full((16, 16), 200, np.uint8)
    if mode == "I;16":
        image = Image.fromarray(grey.astype(np.uint16) * 257)
        assert image.mode == "I;16"
    else:
        rgb = Image.fromarray(grey).convert("RGB")
        image = rgb.quantize(8) if mode == "P" else rgb.convert(mode)
    suffix = {"CMYK": ".jpg", "YCbCr": ".jpg"}.get(mode, ".png")
    read = read_image(save(tmp_path / f"photo{suffix}", image))
    assert read.shape == (16, 16, 3)
    assert read.dtype == np.uint8
    if mode != "1":
        assert np.abs(read.astype(int) - 200).max() <= 2


def test_16_bit_grey_keeps_its_gradient(tmp_path: Path) -> None:
    levels = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    read = read_image(save(tmp_path / "photo.png", Image.fromarray(levels)))
    assert np.array_equal(read[..., 0], levels >> 8)


def test_16_bit_rgb_comes_in_as_8_bit(tmp_path: Path) -> None:
    """Pillow writes none, so the file is made by hand: a PNG of colour type 2 with 16 bits."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = b"\0" + struct.pack(">3H", 0xFF00, 0x8000, 0x0000) * 4
    png = chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0))
    png += chunk(b"IDAT", zlib.compress(row * 4)) + chunk(b"IEND", b"")
    (tmp_path / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n" + png)
    read = read_image(tmp_path / "photo.png")
    assert read.shape == (4, 4, 3)
    assert read[0, 0].tolist() == [255, 128, 0]


def test_transparency_shows_white(tmp_path: Path) -> None:
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    assert (read_image(save(tmp_path / "clear.png", clear)) == 255).all()
    palette = Image.new("P", (8, 8))
    palette.putpalette([255, 0, 0])
    assert (read_image(save(tmp_path / "palette.png", palette, transparency=0)) == 255).all()


@pytest.mark.parametrize("suffix", [".heic", ".HEIC", ".heif"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_heic_comes_in_upright(tmp_path: Path, suffix: str, orientation: int) -> None:
    heif = pytest.importorskip("pillow_heif", reason="HEIC needs pillow-heif: pip install 'edgesr[heic]'")
    heif.register_heif_opener()
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](scene())))
    path = save(tmp_path / f"photo{suffix}", stored, format="HEIF", exif=exif.tobytes(), quality=95)
    read = read_image(path)
    assert read.shape == scene().shape
    assert np.abs(read.astype(int) - scene()).mean() < 4


def test_heic_without_its_library_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / "photo.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    with pytest.raises(InputOutputError, match=r"edgesr\[heic\]"):
        read_image(tmp_path / "photo.heic")


def jpeg(path: Path) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    return save(path, Image.fromarray(noise), quality=90).read_bytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no image that can be read"),
        (b"not an image", "no image that can be read"),
        (b"\x89PNG\r\n\x1a\n", "cannot|no image"),
        ("half a jpeg", "cannot read"),
        ("a jpeg without its end", "cannot read"),
    ],
    ids=["empty", "text", "png signature", "half a jpeg", "end missing"],
)
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, content: bytes | str, message: str) -> None:
    path = tmp_path / "photo.jpg"
    if isinstance(content, str):
        whole = jpeg(path)
        content = whole[: len(whole) // 2] if content.startswith("half") else whole[:-200]
    path.write_bytes(content)
    with pytest.raises(InputOutputError, match=message) as refused:
        read_image(path)
    assert str(path) in refused.value.what
    assert refused.value.exit_code == 5


def test_damaged_heic_is_refused_by_name(tmp_path: Path) -> None:
    heif = pytest.importorskip("pillow_heif", reason="HEIC needs pillow-heif: pip install 'edgesr[heic]'")
    heif.register_heif_opener()
    path = save(tmp_path / "photo.heic", Image.fromarray(scene()), format="HEIF")
    whole = path.read_bytes()
    for length in range(0, len(whole), len(whole) // 20):
        path.write_bytes(whole[:length])
        with pytest.raises(InputOutputError, match=r"photo.heic"):
            read_image(path)


def test_what_is_no_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputOutputError, match="is a folder, not a photo"):
        read_image(tmp_path)
    with pytest.raises(InputOutputError, match=r"no file .*missing.png"):
        read_image(tmp_path / "missing.png")


@pytest.mark.parametrize("side", [20_000, 200_000])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path: Path, side: int) -> None:
    """The header claims gigabytes; only the header may be read."""
    path = tmp_path / "bomb.bmp"
    header = struct.pack("<2sIHHI", b"BM", 54, 0, 0, 54)
    path.write_bytes(header + struct.pack("<IiiHHIIiiII", 40, side, side, 1, 24, 0, 0, 0, 0, 0, 0))
    with pytest.raises(InputOutputError, match=r"bomb.bmp"):
        read_image(path)


def test_a_photo_of_a_hundred_megapixels_is_read_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 64)  # Pillow warns from here to twice as much
    path = save(tmp_path / "photo.png", Image.new("RGB", (10, 10)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_image(path).shape == (10, 10, 3)
    monkeypatch.setattr(imaging, "MAX_PIXELS", 99)
    with pytest.raises(InputOutputError, match="10x10 pixels"):
        read_image(path)


def test_pixels_survive_the_unit_interval() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, 2)
    assert np.array_equal(to_pixels(to_unit(levels)), levels)
    assert to_pixels(np.array([-1.0, 0.4999, 2.0], np.float32)).tolist() == [0, 127, 255]


def test_resizing_takes_height_before_width() -> None:
    assert resize_bicubic(scene(), 48, 80).shape == (48, 80, 3)
