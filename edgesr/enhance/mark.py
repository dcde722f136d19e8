"""What an enhanced photo says of itself in its EXIF: who changed it, and how large it is now."""

from __future__ import annotations

from edgesr.enhance import exif as tags
from edgesr.enhance.exif import Value, bare, changed, numbers, order_of, text, value_of
from edgesr.enhance.extras import Density
from edgesr.release import __version__

ASCII, UNICODE = b"ASCII\0\0\0", b"UNICODE\0"
"""How EXIF's UserComment starts, by the encoding of its text."""

BLANK = b" \0"
EXACT = 1000
"""Resolutions are written as so many parts."""


def mark(exif: bytes | None, size: tuple[int, int], edited: bool = False, density: Density | None = None) -> bytes:
    """EXIF of an enhanced photo of ``size`` (width, height): that of the input, byte for byte, and who changed it.

    Software becomes ours. What was done, and the software that it came from, stands in UserComment; where a comment
    stands there already it is left alone, and ImageHistory says it. ``density`` is put where EXIF has none.
    """
    order = order_of(exif)
    done = "faces edited with another person's photos" if edited else "faces enhanced"
    software = (value_of(exif, tags.SOFTWARE) or b"").split(b"\0")[0].strip()
    made_by = f"; made by {_decoded(software)}" if software else ""
    note = f"{done} by edgesr {__version__}{made_by}"
    first: dict[int, Value | None] = {
        tags.SOFTWARE: text(f"edgesr {__version__}{' (edited)' if edited else ''}".encode())
    }
    details: dict[int, Value | None] = {
        tags.PIXEL_WIDTH: numbers(order, tags.LONG, size[0]),
        tags.PIXEL_HEIGHT: numbers(order, tags.LONG, size[1]),
        tags.SUBJECT_AREA: None,
        tags.SUBJECT_LOCATION: None,
    }
    if (value_of(exif, tags.USER_COMMENT, details=True) or b"")[8:].strip(BLANK):
        before = (value_of(exif, tags.IMAGE_HISTORY) or b"").split(b"\0")[0]
        first[tags.IMAGE_HISTORY] = text(note.encode() + (b"; " + before if before else b""))
    else:
        wide = UNICODE + note.encode("utf-16-le" if order == "<" else "utf-16-be")
        raw = ASCII + note.encode() if note.isascii() else wide
        details[tags.USER_COMMENT] = Value(tags.UNDEFINED, len(raw), raw)
    if value_of(exif, tags.X_RESOLUTION) is None:
        first |= resolution(order, density)
    return changed(exif, first, details)


def with_resolution(exif: bytes | None, density: Density | None) -> bytes | None:
    """EXIF that names the resolution, for formats that name it nowhere else; as it was where it does, or none is."""
    if value_of(exif, tags.X_RESOLUTION) is not None or not (density and density.unit):
        return exif
    return changed(exif if bare(exif) else None, resolution(order_of(exif), density))


def resolution(order: str, density: Density | None) -> dict[int, Value | None]:
    """The tags of a resolution; none where it is not one."""
    if density is None or not density.unit:
        return {}
    per = density.per_inch() if density.unit != "cm" else (density.x, density.y)
    x, y = (numbers(order, tags.RATIONAL, *_ratio(value)) for value in per)
    unit = numbers(order, tags.SHORT, 3 if density.unit == "cm" else 2)
    return {tags.X_RESOLUTION: x, tags.Y_RESOLUTION: y, tags.RESOLUTION_UNIT: unit}


def _ratio(value: float) -> tuple[int, int]:
    whole = round(value)
    if abs(value - whole) < 0.01:
        return min(whole, 0xFFFFFFFF), 1
    return min(round(value * EXACT), 0xFFFFFFFF), EXACT


def _decoded(raw: bytes) -> str:
    try:
        decoded = raw.decode()
    except UnicodeDecodeError:
        decoded = raw.decode("latin-1")
    return "".join(c for c in decoded if c.isprintable()).strip()
