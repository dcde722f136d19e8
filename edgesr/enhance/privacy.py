"""What of a file's metadata names a place or a person, for those who do not want it in what they pass on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from edgesr.enhance.exif import GPS_IFD, MAKER_NOTE, changed, value_of

if TYPE_CHECKING:
    from edgesr.enhance.photo import Photo

Strip = Literal["location", "metadata"] | None
"""What an output does not get: the place, or everything but its colours' meaning, its resolution and our mark."""

LOCATION_WORDS = re.compile(
    r"gps|location|latitude|longitude|altitude|\bcity\b|\bstate\b|country|province|©xyz|\bxyz\b|geo(tag|name|code)",
    re.IGNORECASE,
)
XMP_LOCATION = re.compile(
    rb"GPS|Location|:City|:State|:Country|CountryCode|ProvinceName|Sublocation|geotag|geoname", re.IGNORECASE
)
IPTC_LOCATION = frozenset((26, 27, 90, 92, 95, 100, 101))
"""Records of IPTC (2:NN) that name a place: of the content, city, sublocation, state and country."""


def strip_of(location: bool, metadata: bool) -> Strip:
    """The choice that two options make; the second includes the first."""
    return "metadata" if metadata else "location" if location else None


def is_location(name: str) -> bool:
    """Whether a tag of this name holds a place: ``GPSLatitude``, ``com.apple.quicktime.location.ISO6709``, ``City``."""
    return LOCATION_WORDS.search(name) is not None


def kept_tags(tags: Mapping[str, str], strip: Strip) -> dict[str, str]:
    """A container's tags, of a clip, say, without what an output must not have."""
    if strip == "metadata":
        return {}
    return {name: value for name, value in tags.items() if strip is None or not is_location(name)}


def iptc_without_location(records: bytes) -> bytes | None:
    """IPTC's records without those of a place; None where they cannot be told apart."""
    kept, at = b"", 0
    while at < len(records):
        if at + 5 > len(records) or records[at] != 0x1C:
            break
        size = int.from_bytes(records[at + 3 : at + 5], "big")
        end = at + 5 + size
        if size & 0x8000 or end > len(records):
            return None
        if not (records[at + 1] == 2 and records[at + 2] in IPTC_LOCATION):
            kept += records[at:end]
        at = end
    return kept or None


def without(photo: Photo, strip: Strip) -> tuple[Photo, tuple[str, ...]]:
    """A photo without what an output must not have, and what had to go with it."""
    if strip is None:
        return photo, ()
    extras = photo.extras
    if strip == "metadata":
        kept = extras.replace(xmp=None, iptc=None, comment=None, further_comments=(), texts=())
        return photo.replace(exif=None, extras=kept), ()
    notes = []
    exif, xmp = photo.exif, extras.xmp
    if exif is not None:
        if value_of(exif, MAKER_NOTE, details=True) is not None:
            notes.append("the camera's private notes, which may name the place, were left out")
        exif = changed(exif, {GPS_IFD: None}, {MAKER_NOTE: None})
    if xmp is not None and XMP_LOCATION.search(xmp):
        notes.append("its XMP names a place and was left out")
        xmp = None
    texts = tuple(t for t in extras.texts if not is_location(t[1].split(b"\0")[0].decode("latin-1")))
    iptc = iptc_without_location(extras.iptc) if extras.iptc else None
    return photo.replace(exif=exif, extras=extras.replace(xmp=xmp, texts=texts, iptc=iptc)), tuple(notes)
