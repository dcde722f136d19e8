"""What a photo's colours mean stays what it was, whichever way its file said so; little CMS is the judge."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from photo_files import png, saved
from PIL import Image, ImageCms
from whole_photos import background

from edgesr.enhance.icc import of_code, of_gamma, space_of
from edgesr.enhance.photo import Photo, read_photo
from edgesr.enhance.write import write_photo
from edgesr.images.bmff import read_still
from edgesr.images.imaging import Pixels

PICTURE = background((48, 32))
GREY_PICTURE = np.ascontiguousarray(PICTURE[..., 1])
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
GREY = of_gamma(1.8, None, grey=True) or b""
P3 = of_code(12, 13) or b""
P3_TO_SRGB = np.array([[1.2249, -0.2247, 0], [-0.0420, 1.0419, 0], [-0.0197, -0.0786, 1.0979]])
"""Of linear light, by Display P3's and sRGB's primaries, which share their white."""


def shown(pixels: Pixels, icc: bytes | None) -> Pixels:
    """Pixels as sRGB, by their profile."""
    image = Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[..., 0])
    if icc is None:
        return np.asarray(image.convert("RGB"))
    profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    # Relative, so that white stays white whatever the profile's own.
    made = ImageCms.profileToProfile(image, profile, SRGB, outputMode="RGB", renderingIntent=1)
    assert made is not None
    return np.asarray(made)


def p3_as_srgb(pixels: Pixels) -> Pixels:
    unit = pixels / 255
    light = np.where(unit <= 0.04045, unit / 12.92, ((unit + 0.055) / 1.055) ** 2.4) @ P3_TO_SRGB.T
    levels = np.where(light <= 0.0031308, light * 12.92, 1.055 * light.clip(1e-9) ** (1 / 2.4) - 0.055)
    return np.rint(levels.clip(0, 1) * 255).astype(np.uint8)


def near(a: Pixels, b: Pixels, levels: float = 1.5) -> bool:
    return float(np.abs(a.astype(int) - b.astype(int)).mean()) < levels


def test_a_codes_profile_is_what_the_code_says() -> None:
    assert near(shown(PICTURE, P3), p3_as_srgb(PICTURE), 0.6)
    assert not near(PICTURE, p3_as_srgb(PICTURE), 2), "else nothing is tested"
    assert of_code(1, 13) is None, "sRGB needs none"
    assert of_code(9, 16) is None, "no profile of this kind says PQ"
    for primaries in (4, 5, 6, 7, 9, 11, 12, 22):
        for transfer in (1, 4, 8, 13):
            grey = shown(np.full((2, 2, 3), 255, np.uint8), of_code(primaries, transfer))
            assert (grey == 255).all(), "white is white"


HEIC_P3 = saved(
    PICTURE,
    "HEIF",
    quality=95,
    color_primaries=12,
    transfer_characteristics=13,
    matrix_coefficients=6,
    full_range_flag=1,
)
CICP = (b"cICP", bytes((12, 13, 0, 1)))
P3_PHOTOS = {
    "HEIC, nclx": HEIC_P3,
    "PNG, cICP": png(PICTURE, CICP),
    "PNG of 16 bits, cICP": png(PICTURE.astype(np.uint16) * 257, CICP),
    "JPEG, profile": saved(PICTURE, "JPEG", quality=95, icc_profile=P3),
    "TIFF, profile": saved(PICTURE, "TIFF", icc_profile=P3),
    "AVIF, nclx": saved(PICTURE, "AVIF", quality=95).replace(b"colrnclx\0\1\0\x0d", b"colrnclx\0\x0c\0\x0d"),
}


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".heic"])
@pytest.mark.parametrize("what", P3_PHOTOS)
def test_display_p3_stays_display_p3(what: str, suffix: str, tmp_path: Path) -> None:
    (tmp_path / "in.png").write_bytes(P3_PHOTOS[what])
    photo = read_photo(tmp_path / "in.png")
    write_photo(photo, tmp_path / f"out{suffix}")
    again = read_photo(tmp_path / f"out{suffix}")
    code = again.code and again.code[:2]
    assert again.icc is not None or code == (12, 13)
    if again.icc is not None:
        assert near(shown(again.rgb(), again.icc), p3_as_srgb(PICTURE), 4)
    if suffix == ".heic" and "profile" not in what:
        assert code == (12, 13)
    if suffix == ".png" and "profile" not in what:
        assert code == (12, 13)
        assert b"cICP\x0c\x0d\0\1" in (tmp_path / "out.png").read_bytes()


COLOUR_CHUNKS = [
    [(b"gAMA", struct.pack(">I", 100000))],
    [(b"gAMA", struct.pack(">I", 45455)), (b"cHRM", struct.pack(">8I", 31270, 32900, 64, 33, 21, 71, 15, 6))],
    [(b"sRGB", b"\0")],
    [CICP, (b"cLLI", bytes(8))],
    [CICP, (b"mDCv", bytes(24)), (b"cLLi", bytes(8))],
]


@pytest.mark.parametrize("chunks", COLOUR_CHUNKS, ids=lambda chunks: chunks[0][0].decode())
@pytest.mark.parametrize("deep", [False, True])
def test_a_pngs_own_words_on_colour_stay_in_a_png(
    chunks: list[tuple[bytes, bytes]], deep: bool, tmp_path: Path
) -> None:
    (tmp_path / "in.png").write_bytes(png(PICTURE.astype(np.uint16) * 257 if deep else PICTURE, *chunks))
    write_photo(read_photo(tmp_path / "in.png"), tmp_path / "out.png")
    assert read_photo(tmp_path / "out.png").extras.colours == tuple(chunks)


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".heic"])
@pytest.mark.parametrize("grey", [False, True])
def test_a_pngs_gamma_becomes_a_profile(suffix: str, grey: bool, tmp_path: Path) -> None:
    pixels = GREY_PICTURE if grey else PICTURE
    (tmp_path / "in.png").write_bytes(png(pixels, (b"gAMA", struct.pack(">I", 100000))))
    write_photo(read_photo(tmp_path / "in.png"), tmp_path / f"out{suffix}")
    again = read_photo(tmp_path / f"out{suffix}")
    assert again.icc is not None
    light = pixels / 255
    levels = np.rint((1.055 * light ** (1 / 2.4) - 0.055) * 255)
    levels = levels[..., None].repeat(3, 2) if grey else levels
    assert near(shown(again.rgb() if again.pixels.shape[2] == 3 else again.pixels, again.icc), levels, 3)


@pytest.mark.parametrize("gamma", [45455, 45000])
def test_srgbs_own_gamma_needs_no_profile(gamma: int, tmp_path: Path) -> None:
    (tmp_path / "in.png").write_bytes(png(PICTURE, (b"gAMA", struct.pack(">I", gamma))))
    write_photo(read_photo(tmp_path / "in.png"), tmp_path / "out.jpg")
    assert read_photo(tmp_path / "out.jpg").icc is None


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".heic"])
def test_a_grey_profile_is_on_grey_pixels_alone(suffix: str, tmp_path: Path) -> None:
    (tmp_path / "in.png").write_bytes(saved(GREY_PICTURE, "PNG", icc_profile=GREY))
    photo = read_photo(tmp_path / "in.png")
    notes = write_photo(photo, tmp_path / f"out{suffix}")
    with Image.open(tmp_path / f"out{suffix}") as image:
        grey = image.mode == "L"
        icc = image.info["icc_profile"]
    assert grey == (suffix in (".jpg", ".png"))
    assert space_of(icc) == ("grey" if grey else "RGB")
    assert any("grey profile" in note for note in notes) == (not grey)
    again = read_photo(tmp_path / f"out{suffix}")
    assert near(shown(again.pixels if grey else again.rgb(), icc), shown(GREY_PICTURE[..., None], GREY))


CMYK = Image.fromarray(PICTURE).convert("CMYK")


def _lab() -> bytes:
    to_lab = ImageCms.buildTransform(SRGB, ImageCms.createProfile("LAB"), "RGB", "LAB")
    stream = io.BytesIO()
    made = ImageCms.applyTransform(Image.fromarray(PICTURE), to_lab)
    assert made is not None
    made.save(stream, "TIFF")
    return stream.getvalue()


def _cmyk() -> bytes:
    stream = io.BytesIO()
    CMYK.save(stream, "TIFF", icc_profile=b"no profile at all")
    return stream.getvalue()


MISPLACED = {
    "grey on RGB": (saved(PICTURE, "PNG", icc_profile=GREY), "profile is for grey"),
    "damaged": (saved(PICTURE, "JPEG", quality=95, icc_profile=P3[:100]), "profile is damaged"),
    "CMYK on RGB": (saved(PICTURE, "PNG", icc_profile=P3[:16] + b"CMYK" + P3[20:]), "profile is for CMYK"),
    "Lab": (_lab(), "Lab became sRGB"),
    "CMYK": (_cmyk(), "CMYK without a usable profile"),
}


@pytest.mark.parametrize("what", MISPLACED)
def test_a_profile_of_other_pixels_does_not_stay(what: str, tmp_path: Path) -> None:
    content, note = MISPLACED[what]
    (tmp_path / "in.png").write_bytes(content)
    photo = read_photo(tmp_path / "in.png")
    assert photo.icc is None
    assert any(note in said for said in photo.notes)
    assert near(photo.pixels, PICTURE, 3)


def test_grey_pixels_with_a_profile_of_rgb(tmp_path: Path) -> None:
    """A PNG must not have it so: it becomes RGB. A JPEG may, and stays."""
    (tmp_path / "in.jpg").write_bytes(saved(GREY_PICTURE, "JPEG", quality=95, icc_profile=P3))
    photo = read_photo(tmp_path / "in.jpg")
    for suffix, mode in ((".png", "RGB"), (".jpg", "L"), (".webp", "RGB"), (".heic", "RGB")):
        assert write_photo(photo, tmp_path / f"out{suffix}") == ()
        with Image.open(tmp_path / f"out{suffix}") as image:
            assert (image.mode, image.info["icc_profile"]) == (mode, P3)


@pytest.mark.parametrize(("suffix", "noted"), [(".jpg", True), (".webp", True), (".png", False), (".heic", False)])
def test_what_no_profile_can_say_is_noted(suffix: str, noted: bool, tmp_path: Path) -> None:
    (tmp_path / "in.png").write_bytes(png(PICTURE, (b"cICP", bytes((9, 16, 0, 1)))))
    notes = write_photo(read_photo(tmp_path / "in.png"), tmp_path / f"out{suffix}")
    assert any("PQ" in note for note in notes) == noted
    again = read_photo(tmp_path / f"out{suffix}")
    assert noted or (again.code is not None and again.code[:2] == (9, 16))


@pytest.mark.parametrize("code", [(22, 13), (11, 17), (9, 12), (10, 13), (9, 9), (9, 13), (200, 13), (2, 8), (0, 0)])
def test_every_code_can_be_written(code: tuple[int, int], tmp_path: Path) -> None:
    """Those that the format does not know become a profile, or are named as left out."""
    (tmp_path / "in.png").write_bytes(png(PICTURE, (b"cICP", bytes((*code, 0, 1)))))
    for suffix in (".heic", ".jpg", ".png"):
        notes = write_photo(read_photo(tmp_path / "in.png"), tmp_path / f"out{suffix}")
        again = read_photo(tmp_path / f"out{suffix}")
        said = again.icc is not None or (again.code is not None and again.code[:2] == code)
        assert said or any("what its colours mean" in note for note in notes)


def test_an_avifs_header_says_its_bits() -> None:
    """Nothing here writes one of 10 bits, and a decoder notices a changed header."""
    content = saved(PICTURE, "AVIF")
    at = content.find(b"av1C") + 6
    deep = content[:at] + bytes((content[at] | 0x40,)) + content[at + 1 :]
    assert (read_still(content).bits, read_still(deep).bits) == (8, 10)


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_code_on_grey_pixels_becomes_a_profile_of_grey(suffix: str, tmp_path: Path) -> None:
    write_photo(Photo(GREY_PICTURE[..., None], code=(1, 8, 0, 1)), tmp_path / f"out{suffix}")
    icc = read_photo(tmp_path / f"out{suffix}").icc or b""
    assert space_of(icc) == "grey"


def test_alpha_on_white_keeps_a_grey_profile(tmp_path: Path) -> None:
    alpha = np.full(GREY_PICTURE.shape, 255, np.uint8)
    notes = write_photo(Photo(GREY_PICTURE[..., None], alpha, icc=GREY), tmp_path / "out.jpg")
    assert "white" in notes[0]
    assert read_photo(tmp_path / "out.jpg").icc == GREY
