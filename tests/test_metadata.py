"""Words, place and resolution of a photo: carried byte for byte into every format, or left out where that was asked."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from conftest import Call
from photo_files import chunk, png, saved, tiff
from PIL import Image
from whole_photos import KnownFaces, background, composed

from edgesr.enhance.exif import changed, damaged, value_of
from edgesr.enhance.extras import Density
from edgesr.enhance.mark import mark
from edgesr.enhance.photo import Photo, read_photo
from edgesr.enhance.privacy import is_location, kept_tags, without
from edgesr.enhance.write import write_photo
from edgesr.images.bmff import read_still
from edgesr.images.decoding import register_heif

SIZE = (48, 32)
PICTURE = background(SIZE)
OUTPUTS = [".jpg", ".png", ".webp", ".heic"]

DESCRIPTION, MAKE, ARTIST, COPYRIGHT, XP_AUTHOR, GPS = 270, 271, 315, 33432, 0x9C9D, 0x8825
LENS, SERIAL, COMMENT, MAKER_NOTE, WIDTH, SOFTWARE, ORIENTATION = 0xA434, 0xA431, 0x9286, 0x927C, 0xA002, 305, 274
WORDS = {
    ARTIST: "Jürgen Müller".encode(),
    COPYRIGHT: "© Jürgen".encode("latin-1"),
    DESCRIPTION: "東京 Ünïcode".encode("shift-jis", "ignore") + b"\xff\xfe",
    XP_AUTHOR: "Jürgen 京都".encode("utf-16-le"),
}
DETAILS = {
    COMMENT: b"UNICODE\0" + "Kyōto 京都市".encode("utf-16-le"),
    LENS: "Objektiv für Porträts".encode(),
    SERIAL: b"123456",
}
NOTE = b"Maker\0\x01\x02" + bytes(range(256))
THUMBNAIL = b"\xff\xd8" + b"the face as it was" * 4 + b"\xff\xd9"


def block(order: str = "<", comment: bytes | None = None) -> bytes:
    """EXIF as a camera writes it: directories, values behind them, private notes, a place, and a thumbnail."""
    details = {**DETAILS, MAKER_NOTE: NOTE}
    details[COMMENT] = details[COMMENT] if comment is None else comment
    content = bytearray((b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8))
    sizes = [2 + 12 * count + 4 for count in (len(WORDS) + 4, len(details), 2, 3)]
    at = [8 + sum(sizes[:i]) for i in range(5)]

    def row(tag: int, kind: int, value: bytes, count: int | None = None) -> bytes:
        count = len(value) if count is None else count
        if len(value) > 4:
            place = at[4] + len(values)
            values.extend(value + bytes(len(value) % 2))
            value = struct.pack(order + "I", place)
        return struct.pack(order + "HHI", tag, kind, count) + value.ljust(4, b"\0")

    values = bytearray()
    number = lambda value: struct.pack(order + "I", value)  # noqa: E731
    first = {tag: row(tag, 1 if tag == XP_AUTHOR else 2, value) for tag, value in WORDS.items()}
    first[ORIENTATION] = row(ORIENTATION, 3, struct.pack(order + "H", 6), 1)
    first[SOFTWARE] = row(SOFTWARE, 2, b"HDR+ 1.0\0")
    first[0x8769], first[GPS] = row(0x8769, 4, number(at[1]), 1), row(GPS, 4, number(at[2]), 1)
    inner = {tag: row(tag, 2 if tag in (LENS, SERIAL) else 7, value) for tag, value in details.items()}
    place = {1: row(1, 2, b"N\0"), 2: row(2, 5, struct.pack(order + "6I", 52, 1, 31, 1, 7, 1), 3)}
    small = {0x103: row(0x103, 3, struct.pack(order + "H", 6), 1), 514: row(514, 4, number(len(THUMBNAIL)), 1)}
    small[513] = row(513, 4, number(at[4] + len(values)), 1)
    for rows, following in ((first, at[3]), (inner, 0), (place, 0), (small, 0)):
        content += struct.pack(order + "H", len(rows)) + b"".join(rows[tag] for tag in sorted(rows)) + number(following)
    return b"Exif\0\0" + bytes(content + values) + THUMBNAIL


def stored(path: Path) -> bytes:
    """A file's EXIF as another reader finds it."""
    register_heif()
    with Image.open(path) as image:
        image.load()
        found: bytes = image.info["exif"]
    return found


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("suffix", OUTPUTS)
def test_words_come_out_as_they_came_in(suffix: str, order: str, tmp_path: Path) -> None:
    """Through a JPEG that lies on its side, marked as the command marks it."""
    exif = block(order)
    (tmp_path / "in.jpg").write_bytes(saved(PICTURE, "JPEG", exif=exif))
    photo = read_photo(tmp_path / "in.jpg")
    assert photo.size == (32, 48), "turned upright"
    marked = photo.replace(exif=mark(photo.exif, photo.size))
    assert write_photo(marked, tmp_path / f"out{suffix}") == ()
    found = stored(tmp_path / f"out{suffix}")
    for tag, value in WORDS.items():
        assert value_of(found, tag) == value
    for tag, value in {**DETAILS, MAKER_NOTE: NOTE}.items():
        assert value_of(found, tag, details=True) == value
    assert found.removeprefix(b"Exif\0\0").index(NOTE) == exif.removeprefix(b"Exif\0\0").index(NOTE), "at its place"
    assert value_of(found, ORIENTATION) == struct.pack(order + "H", 1)
    assert value_of(found, WIDTH, details=True) == struct.pack(order + "I", 32)
    assert (value_of(found, SOFTWARE) or b"").startswith(b"edgesr")
    assert b"faces enhanced" in (value_of(found, 0x9213) or b""), "the comment was somebody's"
    assert b"HDR+ 1.0" in (value_of(found, 0x9213) or b"")
    assert b"the face as it was" not in (tmp_path / f"out{suffix}").read_bytes()
    with Image.open(tmp_path / f"out{suffix}") as image:  # Pillow agrees that it is a whole block
        assert image.getexif().get_ifd(GPS)[2] == (52, 31, 7)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "HEIF", "AVIF"])
def test_words_come_in_from_every_format(kind: str, tmp_path: Path) -> None:
    exif = changed(block(), {ORIENTATION: None})  # Pillow writes all of an AVIF's anew where it turns it
    content = saved(PICTURE, kind, exif=exif)
    (tmp_path / "in.jpg").write_bytes(content)
    photo = read_photo(tmp_path / "in.jpg")
    for tag, value in WORDS.items():
        assert value_of(photo.exif, tag) == value
    assert value_of(photo.exif, MAKER_NOTE, details=True) == NOTE
    if kind in ("HEIF", "AVIF"):  # the boxes say so too, whoever wrote them
        assert value_of(read_still(content).exif, ARTIST) == WORDS[ARTIST]


@pytest.mark.parametrize("comment", [b"", b"ASCII\0\0\0", bytes(8) + b"    \0\0"])
def test_an_empty_comment_says_what_was_done(comment: bytes) -> None:
    found = value_of(mark(block(comment=comment), (4, 3)), COMMENT, details=True) or b""
    assert found.startswith(b"ASCII\0\0\0faces enhanced by edgesr")
    assert found.endswith(b"made by HDR+ 1.0")


def test_software_of_any_alphabet_is_told() -> None:
    exif = changed(None, {SOFTWARE: None})
    assert damaged(exif) == 0
    told = mark(block(comment=b"").replace(b"HDR+ 1.0\0", "Küche 1".encode() + b"\0"), (4, 3))
    found = value_of(told, COMMENT, details=True) or b""
    assert "made by Küche 1" in found.removeprefix(b"UNICODE\0").decode("utf-16-le")


@pytest.mark.parametrize("options", [{}, {"bigtiff": True}, {"byteorder": ">"}])
def test_a_tiffs_words_go_into_the_png(options: dict[str, object], tmp_path: Path) -> None:
    tags = [(tag, 1 if tag == XP_AUTHOR else 2, 0, value, True) for tag, value in WORDS.items() if tag != DESCRIPTION]
    content = tiff(
        PICTURE, extratags=[(t, k, len(v), v, o) for t, k, _, v, o in tags], resolution=(600, 600), **options
    )
    (tmp_path / "in.tif").write_bytes(content)
    photo = read_photo(tmp_path / "in.tif")
    write_photo(photo.replace(exif=mark(photo.exif, photo.size)), tmp_path / "out.png")
    found = stored(tmp_path / "out.png")
    for tag in (ARTIST, COPYRIGHT, XP_AUTHOR):
        assert (value_of(found, tag) or b"").rstrip(b"\0") == WORDS[tag].rstrip(b"\0")
    assert value_of(found, 273) is None, "where its pixels lay is nobody's concern"
    with Image.open(tmp_path / "out.png") as image:
        assert image.info["dpi"] == pytest.approx((600, 600), abs=0.02)


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_tiffs_directories_below_go_along(orientation: int, tmp_path: Path) -> None:
    """Comment, private notes and the place: tifffile writes none, so they are put behind its file."""
    below = {COMMENT: (7, DETAILS[COMMENT]), MAKER_NOTE: (7, NOTE)}
    place = {1: (2, b"N\0"), 2: (5, struct.pack("<6I", 52, 1, 31, 1, 7, 1))}
    tags = [(65000, 4, 1, 0x11223344, True), (65001, 4, 1, 0x55667788, True), (ORIENTATION, 3, 1, orientation, True)]
    content = tiff(PICTURE, extratags=tags)
    for other, name, placeholder, values in ((65000, 0x8769, 0x11223344, below), (65001, GPS, 0x55667788, place)):
        content = content.replace(struct.pack("<HH", other, 4), struct.pack("<HH", name, 4))
        rows, data, at = b"", b"", len(content) + 2 + 12 * len(values) + 4
        for tag, (kind, value) in values.items():
            where = struct.pack("<I", at + len(data)) if len(value) > 4 else value.ljust(4, b"\0")
            rows += struct.pack("<HHI", tag, kind, len(value) // (8 if kind == 5 else 1)) + where
            data += value if len(value) > 4 else b""
        content = content.replace(struct.pack("<I", placeholder), struct.pack("<I", len(content)))
        content += struct.pack("<H", len(values)) + rows + bytes(4) + data
    (tmp_path / "in.tif").write_bytes(content)
    photo = read_photo(tmp_path / "in.tif")
    assert photo.size == (SIZE if orientation == 1 else SIZE[::-1])
    write_photo(photo.replace(exif=mark(photo.exif, photo.size)), tmp_path / "out.jpg")
    found = stored(tmp_path / "out.jpg")
    assert value_of(found, COMMENT, details=True) == DETAILS[COMMENT]
    assert value_of(found, MAKER_NOTE, details=True) == NOTE
    assert value_of(found, ORIENTATION) == b"\1\0"
    with Image.open(tmp_path / "out.jpg") as image:
        assert image.getexif().get_ifd(GPS)[2] == (52, 31, 7)
    hidden, _ = without(photo, "location")
    assert value_of(hidden.exif, GPS) is None


def test_a_damaged_entry_costs_itself_alone(tmp_path: Path) -> None:
    exif = bytearray(block())
    at = exif.index(struct.pack("<HHI", ARTIST, 2, len(WORDS[ARTIST])))
    exif[at + 8 : at + 12] = b"\xff\xff\xff\x7f"
    (tmp_path / "in.png").write_bytes(saved(PICTURE, "PNG", exif=bytes(exif)))
    photo = read_photo(tmp_path / "in.png")
    assert value_of(photo.exif, COPYRIGHT) == WORDS[COPYRIGHT]
    assert value_of(photo.exif, ARTIST) is None
    assert "1 damaged" in photo.notes[0]


def test_mutated_exif_never_costs_the_photo() -> None:
    random = np.random.default_rng(0)
    whole = np.frombuffer(block(), np.uint8)
    for _ in range(300):
        content = whole.copy()
        content[random.integers(6, 260, 4)] = random.integers(0, 256, 4)
        exif = content[: random.integers(20, len(whole))].tobytes()
        if damaged(exif) >= 0:
            assert damaged(mark(changed(exif, {}), (4, 3))) == 0
        photo, _ = without(Photo(PICTURE, exif=exif), "location")
        assert value_of(photo.exif, GPS) is None


XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r tiff:Orientation="6" dc:creator="J\xc3\xbcrgen"/></x:xmpmeta>'
IPTC = b"\x1c\x02\x50\0\x07J\xc3\xbcrgen\x1c\x02\x5a\0\x05Kyoto\x1c\x02\x74\0\x04mine"
RESOURCES = b"8BIM\x04\x0c\0\0\0\0\0\x04face" + b"8BIM\x04\x04\0\0" + struct.pack(">I", len(IPTC)) + IPTC + b"\0"
SEGMENT = b"\xff\xed" + struct.pack(">H", 2 + 14 + len(RESOURCES)) + b"Photoshop 3.0\0" + RESOURCES
TEXTS = [(b"tEXt", b"Description\0Grandma J\xfcrgen"), (b"iTXt", b"Title\0\0\0de\0Titel\0" + b"Oma")]


@pytest.fixture
def jpeg(tmp_path: Path) -> Photo:
    content = saved(PICTURE, "JPEG", xmp=XMP, extra=SEGMENT, comment="für Oma".encode(), exif=block())
    (tmp_path / "in.jpg").write_bytes(content)
    return read_photo(tmp_path / "in.jpg")


@pytest.mark.parametrize("suffix", OUTPUTS)
def test_xmp_iptc_and_comments_go_where_there_is_a_place(suffix: str, jpeg: Photo, tmp_path: Path) -> None:
    out = tmp_path / f"out{suffix}"
    notes = write_photo(jpeg, out)
    again = read_photo(out)
    assert again.extras.xmp == XMP.replace(b'tiff:Orientation="6"', b'tiff:Orientation="1"'), "it is upright now"
    if suffix == ".jpg":
        assert (again.extras.iptc, again.extras.comment) == (IPTC, "für Oma".encode())
        assert b"face" not in out.read_bytes(), "Photoshop's own thumbnail stays out"
        assert notes == ()
    else:
        assert any("IPTC and comment" in note for note in notes)


def test_further_comments_of_a_jpeg_and_that_of_a_gif_stay(tmp_path: Path) -> None:
    comments = ["für Oma".encode("latin-1"), b"second"]
    parts = b"".join(b"\xff\xfe" + struct.pack(">H", 2 + len(comment)) + comment for comment in comments)
    (tmp_path / "in.jpg").write_bytes(saved(PICTURE, "JPEG", extra=parts + SEGMENT))
    photo = read_photo(tmp_path / "in.jpg")
    assert write_photo(photo, tmp_path / "out.jpg") == ()
    again = read_photo(tmp_path / "out.jpg").extras
    assert {again.comment, *again.further_comments} == set(comments)
    assert again.iptc == IPTC
    assert any("comment" in note for note in write_photo(photo, tmp_path / "out.png"))
    assert without(photo, "metadata")[0].extras.further_comments == ()
    Image.fromarray(PICTURE).convert("P").save(tmp_path / "in.gif", comment=comments[0])
    write_photo(read_photo(tmp_path / "in.gif"), tmp_path / "gif.jpg")
    assert read_photo(tmp_path / "gif.jpg").extras.comment == comments[0]


def test_a_pngs_texts_stay_and_are_named_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "in.png").write_bytes(png(PICTURE, *TEXTS))
    photo = read_photo(tmp_path / "in.png")
    assert write_photo(photo, tmp_path / "out.png") == ()
    content = (tmp_path / "out.png").read_bytes()
    assert all(chunk(*text) in content for text in TEXTS)
    assert any("Description, Title" in note for note in write_photo(photo, tmp_path / "out.webp"))


def test_exif_that_imagemagick_wrote_as_a_text_is_exif(tmp_path: Path) -> None:
    digits = block().hex()
    lines = "\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
    text = b"Raw profile type exif\0" + f"\nexif\n{len(digits) // 2:8}\n{lines}\n".encode()
    other = b"Raw profile type 8bim\0\n8bim\n       1\n00\n"
    (tmp_path / "in.png").write_bytes(png(PICTURE, (b"tEXt", text), (b"tEXt", other)))
    photo = read_photo(tmp_path / "in.png")
    assert photo.size == (32, 48)
    assert value_of(photo.exif, COPYRIGHT) == WORDS[COPYRIGHT]
    assert ["8bim" in note for note in photo.notes] == [True]
    write_photo(photo, tmp_path / "out.png")
    assert b"Raw profile" not in (tmp_path / "out.png").read_bytes()


def test_exif_3_has_a_type_for_utf_8(tmp_path: Path) -> None:
    count = len(WORDS[ARTIST])
    exif = block().replace(struct.pack("<HHI", ARTIST, 2, count), struct.pack("<HHI", ARTIST, 129, count))
    (tmp_path / "in.png").write_bytes(saved(PICTURE, "PNG", exif=exif))
    photo = read_photo(tmp_path / "in.png")
    assert value_of(mark(photo.exif, photo.size), ARTIST) == WORDS[ARTIST]
    assert photo.notes == ()


def test_further_pictures_of_a_file_are_named(tmp_path: Path) -> None:
    small = Image.fromarray(PICTURE).resize((24, 16))
    (tmp_path / "in.jpg").write_bytes(saved(PICTURE, "MPO", save_all=True, append_images=[small]))
    assert "1 further pictures" in read_photo(tmp_path / "in.jpg").notes[0]


@pytest.mark.parametrize("words", [b"xmp:Thumbnails", b'hdrgm:Version="1.0"', b"GCamera:MicroVideo"])
def test_xmp_of_parts_that_are_left_out_goes_with_them(words: bytes, tmp_path: Path) -> None:
    (tmp_path / "in.jpg").write_bytes(saved(PICTURE, "JPEG", xmp=XMP.replace(b"<r", b"<" + words)))
    photo = read_photo(tmp_path / "in.jpg")
    assert photo.extras.xmp is None
    assert "XMP" in photo.notes[0]


def test_what_is_too_large_for_a_jpeg_is_named(tmp_path: Path) -> None:
    (tmp_path / "in.png").write_bytes(saved(PICTURE, "PNG", exif=block()))
    photo = read_photo(tmp_path / "in.png")
    large = changed(photo.exif, {}, {MAKER_NOTE: None}) + b"\1" * 70_000
    notes = write_photo(photo.replace(exif=large), tmp_path / "out.jpg")
    assert any("private notes" in note for note in notes)
    assert value_of(stored(tmp_path / "out.jpg"), ARTIST) == WORDS[ARTIST]


PHYS = (b"pHYs", struct.pack(">IIB", 11811, 11811, 1))
DENSITIES = {
    "JPEG, inch": saved(PICTURE, "JPEG", dpi=(300, 300)),
    "JPEG, cm": saved(PICTURE, "JPEG").replace(b"JFIF\0\1\1\0\0\1\0\1", b"JFIF\0\1\1\2\0\x76\0\x76"),
    "PNG": png(PICTURE, PHYS),
    "PNG, 16 bits": png(PICTURE.astype(np.uint16) * 257, PHYS),
    "TIFF": tiff(PICTURE, resolution=(300, 300)),
    "BigTIFF": tiff(PICTURE, resolution=(300, 300), bigtiff=True),
    "BMP": saved(PICTURE, "BMP", dpi=(300, 300)),
    "WebP, EXIF": saved(PICTURE, "WEBP", exif=mark(None, SIZE, density=Density(300, 300, "inch"))),
    "HEIC, EXIF": saved(PICTURE, "HEIF", exif=mark(None, SIZE, density=Density(118.11, 118.11, "cm"))),
}


@pytest.mark.parametrize("what", DENSITIES)
@pytest.mark.parametrize("marked", [True, False])
def test_a_resolution_of_300_dpi_stays(what: str, marked: bool, tmp_path: Path) -> None:
    (tmp_path / "in.png").write_bytes(DENSITIES[what])
    photo = read_photo(tmp_path / "in.png")
    if marked:
        photo = photo.replace(exif=mark(photo.exif, photo.size, density=photo.extras.density))
    for suffix in OUTPUTS:
        out = tmp_path / f"out{suffix}"
        write_photo(photo, out)
        with Image.open(out) as image:
            said = image.info["dpi"] if suffix in (".jpg", ".png") else [image.getexif()[282], image.getexif()[283]]
            unit = image.getexif().get(296, 2)
        times = 2.54 if unit == 3 and suffix not in (".jpg", ".png") else 1
        assert [float(value) * times for value in said] == pytest.approx([300, 300], abs=0.5)


@pytest.mark.parametrize(
    "content",
    [
        saved(PICTURE, "JPEG").replace(b"JFIF\0\1\1\0\0\1\0\1", b"JFIF\0\1\1\0\0\2\0\1"),
        png(PICTURE, (b"pHYs", struct.pack(">IIB", 2, 1, 0))),
    ],
    ids=["JPEG", "PNG"],
)
def test_pixels_that_are_not_square_stay_so(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "in.png").write_bytes(content)
    photo = read_photo(tmp_path / "in.png")
    for suffix in (".jpg", ".png"):
        write_photo(photo, tmp_path / f"out{suffix}")
        density = read_photo(tmp_path / f"out{suffix}").extras.density
        assert density is not None
        assert (density.x, density.y, density.unit) == (2, 1, "")
    assert "not square" in " ".join(write_photo(photo, tmp_path / "out.webp"))


PLACES = (b"\x34\0\0\0\1\0\0\0", b"GPSLatitude", b"Kyoto")
PEOPLE = ("Jürgen".encode(), b"123456", b"Oma", NOTE[:40])


@pytest.mark.parametrize("suffix", OUTPUTS)
@pytest.mark.parametrize("found", [True, False], ids=["enhanced", "unchanged"])
@pytest.mark.parametrize("strip", ["--strip-location", "--strip-metadata"])
def test_place_and_person_can_be_left_out(
    call: Call, tiny_checkpoint: Path, known: KnownFaces, tmp_path: Path, suffix: str, found: bool, strip: str
) -> None:
    """Through the command line, also where nothing in the photo was changed and it would be copied."""
    pixels = composed((120, 100), [])
    xmp = XMP.replace(b"dc:creator", b'exif:GPSLatitude="52" dc:creator')
    content = saved(pixels, "JPEG", exif=block(), xmp=xmp, extra=SEGMENT, comment="für Oma".encode(), dpi=(300, 300))
    assert all(words in content for words in (*PLACES, *PEOPLE))
    (tmp_path / "in.jpg").write_bytes(content)
    if not found:
        known.faces = []
    code, answer, _ = call(
        "enhance", tmp_path / "in.jpg", "-o", tmp_path / f"out{suffix}", "-m", tiny_checkpoint, strip
    )
    assert code == 0
    assert answer["outputs"][0]["status"] == ("enhanced" if found else "unchanged")
    out = (tmp_path / f"out{suffix}").read_bytes()
    assert not [words for words in PLACES if words in out]
    photo = read_photo(tmp_path / f"out{suffix}")
    kept = value_of(photo.exif, ARTIST)
    assert kept == (WORDS[ARTIST] if strip == "--strip-location" else None)
    if strip == "--strip-metadata":
        assert not [words for words in PEOPLE if words in out]
        assert photo.extras.xmp is None
    if found:
        assert b"faces enhanced by edgesr" in out


def test_a_clips_tags_follow_the_same_rule() -> None:
    tags = {"title": "Oma", "com.apple.quicktime.location.ISO6709": "+52", "location-eng": "+52", "©xyz": "+52"}
    assert kept_tags(tags, None) == tags
    assert kept_tags(tags, "location") == {"title": "Oma"}
    assert kept_tags(tags, "metadata") == {}
    assert is_location("GPSLatitude")
    assert not is_location("artist")
