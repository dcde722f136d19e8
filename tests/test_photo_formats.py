"""A file is what its content says, everywhere alike; what is not read is refused by name, before it takes memory."""

from __future__ import annotations

import ast
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Call
from photo_files import directory, png, saved, tiff, with_sizes
from PIL import Image
from whole_photos import background

import edgesr
from edgesr.data.faces import people
from edgesr.enhance.batch import find_photos
from edgesr.enhance.photo import read_photo
from edgesr.errors import InputOutputError
from edgesr.evaluation.metrics import psnr
from edgesr.gallery.photos import gather
from edgesr.images import imaging
from edgesr.images.decoding import MAX_PIXELS
from edgesr.images.imaging import IMAGE_SUFFIXES, read_image

PICTURE = background((48, 32))
DEEP = PICTURE.astype(np.uint16) * 257
READERS = {"enhance": lambda path: read_photo(path).rgb(), "gallery, restore, data, eval": read_image}


@pytest.fixture(params=READERS)
def reader(request: pytest.FixtureRequest) -> Callable[[Path], np.ndarray]:
    return READERS[request.param]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "HEIF", "AVIF", "TIFF", "BMP", "GIF"])
@pytest.mark.parametrize("name", ["a.jpg", "a.hif", "a.avif", "a.png"])
def test_the_content_says_what_a_file_is(kind: str, name: str, reader: Callable, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(saved(PICTURE, kind, **({"quality": 95} if kind in ("HEIF", "AVIF") else {})))
    assert psnr(reader(tmp_path / name), PICTURE) > 28


def test_a_folder_search_takes_what_single_files_take(tmp_path: Path) -> None:
    names = sorted(f"p{number}{suffix}" for number, suffix in enumerate(sorted(IMAGE_SUFFIXES)))
    assert {".avif", ".hif", ".heic", ".jfif", ".gif", ".bmp", ".tif"} <= IMAGE_SUFFIXES
    for name in (*names, "notes.txt", ".hidden.jpg"):
        (tmp_path / "ann").mkdir(exist_ok=True)
        (tmp_path / "ann" / name).write_bytes(b"")
    assert sorted(path.name for path in gather([tmp_path])) == names
    assert sorted(path.name for path, _ in find_photos([tmp_path])) == names
    assert sorted(path.name for path in people(tmp_path)["ann"]) == names


RAW_TIFF = [(256, 4, 1, 48), (257, 4, 1, 32)]
CFA, DNG = (262, 3, 1, 32803), (50706, 4, 1, 1)
REFUSED = {
    "DNG": (directory([*RAW_TIFF, DNG]), r"raw file of a camera \(DNG\)"),
    "CR2": (directory(RAW_TIFF, b"II*\0\x10\0\0\0CR\x02\0") + bytes(99), r"raw file of a camera \(CR2\)"),
    "CR3": (b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom", r"raw file of a camera \(CR3\)"),
    "RAF": (b"FUJIFILMCCD-RAW 0201", r"raw file of a camera \(RAF\)"),
    "ORF": (b"IIRO\x08\0\0\0", r"raw file of a camera \(ORF\)"),
    "RW2": (b"IIU\0\x18\0\0\0", r"raw file of a camera \(RW2\)"),
    "CFA": (directory([*RAW_TIFF, CFA]), "raw file of a camera"),
    "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is PostScript"),
    "binary EPS": (b"\xc5\xd0\xd3\xc6" + bytes(26), "is PostScript"),
    "PDF": (b"%PDF-1.7", "is a PDF"),
    "Photoshop": (b"8BPS\0\1", "Photoshop"),
    "JPEG 2000": (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    "JPEG XL": (b"\xff\x0a\0\0", "JPEG XL"),
    "video": (b"\0\0\0\x18ftypisom\0\0\0\x01isomavc1", "a video"),
    "PPM": (b"P6 2 2 255\n" + bytes(12), "no image that can be read"),
    "ICO": (b"\0\0\1\0\1\0", "no image that can be read"),
    "float TIFF": (tiff((PICTURE / 255).astype(np.float32)), "floating-point samples of 32 bits"),
    "signed TIFF": (tiff(DEEP[..., 0].astype(np.int16)), "signed samples of 16 bits"),
    "32-bit TIFF": (tiff(DEEP[..., 0].astype(np.uint32)), "samples of 32 bits"),
    "planes of 16 bits": (tiff(np.moveaxis(DEEP, 2, 0).copy(), planarconfig="separate"), "planes of 16 bits"),
    "preview first": (tiff(PICTURE, subfiletype=1), "starts with a preview"),
    "no directory": (b"II*\0\xff\xff\xff\x7f" + bytes(20), "cannot read"),
    "animated": (saved(PICTURE, "WEBP", save_all=True, append_images=[Image.fromarray(255 - PICTURE)]), "2 frames"),
    "pages": (saved(PICTURE, "TIFF", save_all=True, append_images=[Image.fromarray(PICTURE[:9])]), "has 2 pages"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_read_is_refused_by_name(what: str, reader: Callable, tmp_path: Path) -> None:
    content, message = REFUSED[what]
    (tmp_path / "photo.jpg").write_bytes(content)
    with pytest.raises(InputOutputError, match=rf"photo\.jpg.*{message}|{message}") as refused:
        reader(tmp_path / "photo.jpg")
    assert "photo.jpg" in refused.value.what
    assert refused.value.hint


WEBP_LOSSLESS = b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0\x2f" + struct.pack("<I", 16382 | 16382 << 14) + bytes(9)
WEBP_CANVAS = b"RIFF\x1a\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + (16382).to_bytes(3, "little") * 2
WEBP_LOSSY = b"RIFF\x1a\0\0\0WEBPVP8 \x0a\0\0\0\0\0\0\x9d\x01\x2a" + struct.pack("<HH", 16383, 16383)
TILED = [(256, 4, 1, 48), (257, 4, 1, 32), (322, 4, 1, 60000), (323, 4, 1, 60000)]
BOMBS = {
    "WebP, lossless": WEBP_LOSSLESS,
    "WebP, canvas": WEBP_CANVAS,
    "WebP, lossy": WEBP_LOSSY,
    "HEIC": with_sizes(saved(PICTURE, "HEIF"), 60000, 60000),
    "AVIF": with_sizes(saved(PICTURE, "AVIF"), 16000, 16000),
    "TIFF": directory([(256, 4, 1, 60000), (257, 4, 1, 60000)]),
    "TIFF, a tile": directory(TILED),
    "WebP within the limit": WEBP_LOSSLESS[:21] + struct.pack("<I", 9999 | 9999 << 14) + bytes(9),
}


@pytest.mark.parametrize("what", BOMBS)
def test_a_header_that_claims_too_much_is_never_opened(
    what: str, reader: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bomb.jpg").write_bytes(BOMBS[what])
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("a decoder was asked"))
    with pytest.raises(InputOutputError, match=r"bomb\.jpg (has|claims) \d+x\d+ pixels"):
        reader(tmp_path / "bomb.jpg")
    assert MAX_PIXELS < 16383**2


def test_a_large_plain_photo_is_no_bomb(tmp_path: Path) -> None:
    """Nothing compresses like an empty page: it must not be taken for a claim."""
    Image.new("L", (8000, 5000), 200).save(tmp_path / "page.png")
    assert read_image(tmp_path / "page.png").shape == (5000, 8000, 3)


def test_every_decoder_is_named() -> None:
    """``Image.open`` without a list of formats hands a file to any decoder, one of which starts Ghostscript."""
    root = Path(edgesr.__file__).parent
    files = [*root.rglob("*.py"), *(path for name in ("convert", "quantize") for path in (root / name).rglob("*.py"))]
    calls = [
        (file.name, [keyword.arg for keyword in node.keywords])
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Image.open")
    ]
    assert calls
    assert all("formats" in keywords for _, keywords in calls), calls


FOUR = np.dstack([DEEP, np.full(DEEP.shape[:2], 65535, np.uint16)])
KEYED = np.where(np.indices(DEEP.shape[:2])[1][..., None] < 9, np.uint16(777), DEEP)
SIXTEEN = {
    "PNG": (png(DEEP), DEEP, None),
    "PNG, gamma": (png(DEEP, (b"gAMA", struct.pack(">I", 100000))), DEEP, None),
    "PNG, a colour is clear": (png(KEYED, (b"tRNS", struct.pack(">HHH", 777, 777, 777))), KEYED, 9),
    "PNG, a grey is clear": (png(KEYED[..., 0], (b"tRNS", struct.pack(">H", 777))), KEYED[..., :1], 9),
    "TIFF": (tiff(DEEP), DEEP, None),
    "TIFF, packed": (tiff(DEEP, compression="zlib", predictor=True), DEEP, None),
    "TIFF, big-endian": (tiff(DEEP, byteorder=">"), DEEP, None),
    "BigTIFF": (tiff(DEEP, bigtiff=True), DEEP, None),
    "TIFF, alpha": (tiff(FOUR, extrasamples=["unassalpha"]), DEEP, 0),
    "TIFF, grey": (tiff(DEEP[..., 0]), DEEP[..., :1], None),
    "TIFF, white is zero": (tiff(65535 - DEEP[..., 0], photometric="miniswhite"), DEEP[..., :1], None),
}


@pytest.mark.parametrize("what", SIXTEEN)
def test_sixteen_bits_come_in_whole(what: str, tmp_path: Path) -> None:
    content, expected, clear = SIXTEEN[what]
    (tmp_path / "deep.tif").write_bytes(content)
    photo = read_photo(tmp_path / "deep.tif")
    np.testing.assert_array_equal(photo.pixels, expected)
    assert photo.notes == ()
    assert (photo.alpha is None) == (clear is None)
    eight = read_image(tmp_path / "deep.tif")
    if clear is None:
        np.testing.assert_array_equal(eight, np.broadcast_to(expected >> 8, eight.shape))
    else:
        assert photo.alpha is not None
        assert not photo.alpha[:, :clear].any()
        assert (photo.alpha[:, clear:] == 65535).all()
        assert (eight[:, :clear] == 255).all(), "what is clear shows white"
        np.testing.assert_array_equal(eight[:, clear:], np.broadcast_to(expected >> 8, eight.shape)[:, clear:])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_come_in_upright(orientation: int, channels: int, reader: Callable, tmp_path: Path) -> None:
    """As Pillow turns 8 bits."""
    tag = [(274, 3, 1, orientation, True)]
    exif = Image.Exif()
    exif[274] = orientation
    stored = DEEP if channels == 3 else DEEP[..., 0]
    (tmp_path / "deep.tif").write_bytes(tiff(stored, extratags=tag))
    (tmp_path / "deep.png").write_bytes(png(stored, (b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))))
    (tmp_path / "eight.png").write_bytes(saved((stored >> 8).astype(np.uint8), "PNG", exif=exif))
    for name in ("deep.tif", "deep.png"):
        np.testing.assert_array_equal(reader(tmp_path / name), reader(tmp_path / "eight.png"))


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("what", ["PNG", "TIFF", "TIFF, grey"])
def test_a_cut_off_file_of_16_bits_is_refused(what: str, share: float, reader: Callable, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 65536, (64, 64, 3)).astype(np.uint16)
    whole = png(noise) if what == "PNG" else tiff(noise[..., 0] if "grey" in what else noise, compression="zlib")
    (tmp_path / "cut.png").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(InputOutputError, match=r"cut\.png"):
        reader(tmp_path / "cut.png")


EIGHT = {
    "white is zero": (tiff(255 - PICTURE[..., 0], photometric="miniswhite"), PICTURE[..., :1]),
    "planes": (tiff(np.moveaxis(PICTURE, 2, 0).copy(), planarconfig="separate"), PICTURE),
    "BigTIFF": (tiff(PICTURE, bigtiff=True), PICTURE),
    "grey and alpha": (tiff(PICTURE[..., :2], photometric="minisblack", extrasamples=["unassalpha"]), PICTURE[..., :1]),
}


@pytest.mark.parametrize("what", EIGHT)
def test_odd_tiffs_come_in_right(what: str, tmp_path: Path) -> None:
    content, expected = EIGHT[what]
    (tmp_path / "odd.tif").write_bytes(content)
    np.testing.assert_array_equal(read_photo(tmp_path / "odd.tif").pixels, expected)


def test_a_heic_is_never_read_as_its_thumbnail(tmp_path: Path) -> None:
    """A gallery asks for a reduced photo; only a JPEG can be decoded at a part of its size."""
    large = background((640, 480))
    (tmp_path / "a.heic").write_bytes(saved(large, "HEIF", quality=95, thumbnails=[64]))
    read, factor = imaging.read_reduced(tmp_path / "a.heic", (tmp_path / "a.heic").read_bytes(), 60)
    assert (read.shape, factor) == (large.shape, 1)


@pytest.mark.usefixtures("known")
def test_every_photo_of_a_folder_of_all_kinds(call: Call, tmp_path: Path, tiny_checkpoint: Path) -> None:
    """Through the command line: a BigTIFF, a HEIC named .jpg, a raw file and PostScript beside them."""
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "big.tif").write_bytes(tiff(background((120, 100)), bigtiff=True))
    (folder / "heic.jpg").write_bytes(saved(background((120, 100)), "HEIF"))
    (folder / "raw.tif").write_bytes(REFUSED["DNG"][0])
    (folder / "script.jpg").write_bytes(REFUSED["PostScript"][0])
    code, answer, _ = call("enhance", folder, "-m", tiny_checkpoint, "-o", tmp_path / "out")
    assert code == 1
    status = {Path(row["input"]).name: row["status"] for row in answer["outputs"]}
    assert status == {"big.tif": "enhanced", "heic.jpg": "enhanced", "raw.tif": "failed", "script.jpg": "failed"}
    with Image.open(tmp_path / "out" / "big.png") as image:
        assert image.size == (240, 200)
