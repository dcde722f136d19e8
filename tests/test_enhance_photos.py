"""Photos in and out: formats, depths, colours, orientations, what goes back into the file, and what is refused."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms, ImageOps
from whole_photos import background

from edgesr.enhance.photo import Photo, read_photo, to_rgb
from edgesr.enhance.write import QUALITY, mark, write_photo
from edgesr.errors import InputOutputError, UsageError
from edgesr.evaluation.metrics import psnr
from edgesr.images.imaging import MAX_PIXELS, Pixels
from edgesr.release import __version__

SIZE, IMAGE_HISTORY = (48, 32), 0x9213
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture
def picture() -> Pixels:
    """Smooth, and different at each corner."""
    return background(SIZE)


def exif_of(**tags: object) -> Image.Exif:
    exif = Image.Exif()
    for name, value in tags.items():
        exif[ExifTags.Base[name]] = value
    return exif


def read_exif(path: Path) -> Image.Exif:
    with Image.open(path) as image:
        return image.getexif()


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".heic"])
def test_formats_carry_pixels_profile_and_exif(picture: Pixels, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"photo{suffix}"
    exif = exif_of(Model="Pixel 9", DateTime="2026:01:02 03:04:05").tobytes()
    assert write_photo(Photo(picture, exif=exif, icc=ICC), path) == ()
    photo = read_photo(path)
    assert photo.pixels.shape == picture.shape
    assert psnr(photo.pixels, picture) > (99 if suffix == ".png" else 38)
    assert photo.icc == ICC
    assert photo.exif is not None
    assert read_exif(path)[ExifTags.Base.Model] == "Pixel 9"
    assert photo.pixels.flags.writeable
    assert not list(tmp_path.glob(".*")), "nothing half-written is left"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_every_orientation_comes_out_upright(picture: Pixels, orientation: int, suffix: str, tmp_path: Path) -> None:
    """The file holds the photo turned; Pillow's own reading of the tag is the judge."""
    path = tmp_path / f"turned{suffix}"
    Image.fromarray(picture).save(path, exif=exif_of(Orientation=orientation, Model="x"), quality=95)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    photo = read_photo(path)
    np.testing.assert_array_equal(photo.pixels, expected)
    out = tmp_path / f"out{suffix}"
    write_photo(photo, out)
    assert read_exif(out)[ExifTags.Base.Orientation] == 1
    assert read_exif(out)[ExifTags.Base.Model] == "x"


def test_a_heic_of_a_phone_comes_out_upright(picture: Pixels, tmp_path: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    path = tmp_path / "turned.heic"
    Image.fromarray(picture).save(path, exif=exif_of(Orientation=6), quality=95)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    photo = read_photo(path)
    np.testing.assert_array_equal(photo.pixels, expected)
    write_photo(photo, tmp_path / "out.heic")
    assert read_photo(tmp_path / "out.heic").pixels.shape == expected.shape


@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize("with_alpha", [False, True])
def test_sixteen_bits_stay_sixteen_in_png(colours: int, with_alpha: bool, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 65536, (70, 50, colours)).astype(np.uint16)
    alpha = random.integers(0, 65536, (70, 50)).astype(np.uint16) if with_alpha else None
    path = tmp_path / "deep.png"
    assert write_photo(Photo(pixels, alpha, mark(None, (50, 70)), ICC), path) == ()
    photo = read_photo(path)
    np.testing.assert_array_equal(photo.pixels, pixels)
    assert (photo.alpha is None) == (alpha is None)
    if alpha is not None:
        np.testing.assert_array_equal(photo.alpha, alpha)
    assert photo.icc == ICC
    assert read_exif(path)[ExifTags.Base.Software] == f"edgesr {__version__}"
    with Image.open(path) as image:  # another reader agrees, checksums and all
        image.load()
        assert image.size == (50, 70)


def test_sixteen_bits_are_rounded_where_the_format_has_eight(tmp_path: Path) -> None:
    levels = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1)
    np.testing.assert_array_equal(to_rgb(levels)[..., 0], np.rint(levels[..., 0] / 257))
    notes = write_photo(Photo(levels), tmp_path / "a.jpg")
    assert "16 bits" in notes[0]


def test_grey_stays_grey(picture: Pixels, tmp_path: Path) -> None:
    path = tmp_path / "grey.jpg"
    Image.fromarray(picture).convert("L").save(path)
    photo = read_photo(path)
    assert photo.pixels.shape == (32, 48, 1)
    assert photo.rgb().shape == (32, 48, 3)
    write_photo(photo, tmp_path / "out.jpg")
    with Image.open(tmp_path / "out.jpg") as image:
        assert image.mode == "L"


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_alpha_is_kept(picture: Pixels, mode: str, tmp_path: Path) -> None:
    alpha = np.tile(np.linspace(0, 255, 48).astype(np.uint8), (32, 1))
    image = Image.fromarray(picture).convert("L" if mode == "LA" else "RGB")
    if mode == "P":
        image = image.quantize(16)
        image.info["transparency"] = 3
        image.save(tmp_path / "a.png", transparency=3)
    else:
        image.putalpha(Image.fromarray(alpha))
        image.save(tmp_path / "a.png")
    photo = read_photo(tmp_path / "a.png")
    assert photo.alpha is not None
    if mode != "P":
        np.testing.assert_array_equal(photo.alpha, alpha)
    for suffix in (".png", ".webp"):
        write_photo(photo, tmp_path / f"out{suffix}")
        again = read_photo(tmp_path / f"out{suffix}")
        np.testing.assert_array_equal(again.alpha, photo.alpha)
    assert "white" in write_photo(photo, tmp_path / "out.jpg")[0]


@pytest.mark.parametrize("profile", [None, b"no profile at all"])
def test_cmyk_becomes_rgb_and_says_so(picture: Pixels, profile: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "print.jpg"
    Image.fromarray(picture).convert("CMYK").save(path, quality=95, icc_profile=profile)
    photo = read_photo(path)
    assert photo.pixels.shape == (32, 48, 3)
    assert psnr(photo.pixels, picture) > 30
    assert photo.icc is None, "a CMYK profile would spoil RGB pixels"
    assert "CMYK" in photo.notes[0]


def test_a_jpeg_is_written_with_its_own_tables(picture: Pixels, tmp_path: Path) -> None:
    """Written again as it came, it hardly changes; a default quality would change it or swell it."""
    path = tmp_path / "a.jpg"
    Image.fromarray(picture).save(path, quality=60)
    photo = read_photo(path)
    write_photo(photo, tmp_path / "b.jpg")
    assert psnr(read_photo(tmp_path / "b.jpg").pixels, photo.pixels) > 46
    with Image.open(path) as a, Image.open(tmp_path / "b.jpg") as b:
        assert a.quantization == b.quantization  # type: ignore[attr-defined]
    write_photo(photo, tmp_path / "c.jpg", quality=30)
    assert (tmp_path / "c.jpg").stat().st_size < (tmp_path / "b.jpg").stat().st_size
    assert QUALITY == 95


def test_the_mark_says_who_changed_the_photo(picture: Pixels, tmp_path: Path) -> None:
    exif = exif_of(Software="HDR+ 1.0", Model="Pixel")
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = b"ASCII\0\0\0by Ann"
    for edited, said in ((False, "faces enhanced"), (True, "edited")):
        path = tmp_path / f"{edited}.png"
        write_photo(Photo(picture, exif=mark(exif.tobytes(), SIZE, edited)), path)
        found = read_exif(path)
        comment = found.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment].decode()
        assert found[ExifTags.Base.Software].startswith("edgesr")
        assert found[ExifTags.Base.Model] == "Pixel"
        assert comment == "ASCII\0\0\0by Ann", "somebody else's words stay as they are"
        history = found[IMAGE_HISTORY]
        assert said in history
        assert "HDR+ 1.0" in history
        assert ("edited" in found[ExifTags.Base.Software]) == edited
        assert found.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ExifImageWidth] == 48


def test_no_thumbnail_of_the_old_face_stays(picture: Pixels, tmp_path: Path) -> None:
    small = io.BytesIO()
    Image.fromarray(picture).resize((16, 12)).save(small, "JPEG")
    path = tmp_path / "a.jpg"
    Image.fromarray(picture).save(path, exif=_with_thumbnail(small.getvalue()))
    assert small.getvalue() in path.read_bytes()
    photo = read_photo(path)
    write_photo(photo.replace(exif=mark(photo.exif, SIZE)), tmp_path / "b.jpg")
    assert small.getvalue()[:64] not in (tmp_path / "b.jpg").read_bytes()
    assert read_exif(tmp_path / "b.jpg")[ExifTags.Base.Model] == "x"


def _with_thumbnail(content: bytes) -> bytes:
    """EXIF as cameras write it: a first directory, and a second one that points to a JPEG."""
    import struct

    first, second = 8, 8 + 2 + 12 + 4
    data = second + 2 + 3 * 12 + 4
    out = b"II*\0" + struct.pack("<I", first)
    out += struct.pack("<HHHI4sI", 1, 0x110, 2, 2, b"x\0\0\0", second)
    out += struct.pack("<H", 3)
    out += struct.pack("<HHII", 0x103, 3, 1, 6)
    out += struct.pack("<HHII", 0x201, 4, 1, data) + struct.pack("<HHII", 0x202, 4, 1, len(content))
    return b"Exif\0\0" + out + struct.pack("<I", 0) + content


def test_broken_exif_is_left_out(picture: Pixels, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(picture).save(path, exif=b"Exif\0\0II*\0\xff\xff\xff\x7f" + b"\xff" * 40)
    photo = read_photo(path)
    assert photo.pixels.shape == (32, 48, 3)
    write_photo(photo, tmp_path / "b.jpg")


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_animations_are_refused_with_a_sentence(picture: Pixels, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"moving{suffix}"
    frames = [Image.fromarray(picture), Image.fromarray(255 - picture)]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    with pytest.raises(InputOutputError, match=r"moving.* is an animation"):
        read_photo(path)


def test_a_phones_jpeg_with_a_preview_is_a_photo(picture: Pixels, tmp_path: Path) -> None:
    path = tmp_path / "phone.jpg"
    frames = [Image.fromarray(picture), Image.fromarray(picture).resize((24, 16))]
    frames[0].save(path, format="MPO", save_all=True, append_images=frames[1:])
    photo = read_photo(path)
    assert photo.pixels.shape == picture.shape
    assert photo.kind == "JPEG"


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".heic"])
def test_truncated_files_are_named(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"photo{suffix}"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    write_photo(Photo(noise), path)
    whole = path.read_bytes()
    for part in (0, 10, len(whole) // 2, len(whole) * 3 // 4):
        path.write_bytes(whole[:part])
        with pytest.raises(InputOutputError, match=path.name):
            read_photo(path)


def test_damaged_files_never_crash(picture: Pixels, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for suffix in (".jpg", ".png", ".webp"):
        path = tmp_path / f"photo{suffix}"
        write_photo(Photo(picture, exif=mark(None, SIZE), icc=ICC), path)
        whole = np.frombuffer(path.read_bytes(), np.uint8)
        for _ in range(40):
            bytes_ = whole.copy()
            at = random.integers(0, len(bytes_), 8)
            bytes_[at] = random.integers(0, 256, 8)
            path.write_bytes(bytes_.tobytes())
            try:
                photo = read_photo(path)
            except InputOutputError:
                continue
            assert photo.pixels.ndim == 3


def test_bombs_are_refused_by_their_header(tmp_path: Path) -> None:
    import struct
    import zlib

    path = tmp_path / "bomb.png"
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + chunk
        + struct.pack(">I", zlib.crc32(chunk))
        + b"\0\0\0\0IDAT"
        + struct.pack(">I", zlib.crc32(b"IDAT"))
        + b"\0\0\0\0IEND"
        + struct.pack(">I", zlib.crc32(b"IEND"))
    )
    with pytest.raises(InputOutputError, match="more than 120 megapixels"):
        read_photo(path)
    assert MAX_PIXELS >= 100_000_000, "a panorama of 100 megapixels is read"


def test_what_is_no_photo(tmp_path: Path, picture: Pixels) -> None:
    (tmp_path / "a.jpg").write_text("hello")
    for name in ("a.jpg", "missing.jpg", "."):
        with pytest.raises(InputOutputError):
            read_photo(tmp_path / name)
    with pytest.raises(UsageError, match="cannot write"):
        write_photo(Photo(picture), tmp_path / "a.bmp")


PANORAMA = """
import sys
import numpy as np
from pathlib import Path
from PIL import Image
sys.path.insert(0, {tests!r})
import torch
torch.set_num_threads(1)
Image.MAX_IMAGE_PIXELS = None
from scenes import Place, faces
from whole_photos import KnownFaces, composed, face_at
from test_enhance import tiny_model
from edgesr.benchmarking.worker import peak_bytes
from edgesr.enhance import Enhancer, Network, read_photo, write_photo
from edgesr.enhance.write import mark
photo = read_photo(Path({path!r}))
assert photo.pixels.shape == ({height}, {width}, 3)
done = Enhancer([Network(tiny_model())], KnownFaces(face_at(Place((15000.0, 40.0), 12.0)))).enhance(photo)
assert done.faces[0].restored and done.factor == 1
write_photo(done.photo.replace(exif=mark(done.photo.exif, done.photo.size)), Path({out!r}))
print(peak_bytes() >> 20)
"""


@pytest.mark.slow
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_panorama_of_100_megapixels_within_2_gib(orientation: int, tmp_path: Path) -> None:
    """In a process of its own, with a detector that looks at nothing: reading, turning, pasting, writing."""
    width, height = 20000, 5000
    strip = np.asarray(Image.fromarray(background((200, 50))).resize((width, 50)))
    path, out = tmp_path / "panorama.jpg", tmp_path / "out.jpg"
    turned = (height, width) if orientation == 6 else (width, height)
    large = Image.fromarray(
        np.tile(strip, (height // 50, 1, 1))
        if orientation == 1
        else np.ascontiguousarray(np.tile(strip, (height // 50, 1, 1)).swapaxes(0, 1))
    )
    assert large.size == turned
    large.save(path, quality=50, exif=exif_of(Orientation=orientation))
    del large
    script = PANORAMA.format(tests=str(Path(__file__).parent), path=str(path), out=str(out), width=width, height=height)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 2048, f"{done.stdout.strip()} MiB"
