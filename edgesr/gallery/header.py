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
from edgesr.gallery.strict_json import compact, parse, text, whole

FORMAT, FORMAT_VERSION = "edgesr-gallery", 1

MOST_HEADER = 1 << 20
"""Bytes of the header; a thousand entries with names of full length fit."""
MOST_DATA = 1 << 29
"""Bytes of all tensors."""
MOST_ENTRIES = 1000
MOST_PARTS, MOST_CHANNELS = 8, 1024
LEAST_LR, MOST_LR = 4, 256
SCALES = (2, 4, 8, 16)
MOST_VECTOR = 4096
"""Numbers of a descriptor, or of an embedding."""
MOST_MEASURES = 16
MOST_THOUSANDTHS = 10**9

TENSORS = ("descriptors", "embeddings", "scales", "features")
"""In the order in which they lie in the file."""
ITEM_SIZES = {"F32": 4, "F16": 2, "I8": 1}

_KEY = re.compile(r"[a-z][a-z0-9_]{0,31}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")
_REQUIRED = {"format", "format_version", "feature_space", "scale", "lr_size", "feature_parts", "entries"}


@dataclasses.dataclass(frozen=True)
class Label:
    """What the header says of one entry; ``quality`` and ``pose`` are exact to a thousandth."""

    photo_sha256: str
    quality: Mapping[str, float]
    pose: Mapping[str, float]
    name: str | None = None


@dataclasses.dataclass(frozen=True)
class Header:
    """A gallery without its numbers. ``shapes``: dtype and shape of each tensor, in file order."""

    feature_space: str
    scale: int
    lr_size: int
    feature_parts: tuple[tuple[str, int], ...]
    embedder: str | None
    labels: tuple[Label, ...]
    shapes: Mapping[str, tuple[str, tuple[int, ...]]]

    @property
    def data_size(self) -> int:
        """Bytes that follow the header."""
        return sum(_bytes(dtype, shape) for dtype, shape in self.shapes.values())

    def check(self) -> None:
        """Refuse what no gallery may hold, whether it was read or is about to be written.

        Raises:
            GalleryError: says which limit is broken.
        """
        text("feature_space", self.feature_space)
        if self.embedder is not None:
            text("embedder", self.embedder)
        if self.scale not in SCALES:
            raise GalleryError(f"its scale is {self.scale}", f"known: {', '.join(map(str, SCALES))}")
        if not LEAST_LR <= self.lr_size <= MOST_LR:
            raise GalleryError(f"its lr_size is {self.lr_size}", f"from {LEAST_LR} to {MOST_LR} pixels are read")
        if not 1 <= len(self.feature_parts) <= MOST_PARTS:
            raise GalleryError(f"its features have {len(self.feature_parts)} parts", f"1 to {MOST_PARTS} are read")
        names = [part for part, _ in self.feature_parts]
        channels = [count for _, count in self.feature_parts]
        if not all(map(_KEY.fullmatch, names)) or len(set(names)) < len(names):
            raise GalleryError(f"its feature parts are called {names}")
        if min(channels) < 1 or sum(channels) > MOST_CHANNELS:
            raise GalleryError(f"its features have {channels} channels", f"1 to {MOST_CHANNELS} are read")
        if len(self.labels) > MOST_ENTRIES:
            raise GalleryError(f"it has {len(self.labels)} entries", f"at most {MOST_ENTRIES} are read")
        for label in self.labels:
            _check_label(label)
        photos = [label.photo_sha256 for label in self.labels]
        if len(set(photos)) < len(photos):
            raise GalleryError("it holds one photo twice")
        self._check_shapes(sum(channels))
        if self.data_size > MOST_DATA:
            raise GalleryError(f"it has {self.data_size} bytes", f"at most {MOST_DATA} are read")

    def _check_shapes(self, channels: int) -> None:
        n, size = len(self.labels), self.lr_size
        dtype = self.shapes["features"][0] if "features" in self.shapes else ""
        if dtype not in ("I8", "F16"):
            raise GalleryError("it has no features of dtype I8 or F16")
        expected: dict[str, tuple[str, tuple[int, ...]]] = {"features": (dtype, (n, size, size, channels))}
        if dtype == "I8":
            expected["scales"] = ("F32", (len(self.feature_parts),))
        for name in ("descriptors", "embeddings"):
            if name == "descriptors" or self.embedder is not None:
                shape = self.shapes.get(name, ("", ()))[1]
                length = shape[1] if len(shape) == 2 else -1
                if not (1 if n else 0) <= length <= MOST_VECTOR:
                    raise GalleryError(f"its {name} have shape {list(shape)}")
                expected[name] = ("F32", (n, length))
        for name in sorted(set(expected) | set(self.shapes)):
            if self.shapes.get(name) != expected.get(name):
                raise GalleryError(
                    f"its tensor {name} is {self.shapes.get(name, 'missing')}, which should be "
                    f"{expected.get(name, 'absent')}"
                )

    def encode(self) -> bytes:
        """The header's bytes with their length before them, padded so that the data starts at a multiple of 8.

        Raises:
            GalleryError: it breaks a limit.
        """
        self.check()
        metadata = {
            "format": FORMAT,
            "format_version": str(FORMAT_VERSION),
            "feature_space": self.feature_space,
            "scale": str(self.scale),
            "lr_size": str(self.lr_size),
            "feature_parts": compact([[part, count] for part, count in self.feature_parts]),
        }
        if self.embedder is not None:
            metadata["embedder"] = self.embedder
        metadata["entries"] = compact([_label_to_json(label) for label in self.labels])
        fields: dict[str, Any] = {"__metadata__": metadata}
        at = 0
        for name in TENSORS:
            if name in self.shapes:
                dtype, shape = self.shapes[name]
                end = at + _bytes(dtype, shape)
                fields[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, end]}
                at = end
        written = compact(fields).encode()
        written += b" " * (-len(written) % 8)
        if len(written) > MOST_HEADER:
            raise GalleryError(f"its header has {len(written)} bytes", "use fewer photos, or shorter names")
        return len(written).to_bytes(8, "little") + written


def decode(written: bytes) -> Header:
    """The header from its bytes, without their length before them.

    Raises:
        GalleryError: no gallery, another version, damaged, or beyond a limit.
    """
    fields = parse(written, "header")
    metadata = fields.pop("__metadata__", None) if isinstance(fields, dict) else None
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        raise GalleryError("it is no edgesr gallery")
    version = metadata.get("format_version")
    if version != str(FORMAT_VERSION):
        raise GalleryError(
            f"it has format version {version!r:.40}", f"this edgesr reads version {FORMAT_VERSION}: update edgesr"
        )
    for key, value in metadata.items():
        if not isinstance(value, str) or key not in _REQUIRED | {"embedder"}:
            raise GalleryError(f"its header has a strange field {key!r:.40}")
    if missing := sorted(_REQUIRED - set(metadata)):
        raise GalleryError(f"its header has no {missing[0]!r}")
    header = Header(
        feature_space=metadata["feature_space"],
        scale=_number(metadata["scale"]),
        lr_size=_number(metadata["lr_size"]),
        feature_parts=_parts(parse(metadata["feature_parts"], "feature_parts")),
        embedder=metadata.get("embedder"),
        labels=_labels(parse(metadata["entries"], "entries")),
        shapes=_shapes(fields),
    )
    header.check()
    return header


def thousandths(value: float) -> int:
    """A measure as it is stored: value * 1000, rounded, half to even.

    Raises:
        GalleryError: it is no number, or beyond a million.
    """
    if not math.isfinite(value) or abs(value) * 1000 > MOST_THOUSANDTHS:
        raise GalleryError(f"a measure is {value}", "measures are numbers between -1,000,000 and 1,000,000")
    return round(value * 1000)


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


def _label_to_json(label: Label) -> dict[str, Any]:
    fields: dict[str, Any] = {"photo_sha256": label.photo_sha256}
    for name, measures in (("quality", label.quality), ("pose", label.pose)):
        fields[name] = {key: thousandths(measures[key]) for key in sorted(measures)}
    if label.name is not None:
        fields["name"] = label.name
    return fields


def _labels(listed: Any) -> tuple[Label, ...]:
    if not isinstance(listed, list) or len(listed) > MOST_ENTRIES:
        raise GalleryError("its entries are no list", f"of at most {MOST_ENTRIES}")
    labels = []
    for fields in listed:
        keys = {"photo_sha256", "quality", "pose"}
        if not isinstance(fields, dict) or not keys <= set(fields) <= keys | {"name"}:
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


def _parts(listed: Any) -> tuple[tuple[str, int], ...]:
    if not isinstance(listed, list) or len(listed) > MOST_PARTS:
        raise GalleryError("its feature_parts are no list", f"of at most {MOST_PARTS}")
    for part in listed:
        good = isinstance(part, list) and len(part) == 2 and isinstance(part[0], str) and whole(part[1])
        if not good or not 1 <= part[1] <= MOST_CHANNELS:
            raise GalleryError(f"a feature part is {part!r:.80}")
    return tuple((part[0], part[1]) for part in listed)


def _shapes(fields: dict[str, Any]) -> dict[str, tuple[str, tuple[int, ...]]]:
    """dtype and shape of each tensor; they must lie in our order without gaps."""
    if unknown := sorted(set(fields) - set(TENSORS)):
        raise GalleryError(f"it has an unknown tensor {unknown[0]!r:.40}")
    shapes: dict[str, tuple[str, tuple[int, ...]]] = {}
    at = 0
    for name in TENSORS:
        if name not in fields:
            continue
        tensor = fields[name]
        if not isinstance(tensor, dict) or set(tensor) != {"dtype", "shape", "data_offsets"}:
            raise GalleryError(f"its tensor {name} is not described")
        dtype, shape, offsets = tensor["dtype"], tensor["shape"], tensor["data_offsets"]
        good = isinstance(dtype, str) and dtype in ITEM_SIZES and isinstance(shape, list) and len(shape) <= 4
        if not good or not all(whole(n) and 0 <= n <= MOST_DATA for n in shape):
            raise GalleryError(f"its tensor {name} has dtype {dtype!r:.20} and shape {shape!r:.80}")
        end = at + _bytes(dtype, shape)
        if offsets != [at, end] or not all(map(whole, offsets)):
            raise GalleryError(f"its tensor {name} lies at {offsets!r:.60}", f"it must lie at [{at}, {end}]")
        shapes[name] = dtype, tuple(shape)
        at = end
    return shapes


def _bytes(dtype: str, shape: Sequence[int]) -> int:
    return ITEM_SIZES[dtype] * math.prod(shape)


def _number(written: str) -> int:
    if not _NUMBER.fullmatch(written):
        raise GalleryError(f"its header has {written!r:.20} where a whole number belongs")
    return int(written)
