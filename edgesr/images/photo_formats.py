"""Which formats are read, told by a file's content, and what a file is that is none of them."""

from __future__ import annotations

from edgesr.images.bmff import brands
from edgesr.images.tiff import Directory, Tiff, parse_tiff

SUFFIXES_OF = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "PNG": (".png", ".apng"),
    "WEBP": (".webp",),
    "HEIF": (".heic", ".heif", ".hif", ".heics", ".heifs"),
    "AVIF": (".avif", ".avifs"),
    "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp", ".dib"),
    "GIF": (".gif",),
}
"""The formats that are read, by Pillow's name. No other decoder sees a file: Pillow has some that start programs."""

IMAGE_SUFFIXES = frozenset(suffix for suffixes in SUFFIXES_OF.values() for suffix in suffixes)
"""Files that a search of a folder takes. What they are is told by their content."""

LONGEST_SIDE = {"JPEG": 65500, "WEBP": 16383, "HEIF": 16383}
"""Pixels a side that a format takes at most, where it is less than what is read."""

READABLE = "JPEG, PNG, WebP, HEIC, AVIF, TIFF, BMP and GIF are read"

HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
AVIF_BRANDS = {b"avif", b"avis"}

STARTS = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
)
RAW = "a raw file of a camera"
VIDEO = "a video"
OTHERS = (
    (b"FUJIFILMCCD-RAW", f"{RAW} (RAF)"),
    (b"IIRO", f"{RAW} (ORF)"),
    (b"IIRS", f"{RAW} (ORF)"),
    (b"MMOR", f"{RAW} (ORF)"),
    (b"IIU\0", f"{RAW} (RW2)"),
    (b"FOVb", f"{RAW} (X3F)"),
    (b"\0MRM", f"{RAW} (MRW)"),
    (b"ARRI", f"{RAW} (ARI)"),
    (b"8BPS", "a Photoshop document"),
    (b"%!PS", "PostScript"),
    (b"\xc5\xd0\xd3\xc6", "PostScript"),
    (b"%PDF", "a PDF"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"II\xbc", "JPEG XR"),
    (b"<svg", "a drawing (SVG)"),
    (b"PK\x03\x04", "a ZIP archive"),
)
"""What is known by its start and is not read."""

MAKERS = {
    "nikon": "NEF",
    "canon": "CR2",
    "sony": "ARW",
    "pentax": "PEF",
    "ricoh": "PEF",
    "samsung": "SRW",
    "hasselblad": "3FR",
    "kodak": "DCR",
    "epson": "ERF",
    "phase one": "IIQ",
    "leaf": "MOS",
    "mamiya": "MEF",
    "olympus": "ORF",
    "panasonic": "RW2",
    "fujifilm": "RAF",
}
"""Raw files that look like TIFF, by who made the camera."""

MAKE, SUBFILE, PHOTOMETRIC, SUBDIRECTORIES, DNG_VERSION = 271, 254, 262, 330, 50706
COLOUR_FILTERS, LINEAR_RAW = 32803, 34892
REDUCED = 1


def kind_of(content: bytes) -> tuple[str | None, str]:
    """Pillow's name of the format that the bytes are in, or None and what they are instead, empty where unknown."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "WEBP", ""
    for start, what in OTHERS:
        if content.startswith(start):
            return None, what
    kind = next((kind for start, kind in STARTS if content.startswith(start)), None)
    if kind is not None:
        return kind, ""
    if content[4:8] == b"ftyp":
        return _of_brands(brands(content))
    tiff = parse_tiff(content)
    if tiff is not None:
        raw = _raw_name(tiff)
        return (None, f"{RAW} ({raw})") if raw else ("TIFF", "")
    if content[6:14] == b"HEAPCCDR":
        return None, f"{RAW} (CRW)"
    return None, ""


def _of_brands(names: list[bytes]) -> tuple[str | None, str]:
    if names[0] == b"crx ":
        return None, f"{RAW} (CR3)"
    if names[0] == b"jxl ":
        return None, "JPEG XL"
    if names[0] in AVIF_BRANDS or (names[0] not in HEIC_BRANDS - {b"mif1", b"msf1"} and AVIF_BRANDS & set(names)):
        return "AVIF", ""
    return ("HEIF", "") if HEIC_BRANDS & set(names) else (None, VIDEO)


def _raw_name(tiff: Tiff) -> str:
    """The suffix that a camera gives this kind of raw file, or nothing where it is a TIFF."""
    first = tiff.directory(tiff.first)
    if first is None:
        return ""
    make = tiff.text(first, MAKE).lower()
    if tiff.content[8:10] == b"CR":
        return "CR2"
    if tiff.content[8:12] in (b"IIII", b"MMMM"):
        return "IIQ"
    if DNG_VERSION in first.entries:
        return "DNG"
    if any(tiff.number(d, PHOTOMETRIC) in (COLOUR_FILTERS, LINEAR_RAW) for d in pictures(tiff)):
        return next((name for maker, name in MAKERS.items() if maker in make), "of an unknown kind")
    return ""


def pictures(tiff: Tiff) -> list[Directory]:
    """Every directory of a picture: pages, and those below them. Bounded."""
    found = []
    for page in tiff.chain():
        found.append(page)
        for at in tiff.numbers(page, SUBDIRECTORIES)[:16]:
            below = tiff.directory(at)
            if below is not None:
                found.append(below)
    return found


def pages(tiff: Tiff) -> int:
    """How many pages a TIFF has, previews left out."""
    return sum(not tiff.number(page, SUBFILE) & REDUCED for page in tiff.chain())
