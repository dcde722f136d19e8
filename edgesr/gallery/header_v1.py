"""The header of a gallery of version 1, which had one network's features; it is read, and written no more."""

from __future__ import annotations

import re
from typing import Any

from edgesr.errors import GalleryError
from edgesr.gallery.header import (
    FORMAT,
    FORMAT_VERSION,
    ITEM_SIZES,
    MOST_CHANNELS,
    MOST_DATA,
    MOST_PARTS,
    Header,
    Tensors,
    bytes_of,
    labels_from,
)
from edgesr.gallery.section import Section
from edgesr.gallery.strict_json import parse, whole
from edgesr.models.interface import FeatureMap

MAP = "features"
"""The one map of version 1, by the name that networks of its time give it."""
ORDER = ("descriptors", "embeddings", "scales", "features")
_REQUIRED = {"format", "format_version", "feature_space", "scale", "lr_size", "feature_parts", "entries"}
_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")


def decode_v1(written: bytes) -> Header:
    """The header of version 1 as that of this version which holds the same; its tensors lie in the same order.

    Raises:
        GalleryError: no gallery, another version, damaged, or beyond a limit.
    """
    fields = parse(written, "header")
    metadata = fields.pop("__metadata__", None) if isinstance(fields, dict) else None
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        raise GalleryError("it is no edgesr gallery")
    version = metadata.get("format_version")
    if version == str(FORMAT_VERSION):
        raise GalleryError("its header is not written as the format says")
    if version != "1":
        raise GalleryError(
            f"it has format version {version!r:.40}", f"this edgesr reads up to version {FORMAT_VERSION}: update edgesr"
        )
    for key, value in metadata.items():
        if not isinstance(value, str) or key not in _REQUIRED | {"embedder"}:
            raise GalleryError(f"its header has a strange field {key!r:.40}")
    if missing := sorted(_REQUIRED - set(metadata)):
        raise GalleryError(f"its header has no {missing[0]!r}")
    parts = _parts(parse(metadata["feature_parts"], "feature_parts"))
    lr_size, labels = _number(metadata["lr_size"]), labels_from(parse(metadata["entries"], "entries"))
    given = _tensors(fields)
    dtype = {"I8": "int8", "F16": "fp16"}.get(given.get(MAP, ("", ()))[0])
    if dtype is None:
        raise GalleryError("it has no features of dtype I8 or F16")
    features = FeatureMap(MAP, sum(count for _, count in parts), lr_size, parts)
    head = (metadata["feature_space"], _number(metadata["scale"]), lr_size)
    header = Header(
        sections=(Section(*head, (features,), (), dtype, None),),  # type: ignore[arg-type]
        rows=(tuple(range(len(labels))),),
        embedder=metadata.get("embedder"),
        labels=labels,
        descriptor_size=_columns(given, "descriptors"),
        embedding_size=_columns(given, "embeddings"),
    )
    header.check()
    expected = {name.removeprefix("0."): tensor for name, tensor in header.tensors.items()}
    for name in sorted(set(expected) | set(given)):
        if given.get(name) != expected.get(name):
            raise GalleryError(
                f"its tensor {name} is {given.get(name, 'missing')}, which should be {expected.get(name, 'absent')}"
            )
    return header


def _columns(given: Tensors, name: str) -> int:
    shape = given.get(name, ("", ()))[1]
    return shape[1] if len(shape) == 2 else 0


def _parts(listed: Any) -> tuple[tuple[str, int], ...]:
    if not isinstance(listed, list) or not 1 <= len(listed) <= MOST_PARTS:
        raise GalleryError("its feature_parts are no list", f"of 1 to {MOST_PARTS}")
    for part in listed:
        good = isinstance(part, list) and len(part) == 2 and isinstance(part[0], str) and whole(part[1])
        if not good or not 1 <= part[1] <= MOST_CHANNELS:
            raise GalleryError(f"a feature part is {part!r:.80}")
    return tuple((part[0], part[1]) for part in listed)


def _tensors(fields: dict[str, Any]) -> Tensors:
    """dtype and shape of each tensor; they must lie in our order without gaps."""
    if unknown := sorted(set(fields) - set(ORDER)):
        raise GalleryError(f"it has an unknown tensor {unknown[0]!r:.40}")
    found: Tensors = {}
    at = 0
    for name in ORDER:
        if name not in fields:
            continue
        tensor = fields[name]
        if not isinstance(tensor, dict) or set(tensor) != {"dtype", "shape", "data_offsets"}:
            raise GalleryError(f"its tensor {name} is not described")
        dtype, shape, offsets = tensor["dtype"], tensor["shape"], tensor["data_offsets"]
        good = isinstance(dtype, str) and dtype in ITEM_SIZES and isinstance(shape, list) and len(shape) <= 4
        if not good or not all(whole(n) and 0 <= n <= MOST_DATA for n in shape):
            raise GalleryError(f"its tensor {name} has dtype {dtype!r:.20} and shape {shape!r:.80}")
        end = at + bytes_of(dtype, shape)
        if offsets != [at, end] or not all(map(whole, offsets)):
            raise GalleryError(f"its tensor {name} lies at {offsets!r:.60}", f"it must lie at [{at}, {end}]")
        found[name] = dtype, tuple(shape)
        at = end
    return found


def _number(written: str) -> int:
    if not _NUMBER.fullmatch(written):
        raise GalleryError(f"its header has {written!r:.20} where a whole number belongs")
    return int(written)
