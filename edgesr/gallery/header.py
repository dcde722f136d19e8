"""The text at the head of a gallery file: written byte for byte alike everywhere, and read with suspicion.

``docs/gallery-format.md`` says the same for other languages.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from edgesr.errors import GalleryError
from edgesr.gallery.section import CODES, Section
from edgesr.gallery.strict_json import compact, parse, text, whole
from edgesr.models.interface import Code, FeatureMap

FORMAT, FORMAT_VERSION = "edgesr-gallery", 2

MOST_HEADER = 1 << 20
"""Bytes of the header; a thousand entries with names of full length fit."""
MOST_DATA = 1 << 29
"""Bytes of all tensors."""
MOST_ENTRIES = 1000
MOST_SECTIONS = 8
MOST_MAPS, MOST_CODES = 8, 8
MOST_PARTS, MOST_CHANNELS = 8, 1024
MOST_SIDE = 1024
"""The longest side of a map, in pixels."""
LEAST_LR, MOST_LR = 4, 256
SCALES = (2, 4, 8, 16)
MOST_VECTOR = 4096
"""Numbers of a descriptor, of an embedding, or of a code."""
MOST_MEASURES = 16
MOST_THOUSANDTHS = 10**9
MOST_EXTENSIONS, MOST_EXTENSION = 16, 1000
"""Keys of ``extensions``, and bytes of one's text: room for settings, not for a picture."""

STEPS = "scales"
"""A section's tensor of int8 steps, so no map's or code's name."""
ITEM_SIZES = {"F32": 4, "F16": 2, "I8": 1}

ZEROS = "0" * 64
_BEGINNING = f'{{"__metadata__":{{"format":"{FORMAT}","format_version":"{FORMAT_VERSION}","content_sha256":"'.encode()
HASH_AT = len(_BEGINNING)
"""Where the digits of ``content_sha256`` lie in a header."""

_KEY = re.compile(r"[a-z][a-z0-9_]{0,31}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LABEL_KEYS = {"photo_sha256", "quality", "pose"}

Tensors = dict[str, tuple[str, tuple[int, ...]]]
"""dtype and shape by name, in the order in which they lie in the file."""


@dataclasses.dataclass(frozen=True)
class Label:
    """What the header says of one entry; ``quality`` and ``pose`` are exact to a thousandth."""

    photo_sha256: str
    quality: Mapping[str, float]
    pose: Mapping[str, float]
    name: str | None = None


@dataclasses.dataclass(frozen=True)
class Header:
    """A gallery without its numbers."""

    sections: tuple[Section, ...]
    """The sections without their steps, which are numbers."""
    rows: tuple[tuple[int, ...], ...]
    """For each section the entries that it has features of, ascending."""
    embedder: str | None
    labels: tuple[Label, ...]
    descriptor_size: int
    embedding_size: int
    extensions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    content_sha256: str | None = None
    """The content's hash as it was read; None in version 1."""

    @property
    def version(self) -> int:
        """The format version that it was read in."""
        return 1 if self.content_sha256 is None else FORMAT_VERSION

    @property
    def tensors(self) -> Tensors:
        """Everything that follows the header."""
        n = len(self.labels)
        result: Tensors = {"descriptors": ("F32", (n, self.descriptor_size))}
        if self.embedder is not None:
            result["embeddings"] = ("F32", (n, self.embedding_size))
        for i, (section, rows) in enumerate(zip(self.sections, self.rows, strict=True)):
            if section.dtype == "int8":
                result[f"{i}.{STEPS}"] = ("F32", (len(section.parts),))
            for name, (code, shape) in section.tensors.items():
                result[f"{i}.{name}"] = (code, (len(rows), *shape))
        return result

    @property
    def data_size(self) -> int:
        """Bytes that follow the header."""
        return sum(bytes_of(dtype, shape) for dtype, shape in self.tensors.values())

    def check(self) -> None:
        """Refuse what no gallery may hold, whether it was read or is about to be written.

        Raises:
            GalleryError: says which limit is broken.
        """
        if self.embedder is not None:
            text("embedder", self.embedder)
        if len(self.labels) > MOST_ENTRIES:
            raise GalleryError(f"it has {len(self.labels)} entries", f"at most {MOST_ENTRIES} are read")
        for label in self.labels:
            _check_label(label)
        photos = [label.photo_sha256 for label in self.labels]
        if len(set(photos)) < len(photos):
            raise GalleryError("it holds one photo twice")
        if not 1 <= len(self.sections) <= MOST_SECTIONS:
            raise GalleryError(f"it has {len(self.sections)} sections", f"1 to {MOST_SECTIONS} are read")
        for section, rows in zip(self.sections, self.rows, strict=True):
            _check_section(section)
            if not all(map(whole, rows)) or list(rows) != sorted({*rows} & {*range(len(self.labels))}):
                raise GalleryError(f"a section's entries are {list(rows)[:20]}", "ascending, from 0, each once")
        if len({section.key for section in self.sections}) < len(self.sections):
            raise GalleryError("it has two sections of one network")
        for name, size in (("descriptors", self.descriptor_size), ("embeddings", self.embedding_size)):
            there = bool(self.labels) and (name == "descriptors" or self.embedder is not None)
            if not whole(size) or not (1 if there else 0) <= size <= MOST_VECTOR:
                raise GalleryError(f"its {name} have {size!r:.20} numbers", f"1 to {MOST_VECTOR} are read")
        _check_extensions(self.extensions)
        if self.data_size > MOST_DATA:
            raise GalleryError(f"it has {self.data_size} bytes", f"at most {MOST_DATA} are read")

    def encode(self) -> bytes:
        """The header's bytes, zeros in place of the content's hash, filled up so that its length is a multiple of 8.

        Raises:
            GalleryError: it breaks a limit.
        """
        self.check()
        metadata = {"format": FORMAT, "format_version": str(FORMAT_VERSION), "content_sha256": ZEROS}
        if self.embedder is not None:
            metadata["embedder"] = self.embedder
        pairs = zip(self.sections, self.rows, strict=True)
        metadata["sections"] = compact([_section_to_json(section, rows) for section, rows in pairs])
        metadata["entries"] = compact([_label_to_json(label) for label in self.labels])
        if self.extensions:
            metadata["extensions"] = compact({key: self.extensions[key] for key in sorted(self.extensions)})
        fields: dict[str, Any] = {"__metadata__": metadata}
        at = 0
        for name, (dtype, shape) in self.tensors.items():
            end = at + bytes_of(dtype, shape)
            fields[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, end]}
            at = end
        written = compact(fields).encode()
        written += b" " * (-len(written) % 8)
        if len(written) > MOST_HEADER:
            raise GalleryError(f"its header has {len(written)} bytes", "use fewer photos, or shorter names")
        return written


def without_hash(written: bytes) -> bytes:
    """A header's bytes with zeros in place of its hash: what the hash is computed over."""
    return written[:HASH_AT] + ZEROS.encode() + written[HASH_AT + 64 :]


def is_current(written: bytes) -> bool:
    """Whether a header's bytes begin as this version's do; whatever else they are."""
    return written.startswith(_BEGINNING)


def decode(written: bytes) -> Header:
    """The header from its bytes, without their length before them, where ``is_current`` says that they are one.

    Raises:
        GalleryError: damaged, beyond a limit, or other than a writer would write it.
    """
    fields = parse(written, "header")
    metadata = fields["__metadata__"]
    known = {"format", "format_version", "content_sha256", "embedder", "sections", "entries", "extensions"}
    if strange := sorted(set(metadata) - known):
        raise GalleryError(f"its header has a strange field {strange[0]!r:.40}")
    if missing := sorted(known - {"embedder", "extensions"} - set(metadata)):
        raise GalleryError(f"its header has no {missing[0]!r}")
    if not all(isinstance(value, str) for value in metadata.values()):
        raise GalleryError("a field of its header is no text")
    pairs = _sections(parse(metadata["sections"], "sections"))
    header = Header(
        sections=tuple(section for section, _ in pairs),
        rows=tuple(rows for _, rows in pairs),
        embedder=metadata.get("embedder"),
        labels=labels_from(parse(metadata["entries"], "entries")),
        descriptor_size=_columns(fields, "descriptors"),
        embedding_size=_columns(fields, "embeddings") if "embedder" in metadata else 0,
        extensions=_extensions(parse(metadata["extensions"], "extensions")) if "extensions" in metadata else {},
        content_sha256=metadata["content_sha256"],
    )
    again = header.encode()
    if unknown := sorted(set(fields) - {"__metadata__", *header.tensors}):
        raise GalleryError(f"it has an unknown tensor {unknown[0]!r:.40}")
    for name, (dtype, shape) in header.tensors.items():
        given = fields.get(name)
        if not isinstance(given, dict) or (given.get("dtype"), given.get("shape")) != (dtype, list(shape)):
            raise GalleryError(f"its tensor {name} is {given!r:.80}, which should be {dtype} {list(shape)}")
    if without_hash(written) != again:
        raise GalleryError("its header is not written as the format says")
    return header


def thousandths(value: float) -> int:
    """A measure as it is stored: value * 1000, rounded, half to even.

    Raises:
        GalleryError: it is no number, or beyond a million.
    """
    if not math.isfinite(value) or abs(value) * 1000 > MOST_THOUSANDTHS:
        raise GalleryError(f"a measure is {value}", "measures are numbers between -1,000,000 and 1,000,000")
    return round(value * 1000)


def most_entries(sections: Sequence[Section]) -> int:
    """So many entries a gallery of these sections can hold, with all their features."""
    features = sum(bytes_of(dtype, shape) for section in sections for dtype, shape in section.tensors.values())
    vectors = 2 * bytes_of("F32", (MOST_VECTOR,))  # the longest descriptor and embedding
    return min(MOST_ENTRIES, MOST_DATA // (features + vectors))


def bytes_of(dtype: str, shape: Sequence[int]) -> int:
    """Bytes of a tensor."""
    return ITEM_SIZES[dtype] * math.prod(shape)


def _check_section(section: Section) -> None:
    text("feature_space", section.feature_space)
    if not whole(section.scale) or section.scale not in SCALES:
        raise GalleryError(f"its scale is {section.scale!r:.20}", f"known: {', '.join(map(str, SCALES))}")
    if not whole(section.lr_size) or not LEAST_LR <= section.lr_size <= MOST_LR:
        raise GalleryError(f"its lr_size is {section.lr_size!r:.20}", f"from {LEAST_LR} to {MOST_LR} pixels are read")
    if not 1 <= len(section.maps) <= MOST_MAPS or len(section.codes) > MOST_CODES:
        raise GalleryError(f"a section has {len(section.maps)} maps and {len(section.codes)} codes")
    names = [*(one.name for one in section.maps), *(code.name for code in section.codes)]
    parts = [part for one in section.maps for part, _ in one.parts]
    for called in ([*names, STEPS], parts):
        if not all(map(_KEY.fullmatch, called)) or len(set(called)) < len(called):
            raise GalleryError(f"its feature parts, maps and codes are called {called!r:.80}")
    if len(parts) > MOST_PARTS:
        raise GalleryError(f"its features have {len(parts)} parts", f"1 to {MOST_PARTS} are read")
    for one in section.maps:
        channels = [count for _, count in one.parts]
        if not all(map(whole, channels)) or min(channels) < 1 or sum(channels) > MOST_CHANNELS:
            raise GalleryError(f"its features have {channels} channels", f"1 to {MOST_CHANNELS} are read")
        if not whole(one.size) or not 1 <= one.size <= MOST_SIDE:
            raise GalleryError(f"a map has a side of {one.size!r:.20}", f"1 to {MOST_SIDE} pixels are read")
    for code in section.codes:
        if not whole(code.length) or not 1 <= code.length <= MOST_VECTOR:
            raise GalleryError(f"a code has {code.length!r:.20} numbers", f"1 to {MOST_VECTOR} are read")


def _check_label(label: Label) -> None:
    if not _SHA256.fullmatch(label.photo_sha256):
        raise GalleryError(f"an entry's photo_sha256 is {label.photo_sha256!r:.80}", "64 lower-case hex digits")
    if label.name is not None:
        text("entry's name", label.name)
    for measures in (label.quality, label.pose):
        if len(measures) > MOST_MEASURES or not all(map(_KEY.fullmatch, measures)):
            raise GalleryError(f"an entry's measures are called {sorted(measures)[:20]}")
        for value in measures.values():
            thousandths(value)


def _check_extensions(extensions: Mapping[str, str]) -> None:
    if len(extensions) > MOST_EXTENSIONS or not all(map(_KEY.fullmatch, extensions)):
        raise GalleryError(f"its extensions are called {sorted(extensions)[:20]!r:.80}")
    for key, value in extensions.items():
        text(f"extension {key}", value, MOST_EXTENSION)


def _section_to_json(section: Section, rows: Sequence[int]) -> dict[str, Any]:
    return {
        "feature_space": section.feature_space,
        "scale": section.scale,
        "lr_size": section.lr_size,
        "dtype": section.dtype,
        "maps": [one.to_list() for one in section.maps],
        "codes": [one.to_list() for one in section.codes],
        "entries": list(rows),
    }


def _sections(listed: Any) -> list[tuple[Section, tuple[int, ...]]]:
    if not isinstance(listed, list) or len(listed) > MOST_SECTIONS:
        raise GalleryError("its sections are no list", f"of at most {MOST_SECTIONS}")
    result = []
    for fields in listed:
        try:
            maps = tuple(
                FeatureMap(name, sum(count for _, count in parts), size, tuple((part, count) for part, count in parts))
                for name, size, parts in fields["maps"]
            )
            codes = tuple(Code(name, length) for name, length in fields["codes"])
            head = (fields["feature_space"], fields["scale"], fields["lr_size"])
            rows, dtype = tuple(fields["entries"]), fields["dtype"]
        except (KeyError, TypeError, ValueError) as error:
            raise GalleryError(f"a section is {fields!r:.120}") from error
        names = [*(m.name for m in maps), *(c.name for c in codes), *(part for m in maps for part, _ in m.parts)]
        if not all(isinstance(one, str) for one in (head[0], dtype, *names)) or dtype not in CODES:
            raise GalleryError(f"a section is {fields!r:.120}")
        if not all(m.parts and m.channels for m in maps) or set(fields) - _SECTION_KEYS:
            raise GalleryError(f"a section is {fields!r:.120}")
        result.append((Section(*head, maps, codes, dtype, None), rows))
    return result


_SECTION_KEYS = {"feature_space", "scale", "lr_size", "dtype", "maps", "codes", "entries"}


def _extensions(listed: Any) -> dict[str, str]:
    if not isinstance(listed, dict) or not all(isinstance(value, str) for value in listed.values()):
        raise GalleryError("its extensions are no object of texts")
    return listed


def _columns(fields: Mapping[str, Any], name: str) -> int:
    tensor = fields.get(name)
    shape = tensor.get("shape") if isinstance(tensor, dict) else None
    if not isinstance(shape, list) or len(shape) != 2 or not whole(shape[1]):
        raise GalleryError(f"its tensor {name} is {tensor!r:.80}")
    return int(shape[1])


def _label_to_json(label: Label) -> dict[str, Any]:
    fields: dict[str, Any] = {"photo_sha256": label.photo_sha256}
    for name, measures in (("quality", label.quality), ("pose", label.pose)):
        fields[name] = {key: thousandths(measures[key]) for key in sorted(measures)}
    if label.name is not None:
        fields["name"] = label.name
    return fields


def labels_from(listed: Any) -> tuple[Label, ...]:
    """The entries' labels from their JSON.

    Raises:
        GalleryError: an entry has other keys, or values of other types.
    """
    if not isinstance(listed, list) or len(listed) > MOST_ENTRIES:
        raise GalleryError("its entries are no list", f"of at most {MOST_ENTRIES}")
    labels = []
    for fields in listed:
        if not isinstance(fields, dict) or not _LABEL_KEYS <= set(fields) <= _LABEL_KEYS | {"name"}:
            raise GalleryError(f"an entry is {fields!r:.80}")
        photo, name = fields["photo_sha256"], fields.get("name")
        if not isinstance(photo, str) or ("name" in fields and not isinstance(name, str)):
            raise GalleryError(f"an entry is {fields!r:.80}")
        labels.append(Label(photo, _measures(fields["quality"]), _measures(fields["pose"]), name))
    return tuple(labels)


def _measures(fields: Any) -> dict[str, float]:
    if not isinstance(fields, dict) or len(fields) > MOST_MEASURES:
        raise GalleryError(f"an entry's measures are {fields!r:.80}")
    for value in fields.values():
        if not whole(value) or abs(value) > MOST_THOUSANDTHS:
            raise GalleryError(f"an entry's measure is {value!r:.40}", "whole thousandths")
    return {key: value / 1000 for key, value in fields.items()}
