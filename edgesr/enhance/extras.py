"""What a photo's file holds beside pixels, EXIF and colour: XMP, IPTC, texts, comment and resolution, as bytes."""

from __future__ import annotations

import dataclasses
import re
import struct
from collections.abc import Iterator

from PIL import Image

from edgesr.enhance.exif import IPTC, RATIONAL, RESOLUTION_UNIT, X_RESOLUTION, XMP, Y_RESOLUTION
from edgesr.images.tiff import Entry, Tiff, parse_tiff

XMP_START, EXTENDED_START = b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/extension/\0"
PHOTOSHOP_START, IPTC_RESOURCE = b"Photoshop 3.0\0", 0x0404
STARTS_OF_SCAN = (0xDA, 0xD9)

TEXTS = (b"tEXt", b"zTXt", b"iTXt")
COLOUR_CHUNKS = (b"cICP", b"sRGB", b"gAMA", b"cHRM", b"mDCV", b"cLLI", b"mDCv", b"cLLi")
"""The last two as they were called before PNG's third edition."""

NUL = b"\0"
KNOWN_RAW = (b"Raw profile type exif\0", b"Raw profile type APP1\0", b"Raw profile type xmp\0")
LONGEST_CHUNK = 1 << 24

NOT_OF_THE_OUTPUT = (
    *(b"xmpGImg", b":Thumbnails", b"hdrgm:", b"HDRGainMap", b"GDepth:", b"GImage:", b"Container:Directory"),
    *(b"HasExtendedXMP", b"GCamera:MicroVideo", b"GCamera:MotionPhoto"),
)
"""Words in XMP of pictures of the photo as it was, and of parts of the file that are left out."""

TURN = re.compile(rb"(tiff:Orientation\s*(?:=\s*[\"']|>))\s*[2-8]")


@dataclasses.dataclass(frozen=True)
class Density:
    """Pixels to a unit across and down: ``inch``, ``cm``, ``m``, or ``""`` for the shape of a pixel alone."""

    x: float
    y: float
    unit: str

    def per_inch(self) -> tuple[float, float]:
        """The density in dots per inch."""
        times = {"inch": 1.0, "cm": 2.54, "m": 0.0254}[self.unit]
        return self.x * times, self.y * times

    def per_metre(self) -> tuple[int, int]:
        """The density in dots per metre, as PNG counts."""
        times = {"inch": 1 / 0.0254, "cm": 100.0, "m": 1.0, "": 1.0}[self.unit]
        return round(self.x * times), round(self.y * times)


@dataclasses.dataclass(frozen=True)
class Extras:
    """Bytes that go into the output as they came."""

    xmp: bytes | None = None
    iptc: bytes | None = None
    """Records of IIM."""
    comment: bytes | None = None
    """The comment of a JPEG or a GIF."""
    further_comments: tuple[bytes, ...] = ()
    """A JPEG may have several."""
    texts: tuple[tuple[bytes, bytes], ...] = ()
    """Chunks of a PNG: name and data."""
    colours: tuple[tuple[bytes, bytes], ...] = ()
    """A PNG's chunks that say what its colours mean."""
    density: Density | None = None

    def replace(self, **changes: object) -> Extras:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]


def read_extras(image: Image.Image, content: bytes, notes: list[str]) -> Extras:
    """What a photo's file holds; ``notes`` gets what cannot be kept."""
    if image.format in ("JPEG", "MPO"):
        found = _of_jpeg(content, notes)
    elif image.format == "PNG":
        found = _of_png(content, notes)
    elif image.format == "TIFF":
        found = _of_tiff(content)
    else:
        dpi = image.info.get("dpi") if image.format == "BMP" else None
        comment = image.info.get("comment") if image.format == "GIF" else None
        found = Extras(comment=comment or None, density=_density(dpi[0], dpi[1], "inch") if dpi else None)
    xmp = image.info.get("xmp")
    xmp = found.xmp or (xmp if isinstance(xmp, bytes) else None)
    if xmp is not None:
        if any(word in xmp for word in NOT_OF_THE_OUTPUT):
            notes.append("its XMP speaks of a thumbnail, a depth map or another part that is left out: not kept")
            xmp = None
        else:
            xmp = TURN.sub(rb"\g<1>1", xmp)
    return found.replace(xmp=xmp)


def _density(x: float, y: float, unit: str) -> Density | None:
    good = 0 < x < 1e9 and 0 < y < 1e9 and (unit or x != y)  # without a unit, 1 to 1 says nothing
    return Density(x, y, unit) if good else None


def _segments(content: bytes) -> Iterator[tuple[int, bytes]]:
    """A JPEG's segments before its pixels."""
    at = 2
    while at + 4 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker in STARTS_OF_SCAN:
            return
        (size,) = struct.unpack_from(">H", content, at + 2)
        yield marker, content[at + 4 : at + 2 + size]
        at += 2 + size


def _of_jpeg(content: bytes, notes: list[str]) -> Extras:
    density = xmp = None
    comments: list[bytes] = []
    resources, signed = b"", False
    for marker, data in _segments(content):
        if marker == 0xE0 and data[:5] == b"JFIF\0" and len(data) >= 12 and density is None:
            unit, x, y = struct.unpack_from(">BHH", data, 7)
            if unit < 3:
                density = _density(x, y, ("", "inch", "cm")[unit])
        elif marker == 0xE1 and data.startswith(XMP_START) and xmp is None:
            xmp = data[len(XMP_START) :]
        elif marker == 0xED and data.startswith(PHOTOSHOP_START):
            resources += data[len(PHOTOSHOP_START) :]
        elif marker == 0xFE:
            comments.append(data)
        signed = signed or (marker == 0xEB and b"jumb" in data[:32])
    if signed:
        notes.append("its content credentials (C2PA) are of the file as it was: left out")
    return Extras(xmp, _iptc(resources), comments[0] if comments else None, tuple(comments[1:]), density=density)


def _iptc(resources: bytes) -> bytes | None:
    """The records of IPTC among Photoshop's resources; the others are of the file as it was."""
    at = 0
    while resources[at : at + 4] == b"8BIM" and at + 12 <= len(resources):
        (number,) = struct.unpack_from(">H", resources, at + 4)
        name = resources[at + 6]
        start = at + 6 + name + 1 + (name + 1) % 2
        if start + 4 > len(resources):
            return None
        (size,) = struct.unpack_from(">I", resources, start)
        if number == IPTC_RESOURCE:
            return resources[start + 4 : start + 4 + size] or None
        at = start + 4 + size + size % 2
    return None


def _of_png(content: bytes, notes: list[str]) -> Extras:
    density, texts, colours = None, [], []
    at = 8
    while at + 12 <= len(content):
        size, name = struct.unpack_from(">I4s", content, at)
        if at + 12 + size > len(content):
            break
        if size > LONGEST_CHUNK and name in TEXTS:
            notes.append(f"a text of {size} bytes was left out")
        data = b"" if name == b"IDAT" or size > LONGEST_CHUNK else content[at + 8 : at + 8 + size]
        at += 12 + size
        if name == b"pHYs" and size == 9:
            x, y, unit = struct.unpack(">IIB", data)
            density = _density(x, y, "m" if unit == 1 else "")
        elif name in COLOUR_CHUNKS:
            colours.append((name, data))
        elif data.startswith(b"Raw profile type") and not data.startswith(KNOWN_RAW) and name in TEXTS:
            notes.append(f"its text {data.split(NUL)[0].decode('latin-1')[:40]!r} was left out")
        elif name == b"tIME" or (name in TEXTS and not data.startswith((b"XML:com.adobe.xmp\0", b"Raw profile type"))):
            texts.append((name, data))
        elif name == b"caBX":
            notes.append("its content credentials (C2PA) are of the file as it was: left out")
    return Extras(texts=tuple(texts), colours=tuple(colours), density=density)


def _of_tiff(content: bytes) -> Extras:
    tiff = parse_tiff(content)
    first = tiff.directory(tiff.first) if tiff is not None else None
    if tiff is None or first is None:
        return Extras()
    found = [tiff.raw(first.entries[tag]) if tag in first.entries else None for tag in (XMP, IPTC)]
    return Extras(found[0], found[1], density=density_of(content))


def density_of(block: bytes) -> Density | None:
    """The resolution that a TIFF, or a block of EXIF without its prefix, names."""
    tiff = parse_tiff(block)
    first = tiff.directory(tiff.first) if tiff is not None else None
    if tiff is None or first is None:
        return None
    unit = {1: "", 2: "inch", 3: "cm"}.get(tiff.number(first, RESOLUTION_UNIT, 2), "")
    x, y = (_rational(tiff, first.entries.get(tag)) for tag in (X_RESOLUTION, Y_RESOLUTION))
    return _density(x, y, unit)


def _rational(tiff: Tiff, entry: Entry | None) -> float:
    if entry is None or entry.type != RATIONAL or entry.count != 1:
        return 0.0
    above, below = struct.unpack(tiff.order + "II", tiff.raw(entry))
    return above / below if below else 0.0
